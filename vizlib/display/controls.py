"""The controls of a panel: pictures with thumbnails and upload, labels to type, layers, and ipywidgets' own.

A control has a `value` that says what was chosen, and may have an `argument` that the panel's function
receives instead.
"""

from __future__ import annotations

import base64
import hashlib
import io
import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import numpy as np
import torch
import traitlets

from ..batching import whole
from ..errors import VizlibError, did_you_mean
from ..images import open_image, photo, photos, to_pil
from ..images.convert import SMALLEST_SIDE

if TYPE_CHECKING:
    from ..models import Network

UPLOADS = 8  # kept, so that one can go back to them
THUMBNAIL_STYLE = (
    ".vizlib-chosen { box-shadow: 0 0 0 3px #e66100 !important } "
    ".vizlib-thumbnail:focus-visible { outline: 3px solid #1565c0 !important; outline-offset: 2px }"
)
_WIDE = {"description_width": "70px"}
_LAYOUT = {"width": "300px"}


class PhotoChoice(widgets.VBox):
    """Choose a photo of the library by its thumbnail or its name, or upload one. `argument` is (1, 3, size,
    size) in [0, 1].
    """

    value = traitlets.Unicode()
    problem = traitlets.Unicode()  # with the last upload, in words: a browser event has nobody to raise to

    def __init__(self, names: str | Sequence[str], size: int | None = 224) -> None:
        self.size = size if size is None else whole(size, "size is a number of pixels", SMALLEST_SIDE)
        self._uploads: dict[str, torch.Tensor] = {}
        everything = photos()["name"]
        names = [names] if isinstance(names, str) else list(names)
        if not names:
            raise VizlibError("choose_photo needs at least one photo to start with. vz.photos() lists all.")
        for name in names:
            _known(name, everything)
        self._menu = widgets.Dropdown(
            options=everything, value=names[0], description="photo", style=_WIDE, layout=_LAYOUT
        )
        # JupyterLab drops larger uploads without a word to anybody.
        self._upload = widgets.FileUpload(
            accept="image/*", multiple=False, description="your own picture (under 10 MB)", layout=_LAYOUT
        )
        row, self._buttons = _thumbnails(names, self.choose)
        super().__init__([row, self._menu, self._upload])
        self._menu.observe(lambda change: self.choose(change["new"]) if change["new"] else None, "value")
        self._upload.observe(self._uploaded, "value")
        self.observe(self._mark, "value")
        self.choose(names[0])

    def choose(self, picture: Any) -> None:
        """Choose a photo by name, or anything that `open_image` reads. Raises VizlibError for what it does
        not.
        """
        if isinstance(picture, str) and picture in self._menu.options:
            self._menu.value = self.value = str(picture)
            return
        if isinstance(picture, str) and picture in self._uploads:  # back to an earlier choice
            self._menu.value, self.value = None, str(picture)
            return
        if isinstance(picture, str) and "." not in picture and "/" not in picture:
            _known(picture, self._menu.options)
        image = open_image(picture, self.size).cpu()
        name = "upload " + hashlib.sha256(image.numpy().tobytes()).hexdigest()[:8]
        self._uploads[name] = image
        if len(self._uploads) > UPLOADS:
            self._uploads.pop(next(iter(self._uploads)))
        self._menu.value = None
        self.value = name

    def _uploaded(self, change: Any) -> None:
        if not change["new"]:
            return
        self.problem = ""
        try:
            self.choose(change["new"])
        except VizlibError as problem:  # the picture before it stays chosen
            self.problem = str(problem)
        self._upload.value = ()  # so that the same file can be chosen again

    def _mark(self, _change: Any) -> None:
        for name, button in self._buttons.items():
            (button.add_class if name == self.value else button.remove_class)("vizlib-chosen")

    @property
    def argument(self) -> torch.Tensor:
        return self._uploads[self.value] if self.value in self._uploads else photo(self.value, self.size)


def _known(name: Any, names: Sequence[str]) -> None:
    if name not in names:
        raise VizlibError(f"There is no photo {name!r}. {did_you_mean(name, names)}")


