"""Integrated gradients: the gradient, summed up along the way from a baseline to the picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
import torch.nn.functional as F

from ..batching import Progress, batches, in_batches, real, select, whole
from ..deprecation import renamed
from ..errors import VizlibError
from ..images.check import check_colour
from ..layers.target import Target, scores, settle
from .gradients import slopes

if TYPE_CHECKING:
    from ..models.network import Network
BASELINES = ("neutral", "black", "white", "blur", "noise")
# One of these names, a number, three numbers, or pictures.
Baseline: TypeAlias = str | float | Sequence[float] | torch.Tensor


@renamed(chunk="batch_size")
def integrated_gradients(
    net: Network,
    images: torch.Tensor,
    target: Target = None,
    *,
    baseline: Baseline = "neutral",
    steps: int = 50,
    power: float = 2,
    complete: bool = True,
    batch_size: int = 8,
    progress: Progress | None = None,
) -> torch.Tensor:
    """Integrated gradients, (N, 3, H, W), signed: the gradient, averaged along the way from a baseline x'.

    IG = (x - x') * mean over a in (0, 1) of dS/dx at x' + a (x - x'); it adds up to S(x) - S(x'), which is
    called completeness. The integral is taken by the midpoint rule in t, with a = t^power, t = (k + 1/2) /
    steps. Trained networks make up their minds at a tenth of the contrast, so that most of the score is
    gained near the baseline; power=2 looks there more often than power=1, even steps.

    images: (N, 3, H, W) in [0, 1].
    target: a class, a label, one per picture, vz.unit(...), a function of the logits, or None for each
        picture's top class.
    baseline: x', as in `baseline_pictures`.
    steps: points on the way, 1 or more. power: 1 or more.
    complete: change the weights of the steps until the sum is right, none by more than itself (see
        `_tilt`); the map comes no nearer to the true one. False: the rule as it is, whose error of the sum
        (`completeness_error`) says whether there were enough steps.
    batch_size: pictures per pass.
    progress: progress(done, total, preview), called after every pass; when it returns False, what there is
        comes
        back: (x - x') times the mean over the way so far, and zeros for a picture whose way has not begun.

    Raises VizlibError for pictures, classes, baselines and numbers that cannot be used.

    Sundararajan, Taly & Yan 2017, "Axiomatic Attribution for Deep Networks", section 3.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.integrated_gradients(net, photo, "goldfish", steps=8).shape
        torch.Size([1, 3, 64, 64])
    """
    steps = whole(steps, "steps is a number of points on the way")
    a, share = _spaced(steps, real(power, "power is a number", least=1))
    images, target = settle(net, images, target)
    start = baseline_pictures(net, images, baseline)
    way, n = images - start, len(images)
    a, share = a.to(images.device), share.to(images.device)
    weights = images.new_zeros(steps, n)  # of each step of each picture; 0 for those to come
    rises = images.new_zeros(steps, n)  # the slope along the way
    mean = torch.zeros_like(images)  # the weighted sum of the gradients
    leaning = torch.zeros_like(images)  # the same, each gradient times its rise
    done = 0
    for batch in batches(steps * n, batch_size, progress):  # the first step of every picture, then the second
        batch = batch.to(images.device)
        i, k = batch % n, batch // n
        g = slopes(net, start[i] + _each(a[k]) * way[i], select(target, i))
        rise_here = (g * way[i]).sum((1, 2, 3))
        weights[k, i], rises[k, i] = share[k], rise_here
        mean.index_add_(0, i, _each(share[k]) * g)
        leaning.index_add_(0, i, _each(share[k] * rise_here) * g)
        done += len(batch)
    if done < steps * n:  # stopped
        so_far = _each(weights.sum(0))
        return way * torch.where(so_far > 0, mean / so_far, 0)
    if complete:
        c = _tilt(weights, rises, rise(net, images, target, start, batch_size))
        mean += _each(c) * (leaning - _each((weights * rises).sum(0)) * mean)
    return way * mean


def _spaced(steps, power):
    """Where on the way the steps are, and what each weighs, da / dt: (steps,) each.

    The weights add up to 1, so that a constant gradient is integrated exactly.
    """
    if math.isinf(power):
        raise VizlibError("power is a number, 1 or more; this is infinite.")
    t = (torch.arange(steps, dtype=torch.float64) + 0.5) / steps  # on the CPU: not every device has doubles
    return (t**power).float(), torch.softmax((power - 1) * t.log(), 0).float()


def _each(values):
    """One number per picture, to go with pictures."""
    return values.view(-1, 1, 1, 1)


def _tilt(w: torch.Tensor, p: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """The c, (N,), with which slopes p, (steps, N), have the mean `wanted`: weights w (1 + c (p - mean p)).

    Of all weights that do so these are the nearest to w (least sum of squares over w): a control variate.
    Of the map only its sum is known beforehand, and what is known is used. c stays so small that no weight
    changes by more than itself, and none is negative.
    """
    mean = (w * p).sum(0)
    away = p - mean
    # slopes that are all alike have nothing to tilt
    spread = (w * away**2).sum(0).clamp(min=1e-30) + 1e-4 * mean**2
    limit = 1 / away.abs().amax(0).clamp(min=1e-30)
    return ((wanted - mean) / spread).clamp(-limit, limit)


def rise(
    net: Network, images: torch.Tensor, target: Any, start: torch.Tensor, batch_size: int = 8
) -> torch.Tensor:
    """S(x) - S(x') for a prepared target, (N,)."""
    with torch.no_grad():
        top, bottom = (
            in_batches(lambda x, t: scores(net, x, t), x, target, batch_size) for x in (images, start)
        )
    return top - bottom


def completeness_error(
    net: Network,
    images: torch.Tensor,
    target: Target,
    attribution: torch.Tensor,
    *,
    baseline: Baseline = "neutral",
) -> torch.Tensor:
    """The convergence delta of integrated gradients as a share of the rise of the score, (N,), 0 or more.

    |sum of the attribution - (S(x) - S(x'))| / |S(x) - S(x')|: 0 where every part of the score is accounted
    for. Where the score does not rise at all, 0 if the attribution adds up to exactly 0, and infinite if it
    does not.

    images, target, baseline: as given to `integrated_gradients`. attribution: what it returned, (N, 3, H,
    W), or another map (N, C, H, W). Raises VizlibError if it is no such map.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> maps = vz.integrated_gradients(net, photo, "goldfish", steps=8)
        >>> bool(vz.completeness_error(net, photo, "goldfish", maps) < 0.01)
        True
    """
    images, target = settle(net, images, target)
    shape = tuple(attribution.shape) if isinstance(attribution, torch.Tensor) else type(attribution).__name__
    if not isinstance(attribution, torch.Tensor) or attribution.dim() != 4 or len(attribution) != len(images):
        raise VizlibError(f"An attribution is a map for each of the {len(images)} pictures; this is {shape}.")
    wanted = rise(net, images, target, baseline_pictures(net, images, baseline))
    missing = (attribution.detach().to(images).sum((1, 2, 3)) - wanted).abs()
    return torch.where(missing == 0, 0, missing / wanted.abs())


def baseline_pictures(net: Network, images: torch.Tensor, baseline: Baseline) -> torch.Tensor:
    """Baselines (reference inputs) of integrated gradients: pictures that stand for "nothing here", (N, 3,
    H, W).

    images: (N, 3, H, W), the pictures that they are for.
    baseline: "neutral" (what the network sees as zero), "black", "white", "blur" (the picture itself, without
        anything smaller than a seventh of it), "noise" (uniform, the same each time), a number or one per
        colour in [0, 1], or pictures (1 or N, 3, H, W). Raises VizlibError for others.
    """
    if isinstance(baseline, str):
        if baseline not in BASELINES:
            raise VizlibError(
                f"A baseline is {', '.join(BASELINES)}, a colour or a picture; this is {baseline!r}."
            )
        if baseline == "blur":
            return _blurred(images)
        if baseline == "noise":
            generator = torch.Generator().manual_seed(0)
            return torch.rand(images.shape, generator=generator, dtype=torch.float32).to(images.device)
        start = {"neutral": net.neutral, "black": images.new_zeros(1), "white": images.new_ones(1)}[baseline]
    elif getattr(baseline, "ndim", 0) > 2:
        start = net.check(torch.as_tensor(baseline))
    else:
        start = check_colour(baseline, "A baseline")
    try:
        return start.to(images.device).expand_as(images).clone()
    except RuntimeError:
        raise VizlibError(
            f"This baseline, {tuple(start.shape)}, fits no pictures {tuple(images.shape)}."
        ) from None


def _blurred(images):
    """The means of 7 x 7 fields, drawn smoothly; on the CPU, as not every device can cut a picture into 7
    fields.
    """
    coarse = F.adaptive_avg_pool2d(images.cpu(), 7)
    smooth = F.interpolate(coarse, images.shape[-2:], mode="bicubic", align_corners=False)
    return smooth.clamp(0, 1).to(images.device)
