"""The one loop: change a picture, step by step, so that a network likes it more."""

import math
from dataclasses import dataclass, field

import torch

from ..batching import goes_on
from ..errors import VizlibError
from ..layers import tap
from .objectives import objective
from .transformations import jitter as shake


@dataclass
class Result:
    """image: (N, 3, H, W) in [0, 1]. images: snapshots, (S, 3, H, W), the last one included. history: the
        score (mean over pictures) before
    each step. stopped: was it ended before its last step?"""

    image: torch.Tensor
    images: torch.Tensor
    history: list = field(default_factory=list)
    stopped: bool = False


def ascend(
    net,
    target,
    canvas,
    *,
    steps=128,
    optimizer="adam",
    rate=0.05,
    jitter=None,
    penalties=(),
    after=(),
    tile=None,
    snapshots=8,
    seed=0,
    progress=None,
):
    """Optimize `canvas` (Pixels, Fourier, or any with knobs, image() and settle()) so that `target` grows.
    Returns a Result.

    target: as in `gradient` (a label, a class, vz.unit, a function of the logits) or an Objective. optimizer:
        "adam", "sgd" (momentum 0.9),
    "lbfgs", "normalized" (rate * g / mean |g| for each picture), or a function (knobs, rate) that makes one;
        rate: its step size.
    jitter: a dict for `vizlib.synthesis.jitter`, drawn anew at each step. penalties: (weight, function)
        pairs; weight * function(image) is
    taken off the score. after: functions (image, gradient, step) -> image, applied after each step; for
        Pixels only. tile: look at larger
    pictures in pieces of at most so many pixels a side, to save memory; a piece counts by its area, and knows
        nothing of its neighbours.
    snapshots: how many pictures to keep along the way. progress: a function (done, total, preview) -> bool;
        False ends it.
    An interrupt ends it too: the picture so far comes back. Raises VizlibError where the score is no longer a
        number, with what to lower.
    """
    goal, generator = objective(net, target), torch.Generator().manual_seed(seed)
    if after and not hasattr(canvas, "clip"):
        raise VizlibError(
            "Changes after a step are made to pixels: use vz.synthesis.Pixels(...) as the canvas."
        )
    if not (isinstance(steps, int) and steps > 0):
        raise VizlibError(f"steps is a positive number; this is {steps!r}.")
    result = Result(canvas.image().detach().clamp(0, 1), torch.empty(0))
    keep = {round((i + 1) * steps / snapshots) for i in range(snapshots)} if snapshots else set()
    stepper, kept = _optimizer(optimizer, canvas.knobs, rate), []

    def loss():
        stepper.zero_grad()
        with torch.enable_grad():
            image = canvas.image()
            score = _look(net, goal, shake(image, generator, **(jitter or {})), tile)
            total = score.sum() - sum((weight * penalty(image)).sum() for weight, penalty in penalties)
        value = float(score.detach().mean())
        if not (math.isfinite(value) and math.isfinite(float(total.detach()))):
            raise VizlibError(
                f"After {len(result.history)} steps the score is {value}. Lower rate (now {rate:g}), "
                "the target's weights (style_weight, say) or those of the penalties (smoothness, say)."
            )
        values.append(value)
        (-total).backward()
        return -total.detach()

    try:
        for step in range(steps):
            values = []
            stepper.step(loss)
            result.history.append(values[0])
            canvas.settle()
            with torch.no_grad():
                for change in after:
                    canvas.knobs.copy_(change(canvas.knobs, canvas.knobs.grad, step))
                result.image = canvas.image().detach().clamp(0, 1)
            if step + 1 in keep:
                kept.append(result.image[:1])
            if not goes_on(progress, step + 1, steps, result.image):
                result.stopped = step + 1 < steps
                break
    except KeyboardInterrupt:
        result.stopped = True
    result.images = torch.cat([*kept, result.image[:1]] if not kept or result.stopped else kept)
    return result


def _look(net, goal, image, tile):
    """The score of each picture, (N,). In tiles, only one of which is in memory at a time, a stand-in with
    the same value and slope.
    """
    if tile is None or max(image.shape[-2:]) <= tile:
        with tap(net, goal.layers, stop=True) as taken:
            net(image)
        return goal.read(taken)
    leaf, value, area = image.detach().requires_grad_(), 0.0, image.shape[-2] * image.shape[-1]
    for rows in _cut(image.shape[-2], tile):
        for columns in _cut(image.shape[-1], tile):
            with tap(net, goal.layers, stop=True) as taken:
                net(leaf[..., rows, columns])
            part = (rows.stop - rows.start) * (columns.stop - columns.start) / area * goal.read(taken)
            part.sum().backward()  # adds to leaf.grad, and frees what the tile needed
            value = value + part.detach()
    return value + ((image - image.detach()) * leaf.grad).sum((1, 2, 3))


def _cut(length, tile):
    """0 ... length in the fewest pieces of at most `tile`, as even as can be: slices."""
    count = -(-length // tile)
    ends = [round(i * length / count) for i in range(count + 1)]
    return [slice(a, b) for a, b in zip(ends, ends[1:], strict=False)]


class _Normalized:
    """x <- x + rate * g / mean |g|, for each picture: a step is as long on a gentle slope as on a steep one.
    Mordvintsev et al. 2015.
    """

    def __init__(self, knobs, rate):
        self.knobs, self.rate = knobs, rate

    def zero_grad(self):
        self.knobs.grad = None

    def step(self, loss):
        loss()
        g = self.knobs.grad
        size = g.abs().flatten(1).mean(1).clamp(min=1e-30).view(-1, *[1] * (g.dim() - 1))
        with torch.no_grad():
            self.knobs -= self.rate * g / size


def _optimizer(name, knobs, rate):
    makers = {
        "adam": lambda: torch.optim.Adam([knobs], rate),
        "sgd": lambda: torch.optim.SGD([knobs], rate, momentum=0.9),
        "lbfgs": lambda: torch.optim.LBFGS([knobs], rate, max_iter=1, history_size=20, line_search_fn=None),
        "normalized": lambda: _Normalized(knobs, rate),
    }
    if callable(name):
        return name(knobs, rate)
    if name not in makers:
        raise VizlibError(f"optimizer is one of {', '.join(makers)}; this is {name!r}.")
    return makers[name]()
