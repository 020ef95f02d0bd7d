"""Score-CAM: a channel's weight is what the network says of the picture seen through that channel."""

import torch
from torch.nn import functional as F

from ..layers.record import record
from ..layers.target import prepare, scores
from .cam import _resize, spatial_layer


def score_cam(net, images, target=None, *, layer=None, background=None, upsample=True, chunk=8, progress=None):
    """M = ReLU(sum_k w_k A_k) with w = softmax_k S(background + mask_k * (image - background)).

    mask_k is channel k, upsampled to the picture and stretched to [0, 1]; channels that are constant are left out (their mask is
    undefined). The paper subtracts the score of the background from every S; a softmax over k does not notice.
    images: (N, 3, H, W) in [0, 1]. target, layer, upsample: as in `grad_cam`. background: the colour of what is hidden, in [0, 1], by
    default what the network sees as zero. chunk: masked pictures per forward pass.
    progress: a function (done, total) -> bool; when it returns False, the map of the channels so far is returned.
    Costs one forward pass per channel. Raises VizlibError for pictures, classes or layers that cannot be used.
    Wang et al. 2020, "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks", section 3.
    """
    images, target = prepare(net, images, target)
    layer = spatial_layer(net, layer)
    background = net.neutral if background is None else torch.as_tensor(background, dtype=torch.float32)
    activations = record(net, images, [layer])[layer]
    if target is None:  # the top class of the whole picture, not of each masked one
        with torch.no_grad():
            target = net(images).argmax(1)
    maps, done, total = [], 0, activations.shape[0] * activations.shape[1]
    for i, (x, A) in enumerate(zip(images, activations, strict=True)):
        spread = A.amax((1, 2)) - A.amin((1, 2))
        channels, S = (spread > 1e-8).nonzero()[:, 0], []
        for some in channels.split(chunk):
            mask = F.interpolate(A[None, some], x.shape[-2:], mode="bilinear", align_corners=False)[0, :, None]
            mask = (mask - mask.amin((2, 3), keepdim=True)) / (mask.amax((2, 3), keepdim=True) - mask.amin((2, 3), keepdim=True))
            with torch.no_grad():
                S.append(scores(net, background + mask * (x[None] - background), _repeated(target, i, len(some))))
            done += len(some)
            if progress is not None and progress(i * A.shape[0] + int(some[-1]) + 1, total) is False:
                break
        S = torch.cat(S) if S else torch.zeros(0)
        w = S.softmax(0)
        maps.append(torch.einsum("k,kij->ij", w, A[channels[: len(S)]]).clamp(min=0)[None])
    return _resize(torch.stack(maps), images, upsample)


def _repeated(target, i, times):
    return target[i].expand(times) if isinstance(target, torch.Tensor) else target
