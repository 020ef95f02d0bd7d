"""For the eye: scaling, figures with a colour bar and a description, and interactive panels."""

from .controls import choose_label, choose_layer, choose_photo
from .drawings import draw_anatomy, mosaic, thumbnails
from .figure import Picture, center, figure, overlay, picture, show
from .panel import Panel, panel

__all__ = [
    "Panel", "Picture", "center", "choose_label", "choose_layer", "choose_photo", "draw_anatomy", "figure", "mosaic", "overlay", "panel",
    "picture", "show", "thumbnails",
]  # fmt: skip
