"""Pictures one after the other: an animation that a browser plays."""

from pathlib import Path

from ..errors import VizlibError
from .check import check_images
from .convert import to_pil


def save_film(images, path, *, per_second=12):
    """Write pictures (N, 3, H, W) in [0, 1] as an endless animation, a GIF or a WebP by the name's ending.
    Returns the path.

    per_second: how many pictures a second, at most 50 (browsers slow a faster GIF down). A GIF has 256
        colours, chosen for each picture
    anew, and is several times as large as a WebP, which keeps all colours.
    Raises VizlibError for another ending, a folder that is not there, and numbers that make no film.
    """
    path, images = Path(path), check_images(images)
    if path.suffix.lower() not in (".gif", ".webp"):
        raise VizlibError(f"A film is saved as .gif or .webp; this is {path.name!r}.")
    if not path.parent.is_dir():
        raise VizlibError(f"There is no folder {str(path.parent)!r} to save {path.name!r} in. Make it first.")
    if not 0 < per_second <= 50:
        raise VizlibError(
            f"per_second is a number of pictures, above 0 and at most 50; this is {per_second!r}."
        )
    first, *others = (to_pil(image) for image in images)
    first.save(path, save_all=True, append_images=others, duration=round(1000 / per_second), loop=0)
    return path
