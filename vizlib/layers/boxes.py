"""Which units see these pixels, which pixels do these units see: boxes in grids, and windows around them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import torch

from .windows import ReceptiveField

Box: TypeAlias = tuple[slice, ...]  # rows and columns of a grid: of pixels, or of a layer's units
Grid: TypeAlias = tuple[int, ...]


def units_looking_at(box: Box, field: ReceptiveField, grid: Grid) -> Box:
    """The units of a layer that see any pixel of the box."""
    return tuple(map(_looking_at, box, field.size, field.stride, field.start, grid))


def units_needed_for(units: Box, field: ReceptiveField, below: ReceptiveField, grid: Grid) -> Box:
    """The units of a layer below, with a grid of this size, that these units of a layer are computed from."""
    pixels = map(_seen_by, units, field.size, field.stride, field.start)
    return tuple(map(_lying_in, pixels, below.size, below.stride, below.start, grid))


def _looking_at(pixels: slice, size: float, stride: int, start: int, count: int) -> slice:
    first = math.floor((pixels.start - start - size) / stride) + 1
    return _some_of(count, first, math.ceil((pixels.stop - start) / stride))


def _seen_by(units: slice, size: float, stride: int, start: int) -> slice:
    """The pixels that these units see, also beyond the border."""
    return slice(start + units.start * stride, start + (units.stop - 1) * stride + size)


def _lying_in(pixels: slice, size: float, stride: int, start: int, count: int) -> slice:
    """The units that see nothing but these pixels."""
    last = (pixels.stop - size - start) // stride
    return _some_of(count, (pixels.start - start) // stride, last + 1)


def _some_of(count: int, first: int, stop: int) -> slice:
    """From first to stop, as far as there are such units, and at least one."""
    first = min(max(first, 0), count - 1)
    return slice(first, min(max(stop, first + 1), count))


def windows_around(boxes: Sequence[Box], step: Sequence[int], grid: Grid) -> list[Box]:
    """Windows of one size around these boxes, inside the grid, with corners at multiples of `step`."""
    rows, columns = (_aligned([box[axis] for box in boxes], step[axis], grid[axis]) for axis in (0, 1))
    return list(zip(rows, columns, strict=True))


def _aligned(sides: Sequence[slice], step: int, count: int) -> list[slice]:
    firsts = [side.start // step * step for side in sides]
    longest = max(side.stop - first for side, first in zip(sides, firsts, strict=True))
    length = min(math.ceil(longest / step) * step, count)
    firsts = [min(first, count - length) for first in firsts]
    return [slice(first, first + length) for first in firsts]


def cut_out(values: torch.Tensor, box: Box, window: Box | None = None) -> torch.Tensor:
    """The part (K, h, w) of `values` in the box; of a window of the grid, say of which."""
    return values[:, *(moved(box, window) if window else box)]


def paste(values: torch.Tensor, window: Box, change: torch.Tensor, box: Box) -> None:
    """Write the change, which fills the box, into `values`, which fill the window, as far as it lies in
    there.
    """
    both = tuple(map(_overlap, window, box))
    values[:, *moved(both, window)] = change[:, *moved(both, box)]


def _overlap(a: slice, b: slice) -> slice:
    first = max(a.start, b.start)
    return slice(first, max(first, min(a.stop, b.stop)))


def moved(box: Box, window: Box) -> Box:
    """The box, its places counted from the window's corner."""
    return tuple(slice(b.start - w.start, b.stop - w.start) for b, w in zip(box, window, strict=True))


def shrunk(window: Box, step: Sequence[int]) -> Box:
    """The window in a grid that is coarser by `step`."""
    return tuple(slice(w.start // q, w.stop // q) for w, q in zip(window, step, strict=True))


def sides(box: Box) -> tuple[int, ...]:
    return tuple(side.stop - side.start for side in box)
