"""Which picture does it want?  A canvas, an objective, priors, and one loop that makes every optimized
picture of the course.
"""

from . import priors
from .ascent import Result, ascend
from .canvas import Fourier, Pixels, noise
from .chains import Model
from .code_errors import code_error, feature_error, pixel_error
from .colours import luminance, match_colours, with_luminance_of
from .descriptors import dsift, hog
from .dreams import dream, octave_sizes
from .films import dream_film, zoom_film, zoomed
from .frame_models import Frame, frame, langevin, moment_error
from .grams import diversity, gram, same_style
from .inversion import invert, paper_smoothness
from .objectives import (
    Objective,
    best_match,
    channel,
    direction,
    energy,
    likelihood,
    objective,
    same_code,
)
from .poster import style_poster
from .style import style_layers_of, style_transfer, texture
from .transformations import jitter
from .visualization import class_picture, visualize

__all__ = [
    "ascend",
    "best_match",
    "channel",
    "class_picture",
    "code_error",
    "direction",
    "diversity",
    "dream",
    "dream_film",
    "dsift",
    "energy",
    "feature_error",
    "Fourier",
    "frame",
    "Frame",
    "gram",
    "hog",
    "invert",
    "jitter",
    "langevin",
    "likelihood",
    "luminance",
    "match_colours",
    "Model",
    "moment_error",
    "noise",
    "objective",
    "Objective",
    "octave_sizes",
    "paper_smoothness",
    "pixel_error",
    "Pixels",
    "priors",
    "Result",
    "same_code",
    "same_style",
    "style_layers_of",
    "style_poster",
    "style_transfer",
    "texture",
    "visualize",
    "with_luminance_of",
    "zoom_film",
    "zoomed",
]
