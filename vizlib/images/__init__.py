"""Pictures: the offline library, a person's own files, and the checks that every method starts with."""

from .check import check_images
from .convert import open_image, resize, to_pil
from .digits import digits
from .library import background, backgrounds, cutout, cutouts, paste, photo, photos, whole_photos
from .scenes import collages, scene, scenes

__all__ = [
    "background", "backgrounds", "check_images", "collages", "cutout", "cutouts", "digits", "open_image", "paste", "photo", "photos",
    "resize", "scene", "scenes", "to_pil", "whole_photos",
]  # fmt: skip
