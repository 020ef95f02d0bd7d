"""Checks of the exercises of notebook 16, equivariance."""

from collections.abc import Callable

import torch

from ...representation.regression import forward_selection, moments
from .verdict import NotYet, drawn, exercise, same, unless


@exercise("16.1")
def mirror_matrix(answer: Callable) -> None:
    """answer(bank) -> (K, K): 1 where filter j is filter k mirrored left and right, else 0."""
    bank = torch.tensor([[[0.0, 1], [0, 0]], [[0, 2], [0, 2]], [[1, 0], [0, 0]], [[3, 3], [1, 1]]])[:, None]
    expected = torch.tensor([[0.0, 0, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    seen = answer(bank.clone())
    turned = torch.tensor([0.0, 1, 0, 0]).diag()
    unless(seen, turned, "the filters are turned over, top and bottom; mirrored means left and right.")
    same(seen, expected, "For filters of one colour the matrix")
    other = torch.cat([drawn(2, 3, 3, 3), drawn(2, 3, 3, 3).flip(-1)])
    same(answer(other.clone()), torch.eye(4)[[2, 3, 0, 1]], "For filters of three colours the matrix")


@exercise("16.2")
def turned_weights(answer: Callable) -> None:
    """answer(A, w) -> (K, h, w): M^T w for a map that turns places upside down and then mixes channels
    by A.
    """
    A, w = drawn(3, 3), drawn(3, 4, 5, seed=1)
    expected = torch.einsum("kc,kuv->cuv", A, w.flip(-2))
    seen = answer(A.clone(), w.clone())
    forwards, unmoved = torch.einsum("kc,cuv->kuv", A, w.flip(-2)), torch.einsum("kc,kuv->cuv", A, w)
    unless(seen, forwards, "this is M w: the channels are mixed by A, not by its transpose.")
    unless(seen, unmoved, "the channels are right, but the places have not moved.")
    same(seen, expected, "For three channels the weights")


@exercise("16.3")
def select(answer: Callable) -> None:
    """answer(x, y, k) -> (P,): the weights of the k inputs that forward selection chooses for one output."""
    x = drawn(200, 12) * torch.linspace(0.2, 4, 12)
    x[:, 3] += 0.3 * x[:, 0]
    x = x - x.mean(0)
    y = 5 * x[:, 0] + 0.5 * x[:, 5] - 2 * x[:, 3] + 0.02 * drawn(200, seed=1)
    y = y - y.mean()
    for k in (1, 3):
        weights = forward_selection(moments(x, y[:, None]), k=k)[0][0]
        seen = answer(x.clone(), y.clone(), k)
        if isinstance(seen, torch.Tensor) and seen.shape == weights.shape:
            chosen, right = (set(v.nonzero()[:, 0].tolist()) for v in (seen, weights))
            if chosen != right:
                raise NotYet(
                    f"for k = {k} the inputs chosen are {sorted(chosen)}; they should be {sorted(right)}."
                )
        same(seen, weights, f"For k = {k} the weights", tolerance=1e-3)
