"""Deletion and insertion: does the score follow the pixels in the order that a map gives them?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from ..batching import Progress, batches, check_batch_size, select, whole
from ..deprecation import renamed
from ..errors import VizlibError
from ..layers.target import scores, settle
from .path import baseline_pictures

if TYPE_CHECKING:
    from ..models import Network


@renamed(chunk="batch_size")
def deletion(
    net: Network,
    images: torch.Tensor,
    target: Any,
    maps: torch.Tensor,
    *,
    steps: int = 28,
    fill: Any = "neutral",
    batch_size: int = 8,
    progress: Progress | None = None,
) -> torch.Tensor:
    """The deletion metric: the score while pixels vanish, most important first. A good map falls early.

    images: (N, 3, H, W) in [0, 1]; for more than fit into memory there is `vz.sweep.curves`.
    target: as in `gradient`; a probability, lambda logits: logits.softmax(1)[:, k], is usual.
    maps: (N, 1, H, W), higher is more important.
    steps: equal shares of the pixels. fill: what is left, as in `baseline_pictures`.
    Returns (N, steps + 1), from the whole picture to none of it; the area under the curve is its mean.
    Raises VizlibError for maps that do not fit the pictures.
    Petsiuk, Das & Saenko 2018, "RISE: Randomized Input Sampling for Explanation of Black-box Models", section
    4.2.

    >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
    >>> vz.deletion(net, photo, "goldfish", vz.saliency(net, photo, "goldfish"), steps=4).shape
    torch.Size([1, 5])
    """
    images, target = settle(net, images, target)
    empty = baseline_pictures(net, images, fill)
    return _curve(net, images, empty, target, maps, steps, batch_size, progress)


@renamed(chunk="batch_size")
def insertion(
    net: Network,
    images: torch.Tensor,
    target: Any,
    maps: torch.Tensor,
    *,
    steps: int = 28,
    fill: Any = "blur",
    batch_size: int = 8,
    progress: Progress | None = None,
) -> torch.Tensor:
    """The insertion metric: the score while pixels appear, most important first. A good map rises early.

    Arguments, errors and source as in `deletion`; the paper starts from a blurred picture, which has no edges
    of its own to add. Returns (N, steps + 1), from `fill` to the whole picture.

    >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
    >>> vz.insertion(net, photo, "goldfish", vz.saliency(net, photo, "goldfish"), steps=4).shape
    torch.Size([1, 5])
    """
    images, target = settle(net, images, target)
    empty = baseline_pictures(net, images, fill)
    return _curve(net, empty, images, target, maps, steps, batch_size, progress)


def _curve(net, before, after, target, maps, steps, batch_size, progress):
    if not isinstance(maps, torch.Tensor) or maps.shape != before[:, :1].shape:
        seen = tuple(maps.shape) if isinstance(maps, torch.Tensor) else type(maps).__name__
        raise VizlibError(
            f"Pictures {tuple(before.shape)} need maps {tuple(before[:, :1].shape)}; these are {seen}."
        )
    steps = whole(steps, "steps is a number of shares of the picture")
    batch_size, maps = check_batch_size(batch_size), maps.detach()
    curve = torch.full((len(maps), steps + 1), torch.nan, device=before.device)
    for piece in batches(len(maps) * (steps + 1), batch_size, progress):
        i, k = piece // (steps + 1), piece % (steps + 1)
        first = int(i[0]) // batch_size * batch_size  # no piece reaches over a multiple of that
        if piece[0] == first * (steps + 1):
            rank = _ranks(maps[first : first + batch_size]).to(before.device)
        gone = rank[i - first] < (k * maps[0].numel() / steps).round().view(-1, 1, 1, 1).to(before.device)
        with torch.no_grad():
            values = scores(net, torch.where(gone, after[i], before[i]), select(target, i))
        curve[i, k] = values.float().to(curve.device)
    return curve


def _ranks(maps):
    """The place of each pixel in the order of its map; 0 is the most important."""
    order = maps.flatten(1).argsort(dim=1, descending=True, stable=True)
    return order.argsort(dim=1).view_as(maps)


def pointing_game(maps: torch.Tensor, masks: torch.Tensor, *, tolerance: int = 0) -> torch.Tensor:
    """The pointing game: does the highest point of each map lie on the object?

    maps, masks: (N, 1, H, W); masks: 1 on the object. Returns (N,) of True and False; a map that is the same
    everywhere points at nothing: False.
    tolerance: so many pixels beside it still count (the paper gives 15 on photographs).
    Zhang, Lin, Brandt, Shen & Sclaroff 2016, "Top-down Neural Attention by Excitation Backprop", section 4.1.

    >>> maps = torch.eye(4)[None, None]
    >>> vz.pointing_game(maps, maps)
    tensor([True])
    """
    masks = _check_masks(maps, masks)
    tolerance = whole(tolerance, "tolerance is a number of pixels", least=0)
    near = F.max_pool2d(masks.float(), 2 * tolerance + 1, 1, tolerance) if tolerance else masks
    flat = maps.detach().flatten(1)
    hit = near.flatten(1).gather(1, flat.argmax(1, keepdim=True))[:, 0] > 0.5
    return hit & (flat.amax(1) > flat.amin(1))


def energy_inside(maps: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """The energy-based pointing game: the share of each map's positive values that lies on the object.

    maps, masks: (N, 1, H, W). Returns (N,) in [0, 1]; a map without any positive value scores 0. Chance is
    the share of the picture that the object covers. Wang et al. 2020, "Score-CAM", section 4.3.

    >>> maps = torch.eye(4)[None, None]
    >>> vz.energy_inside(maps, maps)
    tensor([1.])
    """
    masks = _check_masks(maps, masks)
    positive = maps.detach().clamp(min=0)
    return (positive * masks).flatten(1).sum(1) / positive.flatten(1).sum(1).clamp(min=1e-30)


def _check_masks(maps, masks):
    """The masks, where the maps are."""
    if maps.shape != masks.shape or maps.dim() != 4 or maps.shape[1] != 1:
        raise VizlibError(
            f"Maps and masks are (N, 1, H, W) both; these are {tuple(maps.shape)} and {tuple(masks.shape)}."
        )
    return masks.to(maps.device)
