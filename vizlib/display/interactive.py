"""What makes panels and their controls. Jupyter's widgets are imported when the first one is asked for, so
that the library works, and starts fast, where they are not installed.
"""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..batching import whole
from ..errors import VizlibError

if TYPE_CHECKING:
    from ipywidgets import Dropdown

    from ..models import Network
    from .controls import LabelChoice, PhotoChoice
    from .panels import Panel

PANEL_WIDTH = 620  # pixels of the picture

FAVOURITES = (
    "tabby_cat_chelsea",
    "giant_panda",
    "goldfish",
    "drum_kit_and_guitar",
    "castle_egeskov_and_lake",
    "ladybird_on_forget_me_nots",
)


def panel(draw: Callable[..., Any], /, *, panel_width: int | None = None, **controls: Any) -> Panel:
    """An interactive panel (widgets, a small app): draw(**values) is called with the controls' values and its
    picture is shown.

    draw: a function that returns vz.show(...), a picture tensor (1, 3, H, W), or (picture, words). If it
        takes `progress`, the panel gives it one for the methods of vizlib, progress(done, total, preview):
        their pictures so far are shown, and Stop makes it return False, which ends the work.
    panel_width: the picture is at most this many pixels wide, 620 by default.
    controls: for each argument a widget (vz.choose_photo(), vz.choose_label(net), vz.choose_layer(net) or any
        of ipywidgets that has a value), a list (a menu; of values or of (label, value)), (low, high[, step])
        (a slider) or a bool (a box to tick). Start values come from draw's defaults. A control may have any
        name, also `width`.

    Returns a Panel; p.set(name=value) changes controls from Python, p.picture is what is shown. Raises
    VizlibError for controls that do not fit draw, and whatever the first drawing raises.

    >>> p = vz.panel(lambda n=2: vz.show(torch.rand(n, 3, 8, 8), alt="noise"), n=(1, 4))
    >>> p.set(n=3)
    >>> p.values, p.picture
    ({'n': 3}, Figure: noise)
    """
    named, takes_any = _arguments(draw)
    if panel_width is not None and "panel_width" in named:
        controls["panel_width"], panel_width = panel_width, None
    if _is_number(controls.get("width")) and "width" not in named and not takes_any:
        warnings.warn("panel(width=...) is now called panel_width.", DeprecationWarning, stacklevel=2)
        panel_width = controls.pop("width")
    width = PANEL_WIDTH if panel_width is None else whole(panel_width, "panel_width is a number of pixels")
    return jupyter("panels").Panel(draw, controls, width)


def choose_photo(names: str | Sequence[str] = FAVOURITES, size: int | None = 224) -> PhotoChoice:
    """A control, a photo picker: thumbnails of `names`, a menu of all photos, and an upload. The function
    receives (1, 3, size, size) in [0, 1], or the whole picture with size=None.

    From Python, p.set(photo="holiday.jpg") chooses a photo by name or anything that `open_image` reads. It is
    the way for files over 10 MB, which the browser cannot send to the kernel.

    >>> vz.choose_photo(["goldfish", "giant_panda"], size=64).argument.shape
    torch.Size([1, 3, 64, 64])
    """
    return jupyter("controls").PhotoChoice(names, size)


def choose_label(net: Network, value: str | int | None = None) -> LabelChoice:
    """A control, a class picker: a label of `net`, completed while typing. The function receives a class
    index, or None (the top class) while it is empty.

    value: what it starts with, a label or a class index.

    >>> vz.choose_label(vz.load("zfnet"), "goldfish").argument
    0
    """
    return jupyter("controls").LabelChoice(net, value)


def choose_layer(net: Network, value: str | None = None, spatial: bool = True) -> Dropdown:
    """A control, a layer picker: a menu of the layers of `net`, the last one chosen. The function receives
    its name.

    value: the layer to start with. spatial: only layers with a grid of positions.

    >>> vz.choose_layer(vz.load("zfnet"), "pool5").value
    'pool5'
    """
    return jupyter("controls").layer_menu(net, value, spatial)


def jupyter(module: str) -> Any:
    """A module of this package that needs Jupyter's widgets."""
    try:
        return importlib.import_module(f".{module}", __package__)
    except ImportError as problem:
        raise VizlibError(
            'Panels need Jupyter and its widgets, which are not installed: pip install "vizlib[notebooks]".'
        ) from problem


def _arguments(draw: Any) -> tuple[set[str], bool]:
    """The names of a function's arguments, and whether it takes any other name as well."""
    try:
        parameters = inspect.signature(draw).parameters.values()
    except (TypeError, ValueError):  # no function, or one of C; the panel looks again
        return set(), False
    return {p.name for p in parameters}, any(p.kind is p.VAR_KEYWORD for p in parameters)


def _is_number(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and float(value) == value
    except (TypeError, ValueError):
        return False
