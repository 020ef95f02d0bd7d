"""What a picture should be like, whatever the network wants: penalties, and changes applied after a step."""

import torch
import torchvision.transforms.functional as TF

from ..errors import VizlibError


def total_variation(images, beta=2.0):
    """sum over pixels of ((x_i,j+1 - x_ij)^2 + (x_i+1,j - x_ij)^2)^(beta / 2), mean over colours: (N,).

    beta = 1 is the usual total variation, which allows edges; 2 punishes them. Mahendran & Vedaldi 2015,
    section 3.2.
    """
    if not beta > 0:
        raise VizlibError(f"beta is positive; this is {beta!r}.")
    down = images[:, :, 1:, :-1] - images[:, :, :-1, :-1]
    right = images[:, :, :-1, 1:] - images[:, :, :-1, :-1]
    squares = down**2 + right**2
    powers = squares if beta == 2 else (squares + 1e-8) ** (beta / 2)  # the slope of a root at 0 is infinite
    return powers.sum((2, 3)).mean(1)


def alpha_norm(images, alpha=6.0, centre=0.5):
    """sum over pixels and colours of |x - centre|^alpha: (N,). Large alpha leaves values alone up to a bound.
    Mahendran & Vedaldi 2015.
    """
    return ((images - centre).abs() ** alpha).sum((1, 2, 3))


def outside(images):
    """How far pixels lie outside of [0, 1], squared and summed: (N,)."""
    return ((images - images.clamp(0, 1)) ** 2).sum((1, 2, 3))


def decay(images, share):
    """A step towards mid-grey: x <- 0.5 + (1 - share) (x - 0.5). Yosinski et al. 2015, section 4 (L2
    decay).
    """
    return 0.5 + (1 - share) * (images - 0.5)


def blur(images, radius):
    """Gaussian blur with standard deviation `radius` in pixels; below 0.3 it does nothing worth its time."""
    side = 2 * max(1, round(3 * radius)) + 1
    return TF.gaussian_blur(images, side, radius)


def every(k, change):
    """A change for `ascend`'s `after` that is made at every k-th step only, the first one included."""
    return lambda images, gradient, step: change(images, gradient, step) if step % k == 0 else images


def in_ball(images, radius, centre=0.5):
    """The nearest pictures no further than `radius` (root of the summed squares) from `centre`: a norm ball,
    after Erhan et al. 2009.
    """
    away = images - centre
    return centre + away * (radius / away.flatten(1).norm(dim=1).clamp(min=radius)).view(-1, 1, 1, 1)


def clip_small_norm(images, percent):
    """Pixels whose distance to mid-grey is below the given percentile become mid-grey. Yosinski et al. 2015,
    section 4.
    """
    return _keep_above(images, (images - 0.5).norm(dim=1, keepdim=True), percent)


def clip_small_contribution(images, gradient, percent):
    """Pixels whose |sum over colours of (x - 0.5) g| is below the given percentile become mid-grey. Yosinski
    et al. 2015, section 4.
    """
    return _keep_above(images, ((images - 0.5) * gradient).sum(1, keepdim=True).abs(), percent)


def _keep_above(images, strength, percent):
    bound = torch.quantile(strength.flatten(1), percent / 100, dim=1).view(-1, 1, 1, 1)
    return torch.where(strength >= bound, images, torch.full((), 0.5))


def high_share(images, above=0.25):
    """The share of a picture's energy, its mean aside, in waves of more than `above` cycles per pixel: (N,)
    in [0, 1].
    """
    power = torch.fft.rfft2(images - images.mean((2, 3), keepdim=True)).abs() ** 2
    power[..., 1 : (images.shape[-1] + 1) // 2] *= 2  # rfft keeps one of each pair of conjugate waves
    fy, fx = torch.fft.fftfreq(images.shape[-2])[:, None], torch.fft.rfftfreq(images.shape[-1])[None]
    high = (fy**2 + fx**2).sqrt() > above
    return (power * high).sum((1, 2, 3)) / power.sum((1, 2, 3)).clamp(min=1e-20)
