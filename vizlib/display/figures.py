"""Figures that carry a description for those who cannot see them, and one lock for all who draw."""

from __future__ import annotations

import base64
import html
import io
import math
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image

from ..batching import whole
from ..errors import VizlibError
from ..files import write_whole
from .fonts import make_legible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 96
SHARP = 2  # pixels of the file to each pixel of the page, in a figure of full width
LARGEST = 65_500  # pixels of a side that matplotlib and JPEG can hold
FORMATS: dict[str, dict[str, Any]] = {"png": {}, "jpeg": {"pil_kwargs": {"quality": 82}}}
ENDINGS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".gif": "GIF",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".pdf": "PDF",
}

# matplotlib is not made for two threads at once, and every panel draws in a thread of its own. Who draws a
# figure holds this lock from the first axes to the last byte; it may be taken again by who has it.
drawing = threading.RLock()


@dataclass(frozen=True)
class Picture:
    """A drawn figure: its encoded bytes, their format ("jpeg" or "png") and a description in words (alt
    text).

    >>> drawn = vz.show(vz.photo("goldfish", 64), alt="a goldfish")
    >>> drawn, drawn.format
    (Figure: a goldfish, 'jpeg')
    """

    data: bytes
    format: str
    alt: str
    full_width: bool = False  # shown as wide as the page, with SHARP pixels to each of a plain screen

    def save(self, path: str | os.PathLike) -> Path:
        """Write the figure to a file, encoded as its ending says (.png, .jpg, .webp, .gif, .bmp, .tif, .pdf).
        Returns the path. Raises VizlibError for another ending and for what cannot be written.
        """
        path = Path(path)
        format = ENDINGS.get(path.suffix.lower())
        if format is None:
            raise VizlibError(f"A figure is saved as {', '.join(ENDINGS)}; this is {path.name!r}.")
        if not path.parent.is_dir():
            raise VizlibError(
                f"There is no folder {str(path.parent)!r} to save {path.name!r} in. Make it first."
            )
        write_whole(path, lambda part: part.write_bytes(self._encoded(format)))
        return path

    def _encoded(self, format: str) -> bytes:
        if format == self.format.upper():
            return self.data
        buffer = io.BytesIO()
        with PIL.Image.open(io.BytesIO(self.data)) as picture:
            picture.convert("RGB").save(buffer, format)
        return buffer.getvalue()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        with PIL.Image.open(io.BytesIO(self.data)) as picture:
            return picture.size

    def html(self, full_width: bool | None = None) -> str:
        """An <img> that carries the picture and its description, what a notebook shows.

        full_width: as wide as what it lies in; by default as the figure was made: in its own size, or
            narrower.
        """
        scale = SHARP if self.full_width else 1
        width, height = (round(side / scale) for side in self.size)
        source = f"data:image/{self.format};base64,{base64.b64encode(self.data).decode()}"
        wide = self.full_width if full_width is None else full_width
        style = f"display: block; {'width' if wide else 'max-width'}: 100%; height: auto"
        size = f'width="{width}" height="{height}"'
        return f'<img src="{source}" alt="{html.escape(self.alt)}" {size} decoding="sync" style="{style}">'

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        # An <img> in HTML is the only form in which JupyterLab and nbconvert keep a description. They take it
        # before an image of its own, which would double the notebook and never be seen.
        return {"text/html": self.html(), "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"Figure: {self.alt}"


def figure(width: float = 7.0, height: float = 3.2, columns: int = 1) -> tuple[Figure, Any]:
    """A blank matplotlib figure and its axes, for curves and bars. Finish it with `picture`.

    width, height: in inches of 96 pixels.
    columns: how many axes stand side by side. Returns (figure, axes); with several columns axes is an array.

    It belongs to no window and to no list of pyplot's, so several threads may each have their own; what all
    figures share is touched in `figure` and in `picture` only, by one thread at a time.

    >>> fig, ax = vz.figure()
    >>> _ = ax.plot([0, 1], [0, 2])
    >>> vz.picture(fig, "a straight line")
    Figure: a straight line
    """
    size = inches(width, "width"), inches(height, "height")
    columns = whole(columns, "columns is a number of axes")
    with drawing:
        fig = blank(size, layout="constrained")
        axes = fig.subplots(1, columns)
        for ax in np.atleast_1d(axes):
            ax.spines[["top", "right"]].set_visible(False)
            ax.tick_params(labelsize=10)
    return fig, axes


def blank(size: tuple[float, float], layout: Any = None) -> Figure:
    """A figure without axes, width and height in inches. For those who hold the lock."""
    from matplotlib.figure import Figure  # here, because it takes 0.3 s to import

    return Figure(figsize=size, dpi=DPI, layout=layout)


def inches(value: Any, name: str) -> float:
    """A length as a number, or a VizlibError."""
    try:
        length = float(value)
    except (TypeError, ValueError):
        length = 0.0
    if not 0 < length < math.inf:
        raise VizlibError(f"{name} is a number of inches above 0; this is {value!r}.")
    return length


def picture(fig: Figure, alt: str, format: str = "png", *, full_width: bool = False) -> Picture:
    """Encode a matplotlib figure as a Picture with a description in words (alt text).

    format: "png", for lines and letters, or "jpeg", for photographs.
    full_width: show it as wide as the page, with twice the pixels, sharp on a high-resolution screen.

    Labels in scripts that matplotlib's own
    font lacks are drawn in another font of this machine. Raises VizlibError for a missing description, an
    unknown format, and a figure that is too large.

    >>> fig, ax = vz.figure(2, 1)
    >>> vz.picture(fig, alt="an empty axis").alt
    'an empty axis'
    """
    check_alt(alt)
    if format not in FORMATS:
        raise VizlibError(f"format is one of {', '.join(FORMATS)}; this is {format!r}.")
    if not hasattr(fig, "savefig"):
        raise VizlibError(f"picture encodes a figure of matplotlib; this is a {type(fig).__name__}.")
    dpi = DPI * SHARP if full_width else DPI
    checked_size(*(side * dpi for side in fig.get_size_inches()))
    buffer = io.BytesIO()
    with drawing:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        FigureCanvasAgg(fig)
        make_legible(fig)
        fig.savefig(buffer, format=format, dpi=dpi, facecolor="white", **FORMATS[format])
    return Picture(buffer.getvalue(), format, alt, full_width)


def from_pixels(image: PIL.Image.Image, alt: str, full_width: bool) -> Picture:
    """A drawing of PIL as a Picture, a JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "jpeg", **FORMATS["jpeg"]["pil_kwargs"])
    return Picture(buffer.getvalue(), "jpeg", alt, full_width)


def check_alt(alt: Any) -> None:
    if not (isinstance(alt, str) and alt.strip()):
        raise VizlibError("A figure needs alt=..., a sentence that says what is to be seen.")


def checked_size(width: float, height: float) -> tuple[int, int]:
    """A figure's sides in whole pixels, or a VizlibError for a figure that is too large."""
    width, height = round(width), round(height)
    if max(width, height) > LARGEST:
        raise VizlibError(
            f"This figure would be {width} x {height} pixels large, and {LARGEST} is the most. "
            "Show less at a time."
        )
    return max(1, width), max(1, height)
