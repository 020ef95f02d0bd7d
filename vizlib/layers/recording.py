"""The one place where hooks are set, and taken away again."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from ..errors import VizlibError

if TYPE_CHECKING:
    from ..models.network import Layer, Network


class _Enough(Exception):
    """Ends a forward pass: all that was asked for has been seen."""


@contextmanager
def tap(
    net: Network, layers: Iterable[str], restart: bool = False, stop: bool = False
) -> Iterator[dict[str, torch.Tensor]]:
    """While open, forward passes of `net` write the outputs of `layers` into the dict that this yields.

    Grids come with the channels first, (N, K, h, w), also where a module keeps them last. "logits" is what
    the network returns.
    restart: begin a new graph at each output, so that a backward pass from the logits ends there and goes no
        deeper.
    stop: end the forward pass (silently) as soon as every layer has been seen.
    The hooks are gone when the block ends, however it ends, and other threads that use the network do not see
    them.
    """
    layers = list(layers)
    infos = [net.layer(name) for name in layers]
    taken: dict[str, torch.Tensor] = {}
    seen: dict[str, int] = {}
    owner = threading.get_ident()

    def hook_for(name, info):
        def hook(module, inputs, output):
            if threading.get_ident() != owner:
                return None
            seen[name] = seen.get(name, 0) + 1
            taken[name] = _first(output, info).detach().requires_grad_() if restart else _first(output, info)
            if stop and all(seen.get(n, 0) >= i.calls for n, i in zip(layers, infos, strict=True)):
                raise _Enough
            return _last(taken[name], info).clone()  # whatever comes next may write over its input

        return hook

    handles = [
        _hooked(net, info).register_forward_hook(hook_for(name, info))
        for name, info in zip(layers, infos, strict=True)
    ]
    try:
        yield taken
    except _Enough:
        pass
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def substitute(net: Network, layer: str, values: torch.Tensor) -> Iterator[None]:
    """While open, whatever `layer` computes, `values` go on from there: a forward pass of this thread starts
    there, so to speak.
    """
    owner, info = threading.get_ident(), net.layer(layer)

    def hook(module, inputs, output):
        return _last(values, info).clone() if threading.get_ident() == owner else None

    handle = _hooked(net, info).register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def resume(net: Network, layer: str, values: torch.Tensor) -> torch.Tensor:
    """The logits that the rest of the network makes of `values` (N, K, h, w) at `layer`, differentiable: the
    second half of a network.

    Raises VizlibError for a layer inside a branch, such as one next to a skip connection: what it puts out is
    not all that the rest of the network sees.
    """
    if not _is_a_cut(net, layer):
        raise VizlibError(
            f"Layer {layer!r} of {net.name} lies in a branch: other connections lead around it, so the rest "
            "of the network cannot be "
            "computed from it alone. Choose a layer at which the branches have met, such as the end of a "
            "block; net.layers lists them."
        )
    return _resumed(net, layer, values, net.neutral)


def _resumed(net: Network, layer: str, values: torch.Tensor, colour: torch.Tensor) -> torch.Tensor:
    if net.layer(layer).path == "":
        return values  # nothing is left to compute
    with substitute(net, layer, values.to(net.device)):
        return net.unchecked(colour.expand(1, -1, *net.input_shape))


def _is_a_cut(net: Network, layer: str) -> bool:
    """Is `layer` all that the layers above it see? Then what lies below makes no difference to the logits."""
    path = net.layer(layer).path
    if path not in net.cuts:
        with torch.inference_mode(False), torch.no_grad():
            values = record(net, net.neutral.expand(1, -1, *net.input_shape), layer)[layer]
            a, b = (_resumed(net, layer, values, colour) for colour in (net.neutral, 1 - net.neutral))
        net.cuts[path] = torch.allclose(a, b, rtol=1e-5, atol=1e-6 * float(a.abs().max()))
    return net.cuts[path]


def record(net: Network, images: torch.Tensor, layers: str | Iterable[str]) -> dict[str, torch.Tensor]:
    """The activations of `layers` for `images`.

    images: (N, 3, H, W) in [0, 1]. layers: one name or a list of them, as in `net.layers`, or raw module
        paths.
    Returns {name: tensor}, (N, K, h, w) for convolutional layers, in the order asked for, on the network's
    device. Nothing beyond the deepest of the layers is computed. Raises VizlibError for an unknown layer,
    with the nearest names.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.record(net, photo, "conv5")["conv5"].shape
        torch.Size([1, 256, 8, 8])
    """
    layers = [layers] if isinstance(layers, str) else layers
    if not isinstance(layers, Iterable):
        layers = [layers]  # refused by net.layer, in words
    layers, images = list(layers), net.check(images)
    with torch.no_grad():
        with tap(net, layers, stop=True) as taken:
            net(images)
    return {name: taken[name] for name in layers}


def _hooked(net: Network, info: Layer) -> torch.nn.Module:
    return net if info.path == "" else info.module


def _first(output: torch.Tensor, info: Layer) -> torch.Tensor:
    return output.movedim(-1, 1) if info.channels_last else output


def _last(values: torch.Tensor, info: Layer) -> torch.Tensor:
    return values.movedim(1, -1) if info.channels_last else values
