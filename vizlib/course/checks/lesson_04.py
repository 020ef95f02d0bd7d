"""Checks of the exercises of notebook 04, gradients."""

from collections.abc import Callable

import torch

from ...attribution import gradient, guided_backprop, rank_correlation, saliency
from .verdict import example, exercise, same, unless


@exercise("04.1")
def darkening_map(answer: Callable) -> None:
    """answer(net, images, target) -> (N, 1, H, W): where less light raises the score."""
    net, images = example()
    seen, lighter = answer(net, images.clone(), "drum"), saliency(net, images, "drum", part="positive")
    unless(seen, lighter, "this map shows where *more* light would help.", tolerance=1e-3)
    same(seen, saliency(net, images, "drum", part="negative"), "The map")


@exercise("04.2")
def fourth_rule(answer: Callable) -> None:
    """answer(g, gate) -> tensor: the signal of guided backpropagation turned around, where what is negative
    passes.
    """
    g = torch.tensor([[-2.0, -1.0, 0.0], [3.0, -4.0, 5.0]])
    active = torch.tensor([[True, False, True], [True, True, False]])
    same(answer(g, active.mul), torch.tensor([[-2.0, 0.0, 0.0], [0.0, -4.0, 0.0]]), "The signal")


@exercise("04.3")
def class_sensitivity(answer: Callable) -> None:
    """answer(method, net, images, a, b) -> (N,): 1 - Spearman correlation of |map for a| and |map for b|,
    largest over colours.
    """
    net, images = example()
    for method in (gradient, guided_backprop):
        a, b = (method(net, images, k).abs().amax(1, keepdim=True) for k in ("drum", "electric guitar"))
        seen = answer(method, net, images, "drum", "electric guitar")
        same(seen, 1 - rank_correlation(a, b), f"The sensitivity of {method.__name__}", tolerance=1e-3)
