"""Integrated gradients: the gradient, summed up along the way from a baseline to the picture."""

import torch
import torch.nn.functional as F

from ..errors import VizlibError
from ..layers.target import pieces, scores, select, settle
from .gradient import slopes

BASELINES = ("neutral", "black", "white", "blur", "noise")


def integrated_gradients(net, images, target=None, *, baseline="neutral", steps=50, power=2, chunk=8, progress=None):
    """IG = (x - x') * mean over a in (0, 1) of dS/dx at x' + a (x - x'), (N, 3, H, W), signed; it adds up to S(x) - S(x').

    The integral is taken by the midpoint rule in t, with a = t ^ power, t = (k + 1/2) / steps. Trained networks make up their minds at
    a tenth of the contrast, so that most of the score is gained near the baseline; power=2 looks there more often than power=1, even steps.
    images: (N, 3, H, W) in [0, 1]. target: as in `gradient`. baseline: x', as in `baseline_pictures`. chunk: pictures per pass.
    progress: a function (done, total) -> bool; when it returns False, the mean over the way so far comes back, times (x - x').
    Raises VizlibError for pictures, classes or baselines that cannot be used, or steps below 1.
    Sundararajan, Taly & Yan 2017, "Axiomatic Attribution for Deep Networks", section 3.
    """
    if not (isinstance(steps, int) and steps > 0):
        raise VizlibError(f"steps is a positive number of points on the way; this is {steps!r}.")
    if not power >= 1:
        raise VizlibError(f"power is 1 or more; this is {power!r}.")
    images, target = settle(net, images, target)
    start = baseline_pictures(net, images, baseline)
    t = (torch.arange(steps) + 0.5) / steps
    a, share = t**power, power * t ** (power - 1) / steps
    share = share / share.sum()  # so that a constant gradient is integrated exactly
    total, gone = torch.zeros_like(images), torch.zeros(len(images))
    for piece in pieces(steps * len(images), chunk, progress):
        i, k = piece % len(images), piece // len(images)
        x = start[i] + a[k].view(-1, 1, 1, 1) * (images[i] - start[i])
        total.index_add_(0, i, share[k].view(-1, 1, 1, 1) * slopes(net, x, select(target, i)))
        gone.index_add_(0, i, share[k])
    return (images - start) * total / gone.clamp(min=share[0].item()).view(-1, 1, 1, 1)


def completeness_error(net, images, target, attribution, *, baseline="neutral"):
    """|sum of the attribution - (S(x) - S(x'))| as a share of |S(x) - S(x')|, (N,): 0 where every part of the score is accounted for."""
    images, target = settle(net, images, target)
    with torch.no_grad():
        rise = scores(net, images, target) - scores(net, baseline_pictures(net, images, baseline), target)
    return (attribution.sum((1, 2, 3)) - rise).abs() / rise.abs()


def baseline_pictures(net, images, baseline):
    """Pictures that stand for "nothing here", (N, 3, H, W).

    baseline: "neutral" (what the network sees as zero), "black", "white", "blur" (the picture itself, without anything smaller than a
    seventh of it), "noise" (seeded, uniform), a number or one per colour in [0, 1], or pictures (1 or N, 3, H, W).
    """
    if isinstance(baseline, str):
        if baseline not in BASELINES:
            raise VizlibError(f"A baseline is {', '.join(BASELINES)}, a colour or a picture; this is {baseline!r}.")
        if baseline == "blur":
            coarse = F.adaptive_avg_pool2d(images, 7)
            return F.interpolate(coarse, images.shape[-2:], mode="bicubic", align_corners=False).clamp(0, 1)
        if baseline == "noise":
            return torch.rand(images.shape, generator=torch.Generator().manual_seed(0))
        baseline = {"neutral": net.neutral, "black": 0.0, "white": 1.0}[baseline]
    colour = torch.as_tensor(baseline, dtype=torch.float32)
    colour = colour.view(1, -1, 1, 1) if colour.dim() < 2 else colour
    try:
        start = colour.expand_as(images)
    except RuntimeError:
        raise VizlibError(f"This baseline, {tuple(colour.shape)}, fits no pictures {tuple(images.shape)}.") from None
    if not bool(((start >= 0) & (start <= 1)).all()):
        raise VizlibError("A baseline is a picture in [0, 1]; this one has values outside.")
    return start
