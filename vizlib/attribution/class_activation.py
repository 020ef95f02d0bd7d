"""Class activation maps: a weighted sum of a layer's channels. The methods differ in where the weights come
from.

    CAM         w_k = the linear layer's weight from channel k to the class       Zhou et al. 2016
    Grad-CAM    w_k = mean over positions of dS/dA_k                              Selvaraju et al. 2017
    Layer-CAM   w_kij = max(0, dS/dA_kij), one for every position                 Jiang et al. 2021
    Score-CAM   w_k = what channel k shows, fed to the network (score_weighting)  Wang et al. 2020

A map is (N, 1, H, W) at the size of the picture, or (N, 1, h, w) on the layer's own grid with upsample=False;
values are raw.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from ..batching import in_batches
from ..deprecation import renamed
from ..errors import VizlibError
from ..layers.recording import record, tap
from ..layers.target import Target, prepare, scores, slope, with_slopes
from .gradients import guided_backprop

if TYPE_CHECKING:
    from ..models.network import Network


@renamed(chunk="batch_size")
def cam(
    net: Network,
    images: torch.Tensor,
    target: Target = None,
    *,
    upsample: bool = True,
    batch_size: int = 8,
) -> torch.Tensor:
    """Class activation maps (CAM), M = sum_k w_ck A_k over the last feature maps: what each position adds to
    the class score, signed.

    Only for networks that end in global average pooling and one linear layer, where mean(M) + bias is exactly
    the logit, or in the average of one map for each class, where M is that map; others raise VizlibError.
    target: classes or labels, or None for the top class. Other arguments as in `grad_cam`.
    Zhou, Khosla, Lapedriza, Oliva & Torralba 2016, "Learning Deep Features for Discriminative Localization",
    section 2.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.cam(net, photo, "goldfish", upsample=False).shape
        torch.Size([1, 1, 4, 4])
    """
    images, classes = prepare(net, images, target)
    if classes is not None and not isinstance(classes, torch.Tensor):
        raise VizlibError(
            "CAM reads its weights from the row of a class; its target is a class, a label, or one of them "
            "per picture."
        )
    layer, linear = net.last_spatial_layer, net.layer("logits").module

    def one_batch(x, t):
        with torch.no_grad():
            taken = record(net, x, [layer, "logits"])
            A, logits = taken[layer], taken["logits"]
            t = logits.argmax(1) if t is None else t
            seen = logits.gather(1, t[:, None])[:, 0]
            # The pooling takes the layer as it is, or, in some networks, after a ReLU that has no name.
            for maps, bias in _candidates(A, t, linear):
                if torch.allclose(maps.mean((1, 2, 3)) + bias, seen, rtol=1e-3, atol=1e-3):
                    return resize_maps(maps, x, upsample)
        raise VizlibError(
            f"{net.name} does not end in global average pooling of {layer!r} and one linear layer, which CAM "
            "needs: "
            f"the mean of the map plus the bias is not the logit. Use vz.grad_cam: there the two agree."
        )

    return in_batches(one_batch, images, classes, batch_size)


def _candidates(A: torch.Tensor, t: torch.Tensor, linear: torch.nn.Module):
    """Maps (N, 1, h, w) and biases that would make up the logits of the classes t, if the network ends as CAM
    needs it.
    """
    for B in (A, A.clamp(min=0)):
        if isinstance(linear, torch.nn.Linear) and linear.in_features == A.shape[1]:
            bias = 0 if linear.bias is None else linear.bias[t]
            yield torch.einsum("nk,nkij->nij", linear.weight[t], B)[:, None], bias
        elif not isinstance(linear, torch.nn.Linear) and len(t) and A.shape[1] > int(t.max()):
            yield B[torch.arange(len(t), device=t.device), t][:, None], 0  # a map for each class, averaged


@renamed(chunk="batch_size")
def grad_cam(
    net: Network,
    images: torch.Tensor,
    target: Target = None,
    *,
    layer: str | None = None,
    relu: bool = True,
    upsample: bool = True,
    batch_size: int = 8,
) -> torch.Tensor:
    """Grad-CAM: M = ReLU(sum_k a_k A_k) with a_k = mean_ij dS/dA_kij.

    images: (N, 3, H, W) in [0, 1].
    target: a class, a label, one per picture, vz.unit(...), a function of the logits, or None for each
        picture's top class.
    layer: a name from `net.layers`, by default the last one with positions.
    relu: False keeps what speaks against the target.
    upsample: bilinear, to the size of the picture; False leaves the layer's own grid.
    batch_size: pictures per pass. The backward pass ends at `layer`.
    Raises VizlibError for pictures, classes or layers that cannot be used. Selvaraju et al. 2017, "Grad-CAM:
    Visual Explanations from Deep Networks via Gradient-based Localization", section 3.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.grad_cam(net, photo, "goldfish", layer="conv5").shape
        torch.Size([1, 1, 64, 64])
    """
    return _weighted_sum(net, images, target, layer, _grad_cam_weights, relu, upsample, batch_size)


@renamed(chunk="batch_size")
def layer_cam(
    net: Network,
    images: torch.Tensor,
    target: Target = None,
    *,
    layer: str | None = None,
    upsample: bool = True,
    batch_size: int = 8,
) -> torch.Tensor:
    """Layer-CAM: M = ReLU(sum_k max(0, dS/dA_kij) A_kij), a weight for each position, which lets early layers
    speak.

    Arguments and errors as in `grad_cam`. Jiang, Zhang, Hou, Cheng & Wei 2021, "LayerCAM: Exploring
    Hierarchical Class Activation Maps for Localization", section III.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.layer_cam(net, photo, "goldfish", layer="conv2", upsample=False).shape
        torch.Size([1, 1, 16, 16])
    """
    return _weighted_sum(net, images, target, layer, _layer_cam_weights, True, upsample, batch_size)


@renamed(chunk="batch_size")
def guided_grad_cam(
    net: Network,
    images: torch.Tensor,
    target: Target = None,
    *,
    layer: str | None = None,
    batch_size: int = 8,
) -> torch.Tensor:
    """Guided Grad-CAM: Grad-CAM, upsampled, times guided backpropagation, (N, 3, H, W), signed.

    Arguments and errors as in `grad_cam`; the network needs ReLUs. The detail comes from guided
    backpropagation, which hardly knows the class; only the region comes from Grad-CAM. Selvaraju et al. 2017,
    section 3.2.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.guided_grad_cam(net, photo, "goldfish").shape
        torch.Size([1, 3, 64, 64])
    """
    region = grad_cam(net, images, target, layer=layer, batch_size=batch_size)
    return region * guided_backprop(net, images, target, batch_size=batch_size)


def _grad_cam_weights(g: torch.Tensor) -> torch.Tensor:
    return g.mean((2, 3), keepdim=True)


def _layer_cam_weights(g: torch.Tensor) -> torch.Tensor:
    return g.clamp(min=0)


def _weighted_sum(
    net: Network,
    images: torch.Tensor,
    target: Target,
    layer: str | None,
    weights: Callable[[torch.Tensor], torch.Tensor],
    relu: bool,
    upsample: bool,
    batch_size: int,
) -> torch.Tensor:
    images, target = prepare(net, images, target)
    layer = spatial_layer(net, layer)

    def one_batch(x, t):
        with with_slopes(), tap(net, [layer], restart=True) as taken:
            score = scores(net, x.clone(), t)
        if layer not in taken:
            raise VizlibError(
                f"The target lies below the layer {layer!r}, so the layer says nothing about it. Choose a "
                "layer before it."
            )
        A = taken[layer]
        with with_slopes():
            g = slope(score, A)
        maps = (weights(g) * A.detach()).sum(1, keepdim=True)
        return resize_maps(maps.clamp(min=0) if relu else maps, x, upsample)

    return in_batches(one_batch, images, target, batch_size)


def spatial_layer(net: Network, layer: str | None) -> str:
    """The name of a layer with positions: `layer`, or the network's last one. Raises VizlibError if `layer`
    has none.
    """
    if layer is None:
        return net.last_spatial_layer
    if len(net.layer(layer).shape) != 3:
        grids = [name for name, info in net.named_layers().items() if info.spatial]
        has = f"Those that have: {', '.join(grids[-4:])}." if grids else "This network has none that has."
        raise VizlibError(f"Layer {layer!r} of {net.name} has no positions to make a map of. {has}")
    return layer


def resize_maps(maps: torch.Tensor, images: torch.Tensor, upsample: bool) -> torch.Tensor:
    maps = maps.detach()
    if not upsample:
        return maps.contiguous()
    return F.interpolate(maps, images.shape[-2:], mode="bilinear", align_corners=False)
