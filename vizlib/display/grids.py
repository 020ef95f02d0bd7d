"""Pictures and maps in a grid, each map with a colour bar.

Signed maps are drawn from purple (negative) through white (zero) to orange (positive), maps without negative
values from black to yellow; both scales are safe for colour-blind eyes, and zero is always the middle or the
end of the scale.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from ..batching import whole
from ..errors import VizlibError
from ..images.check import TOLERANCE
from .figures import DPI, SHARP, Picture, check_alt, checked_size, from_pixels, inches
from .raster import WHITE, Box, colour_bar, coloured, line_at, paste, resized, write

LANCZOS = Image.Resampling.LANCZOS
SIGNED, UNSIGNED = "PuOr_r", "inferno"
WIDEST, TALLEST, LOWEST = 3.4, 20.0, 0.1  # inches of a cell; a longer picture is drawn narrower
GAP = 0.15  # inches between cells


@dataclass(frozen=True)
class Overlay:
    """What `overlay` makes: a picture (3, H, W) and the map (1, H, W) that lies over it."""

    image: torch.Tensor
    map: torch.Tensor


Item = torch.Tensor | Overlay


class _Scale(NamedTuple):
    """What sets the end of a colour scale: a value, or the percentile of each map's own."""

    limit: float | None
    clip: float


def overlay(image: torch.Tensor, map: torch.Tensor) -> Overlay:
    """For `show`, a heat map over its picture: in colour over grey, with a line at half its height.

    image: (1, 3, H, W) or (3, H, W) in [0, 1]. map: (1, 1, H, W) or (1, H, W). They may lie on different
    devices. Raises VizlibError for other shapes.

    >>> photo, map = vz.photo("goldfish", 64), torch.rand(1, 1, 64, 64)
    >>> vz.show(vz.overlay(photo, map), alt="noise over a goldfish")
    Figure: noise over a goldfish
    """
    shapes = [tuple(t.shape) if isinstance(t, torch.Tensor) else type(t).__name__ for t in (image, map)]
    picture_fits = shapes[0][:-2] in ((3,), (1, 3))
    map_fits = shapes[1][:-2] in ((1,), (1, 1))
    if not (picture_fits and map_fits and shapes[0][-2:] == shapes[1][-2:]):
        raise VizlibError(
            "An overlay needs a map of the picture's size, one of each; the picture has "
            f"{shapes[0]}, the map {shapes[1]}. "
            "Methods give such a map unless upsample=False; three colours become one by .abs().amax(1, "
            "keepdim=True)."
        )
    return Overlay(image.reshape(3, *image.shape[-2:]), map.reshape(1, *map.shape[-2:]))


def centre(values: torch.Tensor, percentile: float = 99.5) -> torch.Tensor:
    """Signed values scaled for the eye, normalized to [0, 1]: zero is mid-grey, the given percentile of
    |values| black or white.

    values: (N, ...), such as gradients (N, 3, H, W); every one of the N is scaled for itself. The result has
    their shape and device and is float32. percentile: from 0 to 100.

    >>> vz.centre(torch.tensor([[-2.0, 0.0, 1.0, 2.0]]), percentile=100).tolist()
    [[0.0, 0.5, 0.75, 1.0]]
    """
    if not isinstance(values, torch.Tensor) or values.dim() < 2 or values.is_complex() or 0 in values.shape:
        seen = tuple(values.shape) if isinstance(values, torch.Tensor) else type(values).__name__
        raise VizlibError(f"centre scales values (N, ...), such as gradients (N, 3, H, W); this is {seen}.")
    share = _percentile(percentile, "percentile") / 100
    values = values.detach().float()
    top = torch.quantile(values.abs().flatten(1), share, dim=1).clamp(min=1e-12)
    return (0.5 + values / (2 * top.view(-1, *[1] * (values.dim() - 1)))).clamp(0, 1)


