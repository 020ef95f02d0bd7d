"""Shaking a picture before each look, so that it cannot rely on single pixels."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from ..batching import whole
from ..scalars import real


def jitter(
    images: torch.Tensor,
    generator: torch.Generator | None,
    *,
    shift: float = 0.0,
    scale: float = 0.0,
    rotate: float = 0.0,
    roll: int = 0,
    pad: int = 0,
    enlarge: float = 1.0,
) -> torch.Tensor:
    """Random transformations (transformation robustness): each picture moved, enlarged and turned by an
    amount of its own. (N, 3, H, W) -> the same, or larger by `pad` and `enlarge`, differentiable. Beyond
    lies mid-grey.

    shift: at most so many pixels, in each direction.
    scale: a factor between 1 - scale and 1 + scale.
    rotate: at most so many degrees.
    roll: at most so many whole pixels, in each direction; what leaves on one side comes back on the other,
    and no value changes.
    pad: so many pixels of mid-grey all around, before anything moves, so that less is pushed out of the
    frame.
    enlarge: in the end, so many times as large, bilinear: no random amount, but a closer look, see
    `enlarged`.
    generator: all amounts are drawn from it, evenly, on the CPU: the same ones for every device.

    One bilinear resampling does the first three at once. After Olah, Mordvintsev & Schubert 2017, "Feature
    Visualization", who pad, shift, scale, turn and shift again; roll: Mordvintsev et al. 2015,
    "Inceptionism".

        >>> photo, drawn = vz.photo("goldfish", 64), torch.Generator().manual_seed(0)
        >>> vz.synthesis.jitter(photo, drawn, shift=8, rotate=10).shape
        torch.Size([1, 3, 64, 64])
    """
    rule = "shift and rotate are 0 or more, scale is in [0, 1)"
    shift, rotate = (real(value, rule, lambda v: 0 <= v < math.inf) for value in (shift, rotate))
    scale = real(scale, rule, lambda v: 0 <= v < 1)
    roll = whole(roll, "roll is a whole number of pixels", 0)
    pad = whole(pad, "pad is a whole number of pixels", 0)
    if pad:
        images = F.pad(images, (pad,) * 4, value=0.5)
    if roll:
        moves = torch.randint(-roll, roll + 1, (len(images), 2), generator=generator).tolist()
        images = torch.stack([image.roll(move, (1, 2)) for image, move in zip(images, moves, strict=True)])
    if not shift and not scale and not rotate:
        return enlarged(images, enlarge)
    n, _, height, width = images.shape
    dx, dy, ds, dr = 2 * torch.rand(4, n, generator=generator) - 1
    angle, zoom = dr * rotate * math.pi / 180, 1 + ds * scale
    cos, sin = angle.cos() / zoom, angle.sin() / zoom
    across = [cos, -sin * height / width, dx * shift * 2 / width]
    down = [sin * width / height, cos, dy * shift * 2 / height]
    way = torch.stack([*across, *down], 1).view(n, 2, 3).to(images)
    grid = F.affine_grid(way, list(images.shape), align_corners=False)
    moved = 0.5 + F.grid_sample(
        images - 0.5, grid, mode="bilinear", padding_mode="zeros", align_corners=False
    )
    return enlarged(moved, enlarge)


def enlarged(images: torch.Tensor, factor: float) -> torch.Tensor:
    """Pictures `factor` times as large, bilinear, differentiable: (N, 3, H, W) -> (N, 3, factor H, factor W).

    A first layer of stride 2 has filters that see every second pixel more often than the others, and an
    optimized picture shows it, as a lattice (the checkerboard of Odena et al. 2016). Enlarged by 2, no wave
    of the picture is that short any more.
    """
    factor = real(factor, "enlarge is a factor, 1 or more", lambda value: 1 <= value < math.inf)
    if factor == 1:
        return images
    return F.interpolate(images, scale_factor=factor, mode="bilinear", align_corners=False)
