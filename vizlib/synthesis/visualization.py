"""Which picture does a unit, or a class, want?  The usual settings of the one loop."""

from ..errors import VizlibError
from .ascent import ascend
from .canvas import Fourier
from .priors import total_variation

ROBUST = {"shift": 8, "scale": 0.08, "rotate": 8}


def visualize(net, target, *, canvas=None, jitter=ROBUST, steps=192, rate=0.05, seed=0, **options):
    """A picture that `target` likes: a Fourier canvas of the network's size, shaken before every look.
    Returns a Result.

    target: a label, a class, vz.unit(...), a function of the logits, or an Objective. canvas: another start;
        jitter: None for none.
    Other arguments go to `ascend`. Raises VizlibError where a unit gives no slope because it is off from
        beginning to end.
    Olah, Mordvintsev & Schubert 2017, "Feature Visualization".
    """
    canvas = Fourier(net.input_size, seed=seed) if canvas is None else canvas
    result = ascend(net, target, canvas, steps=steps, rate=rate, jitter=jitter, seed=seed, **options)
    if result.history and not any(result.history):
        raise VizlibError(
            "The score was exactly 0 all the way, so it had no slope to climb: a rectifier is off wherever "
            "one looks. "
            "Take the layer before it (conv3, not relu3), or start from more noise: "
            "canvas=vz.synthesis.Fourier(size, spread=1)."
        )
    return result


def class_picture(net, target, *, size=None, count=1, steps=128, seed=0, **options):
    """One object of the class that `target` names, as the network would have it, in the middle of a grey
    picture. Returns a Result.

    A Fourier canvas with a window, shaken, turned and above all scaled before every look, so that a single
        object has to fill it at every
    size; a little of the waves' energy and of the total variation is taken off the logit, so that no colour
        saturates and fine waves have
    to be worth their price. size: the side, by default the network's. count: so many pictures, from different
        noise.
    target, steps, seed, progress and other options: as in `ascend`.
    After Olah, Mordvintsev & Schubert 2017, "Feature Visualization"; the window and the weights are our own.
    """
    size = size or net.input_size
    canvas = Fourier(size, count, seed=seed, window=0.65)
    penalties = [
        (3e-3, lambda image: canvas.energy()),
        (0.5 / size, lambda image: total_variation(image, 1.0)),
    ]
    shaken = {"shift": 0.1 * size, "scale": 0.25, "rotate": 15}
    return ascend(
        net,
        target,
        canvas,
        **{"steps": steps, "jitter": shaken, "penalties": penalties, "seed": seed} | options,
    )
