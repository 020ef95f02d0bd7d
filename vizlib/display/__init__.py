"""For the eye: scaling, figures with a colour bar and a description, and interactive panels."""

from .controls import choose_label, choose_layer, choose_photo
from .drawings import draw_anatomy, mosaic, thumbnails
from .figures import Picture, figure, picture
from .grids import centre, overlay, show
from .panels import Panel, panel

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
