"""Which pixels mattered?  Maps from a network, pictures and a target; the first three arguments are always these."""

from .cam import cam, grad_cam, guided_grad_cam, layer_cam
from .evidence import rank_correlation, ssim
from .gradient import backward, deconvnet, gradient, gradient_times_input, guided_backprop, saliency
from .randomize import randomize
from .score_cam import channel_masks, score_cam

__all__ = [
    "backward", "cam", "channel_masks", "deconvnet", "grad_cam", "gradient", "gradient_times_input",
    "guided_backprop", "guided_grad_cam", "layer_cam",
    "randomize", "rank_correlation", "saliency", "score_cam", "ssim",
]  # fmt: skip
