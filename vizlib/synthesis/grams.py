"""Objectives that compare Gram matrices: what channels do together, wherever they do it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from ..errors import VizlibError
from ..layers import record
from .objectives import Objective

if TYPE_CHECKING:
    from ..models.network import Network


def gram(features: torch.Tensor) -> torch.Tensor:
    """The Gram matrix of features: G_kl = mean over positions of a_k a_l, (N, K, h, w) -> (N, K, K). Gatys
    et al. 2015 divide the sum differently.

        >>> vz.synthesis.gram(torch.ones(1, 3, 4, 4)).shape
        torch.Size([1, 3, 3])
    """
    a = features.flatten(2)
    return a @ a.transpose(1, 2) / a.shape[2]


def same_style(net: Network, image: torch.Tensor, layers: Sequence[str]) -> Objective:
    """The style loss, negated: -sum over layers of ||G - G_0||^2 / ||G_0||^2 with G the Gram matrices. 0
    for the style picture itself, wherever its parts are.

    Raises VizlibError for a layer without positions, and for one that the style picture leaves at zero.
    Gatys, Ecker & Bethge 2016, section 2.2.
    """
    goals = {}
    for layer, a in record(net, image, list(layers)).items():
        if a.dim() != 4:
            raise VizlibError(
                f"Layer {layer!r} has no grid of positions, {tuple(a.shape[1:])}, and style is what does not "
                "depend on them. Choose one like relu2."
            )
        goals[layer] = gram(a)
        if not bool((goals[layer] != 0).any()):
            raise VizlibError(
                f"The style picture has no activation in {layer}, so there is no style to match: leave this "
                "layer out of style_layers."
            )

    def read(a: dict[str, torch.Tensor]) -> torch.Tensor:
        return -torch.stack([_style_error(a[layer], goal) for layer, goal in goals.items()]).sum(0)

    return Objective(tuple(layers), read, "style")


def _style_error(features: torch.Tensor, goal: torch.Tensor) -> torch.Tensor:
    """||gram(features) - goal||^2 / ||goal||^2, (N,), with as few products of matrices as it takes, which is
    where the time goes.

    A: (K, n), channels and positions. With fewer positions than channels, ||A A^T|| = ||A^T A||, the
    smaller of the two, and <A A^T, G_0> = <A, G_0 A>, whose slope in A is 2 G_0 A: what has just been
    computed.
    """
    a, scale = features.flatten(2), (goal**2).sum((1, 2))
    n = a.shape[2]
    if n >= a.shape[1]:
        return ((_with_itself(a.transpose(1, 2)) / n - goal) ** 2).sum((1, 2)) / scale
    squares = (_with_itself(a) ** 2).sum((1, 2)) / n**2
    b = goal @ a.detach()
    common = (2 * (a * b) - a.detach() * b).sum((1, 2)) / n
    return (squares - 2 * common + scale) / scale


def _with_itself(a: torch.Tensor) -> torch.Tensor:
    """a^T a, with half the work on the way back. Only for what treats both halves of this symmetric matrix
    alike.
    """
    half = a.detach().transpose(1, 2) @ a
    return 2 * half - half.detach()


def diversity(layer: str) -> Objective:
    """The diversity term: -sum over the other pictures j of the batch of cos(G_i, G_j), for several answers
    to one question. Olah et al. 2017.
    """

    def read(a: dict[str, torch.Tensor]) -> torch.Tensor:
        g = F.normalize(gram(a[layer]).flatten(1), dim=1)
        return -((g @ g.T).sum(1) - 1)

    return Objective((layer,), read, f"diversity in {layer}")
