"""The one loop: change a picture, step by step, so that a network likes it more."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from ..batching import Progress, goes_on, whole
from ..deprecation import renamed
from ..errors import VizlibError
from ..scalars import real, seeded
from .canvas import Canvas, Pixels
from .objectives import Objective, objective, seen
from .steppers import make_stepper
from .transformations import jitter as shake

if TYPE_CHECKING:
    from ..layers.target import Target
    from ..models.network import Network


@dataclass
class Result:
    """What an optimization ends with, also one that was stopped.

    image: (N, 3, H, W) in [0, 1], all pictures. images: (S, 3, H, W), snapshots of the first one, the last of
    them as it is in `image`. history: the score (mean over pictures) before each step. stopped: was it ended
    before its last step?
    """

    image: torch.Tensor
    images: torch.Tensor
    history: list[float] = field(default_factory=list)
    stopped: bool = False


@renamed(optimiser="optimizer")
@torch.inference_mode(False)
def ascend(
    net: Network,
    target: Target | Objective,
    canvas: Canvas,
    *,
    steps: int = 128,
    optimizer: str | Callable = "adam",
    rate: float = 0.05,
    jitter: dict | None = None,
    penalties: Iterable[tuple[float, Callable]] = (),
    after: Iterable[Callable] = (),
    tile: int | None = None,
    snapshots: int = 8,
    seed: int = 0,
    progress: Progress | None = None,
) -> Result:
    """Activation maximization by gradient ascent: optimize `canvas` so that `target` grows. Returns a Result.

        x <- x + step along d/dx [ score(x) - sum of weight * penalty(x) ]

    target: as in `gradient` (a label, a class, vz.unit, a function of the logits), or an Objective.
    canvas: Pixels, Fourier, or whatever has the parameters knobs and the methods image() and settle().

    The options; all methods of this package pass on to here what they do not know themselves:
    steps: how many.
    optimizer: "adam", "sgd" (momentum 0.9), "lbfgs", "normalized" (x + rate * g / mean |g| for each
    picture), or a function (parameters, rate) that makes one.
    rate: its learning rate, or step size.
    jitter: a dict of arguments for `vizlib.synthesis.jitter`, which moves the picture anew before each look.
    penalties: pairs (weight, function): weight * function(image), one number per picture, is taken off the
    score.
    after: functions (image, gradient, step) -> image, applied after each step, for Pixels only; gradient is
    that of the score, penalties taken off, in the pixels as they were before the step.
    tile: larger pictures are looked at in pieces of at most so many pixels a side, to save memory; a piece
    counts by its area, and knows nothing of its neighbours.
    snapshots: how many pictures to keep along the way.
    seed: of the jitter.
    progress: a function (done, total, preview) -> bool; False ends the work. An interrupt ends it too: the
    picture so far comes back.

    Raises VizlibError where the score is no number, or has no slope, with what to change.
    Erhan, Bengio, Courville & Vincent 2009, "Visualizing Higher-Layer Features of a Deep Network", section 3.

        >>> net, canvas = vz.load("zfnet"), vz.synthesis.Fourier(64)
        >>> len(vz.synthesis.ascend(net, vz.unit("conv3", 5), canvas, steps=2).history)
        2
    """
    goal, generator = objective(net, target), seeded(seed)
    steps = whole(steps, "steps is a whole number")
    snapshots = whole(snapshots, "snapshots is a number of pictures", 0)
    rate = real(rate, "rate is the size of a step, 0 or more", lambda value: 0 <= value < math.inf)
    tile = None if tile is None else whole(tile, "tile is a number of pixels")
    penalties, after = list(penalties), list(after)
    if after and not isinstance(canvas, Pixels):
        raise VizlibError(
            "Changes after a step are made to pixels: use vz.synthesis.Pixels(...) as the canvas."
        )
    result = Result(_shown(canvas), torch.empty(0))
    keep = {round((i + 1) * steps / snapshots) for i in range(snapshots)}
    stepper, kept = make_stepper(optimizer, canvas.knobs, rate), []

    def loss() -> torch.Tensor:
        stepper.zero_grad()
        with torch.enable_grad():
            image = canvas.image()
            score = _look(net, goal, shake(image, generator, **(jitter or {})), tile)
            price = [(weight * penalty(image)).sum().to(score.device) for weight, penalty in penalties]
            total = score.sum() - sum(price)
            _check_numbers(score, total, len(result.history), rate)
            values.append(float(score.detach().mean()))
            (-total).backward()
        return -total.detach()

    try:
        for step in range(steps):
            values: list[float] = []
            stepper.step(loss)
            result.history.append(values[0])
            canvas.settle()
            with torch.no_grad():
                for change in after:
                    assert canvas.knobs.grad is not None  # that of the loss, minus the score
                    canvas.knobs.copy_(change(canvas.knobs, -canvas.knobs.grad, step))
            result.image = _shown(canvas)
            if step + 1 in keep:
                kept.append(result.image[:1])
            if not goes_on(progress, step + 1, steps, result.image):
                result.stopped = step + 1 < steps
                break
    except KeyboardInterrupt:
        result.stopped = True
    result.images = torch.cat([*kept, result.image[:1]] if not kept or result.stopped else kept)
    return result


def options_for_ascend(given: dict[str, Any], settled: Iterable[str] = (), **defaults: Any) -> dict[str, Any]:
    """The options `given` to a method, to be passed on to `ascend`, over the method's own `defaults`.

    Raises VizlibError for what `ascend` does not know, and for what the method has `settled` itself.
    """
    known = list(inspect.signature(ascend).parameters)[3:]
    free = [name for name in known if name not in settled]
    for name in given:
        if name not in free:
            why = "is settled here" if name in known else "is not known"
            raise VizlibError(f"The option {name!r} {why}. Options of the loop are: {', '.join(free)}.")
    return defaults | given


def _shown(canvas: Canvas) -> torch.Tensor:
    with torch.no_grad():
        return canvas.image().detach().clamp(0, 1)


def _check_numbers(score: torch.Tensor, total: torch.Tensor, done: int, rate: float) -> None:
    if bool(torch.isfinite(score.detach()).all()) and math.isfinite(float(total.detach())):
        return
    value = float(score.detach().mean())
    if not done:
        raise VizlibError(
            f"The score of the start is {value}, before any step. Look for a division by 0, or a logarithm "
            "of 0, in the target or in the penalties."
        )
    raise VizlibError(
        f"After {done} steps the score is {value}. Lower rate (now {rate:g}), the target's weights "
        "(style_weight, say) or those of the penalties (smoothness, say)."
    )


def _look(net: Network, goal: Objective, image: torch.Tensor, tile: int | None) -> torch.Tensor:
    """The score of each picture, (N,). In tiles, only one of which is in memory at a time, a stand-in with
    the same value and slope.
    """
    image = image.to(net.device)
    if tile is None or max(image.shape[-2:]) <= tile:
        return _score(net, goal, image)
    leaf, value, area = image.detach().requires_grad_(), 0.0, image.shape[-2] * image.shape[-1]
    for rows in _cut(image.shape[-2], tile):
        for columns in _cut(image.shape[-1], tile):
            share = (rows.stop - rows.start) * (columns.stop - columns.start) / area
            part = share * _score(net, goal, leaf[..., rows, columns])
            part.sum().backward()  # adds to leaf.grad, and frees what the tile needed
            value = value + part.detach()
    assert leaf.grad is not None
    return value + ((image - image.detach()) * leaf.grad).sum((1, 2, 3))


def _score(net: Network, goal: Objective, image: torch.Tensor) -> torch.Tensor:
    score = goal.read(seen(net, image, goal.layers))
    if score.shape != image.shape[:1]:
        raise VizlibError(
            f"An objective gives one number per picture, shape ({len(image)},); {goal.name} gives "
            f"{tuple(score.shape)}."
        )
    if not score.requires_grad:
        raise VizlibError(
            "This score has no slope: it does not depend on the picture, or was cut off by argmax, detach or "
            "a comparison."
        )
    return score


def _cut(length: int, tile: int) -> Iterator[slice]:
    """0 ... length in the fewest pieces of at most `tile`, as even as can be."""
    count = -(-length // tile)
    ends = [round(i * length / count) for i in range(count + 1)]
    return map(slice, ends[:-1], ends[1:])
