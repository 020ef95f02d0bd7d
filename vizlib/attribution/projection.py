"""The deconvnet as Zeiler & Fergus drew it: a second network that runs the first one backwards, layer by
layer, from one activation.
"""

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import VizlibError
from ..images.check import check_images
from ..layers.target import unit


def project(net, images, target, *, all_signals=False):
    """What in each picture made one unit fire: its activation sent back to the pixels, (N, 3, H, W), signed.

    Everything else in the layer is set to zero; then, from the unit's layer down: a convolution becomes its
        transpose, a max-pooling puts
    each value where the maximum was (the switches of the forward pass), a ReLU clips what is negative on the
        way back.
    images: (N, 3, H, W) in [0, 1]. target: vz.unit(layer, channel), at its strongest position in each
        picture, or with `at` at that one.
    all_signals: also return the signal that arrives at each layer, a list of (name, tensor), for a lesson.
    For networks that are one chain of convolutions, ReLUs and max-pooling up to the layer; others raise
        VizlibError (`vz.deconvnet` takes
    any).
    Zeiler & Fergus 2014, "Visualizing and Understanding Convolutional Networks", section 2.1.
    """
    images = check_images(images)
    if not isinstance(target, unit):
        raise VizlibError(f"project sends one unit back: vz.unit(layer, channel); this is {target!r}.")
    chain = _chain(net, target.layer)
    x, passed = (images - net.mean) / net.std, []
    with torch.no_grad():
        for name, layer in chain:
            before = x
            x, switches = layer(x), None
            if isinstance(layer, nn.MaxPool2d):
                x, switches = F.max_pool2d(
                    before, layer.kernel_size, layer.stride, layer.padding, return_indices=True
                )
            passed.append((name, layer, before, switches))
        signal, signals = _alone(x, target), [(target.layer, x)]
        for name, layer, before, switches in reversed(passed):
            if isinstance(layer, nn.ReLU):
                signal = signal.clamp(min=0)
            elif isinstance(layer, nn.MaxPool2d):
                signal = F.max_unpool2d(
                    signal, switches, layer.kernel_size, layer.stride, layer.padding, output_size=before.shape
                )
            else:
                signal = _transposed(signal, layer, before.shape)
            signals.append((name, signal))
    signal = signal / net.std  # the normalization, backwards
    return (signal, signals) if all_signals else signal


def _transposed(signal, conv, shape):
    """The convolution, backwards: every output hands its value to the pixels it saw, weighted as it saw
    them.
    """
    lost = [
        n - ((m - 1) * s - 2 * p + k)
        for n, m, s, p, k in zip(
            shape[2:], signal.shape[2:], conv.stride, conv.padding, conv.kernel_size, strict=True
        )
    ]
    return F.conv_transpose2d(
        signal, conv.weight, stride=conv.stride, padding=conv.padding, output_padding=lost
    )


def _alone(activation, target):
    """The activation with everything set to zero but the unit, at one position in each picture."""
    target.read(activation)  # refuses a channel or a position that does not exist
    plane = activation[:, target.channel]
    if target.at is None:
        places = plane.flatten(1).argmax(1)
    else:
        places = torch.full((len(plane),), target.at[0] * plane.shape[2] + target.at[1])
    alone = torch.zeros_like(activation)
    alone[:, target.channel].flatten(1).scatter_(
        1, places[:, None], plane.flatten(1).gather(1, places[:, None])
    )
    return alone


def _chain(net, layer):
    """The (name, module) pairs from the pixels up to `layer`."""
    info = net.layer(layer)
    layers = list(net.model.named_children()) if isinstance(net.model, nn.Sequential) else []
    names = [name for name, _ in layers]
    chain = layers[: names.index(info.path) + 1] if info.path in names else []
    simple = all(
        isinstance(m, (nn.ReLU, nn.MaxPool2d))
        or (isinstance(m, nn.Conv2d) and m.groups == 1 and m.dilation == (1, 1))
        for _, m in chain
    )
    if not chain or not simple or not info.spatial:
        raise VizlibError(
            f"{net.name} is no chain of convolutions, ReLUs and max-pooling up to {layer!r}, so there is no "
            "deconvnet to write out. "
            "vz.deconvnet sends a unit's signal back through any network."
        )
    return chain
