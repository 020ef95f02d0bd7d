"""The one loop: change a picture, step by step, so that a network likes it more."""

import math
from dataclasses import dataclass, field

import torch

from ..errors import VizlibError
from ..layers import tap
from .jitter import jitter as shake
from .objective import objective


@dataclass
class Result:
    """image: (N, 3, H, W) in [0, 1]. images: snapshots, (S, 3, H, W), the last one included. history: the score (mean over pictures) before
    each step. stopped: was it ended before its last step?"""

    image: torch.Tensor
    images: torch.Tensor
    history: list = field(default_factory=list)
    stopped: bool = False


def ascend(
    net, target, canvas, *, steps=128, optimiser="adam", rate=0.05, jitter=None, penalties=(), after=(), snapshots=8, seed=0, progress=None
):
    """Optimise `canvas` (Pixels or Fourier) so that `target` grows. Returns a Result.

    target: as in `gradient` (a label, a class, vz.unit, a function of the logits) or an Objective. optimiser: "adam", "sgd" (momentum 0.9)
    or "lbfgs"; rate: its step size. jitter: a dict for `vizlib.synthesis.jitter`, drawn anew at each step. penalties: (weight, function)
    pairs; weight * function(image) is taken off the score. after: functions (image, gradient, step) -> image, applied after each step; for
    Pixels only. snapshots: how many pictures to keep along the way. progress: a function (done, total, preview) -> bool; False ends it.
    An interrupt ends it too: the picture so far comes back. Raises VizlibError where the score is no longer a number, with what to lower.
    """
    goal, generator = objective(net, target), torch.Generator().manual_seed(seed)
    if after and not hasattr(canvas, "clip"):
        raise VizlibError("Changes after a step are made to pixels: use vz.synthesis.Pixels(...) as the canvas.")
    if not (isinstance(steps, int) and steps > 0):
        raise VizlibError(f"steps is a positive number; this is {steps!r}.")
    result = Result(canvas.image().detach().clamp(0, 1), torch.empty(0))
    keep = {round((i + 1) * steps / snapshots) for i in range(snapshots)} if snapshots else set()
    stepper, kept = _optimiser(optimiser, canvas.knobs, rate), []

    def loss():
        stepper.zero_grad()
        with torch.enable_grad(), tap(net, goal.layers, stop=True) as taken:
            image = canvas.image()
            net(shake(image, generator, **(jitter or {})))
        with torch.enable_grad():
            score = goal.read(taken)
            total = score.sum() - sum((weight * penalty(image)).sum() for weight, penalty in penalties)
        value = float(score.detach().mean())
        if not (math.isfinite(value) and math.isfinite(float(total.detach()))):
            raise VizlibError(
                f"After {len(result.history)} steps the score is {value}. Lower rate (now {rate:g}) or the penalties' weights."
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
            if progress is not None and progress(step + 1, steps, result.image) is False:
                result.stopped = step + 1 < steps
                break
    except KeyboardInterrupt:
        result.stopped = True
    result.images = torch.cat([*kept, result.image[:1]] if not kept or result.stopped else kept)
    return result


def _optimiser(name, knobs, rate):
    makers = {
        "adam": lambda: torch.optim.Adam([knobs], rate),
        "sgd": lambda: torch.optim.SGD([knobs], rate, momentum=0.9),
        "lbfgs": lambda: torch.optim.LBFGS([knobs], rate, max_iter=1, history_size=20, line_search_fn=None),
    }
    if name not in makers:
        raise VizlibError(f"optimiser is one of {', '.join(makers)}; this is {name!r}.")
    return makers[name]()