def show(
    items: Item | Sequence[Item],
    titles: Sequence[object] | str | None = None,
    *,
    alt: str,
    columns: int | None = None,
    limit: float | None = None,
    clip: float = 99.5,
    width: float = 9.2,
    full_width: bool = False,
) -> Picture:
    """Plot pictures and maps (images, heat maps) in a grid. Returns a Picture, which a notebook displays.

    items: pictures (N, 3, H, W) in [0, 1], maps (N, 1, H, W) of any range, overlays, or a list of these; from
        any device, of any precision.
    titles: one per cell.
    alt: what is to be seen, in words.
    columns: how many cells stand side by side; by default up to four, or five of five.
    limit: the value at the end of every colour scale; by default each map's own, at its `clip` percentile, so
        that single pixels do not hide the rest.
    width: of the figure, in inches of 96 pixels. A cell is at most 3.4 wide and 20 high.
    full_width: as wide as the page, cells as wide as they fit, with twice the pixels, sharp on a
        high-resolution screen: for the one large figure of a lesson.

    Raises VizlibError for tensors that are neither pictures nor maps, values that are not finite, and signed
    three-colour values (see `centre`).

    >>> vz.show([torch.rand(1, 3, 8, 8), torch.randn(1, 1, 8, 8)], ["picture", "map"], alt="noise, twice")
    Figure: noise, twice
    """
    cells = _cells(items)
    titles = _titles(titles, len(cells))
    if columns is None:
        columns = 4 if len(cells) > 4 and len(cells) != 5 else len(cells)
    columns = min(len(cells), whole(columns, "columns is a number of cells side by side"))
    width, scale = inches(width, "width"), _Scale(_limit(limit), _percentile(clip, "clip"))
    check_alt(alt)
    return from_pixels(_grid(cells, titles, columns, width, full_width, scale), alt, full_width)


# ------------------------------------------------------------------------------------- what was given


def _cells(items: Any) -> list[Item]:
    """One picture (3, H, W), map (1, H, W) or overlay for each cell, as plain floats on the CPU."""
    cells: list[Item] = []
    for part in items if isinstance(items, (list, tuple)) else [items]:
        if isinstance(part, Overlay):
            image, map = _plain(part.image), _plain(part.map)
            _check_colours(image)
            cells.append(Overlay(image, map))
            continue
        if not isinstance(part, torch.Tensor) or part.dim() not in (3, 4) or part.shape[-3] not in (1, 3):
            seen = tuple(part.shape) if isinstance(part, torch.Tensor) else type(part).__name__
            raise VizlibError(
                f"show draws pictures (N, 3, H, W), maps (N, 1, H, W) and overlays; this is {seen}."
            )
        part = _plain(part)
        if part.shape[-3] == 3:
            _check_colours(part)
        cells.extend(part if part.dim() == 4 else [part])
    if not cells or any(0 in _plane(cell).shape for cell in cells):
        raise VizlibError("There is nothing to show.")
    return cells


def _plain(values: torch.Tensor) -> torch.Tensor:
    if values.is_complex():
        raise VizlibError(f"This map holds {values.dtype}. Show its size: values.abs().")
    values = values.detach().cpu().float()
    if not bool(torch.isfinite(values).all()):
        raise VizlibError("This map holds NaN or infinite values and cannot be drawn.")
    return values


def _check_colours(image: torch.Tensor) -> None:
    low, high = image.aminmax() if image.numel() else (0, 0)
    if low >= -TOLERANCE and high <= 1 + TOLERANCE:
        return
    if low >= 0 and high > 8:
        hint = "Divide by 255: values / 255."
    else:
        hint = (
            "vz.centre(values) shows signed values with zero as mid-grey; values.sum(1, keepdim=True) "
            "makes a map."
        )
    raise VizlibError(
        f"These three-colour values run from {low:.3g} to {high:.3g}, so they are no picture. {hint}"
    )


def _titles(titles: Any, count: int) -> list[str]:
    if titles is None:
        return [""] * count
    titles = [titles] if isinstance(titles, str) else list(titles)
    if len(titles) != count:
        raise VizlibError(f"There are {count} things to show and {len(titles)} titles.")
    return ["" if title is None else str(title) for title in titles]


def _limit(limit: Any) -> float | None:
    try:
        number = None if limit is None else float(limit)
    except (TypeError, ValueError):
        number = math.nan
    if number is not None and not 0 <= number < math.inf:
        raise VizlibError(f"limit is the value at the end of the scale, above 0; this is {limit!r}.")
    return number


