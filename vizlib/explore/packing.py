"""Measurements and pictures as text that travels inside a page: numbers in 16 bits, pictures as data URIs."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..batching import whole
from ..display import raster
from ..display.grids import SIGNED, UNSIGNED, limits
from ..errors import VizlibError
from ..images import resize, to_pil
from ..images.check import check_images

STEPS = 65_535  # numbers are kept in 16 bits: to 1/65535 of their range
BLOCK = 16  # JPEG codes colours in squares of 16 pixels: pictures of whole squares stay apart
QUALITY = 82
STOPS = 33  # colours of a scale that the page knows; it blends between them


def pack(values: Any, what: str, dimensions: int) -> dict[str, Any]:
    """Numbers as {shape, low, step, digits, data}: value = low + step * q, q in 16 bits, little end first.

    digits: behind the point, so that the largest number shows three.
    """
    array = as_numbers(values, what, dimensions)
    low, high = float(array.min()), float(array.max())
    step = (high - low) / STEPS
    steps = np.rint((array - low) / (step or 1)).astype("<u2")
    largest = max(abs(low), abs(high))
    digits = min(max(2 - math.floor(math.log10(largest)), 0), 6) if largest else 0
    data = base64.b64encode(steps.tobytes()).decode()
    return {"shape": list(array.shape), "low": low, "step": step, "digits": digits, "data": data}


def unpack(packed: dict[str, Any]) -> np.ndarray:
    """The numbers that `pack` packed, as the page reads them."""
    steps = np.frombuffer(base64.b64decode(packed["data"]), "<u2").reshape(packed["shape"])
    return packed["low"] + packed["step"] * steps


def as_numbers(values: Any, what: str, dimensions: int) -> np.ndarray:
    """Finite numbers with so many axes, as an array. A batch of one loses its first axis."""
    try:
        array = torch.as_tensor(values).detach().cpu().double().numpy()
    except (TypeError, ValueError, RuntimeError):
        raise VizlibError(f"{what}; this is a {type(values).__name__}.") from None
    if array.ndim == dimensions + 1 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != dimensions or array.size == 0:
        raise VizlibError(f"{what}; this has the shape {tuple(array.shape)}.")
    if not np.isfinite(array).all():
        raise VizlibError(f"{what}; these hold NaN or infinite values.")
    return array


def as_maps(maps: Any, what: str) -> np.ndarray:
    """Maps (K, h, w), (K, 1, h, w) or (1, K, h, w) as an array (K, h, w)."""
    if isinstance(maps, torch.Tensor) and maps.dim() == 4 and maps.shape[1] == 1:
        maps = maps[:, 0]
    return as_numbers(maps, what, 3)


def one_picture(image: Any, what: str) -> torch.Tensor:
    """A picture (1, 3, H, W) in [0, 1] on the CPU."""
    image = check_images(image[None] if isinstance(image, torch.Tensor) and image.dim() == 3 else image)
    if len(image) != 1:
        raise VizlibError(f"{what} is one picture; these are {len(image)}. Pick one: images[:1].")
    return image.detach().cpu().float()


def encoded(picture: Image.Image, format: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    options: dict[str, Any] = (
        {"quality": QUALITY, "optimize": True} if format == "JPEG" else {"optimize": True}
    )
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def uri(data: bytes) -> str:
    """What the src of an <img> takes."""
    kind = "png" if data[:4] == b"\x89PNG" else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


# ------------------------------------------------------------------------------------- colours of maps


def scale_of(maps: np.ndarray) -> dict[str, Any]:
    """The colour scale of `show` for these numbers: {colours, low, high}."""
    low, high = limits(maps, None, 100)
    return {"colours": stops(bool(low)), "low": low, "high": high}


def stops(signed: bool) -> list[str]:
    colours = raster.table(SIGNED if signed else UNSIGNED)[np.linspace(0, 255, STOPS).round().astype(int)]
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in colours]


def coloured(map: np.ndarray, signed: bool) -> np.ndarray:
    """A map (h, w) in colours, (h, w, 3) in 0 ... 255, on its own scale."""
    low, high = limits(map, None, 100)
    return raster.coloured(map, -high if signed else low, high, SIGNED if signed else UNSIGNED)


def over_grey(photo: torch.Tensor, map: np.ndarray, signed: bool) -> torch.Tensor:
    """A map in colour over a grey photo, as `overlay` draws it, without matplotlib's axes."""
    colours = torch.from_numpy(coloured(map, signed).copy()).permute(2, 0, 1)[None] / 255
    large = torch.nn.functional.interpolate(colours, photo.shape[-2:], mode="bilinear", align_corners=False)
    return 0.4 * photo.mean(1, keepdim=True) + 0.6 * large


