"""The deconvnet as Zeiler & Fergus drew it: a second network that runs the first one backwards, layer by
layer, from one activation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import VizlibError
from ..layers.recording import record
from ..layers.target import leaf, unit, with_slopes

if TYPE_CHECKING:
    from ..models.network import Network

_IDLE = (nn.Identity, nn.Dropout, nn.Dropout2d)  # nothing happens there when a network is not being trained
Back = Callable[[torch.Tensor], torch.Tensor]  # a signal at the output of a step -> the signal at its input


def project(
    net: Network, images: torch.Tensor, target: unit, *, all_signals: bool = False
) -> torch.Tensor | tuple[torch.Tensor, list[tuple[str, torch.Tensor]]]:
    """The deconvnet projection of one unit: its activation, sent back to the pixels, (N, 3, H, W), signed.

    Everything else in the layer is set to zero; then, from the unit's layer down: a convolution becomes its
    transpose, a max-pooling puts each value where the maximum was (the switches of the forward pass) and
    adds up where two windows share a maximum, a ReLU clips what is negative on the way back, and where
    branches were joined, each gets its own channels (the Fire modules of SqueezeNet, whose inner layers
    have units, too).

    images: (N, 3, H, W) in [0, 1].
    target: vz.unit(layer, channel), at its strongest position in each picture, or with `at` at that one.
    all_signals: also return the signal that arrives at each layer, a list of (name, tensor), for a lesson.

    For networks that are one chain of such layers up to the unit's; others raise VizlibError (`vz.deconvnet`
    takes any). It is `vz.deconvnet` of the unit at that position, times its activation.

    Zeiler & Fergus 2014, "Visualizing and Understanding Convolutional Networks", section 2.1.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.project(net, photo, vz.unit("relu3", 17)).shape
        torch.Size([1, 3, 64, 64])
    """
    if not isinstance(target, unit):
        raise VizlibError(f"project sends one unit back: vz.unit(layer, channel); this is {target!r}.")
    images = net.check(images)
    with torch.inference_mode(False), torch.no_grad():
        x, steps = _forward(net, images, target.layer)
        signal, signals = _alone(x, target), [(target.layer, x)]
        for name, back in reversed(steps):
            signal = back(signal)
            signals.append((name, signal))
        signal = signal / net.std  # the normalization, backwards
    return (signal, signals) if all_signals else signal


def _forward(net, images, layer):
    """The activation of `layer`, and the (name, way back) of every step that led there."""
    x, steps = (images - net.mean) / net.std, []
    try:
        for path, module in _chain(net, layer):
            x, back = _step(module, x)
            if not isinstance(module, _IDLE):
                steps.append((net.layer(path).name, back))
    except RuntimeError as problem:  # the next module in the list is not the next to run
        if isinstance(problem, torch.OutOfMemoryError):
            raise
        raise _no_chain(net, layer) from None
    seen, expected = x[:1], record(net, images[:1], layer)[layer]
    if seen.shape != expected.shape or (seen - expected).abs().max() > 1e-3 * expected.abs().max():
        raise _no_chain(net, layer)
    return x, steps


def _step(module, x):
    """What the module makes of x, and its way back."""
    if isinstance(module, (nn.ReLU, nn.ReLU6)):
        return module(x), lambda signal: signal.clamp(min=0)
    if isinstance(module, nn.Conv2d):
        return module(x), lambda signal: _transposed(signal, module, x)
    if isinstance(module, nn.MaxPool2d):
        how = module.kernel_size, module.stride, module.padding, module.dilation, module.ceil_mode
        out, switches = F.max_pool2d(x, *how, return_indices=True)
        return out, lambda signal: _unpooled(signal, switches, x.shape)
    if isinstance(module, _IDLE):
        return x, lambda signal: signal
    return _fire(module, x)


def _transposed(signal: torch.Tensor, conv: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    """The convolution, backwards: every output hands its value to the pixels that it saw, weighted as it
    saw them. That is its derivative, so the weights and the padding are those that it computes with, also
    where these are not `conv.weight` and `conv.padding`, as in weight-standardized networks.
    """
    with with_slopes():
        x = leaf(x)
        return torch.autograd.grad(conv(x), x, signal)[0]


def _unpooled(signal: torch.Tensor, switches: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Max-pooling, backwards: each value goes where its maximum was; two at the same place are added up."""
    flat = signal.new_zeros(*shape[:2], shape[2] * shape[3])
    return flat.scatter_add_(2, switches.flatten(2), signal.flatten(2)).view(shape)


