"""The one place where hooks are set, and taken away again."""

import threading
from contextlib import contextmanager

import torch


class _Enough(Exception):
    """Ends a forward pass: all that was asked for has been seen."""


@contextmanager
def tap(net, layers, restart=False, stop=False):
    """While open, forward passes of `net` write the outputs of `layers` into the dict that this yields.

    restart: begin a new graph at each output, so that a backward pass from the logits ends there and goes no
        deeper.
    stop: end the forward pass (silently) as soon as every layer has been seen.
    The hooks are gone when the block ends, however it ends, and other threads that use the network do not see
        them.
    """
    infos = [net.layer(name) for name in layers]
    taken, seen, owner = {}, {}, threading.get_ident()

    def hook_for(name, info):
        def hook(module, inputs, output):
            if threading.get_ident() != owner:
                return None
            seen[name] = seen.get(name, 0) + 1
            taken[name] = output.detach().requires_grad_() if restart else output
            if stop and all(seen.get(n, 0) >= i.calls for n, i in zip(layers, infos, strict=True)):
                raise _Enough
            return taken[name].clone()  # whatever comes next may write over its input

        return hook

    handles = [
        info.module.register_forward_hook(hook_for(name, info))
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
def substitute(net, layer, values):
    """While open, whatever `layer` computes, `values` go on from there: a forward pass of this thread starts
    there, so to speak.
    """
    owner = threading.get_ident()

    def hook(module, inputs, output):
        return values.clone() if threading.get_ident() == owner else None

    handle = net.layer(layer).module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def resume(net, layer, values):
    """The logits that the rest of the network makes of `values` (N, K, h, w) at `layer`, differentiable: the
    second half of a network.
    """
    with substitute(net, layer, values):
        return net(net.neutral.expand(1, -1, net.input_size, net.input_size))


def record(net, images, layers):
    """The activations of `layers` for `images`.

    images: (N, 3, H, W) in [0, 1]. layers: one name or a list of them, as in `net.layers`, or raw module
        paths.
    Returns {name: tensor}, (N, K, h, w) for convolutional layers, in the order asked for. Nothing beyond the
        deepest of
    the layers is computed. Raises VizlibError for an unknown layer, with the nearest names.
    """
    layers = [layers] if isinstance(layers, str) else list(layers)
    images = net.check(images)
    with torch.no_grad():
        with tap(net, layers, stop=True) as taken:
            net(images)
    return {name: taken[name] for name in layers}
