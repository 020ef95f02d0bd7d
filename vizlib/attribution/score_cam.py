"""Score-CAM: a channel's weight is what the network says of the picture seen through that channel."""

import torch
from torch.nn import functional as F

from ..layers.record import record
from ..layers.target import check_chunk, part_of, prepare, scores
from .cam import resize_maps, spatial_layer


def score_cam(net, images, target=None, *, layer=None, background=None, upsample=True, chunk=8, progress=None):
    """M = ReLU(sum_k w_k A_k) with w = softmax_k S(background + mask_k * (image - background)).

    mask_k is channel k, upsampled to the picture and stretched to [0, 1]; channels that are constant are left out (their mask is
    undefined). The paper subtracts the score of the background from every S; a softmax over k does not notice.
    images: (N, 3, H, W) in [0, 1]. target, layer, upsample: as in `grad_cam`. background: the colour of what is hidden, in [0, 1], by
    default what the network sees as zero; a number or one per colour. chunk: masked pictures per forward pass.
    progress: a function (done, total) -> bool, called after every chunk; when it returns False, the map of the channels so far is
    returned. Costs one forward pass per channel. Raises VizlibError for pictures, classes or layers that cannot be used.
    Wang et al. 2020, "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks", section 3.
    """
    images, target = prepare(net, images, target)
    layer = spatial_layer(net, layer)
    background = net.neutral if background is None else torch.as_tensor(background, dtype=torch.float32).view(1, -1, 1, 1)
    check_chunk(chunk)
    activations = record(net, images, layer)[layer]
    if target is None:  # the top class of the whole picture, not of each masked one
        with torch.no_grad():
            target = net(images).argmax(1)
    maps = torch.zeros_like(activations[:, :1])
    total, going = activations.shape[0] * activations.shape[1], True
    for i, (x, A) in enumerate(zip(images, activations, strict=True)):
        varied = (A.amax((1, 2)) - A.amin((1, 2)) > 1e-8).nonzero()[:, 0]
        S = []
        for channels in varied.split(chunk):
            masked = background + channel_masks(A[channels], x.shape[-2:]) * (x - background)
            with torch.no_grad():
                S.append(scores(net, masked, _repeated(target, i, len(channels))))
            going = progress is None or progress(i * len(A) + int(channels[-1]) + 1, total) is not False
            if not going:
                break
        if S:
            w = torch.cat(S).softmax(0)
            maps[i, 0] = torch.einsum("k,kij->ij", w, A[varied[: len(w)]]).clamp(min=0)
        if not going:
            break
    return resize_maps(maps, images, upsample)


def channel_masks(A, size):
    """Channels (k, h, w) as masks (k, 1, H, W) in [0, 1]."""
    masks = F.interpolate(A[:, None], size, mode="bilinear", align_corners=False)
    low, high = masks.amin((2, 3), keepdim=True), masks.amax((2, 3), keepdim=True)
    return (masks - low) / (high - low)


def _repeated(target, i, times):
    one = part_of(target, i, i + 1)
    return one.expand(times) if isinstance(one, torch.Tensor) else one
