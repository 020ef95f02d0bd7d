"""The one place where hooks are set, and taken away again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from ..errors import VizlibError, misfits_in_words
from .receptive import FieldTracer

if TYPE_CHECKING:
    from ..models.network import Layer, Network


# hook(module, output): called when the module has run; what it returns, unless None, goes on instead.
Hook: TypeAlias = Callable[[nn.Module, Any], Any]


@contextmanager
def hooked(hooks: Iterable[tuple[nn.Module, Hook]]) -> Iterator[None]:
    """While open, forward passes of this thread call the hooks of the modules that they run.

    The hooks are gone when the block ends, however it ends, and other threads that use the modules do not see
    them.
    """
    owner = threading.get_ident()

    def of_this_thread(hook):
        return lambda module, inputs, output: hook(module, output) if threading.get_ident() == owner else None

    with ExitStack() as gone_in_the_end:
        for module, hook in hooks:
            gone_in_the_end.enter_context(module.register_forward_hook(of_this_thread(hook)))
        yield


@contextmanager
def norms_laid_out(model: nn.Module) -> Iterator[None]:
    """While open, the slopes of batch-norm and instance-norm are right for a batch of one picture as well.

    PyTorch (seen in 2.11 and 2.14, on a CPU) mistakes channels for positions if the signal that comes back
    lies otherwise in memory than what went in, as it does where a grid becomes tokens. So both are laid out
    alike. Nothing is done where no slopes are taken.
    """

    def lay_out(module, inputs):
        x = inputs[0]
        return (x.contiguous(), *inputs[1:]) if len(x) == 1 and x.dim() > 2 else None

    def lay_out_slopes(module, output):
        if output.requires_grad and len(output) == 1 and output.dim() > 2:
            output.register_hook(torch.Tensor.contiguous)

    norms = [m for m in model.modules() if isinstance(m, _NormBase)] if torch.is_grad_enabled() else []
    with ExitStack() as gone_in_the_end, hooked([(m, lay_out_slopes) for m in norms]):
        for module in norms:
            gone_in_the_end.enter_context(module.register_forward_pre_hook(lay_out))
        yield


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
    The hooks are gone when the block ends, and other threads do not see them; see `hooked`.
    """
    infos = {name: net.layer(name) for name in layers}
    taken: dict[str, torch.Tensor] = {}
    runs = dict.fromkeys(infos, 0)

    def take(name, info):
        def hook(module, output):
            values = _first(output, info)
            taken[name] = values.detach().requires_grad_() if restart else values
            runs[name] += 1
            if stop and all(runs[n] >= i.calls for n, i in infos.items()):
                raise _Enough
            return _last(taken[name], info).clone()  # whatever comes next may write over its input

        return hook

    with hooked([(_module(net, info), take(name, info)) for name, info in infos.items()]):
        with suppress(_Enough):
            yield taken


@contextmanager
def substitute(net: Network, layer: str, values: torch.Tensor) -> Iterator[None]:
    """While open, whatever `layer` computes, `values` go on from there: a forward pass of this thread starts
    there, so to speak.
    """
    info = net.layer(layer)
    with hooked([(_module(net, info), lambda module, output: _last(values, info).clone())]):
        yield


def resume(net: Network, layer: str, values: torch.Tensor) -> torch.Tensor:
    """The logits that the rest of the network makes of `values` (N, K, h, w) at `layer`, differentiable: the
    second half of a network.

    Raises VizlibError for a layer inside a branch, such as one next to a skip connection: what it puts out is
    not all that the rest of the network sees; and for a grid of another size, where the rest wants its own.
    """
    if net.layer(layer).path == "":
        return values  # nothing is left to compute
    if not _is_a_cut(net, layer):
        raise VizlibError(
            f"Layer {layer!r} of {net.name} lies in a branch: other connections lead around it, so the rest "
            "of the network cannot be "
            "computed from it alone. Choose a layer at which the branches have met, such as the end of a "
            "block; net.layers lists them."
        )
    given, own = tuple(values.shape[1:]), net.layer(layer).shape
    sentence = (
        f"The rest of {net.name} cannot go on from the shape {given} at {layer!r}, where it has {own} at its "
        f"own size: vz.resize(images, {net.input_shape})."
    )
    with misfits_in_words(sentence, given == own), substitute(net, layer, values.to(net.device)):
        return net.unchecked(net.neutral.expand(1, -1, *net.input_shape))


def _is_a_cut(net: Network, layer: str) -> bool:
    """Has all that the logits know of a picture gone through `layer`?"""
    path = net.layer(layer).path
    if path not in net.cuts:
        image = net.neutral.repeat(1, 1, *net.input_shape)
        with torch.inference_mode(False), torch.no_grad(), FieldTracer(image) as tracer:
            with tap(net, [layer]) as taken:
                logits = net(image)
        net.cuts[path] = tracer.all_through(logits, taken[layer])
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


def _module(net: Network, info: Layer) -> nn.Module:
    return net if info.path == "" else info.module


def _first(output: torch.Tensor, info: Layer) -> torch.Tensor:
    return output.movedim(-1, 1) if info.channels_last else output


def _last(values: torch.Tensor, info: Layer) -> torch.Tensor:
    return values.movedim(1, -1) if info.channels_last else values