def _percentile(value: Any, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= 100:
        raise VizlibError(f"{name} is a percentile, from 0 to 100; this is {value!r}.")
    return number


# ------------------------------------------------------------------------------------- the drawing


def _grid(
    cells: list[Item], titles: list[str], columns: int, width: float, full_width: bool, scale: _Scale
) -> Image.Image:
    side = min(width / columns, width if full_width else WIDEST)
    wide = side - GAP if side > 2 * GAP else side / 2
    aspect = max(_plane(cell).shape[-2] / _plane(cell).shape[-1] for cell in cells)
    high = min(max(wide * aspect, LOWEST), TALLEST)
    rows = [range(start, min(start + columns, len(cells))) for start in range(0, len(cells), columns)]
    heads = [max(_title_height(titles[i]) for i in row) for row in rows]
    feet = [0.08 if all(_is_image(cells[i]) for i in row) else 0.42 for row in rows]  # colour bars
    dpi = DPI * (SHARP if full_width else 1)
    size = side * columns * dpi, (sum(heads) + high * len(rows) + sum(feet) + 0.08) * dpi
    canvas = Image.new("RGB", checked_size(*size), WHITE)
    y = 0.04
    for row, head, foot in zip(rows, heads, feet, strict=True):
        for column, i in enumerate(row):
            box = Box(column * side + GAP / 2, y + head, wide, high)
            _draw_cell(canvas, cells[i], titles[i], Box(*(dpi * length for length in box)), scale, dpi)
        y += head + high + foot
    return canvas


def _is_image(cell: Item) -> bool:
    return isinstance(cell, torch.Tensor) and cell.shape[0] == 3


def _plane(cell: Item) -> torch.Tensor:
    """The tensor (C, H, W) that a cell shows; of an overlay the map."""
    return cell.map if isinstance(cell, Overlay) else cell


def _title_height(title: str) -> float:
    return 0.1 + 0.17 * (title.count("\n") + 1) if title else 0.0


def _draw_cell(canvas: Image.Image, cell: Item, title: str, box: Box, scale: _Scale, dpi: int) -> None:
    """One cell: title, picture or map, colour bar."""
    height, width = _plane(cell).shape[-2:]
    place = box.middle(height / width)
    if title:
        write(canvas, title, place.x + place.width / 2, place.y - 4 / 72 * dpi, 10.5 / 72 * dpi, "md")
    if _is_image(cell):
        assert isinstance(cell, torch.Tensor)
        pixels = cell.permute(1, 2, 0).clamp(0, 1).mul(255).round().byte().numpy()
        large = Image.fromarray(pixels).resize((int(place.width), int(place.height)), LANCZOS)
        canvas.paste(large, (int(place.x), int(place.y)))
        return
    values = _plane(cell)[0].numpy()
    low, top = limits(values, *scale)
    colour_map = SIGNED if low else UNSIGNED
    if isinstance(cell, Overlay):
        pixels = _over_grey(cell.image, values, place, low, top, dpi)
    else:
        method = Image.Resampling.BOX if place.width < width else Image.Resampling.NEAREST
        pixels = coloured(resized(values, place, method), low, top, colour_map)
    paste(canvas, pixels, place)
    strip = Box(box.x, box.y + box.height + 0.05 * dpi, box.width, 0.09 * dpi)
    labels = [_number(value) for value in (low, (low + top) / 2, top)]
    colour_bar(canvas, strip, labels, colour_map, 10 / 72 * dpi)


def _over_grey(
    image: torch.Tensor, values: np.ndarray, place: Box, low: float, top: float, dpi: int
) -> np.ndarray:
    """A map in colour over a grey picture, with a white line at half its height."""
    smooth = resized(values, place, Image.Resampling.BILINEAR)
    grey = 255 * resized(image.mean(0).numpy(), place, LANCZOS).clip(0, 1)[..., None]
    pixels = 0.4 * grey + 0.6 * coloured(smooth, low, top, SIGNED if low else UNSIGNED)
    half = np.abs(values).max() / 2
    if values.min() < half < values.max() and min(values.shape) > 1:
        line = line_at(smooth, half, 1.2 / 72 * dpi)
        pixels += line * (255 - pixels)
    return pixels


def limits(values: np.ndarray, limit: float | None, clip: float) -> tuple[float, float]:
    """The ends of the colour scale: symmetric around zero for signed values, from zero for others. A rounding
    error is no sign.
    """
    top = float(limit or np.percentile(np.abs(values), clip) or np.abs(values).max() or 1)
    return (-top if values.min() < -1e-4 * top else 0.0), top


def _number(value: float) -> str:
    if value == 0:
        return "0"
    return f"{value:.2g}" if 0.001 <= abs(value) < 1000 else f"{value:.0e}"
