"""Turning, mirroring and scaling around the centre: the same function for pictures and for codes, which are
grids as well.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..errors import VizlibError


@dataclass(frozen=True)
class Warp:
    """A linear warp g of the plane: (g x)(p) = x(back p), where p = (row, column) is counted from the centre
    of the grid.

    name: in words. back: a 2 x 2 matrix, ((a, b), (c, d)). g(x) takes anything (..., h, w) for the flips and
        turns by 90 degrees, which are
    exact, and (N, C, h, w) for the others, which interpolate (bilinear) and continue the picture as in a
        mirror.
    g.inverse is the warp that undoes g: exactly, or as far as what was lost on the way allows. Raises
        VizlibError where there is none.
    """

    name: str
    back: tuple

    def __call__(self, x):
        (a, b), (c, d) = self.back
        if sorted(map(abs, (a, b, c, d))) == [0, 0, 1, 1] and a * d - b * c in (1, -1):
            moved = x if a else x.transpose(-2, -1)
            return moved.flip([axis for axis, sign in ((-2, a + c), (-1, b + d)) if sign < 0])
        h, w = x.shape[-2:]
        rows, columns = (
            torch.arange(h, dtype=x.dtype) - (h - 1) / 2,
            torch.arange(w, dtype=x.dtype) - (w - 1) / 2,
        )
        p = (
            torch.stack(torch.meshgrid(rows, columns, indexing="ij"), -1)
            @ torch.tensor(self.back, dtype=x.dtype).T
        )
        grid = torch.stack(
            [2 * p[..., 1] / (w - 1), 2 * p[..., 0] / (h - 1)], -1
        )  # -1 and 1 are the first and the last column, row
        return F.grid_sample(
            x, grid.expand(len(x), -1, -1, -1), padding_mode="reflection", align_corners=True
        )

    @property
    def inverse(self):
        (a, b), (c, d) = self.back
        area = a * d - b * c
        if area == 0:
            raise VizlibError(f"The warp {self.name!r} flattens the plane, so nothing undoes it.")
        return Warp(f"undo {self.name}", ((d / area, -b / area), (-c / area, a / area)))


def rotation(degrees):
    """Counterclockwise, by an angle in degrees; multiples of 90 are exact."""
    t = math.radians(degrees)
    cos, sin = (round(v) if degrees % 90 == 0 else v for v in (math.cos(t), math.sin(t)))
    return Warp(f"turn by {degrees}", ((cos, sin), (-sin, cos)))


def scaling(factor):
    """Everything larger (a factor above 1) or smaller by this factor."""
    if not factor > 0:
        raise VizlibError(f"A factor of scaling is above 0; this is {factor!r}.")
    return Warp(f"scale by {factor:.3g}", ((1 / factor, 0), (0, 1 / factor)))


H_FLIP, V_FLIP = Warp("mirror left and right", ((1, 0), (0, -1))), Warp("upside down", ((-1, 0), (0, 1)))
