"""Which picture does a unit, or a class, want?  The usual settings of the one loop."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from ..batching import whole
from ..errors import VizlibError
from ..layers.target import unit
from ..scalars import sides
from .ascent import Result, ascend, options_for_ascend
from .canvas import Canvas, Fourier
from .objectives import Objective, likelihood, objective
from .priors import total_variation

if TYPE_CHECKING:
    from ..layers.target import Target
    from ..models.network import Network

ROBUST = {"shift": 8, "scale": 0.08, "rotate": 8}


def visualize(
    net: Network, target: Target | Objective, *, canvas: Canvas | None = None, **options: Any
) -> Result:
    """Feature visualization: a picture that `target` likes, by activation maximization on a Fourier canvas
    of the network's size that is shaken before every look. Returns a Result.

    target: a label, a class, vz.unit(...), a function of the logits, or an Objective.
    canvas: another start.
    options: of `ascend`; by default 192 steps at a rate of 0.05, jitter={"shift": 8, "scale": 0.08,
    "rotate": 8}.

    Raises VizlibError where a unit gives no slope because it is off from beginning to end.
    Olah, Mordvintsev & Schubert 2017, "Feature Visualization".

        >>> net = vz.load("zfnet")
        >>> vz.visualize(net, vz.unit("conv3", 11), steps=3).image.shape
        torch.Size([1, 3, 64, 64])
    """
    options = options_for_ascend(options, steps=192, jitter=ROBUST, seed=0)
    canvas = Fourier(net.input_size, seed=options["seed"], device=net.device) if canvas is None else canvas
    result = ascend(net, target, canvas, **options)
    if result.history and not any(result.history):
        raise VizlibError(
            "The score was exactly 0 all the way, so it had no slope to climb: a rectifier is off wherever "
            "one looks. Take the layer before it (conv3, not relu3), or start from more noise: "
            "canvas=vz.synthesis.Fourier(size, spread=1)."
        )
    return result


def class_picture(
    net: Network | Sequence[Network],
    target: Target | Objective,
    *,
    size: int | tuple[int, int] | None = None,
    count: int = 1,
    **options: Any,
) -> Result:
    """Class visualization (class model, class appearance model): one object of the class that `target`
    names, as the network would have it, in the middle of a grey picture. Returns a Result.

    A Fourier canvas with a window, shaken, turned and above all scaled before every look, so that a single
    object has to fill it at every size. What grows is the `likelihood` of the class; a little of the waves'
    energy and of the total variation is taken off, so that no colour saturates and fine waves have to be
    worth their price.

    net: a network, or several that should agree (an ensemble): the sum of their likelihoods grows.
    target: a class or a label; for a single network also what else `ascend` takes, which then grows as it is.
    size: side, or (height, width), in pixels, by default the (first) network's.
    count: so many pictures, from different noise.
    options: of `ascend`, by default 128 steps; jitter and penalties replace those named above.

    Raises VizlibError for a class that one of the networks does not know.
    The question: Simonyan, Vedaldi & Zisserman 2013, "Deep Inside Convolutional Networks", section 2, who
    take the logit itself. The canvas: after Olah, Mordvintsev & Schubert 2017, "Feature Visualization"; the
    window, the temperature and the weights are our own.

        >>> net, other = vz.load("zfnet"), vz.load("zfnet-b")
        >>> vz.class_picture(net, "goldfish", count=2, steps=2).image.shape
        torch.Size([2, 3, 64, 64])
        >>> vz.class_picture([net, other], "goldfish", steps=2).image.shape
        torch.Size([1, 3, 64, 64])
    """
    nets = [net] if isinstance(net, torch.nn.Module) else list(net)
    goal = _agreed(nets, target)
    height, width = sides(nets[0].input_size if size is None else size)
    side = (height * width) ** 0.5
    seed, count = options.get("seed", 0), whole(count, "count is a number of pictures")
    canvas = Fourier((height, width), count, seed=seed, window=0.65, device=nets[0].device)
    usual: dict[str, Any] = {
        "jitter": {"shift": 0.1 * side, "scale": 0.45, "rotate": 15},
        "penalties": [
            (3e-3, lambda image: canvas.energy()),
            (0.5 / side, lambda image: total_variation(image, 1.0)),
        ],
    }
    return ascend(nets[0], goal, canvas, **options_for_ascend(options, **usual))


def _agreed(nets: list[Network], target: Any) -> Objective:
    """What a class picture climbs: the sum of the likelihoods of one class, as each network calls it."""
    if not nets:
        raise VizlibError("A class picture is made for a network, or a list of networks; this list is empty.")
    if target is None or callable(target) or isinstance(target, (unit, Objective)):
        if len(nets) > 1:
            raise VizlibError(
                f"Several networks agree on a class: give its label, or its index; this is {target!r}. "
                "For anything else add objectives, each bound to its network: a.on(net) + b.on(other)."
            )
        return objective(nets[0], target)
    k = nets[0].index(target)
    names = [k if net.labels == nets[0].labels else nets[0].labels[k] for net in nets]
    goals = [likelihood(net, name).on(net) for net, name in zip(nets, names, strict=True)]
    return functools.reduce(operator.add, goals)
