"""A network whose upper layers have forgotten what they learned: the control for every map."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch

from ..errors import VizlibError
from ..models.admission import forget_caches
from ..table import Card

if TYPE_CHECKING:
    from ..models.network import Network


def randomize(net: Network, down_to: str | None = None, *, cascading: bool = True, seed: int = 0) -> Network:
    """A copy of `net` with random weights, for the model parameter randomization test; the network itself
    stays as it is.

    down_to: a name from `net.layers`. With cascading=True everything from the logits down to that layer is
        drawn anew (None: all of it); with cascading=False only that layer is. "logits" is the layer that puts
        them out.
    Weights and biases keep their mean and standard deviation, tensor by tensor, so that signals keep their
    size and only what was learned is lost. The same seed draws the same weights, on every device.
    Raises VizlibError for an unknown layer, or one without weights when it alone should be drawn. Adebayo et
    al. 2018, "Sanity Checks for Saliency Maps", section 3.

        >>> net = vz.load("zfnet")
        >>> vz.randomize(net, down_to="conv5").card["weights"]
        'drawn at random from the logits down to conv5, seed 0'
    """
    generator = torch.Generator().manual_seed(seed)
    paths = _weighted_paths(net)
    if down_to is not None:
        inside = _inside(net, down_to, paths)
        ran = list(net.traced)
        after = ran.index(net.layer(down_to).path)
        # a stage counts from its first weight on; a layer's own children ran before it ended
        above = [p for p in paths if ran.index(p) > after and p not in inside]
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
                spread = tensor.std() if tensor.numel() > 1 else 0.0
                drawn = torch.randn(tensor.shape, generator=generator).to(tensor.device)
                tensor.copy_(drawn * spread + tensor.mean())
    forget_caches(forgetful.model)
    where = f"from the logits down to {down_to}" if cascading else f"in {down_to}"
    where = "everywhere" if down_to is None else where
    card = {key: value for key, value in net.card.items() if key != "sha256"}
    forgetful.card = Card(card | {"weights": f"drawn at random {where}, seed {seed}"})
    return forgetful


def _inside(net: Network, name: str, weighted: list[str]) -> list[str]:
    """The paths with weights that belong to a layer; of the logits, those of the last module with weights."""
    path = net.layer(name).path
    if path == "":
        return weighted[-1:]
    return [p for p in weighted if p == path or p.startswith(path + ".")]


def _weighted_paths(net: Network) -> list[str]:
    """Paths of the modules that own weights, from pixels to logits."""
    layers = net.traced
    return [p for p, info in layers.items() if p and any(True for _ in info.module.parameters(recurse=False))]


def randomizable(net: Network) -> list[str]:
    """The named layers that can be drawn anew, from the logits down to the pixels."""
    paths = _weighted_paths(net)
    return [name for name in reversed(net.named_layers()) if _inside(net, name, paths)]
