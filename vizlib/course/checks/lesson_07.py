"""Checks of the exercises of notebook 07, relevance propagation."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from ...layers.relevance_rules import Rule, shares
from .verdict import NotYet, drawn, exercise, same


@exercise("07.1")
def epsilon_rule(answer: Callable) -> None:
    """answer(a, w, R, epsilon) -> (N, J): LRP-epsilon of a linear layer without bias, epsilon away from zero
    on both sides.
    """
    a, w = torch.tensor([[2.0, 1.0]]), torch.tensor([[3.0, -2.0], [-3.0, 2.0]])
    up, down = torch.tensor([[9.0, 0.0]]), torch.tensor([[0.0, 9.0]])
    same(
        answer(a, w, up, 2.0),
        torch.tensor([[9.0, -3.0]]),
        "For a sum of 4, epsilon 2 and a relevance of 9, the relevance",
    )
    same(
        answer(a, w, down, 2.0),
        torch.tensor([[9.0, -3.0]]),
        "For a sum of -4, epsilon 2 and a relevance of 9, the relevance",
    )
    a, w, R = drawn(3, 5), drawn(4, 5, seed=1), drawn(3, 4, seed=2)
    z = a @ w.T
    parts = a[:, None] * w / (z + 0.5 * torch.where(z >= 0, 1, -1))[..., None] * R[..., None]
    same(answer(a, w, R, 0.5), parts.sum(1), "For a batch the relevance")


@exercise("07.2")
def gamma_rule(answer: Callable) -> None:
    """answer(conv, a, R, gamma) -> the shape of a: LRP-gamma of a convolution, its weights and bias favoured
    alike.
    """
    one = torch.nn.Conv2d(2, 1, 1)
    with torch.no_grad():
        one.weight.copy_(torch.tensor([3.0, -2.0]).view(1, 2, 1, 1))
        one.bias.fill_(1.0)
    a = torch.tensor([2.0, 1.0]).view(1, 2, 1, 1)
    hand = torch.tensor([12.0, -2.0]).view(1, 2, 1, 1)  # contributions 12 and -2, a bias of 2: 12 in all
    same(
        answer(one, a, torch.full((1, 1, 1, 1), 12.0), 1.0),
        hand,
        "For contributions 6 and -2, a bias of 1 and gamma 1 the relevance",
    )
    conv = torch.nn.Conv2d(3, 4, 3, stride=2, padding=1).requires_grad_(False)
    conv.weight.copy_(drawn(4, 3, 3, 3, seed=1))
    conv.bias.copy_(drawn(4, seed=2).abs() + 1)
    before = conv.weight.clone()
    a, R = drawn(2, 3, 8, 8).abs(), drawn(2, 4, 4, 4, seed=3)
    went_up = conv(a) >= 0  # the rule for the sums below zero is another lesson
    expected = shares(
        a, lambda a, w, b: F.conv2d(a, w, b, 2, 1), conv.weight, conv.bias, R * went_up, Rule(gamma=4.0)
    )[0]
    same(
        answer(conv, a.clone(), R * went_up, 4.0),
        expected,
        "For a stride of 2 and a padding of 1 the relevance",
        tolerance=1e-3,
    )
    if not torch.equal(conv.weight, before):
        raise NotYet("your code changed the weights of the layer it was given; leave it as it was.")


@exercise("07.3")
def through_block(answer: Callable) -> None:
    """answer(x, branch, R) -> (N, J): LRP-0 through x + branch(x)."""
    branch = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False)).requires_grad_(False)
    branch[0].weight.copy_(torch.tensor([[2.0, 0.0], [1.0, 1.0]]))
    x, R = (
        torch.tensor([[1.0, 2.0]]),
        torch.tensor([[6.0, 5.0]]),
    )  # sums 3 and 5; of 6 the first input gets 2 + 4
    same(
        answer(x.clone(), branch, R),
        torch.tensor([[7.0, 4.0]]),
        "Of the relevances 6 and 5, what reaches the block's input",
    )
    layers = [torch.nn.Linear(5, 7, bias=False), torch.nn.ReLU(), torch.nn.Linear(7, 5, bias=False)]
    branch = torch.nn.Sequential(*layers).requires_grad_(False)
    branch[0].weight.copy_(drawn(7, 5, seed=1))
    branch[2].weight.copy_(drawn(5, 7, seed=2).abs())
    x, R = drawn(3, 5, seed=3).abs() + 0.1, drawn(3, 5, seed=4)
    s = R / (x + branch(x))
    through = torch.autograd.functional.vjp(branch, x, s)[1]
    same(answer(x.clone(), branch, R), x * (s + through), "Through two layers the relevance", tolerance=1e-3)
