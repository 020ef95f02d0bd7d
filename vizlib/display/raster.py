"""Pictures, maps, titles and colour bars as pixels: what `show` draws without matplotlib, in a tenth of its
time. Lengths are in pixels.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from .fonts import face

BLACK, WHITE = (0, 0, 0), (255, 255, 255)


class Box(NamedTuple):
    """Where something lies: its top left corner and its sides."""

    x: float
    y: float
    width: float
    height: float

    def middle(self, aspect: float) -> Box:
        """The largest box of this height by width in the middle of this one, in whole pixels."""
        width = min(self.width, self.height / aspect)
        height = width * aspect
        x, y = self.x + (self.width - width) / 2, self.y + (self.height - height) / 2
        return Box(round(x), round(y), max(1, round(width)), max(1, round(height)))


@functools.cache
def table(colour_map: str) -> np.ndarray:
    """The 256 colours (256, 3) of one of matplotlib's colour maps."""
    from matplotlib import colormaps  # here, because it takes a while to import

    return colormaps[colour_map](np.arange(256), bytes=True)[:, :3]


def coloured(values: np.ndarray, low: float, top: float, colour_map: str) -> np.ndarray:
    """Values (h, w) in colours (h, w, 3), 0 ... 255, of a scale from low to top."""
    return table(colour_map)[(256 * (values - low) / (top - low)).clip(0, 255).astype(np.uint8)]


def resized(values: np.ndarray, box: Box, method: Image.Resampling) -> np.ndarray:
    """Values (h, w) at the size of a box."""
    plane = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(plane.resize((int(box.width), int(box.height)), method))


def line_at(values: np.ndarray, level: float, thick: float) -> np.ndarray:
    """A contour line as an opacity (h, w, 1): where values are within half its thickness of the level, as far
    as their slope says.
    """
    if min(values.shape) < 2:
        return np.zeros((*values.shape, 1))
    slope = np.hypot(*np.gradient(values)) + 1e-12
    return np.clip((thick + 1) / 2 - np.abs(values - level) / slope, 0, 1)[..., None]


def paste(canvas: Image.Image, pixels: np.ndarray, box: Box) -> None:
    canvas.paste(Image.fromarray(pixels.round().astype(np.uint8)), (int(box.x), int(box.y)))


def write(canvas: Image.Image, words: str, x: float, y: float, size: float, anchor: str) -> None:
    """Words at a point; anchor as PIL has it: l, m or r, then a (top) or d (bottom)."""
    pen, font = ImageDraw.Draw(canvas), face(words, size)
    lines = words.split("\n")
    height = 1.2 * size
    for n, line in enumerate(lines):
        down = n if anchor[1] == "a" else n + 1 - len(lines)
        pen.text((x, y + down * height), line, BLACK, font, anchor)


def colour_bar(canvas: Image.Image, box: Box, labels: list[str], colour_map: str, letters: float) -> None:
    """A strip of all colours with a frame, and three labels beneath: of its start, its middle and its end."""
    box = Box(*map(round, box))
    strip = np.broadcast_to(np.linspace(0, 1, int(box.width)), (int(box.height), int(box.width)))
    paste(canvas, coloured(strip, 0, 1, colour_map), box)
    pen, unit = ImageDraw.Draw(canvas), max(1, round(letters / 13))
    bottom, right = box.y + box.height - 1, box.x + box.width - 1
    pen.rectangle((box.x, box.y, right, bottom), outline=BLACK, width=unit)
    for words, x, anchor in zip(labels, (box.x, (box.x + right) / 2, right), ("la", "ma", "ra"), strict=True):
        pen.line((x, bottom, x, bottom + 3 * unit), BLACK, unit)
        write(canvas, words, x, bottom + 4 * unit, letters, anchor)
