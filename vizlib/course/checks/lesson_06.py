"""Checks of the exercises of notebook 06, class activation maps."""

from collections.abc import Callable

import torch

from ...attribution import grad_cam
from ...layers import tap
from .verdict import example, exercise, same


@exercise("06.1")
def weighted_sum(answer: Callable) -> None:
    """answer(A, g) -> (N, 1, h, w): Grad-CAM from activations and gradients, (N, K, h, w) each."""
    A = torch.tensor([[[1.0, 2], [0, 1]], [[0, 0], [3, 1]]])[None]
    g = torch.tensor([[[1.0, 3], [2, 2]], [[-4, 0], [-2, 2]]])[None]
    same(answer(A, g), torch.tensor([[[[2.0, 4], [0, 1]]]]), "The map")
    both = answer(torch.cat([A, 2 * A]), torch.cat([g, g]))
    same(both[1:], torch.tensor([[[[4.0, 8], [0, 2]]]]), "The map of the second picture of a batch")


@exercise("06.2")
def energy_in_mask(answer: Callable) -> None:
    """answer(maps, masks) -> (N,): which share of a map's positive values lies inside the mask."""
    maps = torch.tensor([[[[1.0, 2], [3, -4]]], [[[0, 5], [5, 0]]]])
    masks = torch.tensor([[[[0.0, 1], [1, 1]]], [[[1, 1], [0, 0]]]])
    same(answer(maps, masks), torch.tensor([5 / 6, 1 / 2]), "The share")


@exercise("06.3")
def hires_cam(answer: Callable) -> None:
    """answer(net, images, target, layer) -> (N, 1, h, w): sum_k dS/dA_kij A_kij, without ReLU, on the layer's
    own grid.
    """
    net, images = example()
    head = grad_cam(net, images, "drum", layer="head", relu=False, upsample=False)
    same(
        answer(net, images, "drum", "head"),
        head,
        "At the last layer, where it equals Grad-CAM, the map",
        tolerance=1e-3,
    )
    with tap(net, ["stage5"], restart=True) as taken:
        score = net(images)[:, net.index("drum")].sum()
    (g,) = torch.autograd.grad(score, taken["stage5"])
    expected = (g * taken["stage5"].detach()).sum(1, keepdim=True)
    same(answer(net, images, "drum", "stage5"), expected, "At stage5 the map", tolerance=1e-3)
