"""What a picture should be like, whatever the network wants: penalties, and changes applied after a step."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from ..batching import whole
from ..errors import VizlibError
from ..scalars import real
from .canvas import frequencies


def total_variation(images: torch.Tensor, beta: float = 2.0) -> torch.Tensor:
    """Total variation: sum over pixels of ((x_i,j+1 - x_ij)^2 + (x_i+1,j - x_ij)^2)^(beta / 2), mean over
    colours: (N, 3, H, W) -> (N,).

    beta = 1 is the usual total variation, which allows edges; 2 punishes them. Mahendran & Vedaldi 2015,
    section 3.2.
    """
    beta = real(beta, "beta is positive", lambda value: value > 0)
    down = images[:, :, 1:, :-1] - images[:, :, :-1, :-1]
    right = images[:, :, :-1, 1:] - images[:, :, :-1, :-1]
    squares = down**2 + right**2
    powers = squares if beta == 2 else (squares + 1e-8) ** (beta / 2)  # the slope of a root at 0 is infinite
    return powers.sum((2, 3)).mean(1)


def alpha_norm(images: torch.Tensor, alpha: float = 6.0, centre: float = 0.5) -> torch.Tensor:
    """The alpha-norm: sum over pixels and colours of |x - centre|^alpha, (N,). Large alpha leaves values
    alone up to a bound. Mahendran & Vedaldi 2015, section 3.2.
    """
    return ((images - centre).abs() ** alpha).sum((1, 2, 3))


def outside(images: torch.Tensor) -> torch.Tensor:
    """How far pixels lie outside of [0, 1], squared and summed: (N,)."""
    return ((images - images.clamp(0, 1)) ** 2).sum((1, 2, 3))


def decay(images: torch.Tensor, share: float) -> torch.Tensor:
    """L2 decay, a step towards mid-grey: x <- 0.5 + (1 - share) (x - 0.5). Yosinski et al. 2015, section
    4.
    """
    return 0.5 + (1 - share) * (images - 0.5)


def blur(images: torch.Tensor, radius: float) -> torch.Tensor:
    """Gaussian blur with standard deviation `radius` in pixels; below 0.3 it does nothing worth its time.
    Yosinski et al. 2015, section 4.
    """
    radius = real(radius, "radius is a standard deviation in pixels, above 0", lambda value: value > 0)
    reach = max(1, round(3 * radius))
    if reach >= min(images.shape[-2:]):
        raise VizlibError(
            f"A blur of radius {radius:g} reaches over {reach} pixels, more than these pictures "
            f"{tuple(images.shape[-2:])} have: take a smaller one."
        )
    import torchvision.transforms.functional as TF  # here: it takes long to import

    return TF.gaussian_blur(images, [2 * reach + 1] * 2, [radius] * 2)


def every(k: int, change: Callable) -> Callable:
    """A change for `ascend`'s `after` that is made at every k-th step only, the first one included."""
    k = whole(k, "k is a number of steps")
    return lambda images, gradient, step: change(images, gradient, step) if step % k == 0 else images


def in_ball(images: torch.Tensor, radius: float, centre: torch.Tensor | float = 0.5) -> torch.Tensor:
    """The nearest pictures no further than `radius` (root of the summed squares) from `centre`: projection
    onto a norm ball, after Erhan et al. 2009.
    """
    away = images - centre
    return centre + away * (radius / away.flatten(1).norm(dim=1).clamp(min=radius)).view(-1, 1, 1, 1)


def clip_small_norm(images: torch.Tensor, percent: float) -> torch.Tensor:
    """Pixels whose distance to mid-grey is below the given percentile become mid-grey: clipping pixels with
    small norm. Yosinski et al. 2015, section 4.
    """
    return _keep_above(images, (images - 0.5).norm(dim=1, keepdim=True), percent)


def clip_small_contribution(images: torch.Tensor, gradient: torch.Tensor, percent: float) -> torch.Tensor:
    """Pixels whose |sum over colours of (x - 0.5) g| is below the given percentile become mid-grey: clipping
    pixels with small contribution. Yosinski et al. 2015, section 4.
    """
    return _keep_above(images, ((images - 0.5) * gradient).sum(1, keepdim=True).abs(), percent)


def _keep_above(images: torch.Tensor, strength: torch.Tensor, percent: float) -> torch.Tensor:
    percent = real(percent, "percent is in [0, 100]", lambda value: 0 <= value <= 100)
    ordered = strength.flatten(1).sort(dim=1).values
    rank = percent / 100 * (ordered.shape[1] - 1)  # between two of them: torch.quantile, without its doubles
    low, high = ordered[:, math.floor(rank)], ordered[:, math.ceil(rank)]
    bound = torch.lerp(low, high, rank % 1).view(-1, 1, 1, 1)
    return torch.where(strength >= bound, images, 0.5)


def high_share(images: torch.Tensor, above: float = 0.25) -> torch.Tensor:
    """The share of a picture's energy, its mean aside, in waves of more than `above` cycles per pixel: (N,)
    in [0, 1].

        >>> round(float(vz.synthesis.priors.high_share(vz.photo("goldfish", 64))), 2)
        0.04
    """
    power = torch.fft.rfft2(images - images.mean((2, 3), keepdim=True)).abs() ** 2
    power[..., 1 : (images.shape[-1] + 1) // 2] *= 2  # rfft keeps one of each pair of conjugate waves
    high = frequencies(*images.shape[-2:], device=images.device) > above
    return (power * high).sum((1, 2, 3)) / power.sum((1, 2, 3)).clamp(min=1e-20)
