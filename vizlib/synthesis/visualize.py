"""Which picture does a unit, or a class, want?  The usual settings of the one loop."""

from .ascend import ascend
from .canvas import Fourier

ROBUST = {"shift": 8, "scale": 0.08, "rotate": 8}


def visualize(net, target, *, canvas=None, jitter=ROBUST, steps=192, rate=0.05, seed=0, **options):
    """A picture that `target` likes: a Fourier canvas of the network's size, shaken before every look. Returns a Result.

    target: a label, a class, vz.unit(...), a function of the logits, or an Objective. canvas: another start; jitter: None for none.
    Other arguments go to `ascend`. Olah, Mordvintsev & Schubert 2017, "Feature Visualization".
    """
    canvas = Fourier(net.input_size, seed=seed) if canvas is None else canvas
    return ascend(net, target, canvas, steps=steps, rate=rate, jitter=jitter, seed=seed, **options)