# ------------------------------------------------------------------------------------- many pictures in one


def sprite(images: torch.Tensor, size: int, columns: int | None = None) -> tuple[bytes, dict[str, int]]:
    """Pictures (N, 3, H, W) side by side in one JPEG, and where each lies: {columns, width, height, ...}.

    size: the longer side of each, rounded to whole squares of 16 pixels.
    """
    images = check_images(images).detach().cpu().float()
    longest = max(images.shape[-2:])
    size = whole(size, "size is a number of pixels", BLOCK)
    height, width = (max(BLOCK, round(side * size / longest / BLOCK) * BLOCK) for side in images.shape[-2:])
    small = images if (height, width) == images.shape[-2:] else resize(images, (height, width))
    sheet, columns = _side_by_side(
        small.permute(0, 2, 3, 1).mul(255).round().byte().cpu().numpy(), 0, columns
    )
    where = {"columns": columns, "width": width, "height": height, "count": len(images), "gap": 0}
    return encoded(Image.fromarray(sheet)), where


def map_sprite(maps: np.ndarray, columns: int | None = None) -> tuple[bytes, dict[str, int]]:
    """Maps (K, h, w) side by side in one PNG, each on its own colour scale, and where each lies."""
    signed = any(limits(map, None, 100)[0] < 0 for map in maps)
    pixels = np.stack([coloured(map, signed) for map in maps])
    sheet, columns = _side_by_side(pixels, 1, columns)
    where = {
        "columns": columns,
        "width": maps.shape[2],
        "height": maps.shape[1],
        "count": len(maps),
        "gap": 1,
    }
    return encoded(Image.fromarray(sheet).quantize(256, dither=Image.Dither.NONE), "PNG"), where


def _side_by_side(pixels: np.ndarray, gap: int, columns: int | None) -> tuple[np.ndarray, int]:
    """(N, h, w, 3) as one (H, W, 3) on mid-grey, row by row."""
    count, h, w, _ = pixels.shape
    columns = columns or _columns(count, h / w)
    rows = math.ceil(count / columns)
    sheet = np.full((rows * (h + gap) - gap, columns * (w + gap) - gap, 3), 128, np.uint8)
    for i, picture in enumerate(pixels):
        y, x = i // columns * (h + gap), i % columns * (w + gap)
        sheet[y : y + h, x : x + w] = picture
    return sheet, columns


def _columns(count: int, aspect: float) -> int:
    """Columns of a sheet that is about square, or a little wider, with the fewest cells left empty."""
    least = math.ceil((count * aspect) ** 0.5)
    return min(range(least, math.ceil(1.3 * least) + 1), key=lambda columns: (-count % columns, columns))


def words(names: Sequence[object] | None, count: int, what: str) -> list[str]:
    """One name for each of `count` things."""
    if names is None:
        return [str(i) for i in range(count)]
    if isinstance(names, str) or len(names) != count:
        seen = 1 if isinstance(names, str) else len(names)
        raise VizlibError(f"There are {count} {what} and {seen} names for them.")
    return [str(name) for name in names]


def beside(*pictures: torch.Tensor) -> bytes:
    """Pictures (1, 3, H, W) of one size in a row, as a JPEG."""
    return encoded(to_pil(torch.cat(pictures, dim=3).clamp(0, 1)))
