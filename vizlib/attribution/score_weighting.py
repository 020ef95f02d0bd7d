"""Score-CAM: a channel's weight is what the network says of the picture seen through that channel."""

import torch
from torch.nn import functional as F

from ..batching import batches, select
from ..layers.recording import record
from ..layers.target import scores, settle
from .class_activation import resize_maps, spatial_layer


def score_cam(
    net, images, target=None, *, layer=None, background=None, upsample=True, batch_size=8, progress=None
):
    """M = ReLU(sum_k w_k A_k) with w = softmax_k S(background + mask_k * (image - background)).

    mask_k is channel k, upsampled to the picture and stretched to [0, 1]; channels that are constant are left
        out (their mask is
    undefined). The paper subtracts the score of the background from every S; a softmax over k does not
        notice.
    images: (N, 3, H, W) in [0, 1]. target, layer, upsample: as in `grad_cam`. background: the colour of what
        is hidden, in [0, 1], by
    default what the network sees as zero; a number or one per colour. batch_size: masked pictures per forward
        pass.
    progress: a function (done, total) -> bool, called after every batch; when it returns False, the map of
        the channels so far is
    returned. Costs one forward pass per channel. Raises VizlibError for pictures, classes or layers that
        cannot be used.
    Wang et al. 2020, "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks",
        section 3.
    """
    images, target = settle(net, images, target)
    layer = spatial_layer(net, layer)
    background = (
        net.neutral
        if background is None
        else torch.as_tensor(background, dtype=torch.float32).view(1, -1, 1, 1)
    )
    activations = record(net, images, layer)[layer]
    varied = (
        activations.amax((2, 3)) - activations.amin((2, 3)) > 1e-8
    ).nonzero()  # pairs (picture, channel)
    S = torch.full(activations.shape[:2], -torch.inf)
    for piece in batches(len(varied), batch_size, progress):
        i, k = varied[piece].T
        masked = background + channel_masks(activations[i, k], images.shape[-2:]) * (images[i] - background)
        with torch.no_grad():
            S[i, k] = scores(net, masked, select(target, i))
    w = S.softmax(1).nan_to_num(0)  # a channel without a score has no weight
    maps = torch.einsum("nk,nkij->nij", w, activations)[:, None].clamp(min=0)
    return resize_maps(maps, images, upsample)


def channel_masks(A, size):
    """Channels (k, h, w) as masks (k, 1, H, W) in [0, 1]."""
    masks = F.interpolate(A[:, None], size, mode="bilinear", align_corners=False)
    low, high = masks.amin((2, 3), keepdim=True), masks.amax((2, 3), keepdim=True)
    return (masks - low) / (high - low)
