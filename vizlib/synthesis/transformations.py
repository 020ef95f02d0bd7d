"""Shaking a picture before each look, so that it cannot rely on single pixels."""

import math

import torch
import torch.nn.functional as F

from ..errors import VizlibError


def jitter(images, generator, *, shift=0.0, scale=0.0, rotate=0.0, roll=0, pad=0):
    """Each picture moved, enlarged and turned by a random amount: (N, 3, H, W) -> the same, or larger by
    `pad`. Beyond lies mid-grey.

    shift: at most so many pixels, in each direction. scale: a factor between 1 - scale and 1 + scale. rotate:
        at most so many degrees.
    roll: at most so many whole pixels, in each direction; what leaves on one side comes back on the other,
        and no value changes.
    pad: so many pixels of mid-grey all around, before anything moves, so that less is pushed out of the
        frame.
    All drawn evenly, from `generator`; one bilinear resampling does the first three at once.
    After Olah, Mordvintsev & Schubert 2017, "Feature Visualization", who pad, shift, scale, turn and shift
        again; roll: Mordvintsev et al.
    2015, "Inceptionism".
    """
    if not (shift >= 0 and 0 <= scale < 1 and rotate >= 0):
        raise VizlibError(
            f"shift and rotate are 0 or more, scale is in [0, 1); these are {shift!r}, {rotate!r}, {scale!r}."
        )
    for name, pixels in (("roll", roll), ("pad", pad)):
        if not (isinstance(pixels, int) and pixels >= 0):
            raise VizlibError(f"{name} is a whole number of pixels, 0 or more; this is {pixels!r}.")
    if pad:
        images = F.pad(images, (pad,) * 4, value=0.5)
    if roll:
        moves = torch.randint(-roll, roll + 1, (len(images), 2), generator=generator).tolist()
        images = torch.stack([image.roll(move, (1, 2)) for image, move in zip(images, moves, strict=True)])
    if not shift and not scale and not rotate:
        return images
    n, _, height, width = images.shape
    dx, dy, ds, dr = 2 * torch.rand(4, n, generator=generator) - 1
    angle, zoom = dr * rotate * math.pi / 180, 1 + ds * scale
    cos, sin = angle.cos() / zoom, angle.sin() / zoom
    rows = [
        cos,
        -sin * height / width,
        dx * shift * 2 / width,
        sin * width / height,
        cos,
        dy * shift * 2 / height,
    ]
    grid = F.affine_grid(torch.stack(rows, 1).view(n, 2, 3), images.shape, align_corners=False)
    return 0.5 + F.grid_sample(images - 0.5, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
