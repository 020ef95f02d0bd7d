"""Turning, mirroring and scaling around the centre: the same function for pictures and for codes, which are
grids as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from ..errors import VizlibError

Matrix = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Warp:
    """A linear warp g of the plane, a geometric transformation: (g x)(p) = x(back p), where p = (row, column)
    is counted from the centre of the grid.

    name: in words.
    back: a 2 x 2 matrix, ((a, b), (c, d)).

    g(x) takes anything (..., h, w). Flips and turns by 90 degrees are exact. The others interpolate
    (bilinear), continue the picture beyond its border as in a mirror that stands on the outermost pixels, and
    need floats. g.inverse is the warp that undoes g: exactly, or as far as what was lost on the way allows.
    Raises VizlibError where there is none.

    >>> g = vz.rotation(30)
    >>> g(vz.photo("goldfish", 64)).shape, g.inverse.name
    (torch.Size([1, 3, 64, 64]), 'undo turn by 30')
    """

    name: str
    back: Matrix

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        if not isinstance(x, torch.Tensor) or x.dim() < 2 or 0 in x.shape:
            seen = tuple(x.shape) if isinstance(x, torch.Tensor) else type(x).__name__
            raise VizlibError(f"A warp takes a grid or grids (..., h, w); this is {seen}.")
        (a, b), (c, d) = self.back
        if sorted(map(abs, (a, b, c, d))) == [0, 0, 1, 1] and a * d - b * c in (1, -1):
            moved = x if a else x.transpose(-2, -1)
            return moved.flip([axis for axis, sign in ((-2, a + c), (-1, b + d)) if sign < 0])
        return self._interpolated(x)

    def _interpolated(self, x: torch.Tensor) -> torch.Tensor:
        if not x.is_floating_point():
            raise VizlibError(f"The warp {self.name!r} interpolates and needs floats; this is {x.dtype}.")
        h, w = x.shape[-2:]
        grids = x.reshape(-1, *((1, 1, *x.shape)[-3:]))  # (N, C, h, w)
        if x.dtype != torch.float64:  # half precision would place the pixels badly
            grids = grids.float()
        rows, columns = (
            torch.arange(n, dtype=grids.dtype, device=x.device).sub((n - 1) / 2).view(shape)
            for n, shape in ((h, (h, 1)), (w, (1, w)))
        )
        (a, b), (c, d) = self.back
        # grid_sample wants (column, row); -1 and 1 are the first and the last of them
        places = torch.stack(
            [
                2 / max(w - 1, 1) * (c * rows + d * columns),
                2 / max(h - 1, 1) * (a * rows + b * columns),
            ],
            -1,
        )
        moved = F.grid_sample(
            grids, places.expand(len(grids), -1, -1, -1), padding_mode="reflection", align_corners=True
        )
        return moved.to(x.dtype).reshape(x.shape)

    @property
    def inverse(self) -> Warp:
        """The warp that undoes this one."""
        (a, b), (c, d) = self.back
        area = a * d - b * c
        if area == 0:
            raise VizlibError(f"The warp {self.name!r} flattens the plane, so nothing undoes it.")
        return Warp(f"undo {self.name}", ((d / area, -b / area), (-c / area, a / area)))


def rotation(degrees: float) -> Warp:
    """A rotation, counterclockwise, by an angle in degrees; multiples of 90 are exact.

    >>> vz.rotation(90)(torch.tensor([[1, 2], [3, 4]])).tolist()
    [[2, 4], [1, 3]]
    """
    angle = _real(degrees, "An angle is a number of degrees")
    t = math.radians(angle)
    cos, sin = (round(v) if angle % 90 == 0 else v for v in (math.cos(t), math.sin(t)))
    return Warp(f"turn by {degrees}", ((cos, sin), (-sin, cos)))


def scaling(factor: float) -> Warp:
    """A zoom: everything larger (a factor above 1) or smaller (below 1) by this factor.

    >>> vz.scaling(2)(torch.tensor([[0.0, 1.0, 2.0]])).tolist()
    [[0.5, 1.0, 1.5]]
    """
    size = _real(factor, "A factor of scaling is a number above 0")
    if not size > 0:
        raise VizlibError(f"A factor of scaling is above 0; this is {factor!r}.")
    return Warp(f"scale by {size:.3g}", ((1 / size, 0), (0, 1 / size)))


def _real(value: Any, what: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise VizlibError(f"{what}; this is {value!r}.")
    return number


H_FLIP, V_FLIP = Warp("mirror left and right", ((1, 0), (0, -1))), Warp("upside down", ((-1, 0), (0, 1)))