_SQUEEZE = ("squeeze", "squeeze_activation")
_EXPAND = (("expand1x1", "expand1x1_activation"), ("expand3x3", "expand3x3_activation"))


def _is_fire(module):
    """SqueezeNet's module: a squeezing layer, then two expanding ones side by side, whose channels are
    joined.
    """
    parts = {name for name, _ in module.named_children()}
    return parts == {*_SQUEEZE, *_EXPAND[0], *_EXPAND[1]}


def _fire(fire, x):
    squeezed, back = _in_a_row(fire, _SQUEEZE, x)
    (one, back_one), (three, back_three) = (_in_a_row(fire, names, squeezed) for names in _EXPAND)

    def back_to_input(signal):
        of_one, of_three = signal.split([one.shape[1], three.shape[1]], 1)
        return back(back_one(of_one) + back_three(of_three))

    return torch.cat([one, three], 1), back_to_input


def _in_a_row(parent, names, x):
    """The parts of `parent` with these names, one after the other, as one step."""
    ways = []
    for name in names:
        x, back = _step(getattr(parent, name), x)
        ways.insert(0, back)

    def through(signal):
        for back in ways:
            signal = back(signal)
        return signal

    return x, through


def _alone(activation: torch.Tensor, target: unit) -> torch.Tensor:
    """The activation with everything set to zero but the unit, at one position in each picture."""
    target.read(activation)  # refuses a channel or a position that does not exist
    plane = activation[:, target.channel].flatten(1)
    if target.at is None:
        places = plane.argmax(1, keepdim=True)
    else:
        row, column = target.at
        places = torch.full_like(plane[:, :1], row * activation.shape[3] + column, dtype=torch.long)
    alone = torch.zeros_like(activation)
    alone[:, target.channel].flatten(1).scatter_(1, places, plane.gather(1, places))
    return alone


def _chain(net: Network, layer: str) -> list[tuple[str, nn.Module]]:
    """The (path, module) pairs from the pixels up to `layer`, in the order of their definition.

    Raises VizlibError if there are others among them than this file can send a signal back through.
    """
    info = net.layer(layer)
    chain, inside = [], False
    for path, module in _opened(net.model, towards=info.path):
        here = path == info.path or path.startswith(info.path + ".")
        if inside and not here:
            break
        inside = inside or here
        chain.append((path, module))
    if not (inside and info.spatial and all(_is_known(module) for _, module in chain)):
        raise _no_chain(net, layer)
    return chain


def _opened(module: nn.Module, path: str = "", towards: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The (path, module) pairs of the layers inside, in the order of their definition; of a Fire module that
    holds the layer `towards` those on the way to it.
    """
    if _is_fire(module) and towards.startswith(f"{path}."):
        ways = (_SQUEEZE + branch for branch in _EXPAND)
        names = next((way for way in ways if towards.rpartition(".")[2] in way), ())
        yield from ((f"{path}.{name}", getattr(module, name)) for name in names)
        return
    if _is_fire(module) or not any(True for _ in module.children()):
        yield path, module
        return
    for name, child in module.named_children():
        yield from _opened(child, f"{path}.{name}" if path else name, towards)


def _is_known(module):
    if _is_fire(module):
        return all(map(_is_known, module.children()))
    if isinstance(module, nn.Conv2d):
        return module.padding_mode == "zeros"
    return isinstance(module, (nn.ReLU, nn.ReLU6, nn.MaxPool2d, *_IDLE))


def _no_chain(net, layer):
    return VizlibError(
        f"{net.name} is no chain of convolutions, ReLUs and max-pooling up to {layer!r}, so there is no "
        "deconvnet to write out. vz.deconvnet sends a unit's signal back through any network."
    )
