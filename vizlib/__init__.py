"""vizlib: seeing what convolutional networks see. Short readable functions, grouped as the course is.

Pictures are float32 tensors (N, 3, H, W), RGB, in [0, 1]; networks normalize for themselves. Every method
takes (net, images, target) first and returns raw values; scaling for the eye is a separate step.
"""

from typing import TYPE_CHECKING

from . import display, explore, sweep, synthesis
from .attribution import (
    cam,
    completeness_error,
    deconvnet,
    deletion,
    energy_inside,
    grad_cam,
    gradient,
    gradient_times_input,
    guided_backprop,
    guided_grad_cam,
    insertion,
    integrated_gradients,
    layer_cam,
    lrp,
    occluded,
    occlusion,
    pointing_game,
    project,
    randomize,
    rank_correlation,
    relevance_table,
    saliency,
    score_cam,
    smoothgrad,
    ssim,
)
from .deception import evolve, fgsm, lbfgs_attack, pgd
from .deprecation import moved as _moved
from .display import (
    centre,
    choose_label,
    choose_layer,
    choose_photo,
    draw_anatomy,
    figure,
    mosaic,
    overlay,
    panel,
    picture,
    show,
    thumbnails,
)
from .errors import VizlibError
from .images import (
    H_FLIP,
    V_FLIP,
    Warp,
    background,
    backgrounds,
    collages,
    cutout,
    cutouts,
    digits,
    open_image,
    paste,
    photo,
    photos,
    resize,
    rotation,
    save_film,
    scaling,
    scene,
    scene_pictures,
    scenes,
    to_pil,
    whole_photos,
)
from .layers import receptive_field, record, unit
from .models import Network, anatomy, load, networks
from .representation import (
    Dissection,
    EquivariantMap,
    TopPatches,
    autoencoder,
    decode,
    decoder,
    dissect,
    embed,
    empirical_receptive_field,
    fit_equivariance,
    fit_stitch,
    logits_through,
    map_error,
    match_units,
    minimal_image,
    neighbour_agreement,
    neighbours,
    thumbnail_size,
    top_patches,
    train_equivariance,
    train_stitch,
)
from .sweep import folder
from .synthesis import (
    class_picture,
    dream,
    dream_film,
    dsift,
    feature_error,
    frame,
    hog,
    invert,
    pixel_error,
    style_poster,
    style_transfer,
    texture,
    visualize,
    zoom_film,
)
from .table import Table

if TYPE_CHECKING:
    from .display import Panel

__version__ = "0.1.0"

_MOVED = _moved(
    __name__,
    {
        "center": "vizlib.centre",
        "strongest": "vizlib.top_patches",
        "detectors": "vizlib.dissect",
        "checks": "vizlib.course.checks",
        "environment": "vizlib.course.environment",
    },
)

if not TYPE_CHECKING:  # a checker would take every name for one of these

    def __getattr__(name: str) -> object:
        return display.Panel if name == "Panel" else _MOVED(name)  # a widget: Jupyter is imported by who asks
