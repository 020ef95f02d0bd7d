"""Pictures one after the other: an animation that a browser plays."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from ..errors import VizlibError
from ..files import write_whole
from .check import check_images
from .convert import to_pil


def save_film(images: torch.Tensor, path: str | os.PathLike, *, per_second: float = 12) -> Path:
    """Write pictures as an endless animation, a film: a GIF or a WebP by the name's ending. Returns the path.

    images: (N, 3, H, W) in [0, 1], on any device.
    path: where to; what was there stays until the film is complete.
    per_second: how many pictures a second, at most 50 (browsers slow a faster GIF down, and a GIF counts in
        hundredths of a second).

    A GIF has 256 colours, chosen for each picture anew, and is several times as large as a WebP, which keeps
    all colours. Raises VizlibError for another ending, a folder that is not there, a file that cannot be
    written, and numbers that make no film.

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> vz.save_film(torch.rand(4, 3, 32, 32), folder / "noise.webp", per_second=8).name
    'noise.webp'
    """
    path, images = Path(path), check_images(images)
    ending = path.suffix.lower()
    if ending not in (".gif", ".webp"):
        raise VizlibError(f"A film is saved as .gif or .webp; this is {path.name!r}.")
    if not path.parent.is_dir():
        raise VizlibError(f"There is no folder {str(path.parent)!r} to save {path.name!r} in. Make it first.")
    duration = round(1000 / _rate(per_second))  # milliseconds
    first, *others = (to_pil(image) for image in images)
    options: dict[str, Any] = {
        "format": ending[1:],
        "save_all": True,
        "append_images": others,
        "duration": duration,
    }
    write_whole(path, lambda part: first.save(part, **options, loop=0))
    return path


def _rate(per_second: float) -> float:
    try:
        rate = float(per_second)
    except (TypeError, ValueError):
        rate = 0.0
    if not 0 < rate <= 50:
        raise VizlibError(
            f"per_second is a number of pictures, above 0 and at most 50; this is {per_second!r}."
        )
    return rate