def _thumbnails(
    names: Sequence[str], choose: Callable[[str], None]
) -> tuple[widgets.VBox, dict[str, widgets.Button]]:
    """A row of buttons that carry small pictures, and the buttons by name."""
    styles, buttons = [THUMBNAIL_STYLE], {}
    for name in names:
        buffer = io.BytesIO()
        to_pil(photo(name, 56)).save(buffer, "JPEG", quality=80)
        button = widgets.Button(
            tooltip=f"photo: {name.replace('_', ' ')}",
            layout={"width": "46px", "height": "46px", "margin": "2px"},
        )
        button.add_class("vizlib-thumbnail").add_class(f"vizlib-{name}")
        button.on_click(lambda _, name=name: choose(name))
        data = base64.b64encode(buffer.getvalue()).decode()
        styles.append(
            f".vizlib-{name} {{ background: url(data:image/jpeg;base64,{data}) center / cover !important }}"
        )
        buttons[name] = button
    style = widgets.HTML(f"<style>{' '.join(styles)}</style>", layout={"display": "none"})
    return widgets.VBox([style, widgets.HBox(list(buttons.values()))]), buttons


class LabelChoice(widgets.Combobox):
    """Type a label of a network and get it completed. `argument` is the class index, or None (the top class)
    while empty.
    """

    def __init__(self, net: Network, value: str | int | None = None) -> None:
        self._net = net
        super().__init__(
            value=self._words(value),
            options=tuple(dict.fromkeys(net.labels)),
            ensure_option=False,
            continuous_update=False,
            placeholder="top class (type another)",
            description="label",
            style=_WIDE,
            layout=_LAYOUT,
        )

    def choose(self, value: str | int | None) -> None:
        """Choose a class by its label, or by its index; None is the top class."""
        self.value = self._words(value)

    def _words(self, value: Any) -> str:
        """What to type for this class. A number is an index, though "1" may be the label of another class."""
        if value is None or isinstance(value, str):
            return value or ""
        index = self._net.index(value)
        label = str(self._net.labels[index])
        for words in (str(index), f"{index} {label}", label):
            try:
                if self._net.index(words) == index:
                    return words
            except VizlibError:
                continue  # the name of two classes, or of none
        raise VizlibError(f"No words name the class {index} ({label!r}) alone. Give its label.")

    @property
    def argument(self) -> int | None:
        return self._net.index(self.value) if self.value.strip() else None


def layer_menu(net: Network, value: str | None, spatial: bool) -> widgets.Dropdown:
    """A menu of the layers of a network; with `spatial` of those with a grid of positions."""
    names = [name for name in net.layers["name"] if not spatial or net.layer(name).spatial]
    if not names:
        raise VizlibError(
            f"{net.name} has no layer with a grid of positions to choose. spatial=False offers all layers."
        )
    if value is not None and value not in names:
        raise VizlibError(f"The layer {value!r} cannot be chosen here. {did_you_mean(value, names)}")
    return widgets.Dropdown(
        options=names, value=value or names[-1], description="layer", style=_WIDE, layout=_LAYOUT
    )


# ------------------------------------------------------------------------------- from what a person wrote


def control(name: str, spec: Any, default: Any = None) -> Any:
    """A widget for one argument: a widget as it is, (low, high[, step]) a slider, a list a menu, a bool a box
    to tick. default: where it starts; None is no matter.
    """
    if isinstance(spec, widgets.Widget):
        if not spec.has_trait("value"):
            raise VizlibError(
                f"The control {name!r} is of the kind {type(spec).__name__}, which has no value to choose. "
                "Menus, sliders, texts and boxes to tick have one."
            )
        return spec
    if isinstance(spec, bool):
        return widgets.Checkbox(value=spec, **_named(name))
    if isinstance(spec, list):
        return _menu(name, spec, default)
    if isinstance(spec, tuple) and len(spec) in (2, 3):
        numbers = [plain(value) for value in spec]
        if all(map(_is_number, numbers)):
            return _slider(name, numbers, plain(default))
    raise VizlibError(
        f"The control {name!r} is a widget, a list, a bool or (low, high[, step]); this is {spec!r}."
    )


def _named(name: str) -> dict[str, Any]:
    return {"description": name, "style": _WIDE, "layout": _LAYOUT}


