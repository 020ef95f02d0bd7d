"""Which picture does it want?  A canvas, an objective, priors, and one loop that makes every optimised picture of the course."""

from . import priors
from .ascend import Result, ascend
from .canvas import Fourier, Pixels, noise
from .jitter import jitter
from .objective import Objective, channel, direction, diversity, energy, gram, objective, same_code, same_style
from .visualize import visualize

__all__ = [
    "Fourier", "Objective", "Pixels", "Result", "ascend", "channel", "direction", "diversity", "energy", "gram", "jitter", "noise",
    "objective", "priors", "same_code", "same_style", "visualize",
]  # fmt: skip
