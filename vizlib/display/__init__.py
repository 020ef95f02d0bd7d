"""For the eye: scaling, figures with a colour bar and a description, and interactive panels."""

from typing import TYPE_CHECKING, Any

from ..deprecation import moved
from .drawings import draw_anatomy, mosaic, thumbnails
from .figures import Picture, figure, picture
from .grids import centre, overlay, show
from .interactive import choose_label, choose_layer, choose_photo, jupyter, panel

if TYPE_CHECKING:
    from .panels import Panel

__all__ = [
    "Panel",
    "Picture",
    "centre",
    "choose_label",
    "choose_layer",
    "choose_photo",
    "draw_anatomy",
    "figure",
    "mosaic",
    "overlay",
    "panel",
    "picture",
    "show",
    "thumbnails",
]


_moved = moved(__name__, {"center": "vizlib.display.centre"})


def __getattr__(name: str) -> Any:
    return jupyter("panels").Panel if name == "Panel" else _moved(name)  # Jupyter is imported by who asks
