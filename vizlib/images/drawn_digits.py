"""Digits for a network that trains in seconds: drawn from many fonts, then shifted, turned, sheared and
bent.
"""

from __future__ import annotations

import functools
import operator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont

from ..batching import whole
from ..errors import VizlibError
from .convert import rgb_to_tensor

SIDE, GLYPH = 28, 40  # pixels of a picture, and of the drawing it is sampled from
# All of these come with matplotlib: DejaVu, STIX and Computer Modern.
FONTS = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-Oblique",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSerif-Italic",
    "STIXGeneral",
    "STIXGeneralBol",
    "STIXGeneralItalic",
    "cmr10",
    "cmb10",
    "cmss10",
)
HELD_OUT = ("STIXGeneralBolIta", "cmtt10", "DejaVuSansMono-Oblique")


def digits(count: int, seed: int = 0, *, held_out: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """Drawn digits, in the manner of MNIST: `count` pictures, white on black, and what they show.

    seed: the same seed gives the same pictures.
    held_out: drawn with three fonts that are used for nothing else, as a test set.

    Returns images (N, 3, 28, 28) in [0, 1] and labels (N,). Raises VizlibError for a count under 1.

    >>> images, labels = vz.digits(4, seed=1)
    >>> images.shape, labels.shape
    (torch.Size([4, 3, 28, 28]), torch.Size([4]))
    """
    count = whole(count, "count is a number of pictures")
    generator = torch.Generator().manual_seed(_seed(seed))
    glyphs = _glyphs(HELD_OUT if held_out else FONTS)
    labels = torch.randint(10, (count,), generator=generator)
    fonts = torch.randint(glyphs.shape[0], (count,), generator=generator)
    images = F.grid_sample(
        glyphs[fonts, labels], _bent_grid(count, generator), mode="bilinear", align_corners=False
    )
    light = 0.7 + 0.3 * torch.rand(count, 1, 1, 1, generator=generator)
    noise = 0.05 * torch.randn(images.shape, generator=generator)
    return (light * images + noise).clamp_(0, 1).expand(-1, 3, -1, -1).contiguous(), labels


def _seed(seed: Any) -> int:
    try:
        return operator.index(seed)
    except TypeError as problem:
        raise VizlibError(f"seed is a whole number; this is {seed!r}.") from problem


def _bent_grid(count: int, generator: torch.Generator) -> torch.Tensor:
    """Where each pixel of each picture looks: a random affine map, plus a smooth random displacement.
    (N, 28, 28, 2)
    """

    def uniform(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    turn, shear = uniform(-0.3, 0.3), uniform(-0.25, 0.25)  # radians
    size = uniform(0.85, 1.3)  # a larger size is a smaller digit
    across = [size * turn.cos(), size * (shear - turn.sin()), uniform(-0.2, 0.2)]
    down = [size * turn.sin(), size * turn.cos(), uniform(-0.2, 0.2)]
    affine = torch.stack(across + down, 1).view(count, 2, 3)
    grid = F.affine_grid(affine, [count, 1, SIDE, SIDE], align_corners=False)
    bend = 0.06 * torch.randn(count, 2, 4, 4, generator=generator)
    return grid + F.interpolate(bend, (SIDE, SIDE), mode="bicubic", align_corners=False).permute(0, 2, 3, 1)


@functools.cache
def _glyphs(fonts: tuple[str, ...]) -> torch.Tensor:
    """(fonts, 10, 1, 40, 40): each digit with its ink in the middle, 26 pixels high."""
    import matplotlib  # for the place of its fonts; here, because it takes 0.3 s to import

    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    return torch.stack(
        [torch.stack([_glyph(str(folder / f"{font}.ttf"), str(n)) for n in range(10)]) for font in fonts]
    )


def _glyph(font: str, text: str) -> torch.Tensor:
    face = ImageFont.truetype(font, 96)
    left, top, right, bottom = map(int, face.getbbox(text))
    ink = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(ink).text((-left, -top), text, fill=255, font=face)
    height, width = 26, max(1, round(26 * ink.width / ink.height))
    picture = Image.new("RGB", (GLYPH, GLYPH))
    picture.paste(
        ink.resize((width, height), Image.Resampling.LANCZOS), ((GLYPH - width) // 2, (GLYPH - height) // 2)
    )
    return rgb_to_tensor(picture)[0, :1]
