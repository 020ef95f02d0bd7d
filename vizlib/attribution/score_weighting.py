"""Score-CAM: a channel's weight is what the network says of the picture seen through that channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F

from ..batching import Progress, batches, select
from ..deprecation import renamed
from ..images.check import check_colour
from ..layers.recording import record
from ..layers.target import Target, scores, settle
from .class_activation import resize_maps, spatial_layer

if TYPE_CHECKING:
    from ..models.network import Network


@renamed(chunk="batch_size")
def score_cam(
    net: Network,
    images: torch.Tensor,
    target: Target = None,
    *,
    layer: str | None = None,
    fill: Any = None,
    upsample: bool = True,
    batch_size: int = 8,
    progress: Progress | None = None,
) -> torch.Tensor:
    """Score-CAM: M = ReLU(sum_k w_k A_k) with w = softmax_k S(fill + mask_k * (image - fill)).

    mask_k is channel k, upsampled to the picture and stretched to [0, 1]; channels that are constant are left
    out (their mask is undefined). The paper subtracts the score of the background from every S; a softmax
    over k does not notice.
    images: (N, 3, H, W) in [0, 1].
    target, layer, upsample: as in `grad_cam`.
    fill: the colour of what is hidden, a number or three in [0, 1]; by default what the network sees as zero.
    batch_size: masked pictures per forward pass; there is one for each channel.
    progress: called after every batch; when it returns False, the map of the channels so far is returned.
    Raises VizlibError for pictures, classes or layers that cannot be used. Wang et al. 2020, "Score-CAM:
    Score-Weighted Visual Explanations for Convolutional Neural Networks", section 3.

        >>> net, photo = vz.load("scenenet"), vz.scene("farm", seed=3).image
        >>> vz.score_cam(net, photo, layer="conv1").shape
        torch.Size([1, 1, 96, 96])
    """
    images, target = settle(net, images, target)
    layer = spatial_layer(net, layer)
    fill = net.neutral if fill is None else check_colour(fill).to(net.device)
    A = record(net, images, layer)[layer]
    varied = (A.amax((2, 3)) - A.amin((2, 3)) > 1e-8).nonzero()  # pairs (picture, channel)
    S = A.new_full(A.shape[:2], -torch.inf)
    for batch in batches(len(varied), batch_size, progress):
        i, k = varied[batch].T
        masked = fill + channel_masks(A[i, k], images.shape[-2:]) * (images[i] - fill)
        with torch.no_grad():
            S[i, k] = scores(net, masked, select(target, i)).float()
    w = S.softmax(1).nan_to_num(0)  # a channel without a score has no weight
    maps = torch.einsum("nk,nkij->nij", w, A)[:, None].clamp(min=0)
    return resize_maps(maps, images, upsample)


def channel_masks(A: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Channels (k, h, w) as masks (k, 1, H, W) in [0, 1]."""
    masks = F.interpolate(A[:, None], tuple(size), mode="bilinear", align_corners=False)
    low, high = masks.amin((2, 3), keepdim=True), masks.amax((2, 3), keepdim=True)
    return (masks - low) / (high - low)
