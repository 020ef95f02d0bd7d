"""Pictures: the offline library, a person's own files, and the checks that every method starts with."""

from .check import check_images
from .collage import collages, portraits, scene, scene_objects, scene_pictures, scenes
from .convert import open_image, resize, to_pil
from .drawn_digits import digits
from .film import save_film
from .library import background, backgrounds, cutout, cutouts, paste, photo, photos, whole_photos
from .warps import H_FLIP, V_FLIP, Warp, rotation, scaling

__all__ = [
    "H_FLIP",
    "V_FLIP",
    "Warp",
    "background",
    "backgrounds",
    "check_images",
    "collages",
    "cutout",
    "cutouts",
    "digits",
    "open_image",
    "paste",
    "photo",
    "photos",
    "portraits",
    "resize",
    "rotation",
    "save_film",
    "scaling",
    "scene",
    "scene_objects",
    "scene_pictures",
    "scenes",
    "to_pil",
    "whole_photos",
]
