"""Pictures: the offline library, a person's own files, and the checks that every method starts with."""

from .check import check_images
from .convert import open_image, resize, to_pil
from .library import background, backgrounds, cutout, cutouts, paste, photo, photos

__all__ = [
    "background", "backgrounds", "check_images", "cutout", "cutouts", "open_image", "paste", "photo", "photos", "resize", "to_pil",
]  # fmt: skip
