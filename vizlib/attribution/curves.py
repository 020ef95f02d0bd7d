"""Deletion and insertion: does the score follow the pixels in the order that a map gives them?"""

import torch
import torch.nn.functional as F

from ..batching import batches, select
from ..errors import VizlibError
from ..layers.target import scores, settle
from .path import baseline_pictures


def deletion(net, images, target, maps, *, steps=28, fill="neutral", batch_size=8, progress=None):
    """The score while pixels vanish, most important first: (N, steps + 1), from the whole picture to none of
    it. A good map falls early.

    images: (N, 3, H, W) in [0, 1]. target: as in `gradient`; a probability, lambda logits:
        logits.softmax(1)[:, k], is usual. maps:
    (N, 1, H, W), higher is more important. steps: equal shares of the pixels. fill: what is left, as in
        `baseline_pictures`.
    The area under the curve is its mean. Raises VizlibError for maps that do not fit the pictures.
    Petsiuk, Das & Saenko 2018, "RISE: Randomized Input Sampling for Explanation of Black-box Models", section
        4.2.
    """
    images, target = settle(net, images, target)
    return _curve(
        net, images, baseline_pictures(net, images, fill), target, maps, steps, batch_size, progress
    )


def insertion(net, images, target, maps, *, steps=28, fill="blur", batch_size=8, progress=None):
    """The score while pixels appear, most important first: (N, steps + 1), from `fill` to the whole picture.
    A good map rises early.

    Arguments, errors and source as in `deletion`; the paper starts from a blurred picture, which has no edges
    of its own to add.
    """
    images, target = settle(net, images, target)
    return _curve(
        net, baseline_pictures(net, images, fill), images, target, maps, steps, batch_size, progress
    )


def _curve(net, before, after, target, maps, steps, batch_size, progress):
    if maps.shape != before[:, :1].shape:
        raise VizlibError(
            f"Pictures {tuple(before.shape)} need maps {tuple(before[:, :1].shape)}; these are "
            f"{tuple(maps.shape)}."
        )
    if not (isinstance(steps, int) and steps > 0):
        raise VizlibError(f"steps is a positive number of shares of the picture; this is {steps!r}.")
    pixels = maps[0].numel()
    rank = (
        maps.flatten(1).argsort(dim=1, descending=True, stable=True).argsort(dim=1).view_as(maps)
    )  # 0 is the most important pixel
    curve = torch.full((len(maps), steps + 1), torch.nan)
    for piece in batches(len(maps) * (steps + 1), batch_size, progress):
        i, k = piece // (steps + 1), piece % (steps + 1)
        gone = rank[i] < (k * pixels / steps).round().view(-1, 1, 1, 1)
        with torch.no_grad():
            curve[i, k] = scores(net, torch.where(gone, after[i], before[i]), select(target, i)).float()
    return curve


def pointing_game(maps, masks, *, tolerance=0):
    """Does the highest point of each map lie on the object? maps, masks: (N, 1, H, W) -> (N,) of True and
    False.

    masks: 1 on the object. tolerance: so many pixels beside it still count (the paper gives 15 on
        photographs).
    Zhang, Lin, Brandt, Shen & Sclaroff 2016, "Top-down Neural Attention by Excitation Backprop", section 4.1.
    """
    _check_masks(maps, masks)
    near = F.max_pool2d(masks.float(), 2 * tolerance + 1, 1, tolerance) if tolerance else masks
    return near.flatten(1).gather(1, maps.flatten(1).argmax(1, keepdim=True))[:, 0] > 0.5


def energy_inside(maps, masks):
    """The share of each map's positive values that lies on the object: (N,) in [0, 1]; a map without any
    scores 0.

    maps, masks: (N, 1, H, W). Chance is the share of the picture that the object covers.
    Wang et al. 2020, "Score-CAM", section 4.3 (the energy-based pointing game).
    """
    _check_masks(maps, masks)
    positive = maps.clamp(min=0)
    return (positive * masks).flatten(1).sum(1) / positive.flatten(1).sum(1).clamp(min=1e-30)


def _check_masks(maps, masks):
    if maps.shape != masks.shape or maps.dim() != 4 or maps.shape[1] != 1:
        raise VizlibError(
            f"Maps and masks are (N, 1, H, W) both; these are {tuple(maps.shape)} and {tuple(masks.shape)}."
        )