def _menu(name: str, options: list, default: Any) -> widgets.Dropdown:
    values = _choices(options)
    start = _place(default, values)
    if start is None and (default is not None or not values):
        raise VizlibError(f"The menu {name!r} does not hold its start value {default!r}; it holds {values}.")
    return widgets.Dropdown(options=options, index=start or 0, equals=_same, **_named(name))


def _slider(name: str, numbers: list, default: Any) -> widgets.Widget:
    low, high, *rest = numbers
    integers = all(isinstance(number, int) for number in numbers)
    step = rest[0] if rest else 1 if integers else (high - low) / 20 or 1
    if not (low <= high and step > 0 and math.isfinite(high - low)):
        raise VizlibError(
            f"The slider {name!r} goes from a low number to a high one in steps above 0; this is "
            f"{tuple(numbers)}."
        )
    start = low if default is None else default
    if not (_is_number(start) and low <= start <= high):
        raise VizlibError(
            f"The slider {name!r} goes from {low} to {high}; its start value {default!r} lies outside."
        )
    if integers and start != int(start):
        raise VizlibError(
            f"The slider {name!r} takes whole numbers and cannot start at {default!r}. Write "
            f"({float(low)}, {float(high)}) for one that takes others."
        )
    kind = widgets.IntSlider if integers else widgets.FloatSlider
    return kind(min=low, max=high, step=step, value=start, **_named(name))


def argument(widget: Any) -> Any:
    """What the panel's function receives for this control."""
    return widget.argument if hasattr(widget, "argument") else widget.value


def assign(widget: Any, value: Any) -> None:
    """Set a control from Python. Raises VizlibError for what cannot be chosen."""
    if isinstance(widget, (PhotoChoice, LabelChoice)):
        widget.choose(value)
        return
    value = plain(value)
    place = _place(value, _choices(getattr(widget, "options", ())))
    if place is not None and isinstance(getattr(widget, "index", ()), (int, type(None))):  # a menu of one
        widget.index = place  # by place, because ipywidgets looks for values with ==
        return
    if _is_number(getattr(widget, "min", None)) and _is_number(getattr(widget, "max", None)):
        value = _in_range(widget, value)
    try:
        widget.value = value
    except traitlets.TraitError as problem:
        options = _choices(getattr(widget, "options", ()))
        hint = did_you_mean(value, options) if options else ""
        raise VizlibError(f"{value!r} cannot be chosen here. {hint}".strip()) from problem


def _in_range(widget: Any, value: Any) -> Any:
    """A number, or a pair of them, that a slider has. Raises VizlibError for others: ipywidgets would move
    them to the nearest.
    """
    low, high = widget.min, widget.max
    if hasattr(widget, "base"):  # a logarithmic slider's ends are exponents
        low, high = widget.base**low, widget.base**high
    pair = isinstance(widget.value, tuple)
    numbers = [plain(number) for number in value] if pair and isinstance(value, (list, tuple)) else [value]
    if len(numbers) != 1 + pair or not all(_is_number(n) and low <= n <= high for n in numbers):
        two = "Two numbers are chosen; they go" if pair else "It goes"
        raise VizlibError(f"{value!r} cannot be chosen here. {two} from {low} to {high}.")
    if isinstance(widget.min, int) and any(number != int(number) for number in numbers):
        raise VizlibError(f"{value!r} cannot be chosen here. Whole numbers from {low} to {high} can.")
    return tuple(numbers) if pair else numbers[0]


def plain(value: Any) -> Any:
    """A number of NumPy or torch as one of Python's; everything else as it is."""
    scalar = isinstance(value, np.generic) or isinstance(value, (np.ndarray, torch.Tensor)) and not value.ndim
    return value.item() if scalar else value


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _choices(options: Any) -> list:
    """The values of a menu, which ipywidgets takes as values, as (label, value), or as {label: value}."""
    entries = list(options.items() if isinstance(options, Mapping) else options)
    if all(isinstance(entry, (list, tuple)) and len(entry) == 2 for entry in entries):
        return [value for _, value in entries]
    return entries


def _place(value: Any, values: Sequence[Any]) -> int | None:
    return next((i for i, other in enumerate(values) if _same(value, other)), None)


def _same(one: Any, other: Any) -> bool:
    """Equality that does not fail where it cannot be said, as for tensors."""
    try:
        return one is other or bool(one == other)
    except (ValueError, RuntimeError, TypeError):
        return False
