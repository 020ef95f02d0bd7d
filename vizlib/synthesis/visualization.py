"""Which picture does a unit, or a class, want?  The usual settings of the one loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..batching import whole
from ..errors import VizlibError
from ..scalars import sides
from .ascent import Result, ascend, options_for_ascend
from .canvas import Canvas, Fourier
from .objectives import Objective
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
    net: Network,
    target: Target | Objective,
    *,
    size: int | tuple[int, int] | None = None,
    count: int = 1,
    **options: Any,
) -> Result:
    """Class visualization (class model, class appearance model): one object of the class that `target`
    names, as the network would have it, in the middle of a grey picture. Returns a Result.

    A Fourier canvas with a window, shaken, turned and above all scaled before every look, so that a single
    object has to fill it at every size. A little of the waves' energy and of the total variation is taken
    off the logit, so that no colour saturates and fine waves have to be worth their price.

    target: as in `ascend`.
    size: side, or (height, width), in pixels, by default the network's.
    count: so many pictures, from different noise.
    options: of `ascend`, by default 128 steps; jitter and penalties replace those named above.

    The question: Simonyan, Vedaldi & Zisserman 2013, "Deep Inside Convolutional Networks", section 2. The
    canvas: after Olah, Mordvintsev & Schubert 2017, "Feature Visualization"; the window and the weights are
    our own.

        >>> net = vz.load("zfnet")
        >>> vz.class_picture(net, "goldfish", count=2, steps=2).image.shape
        torch.Size([2, 3, 64, 64])
    """
    height, width = sides(net.input_size if size is None else size)
    side = (height * width) ** 0.5
    seed, count = options.get("seed", 0), whole(count, "count is a number of pictures")
    canvas = Fourier((height, width), count, seed=seed, window=0.65, device=net.device)
    usual: dict[str, Any] = {
        "jitter": {"shift": 0.1 * side, "scale": 0.25, "rotate": 15},
        "penalties": [
            (3e-3, lambda image: canvas.energy()),
            (0.5 / side, lambda image: total_variation(image, 1.0)),
        ],
    }
    return ascend(net, target, canvas, **options_for_ascend(options, **usual))
