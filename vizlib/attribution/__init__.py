"""Which pixels mattered?  Maps from a network, pictures and a target; the first three arguments are always
these.
"""

from .class_activation import cam, grad_cam, guided_grad_cam, layer_cam
from .curves import deletion, energy_inside, insertion, pointing_game
from .evidence import rank_correlation, ssim
from .gradients import backward, deconvnet, gradient, gradient_times_input, guided_backprop, saliency, slopes
from .occluders import occluded, occlusion
from .path import baseline_pictures, completeness_error, integrated_gradients
from .projection import project
from .randomization import randomize
from .relevance import lrp, relevance_table
from .score_weighting import channel_masks, score_cam
from .smooth import smoothgrad

__all__ = [
    "backward",
    "baseline_pictures",
    "cam",
    "channel_masks",
    "completeness_error",
    "deconvnet",
    "deletion",
    "energy_inside",
    "grad_cam",
    "gradient",
    "gradient_times_input",
    "guided_backprop",
    "guided_grad_cam",
    "insertion",
    "integrated_gradients",
    "layer_cam",
    "lrp",
    "occluded",
    "occlusion",
    "pointing_game",
    "project",
    "randomize",
    "rank_correlation",
    "relevance_table",
    "saliency",
    "score_cam",
    "slopes",
    "smoothgrad",
    "ssim",
]
