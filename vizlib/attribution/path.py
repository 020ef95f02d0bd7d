"""Integrated gradients: the gradient, summed up along the way from a baseline to the picture."""

import torch
import torch.nn.functional as F

from ..batching import batches, in_batches, select
from ..errors import VizlibError
from ..layers.target import scores, settle
from .gradients import slopes

BASELINES = ("neutral", "black", "white", "blur", "noise")


def integrated_gradients(
    net,
    images,
    target=None,
    *,
    baseline="neutral",
    steps=50,
    power=2,
    complete=True,
    batch_size=8,
    progress=None,
):
    """IG = (x - x') * mean over a in (0, 1) of dS/dx at x' + a (x - x'), (N, 3, H, W), signed; it adds up to
    S(x) - S(x').

    The integral is taken by the midpoint rule in t, with a = t ^ power, t = (k + 1/2) / steps. Trained
        networks make up their minds at
    a tenth of the contrast, so that most of the score is gained near the baseline; power=2 looks there more
        often than power=1, even steps.
    complete: change the weights of the steps until the sum is right, none by more than itself (see `_tilt`);
        the map comes no nearer to the
    true one. False: the rule as it is, whose error of the sum says whether there were enough steps.
    images: (N, 3, H, W) in [0, 1]. target: as in `gradient`. baseline: x', as in `baseline_pictures`.
        batch_size:
        pictures per pass.
    progress: a function (done, total) -> bool; when it returns False, the mean over the way so far comes
        back, times (x - x').
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
    way, (w, p) = (
        images - start,
        torch.zeros(2, steps, len(images)),
    )  # w: weight, p: slope along the way, of a step of a picture
    total, tilted = torch.zeros_like(images), torch.zeros_like(images)
    for piece in batches(steps * len(images), batch_size, progress):
        i, k = piece % len(images), piece // len(images)
        g = slopes(net, start[i] + a[k].view(-1, 1, 1, 1) * way[i], select(target, i))
        w[k, i], p[k, i] = share[k], (g * way[i]).sum((1, 2, 3))
        total.index_add_(0, i, w[k, i].view(-1, 1, 1, 1) * g)
        if complete:
            tilted.index_add_(0, i, (w[k, i] * p[k, i]).view(-1, 1, 1, 1) * g)
    if not w.all():  # stopped
        return way * total / w.sum(0).clamp(min=share[0].item()).view(-1, 1, 1, 1)
    if complete:
        c, mean = _tilt(w, p, rise(net, images, target, start, batch_size)), (w * p).sum(0)
        total += c.view(-1, 1, 1, 1) * (tilted - mean.view(-1, 1, 1, 1) * total)
    return way * total


def _tilt(w, p, wanted):
    """The c for which slopes p, (steps, N), have the mean `wanted`, (N,), under the weights w * (1 + c (p -
    mean p)).

    Of all weights that do so these are the nearest to w (least sum of squares over w): a control variate. Of
        the map only its sum is known
    beforehand, and what is known is used. c stays so small that no weight changes by more than itself, and
        none is negative.
    """
    mean = (w * p).sum(0)
    away = p - mean
    spread = (w * away**2).sum(0).clamp(
        min=1e-30
    ) + 1e-4 * mean**2  # slopes that are all alike have nothing to tilt
    limit = 1 / away.abs().amax(0).clamp(min=1e-30)
    return ((wanted - mean) / spread).clamp(-limit, limit)


def rise(net, images, target, start, batch_size=8):
    """S(x) - S(x') for a prepared target, (N,)."""
    with torch.no_grad():
        top, bottom = (
            in_batches(lambda x, t: scores(net, x, t), x, target, batch_size) for x in (images, start)
        )
    return top - bottom


def completeness_error(net, images, target, attribution, *, baseline="neutral"):
    """|sum of the attribution - (S(x) - S(x'))| as a share of |S(x) - S(x')|, (N,): 0 where every part of the
    score is accounted for.
    """
    images, target = settle(net, images, target)
    wanted = rise(net, images, target, baseline_pictures(net, images, baseline))
    return (attribution.sum((1, 2, 3)) - wanted).abs() / wanted.abs()


def baseline_pictures(net, images, baseline):
    """Pictures that stand for "nothing here", (N, 3, H, W).

    baseline: "neutral" (what the network sees as zero), "black", "white", "blur" (the picture itself, without
        anything smaller than a
    seventh of it), "noise" (seeded, uniform), a number or one per colour in [0, 1], or pictures (1 or N, 3,
        H, W).
    """
    if isinstance(baseline, str):
        if baseline not in BASELINES:
            raise VizlibError(
                f"A baseline is {', '.join(BASELINES)}, a colour or a picture; this is {baseline!r}."
            )
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
        raise VizlibError(
            f"This baseline, {tuple(colour.shape)}, fits no pictures {tuple(images.shape)}."
        ) from None
    if not bool(((start >= 0) & (start <= 1)).all()):
        raise VizlibError("A baseline is a picture in [0, 1]; this one has values outside.")
    return start
