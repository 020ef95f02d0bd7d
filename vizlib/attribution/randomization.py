"""A network whose upper layers have forgotten what they learned: the control for every map."""

import copy

import torch

from ..errors import VizlibError


def randomize(net, down_to=None, *, cascading=True, seed=0):
    """A copy of `net` with random weights; the network itself stays as it is.

    down_to: a name from `net.layers`. With cascading=True everything from the logits down to that layer is
        drawn anew (None: all of it);
    with cascading=False only that layer is. Weights and biases keep their mean and standard deviation, tensor
        by tensor, so that
    signals keep their size and only what was learned is lost.
    Raises VizlibError for an unknown layer, or one without weights when it alone should be drawn.
    Adebayo et al. 2018, "Sanity Checks for Saliency Maps", section 3.
    """
    generator = torch.Generator().manual_seed(seed)
    paths = _weighted_paths(net)
    if down_to is not None:
        path = net.layer(down_to).path
        ran = list(net._layers)
        from_here = ran.index(path) + 1
        # a stage counts from its first weight on; a layer's own children ran before it ended
        inside = [p for p in paths if _is_in(p, path)]
        above = [p for p in paths if ran.index(p) >= from_here]
        paths = inside + above if cascading else inside
    if not paths:
        raise VizlibError(
            f"Layer {down_to!r} has no weights to draw anew. Layers with weights: "
            f"{', '.join(randomizable(net))}."
        )
    forgetful = copy.deepcopy(net)
    with torch.no_grad():
        for path in paths:
            for tensor in forgetful.model.get_submodule(path).parameters(recurse=False):
                spread = tensor.std() if tensor.numel() > 1 else torch.zeros(())
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * spread + tensor.mean())
    return forgetful


def _is_in(path, outer):
    """Is the module at `path` the one at `outer`, or within it?"""
    return path == outer or path.startswith(outer + ".")


def _weighted_paths(net):
    """Paths of the modules that own weights, from pixels to logits."""
    net.layer("logits")
    return [
        path for path, info in net._layers.items() if any(True for _ in info.module.parameters(recurse=False))
    ]


def randomizable(net):
    """The named layers that can be drawn anew, from the logits down to the pixels."""
    paths = _weighted_paths(net)
    names = [name for name, path in net._names.items() if any(_is_in(p, path) for p in paths)]
    return names[::-1]
