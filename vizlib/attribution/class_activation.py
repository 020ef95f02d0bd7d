"""Class activation maps: a weighted sum of a layer's channels. The methods differ in where the weights come
from.

    CAM         w_k = the linear layer's weight from channel k to the class       Zhou et al. 2016
    Grad-CAM    w_k = mean over positions of dS/dA_k                              Selvaraju et al. 2017
    Layer-CAM   w_kij = max(0, dS/dA_kij), one for every position                 Jiang et al. 2021
    Score-CAM   w_k = what channel k shows, fed to the network (score_cam.py)     Wang et al. 2020

A map is (N, 1, H, W) at the size of the picture, or (N, 1, h, w) on the layer's own grid with upsample=False;
values are raw.
"""

import torch
from torch.nn import functional as F

from ..batching import in_batches
from ..errors import VizlibError
from ..layers.recording import record, tap
from ..layers.target import prepare, scores, slope
from .gradients import guided_backprop


def cam(net, images, target=None, *, upsample=True, batch_size=8):
    """M = sum_k w_ck A_k over the last feature maps: how much each position adds to the class score, signed.

    Only for networks that end in global average pooling and one linear layer, where mean(M) + bias is exactly
        the logit; others
    raise VizlibError. target: classes or labels, or None for the top class. Other arguments as in `grad_cam`.
    Zhou, Khosla, Lapedriza, Oliva & Torralba 2016, "Learning Deep Features for Discriminative Localization",
        section 2.
    """
    images, classes = prepare(net, images, target)
    layer, linear = net.last_spatial_layer, net.layer("logits").module

    def one_batch(x, t):
        with torch.no_grad():
            taken = record(net, x, [layer, "logits"])
            A, logits = taken[layer], taken["logits"]
            t = logits.argmax(1) if t is None else t
            if not isinstance(linear, torch.nn.Linear) or linear.in_features != A.shape[1]:
                raise VizlibError(_NOT_CAM.format(net.name))
            maps = torch.einsum("nk,nkij->nij", linear.weight[t], A)[:, None]
            bias = 0 if linear.bias is None else linear.bias[t]
            rebuilt, seen = maps.mean((1, 2, 3)) + bias, logits.gather(1, t[:, None])[:, 0]
            if not torch.allclose(rebuilt, seen, rtol=1e-3, atol=1e-3):
                raise VizlibError(_NOT_CAM.format(net.name))
            return resize_maps(maps, x, upsample)

    if classes is not None and not isinstance(classes, torch.Tensor):
        raise VizlibError(
            "CAM reads its weights from the row of a class; its target is a class, a label, or one of them "
            "per picture."
        )
    return in_batches(one_batch, images, classes, batch_size)


_NOT_CAM = (
    "{} does not end in global average pooling and one linear layer, which CAM needs. "
    "Use vz.grad_cam: there the two agree."
)


def grad_cam(net, images, target=None, *, layer=None, relu=True, upsample=True, batch_size=8):
    """M = ReLU(sum_k a_k A_k) with a_k = mean_ij dS/dA_kij.

    images: (N, 3, H, W) in [0, 1]. target: a class, a label, one per picture, vz.unit(...), a function of the
        logits, or None for
    each picture's top class. layer: a name from `net.layers`, by default the last one with positions.
        relu=False keeps
    what speaks against the target. upsample: bilinear, to the size of the picture.
    The backward pass ends at `layer`. Raises VizlibError for pictures, classes or layers that cannot be used.
    Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
        section 3.
    """
    return _weighted_sum(net, images, target, layer, _grad_cam_weights, relu, upsample, batch_size)


def layer_cam(net, images, target=None, *, layer=None, upsample=True, batch_size=8):
    """M = ReLU(sum_k max(0, dS/dA_kij) A_kij): each position has a weight of its own, which lets early layers
    speak.

    Arguments and errors as in `grad_cam`.
    Jiang, Zhang, Hou, Cheng & Wei 2021, "LayerCAM: Exploring Hierarchical Class Activation Maps for
        Localization", section III.
    """
    return _weighted_sum(net, images, target, layer, _layer_cam_weights, True, upsample, batch_size)


def guided_grad_cam(net, images, target=None, *, layer=None, batch_size=8):
    """Grad-CAM, upsampled, times guided backpropagation: (N, 3, H, W), signed.

    Arguments and errors as in `grad_cam`; the network needs ReLUs. The detail comes from guided
        backpropagation, which hardly knows
    the class; only the region comes from Grad-CAM. Selvaraju et al. 2017, section 3.2.
    """
    return grad_cam(net, images, target, layer=layer, batch_size=batch_size) * guided_backprop(
        net, images, target, batch_size=batch_size
    )


def _grad_cam_weights(g):
    return g.mean((2, 3), keepdim=True)


def _layer_cam_weights(g):
    return g.clamp(min=0)


def _weighted_sum(net, images, target, layer, weights, relu, upsample, batch_size):
    images, target = prepare(net, images, target)
    layer = spatial_layer(net, layer)

    def one_batch(x, t):
        with torch.enable_grad(), tap(net, [layer], restart=True) as taken:
            score = scores(net, x, t)
        if layer not in taken:
            raise VizlibError(
                f"The target lies below the layer {layer!r}, so the layer says nothing about it. Choose a "
                "layer before it."
            )
        A = taken[layer]
        g = slope(score, A)
        maps = (weights(g) * A.detach()).sum(1, keepdim=True)
        return resize_maps(maps.clamp(min=0) if relu else maps, x, upsample)

    return in_batches(one_batch, images, target, batch_size)


def spatial_layer(net, layer):
    """The name of a layer with positions: `layer`, or the network's last one. Raises VizlibError if `layer`
    has none.
    """
    if layer is None:
        return net.last_spatial_layer
    if len(net.layer(layer).shape) != 3:
        raise VizlibError(
            f"Layer {layer!r} of {net.name} has no positions to make a map of. One that has: "
            f"{net.last_spatial_layer!r}."
        )
    return layer


def resize_maps(maps, images, upsample):
    maps = maps.detach()
    return (
        F.interpolate(maps, images.shape[-2:], mode="bilinear", align_corners=False)
        if upsample
        else maps.contiguous()
    )
