"""Checks of the exercises of notebook 17, equivalence."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from .verdict import NotYet, drawn, exercise, same, unless


@exercise("17.1")
def unshuffle(answer: Callable) -> None:
    """answer(order) -> E (K, K) with E @ f[order] = f."""
    order = torch.tensor([2, 0, 1])
    E, f = answer(order.clone()), torch.tensor([1.0, 2.0, 3.0])
    expected = torch.tensor([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
    once_more = "this E shuffles once more, E @ f = f[order]; it should undo the order, E @ f[order] = f."
    unless(E, expected.T, once_more)
    same(E, expected, "For the order 2, 0, 1 the matrix")
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    f = drawn(12)
    same(answer(order.clone()).float() @ f[order], f, "For twelve channels what E makes of the copy's code")


@exercise("17.2")
def correlations(answer: Callable) -> None:
    """answer(f (N, K, h, w), g (N, J, h, w)) -> (K, J): correlations over pictures and places; 0 for channels
    that do not change.
    """
    f = torch.tensor([[0.0, 1.0, 2.0, 3.0], [1.0, 1.0, 1.0, 1.0]]).view(1, 2, 2, 2)
    g = torch.tensor([[3.0, 2.0, 1.0, 0.0], [0.0, 10.0, 20.0, 30.0]]).view(1, 2, 2, 2)
    seen = answer(f.clone(), g.clone())
    if isinstance(seen, torch.Tensor) and not torch.isfinite(seen).all():
        raise NotYet("a channel that never changes gives NaN; it should give 0.")
    same(
        seen,
        torch.tensor([[-1.0, 1.0], [0.0, 0.0]]),
        "For a channel that rises and one that does not change, against one that falls and one that rises, "
        "the matrix",
    )
    f, g = drawn(5, 3, 4, 4) + 2, drawn(5, 6, 4, 4, seed=1)
    g[:, :3] += f
    x, y = (v.transpose(0, 1).flatten(1) for v in (f, g))
    expected = torch.corrcoef(torch.cat([x, y]))[:3, 3:]
    seen = answer(f.clone(), g.clone())
    bare = F.normalize(x, dim=1) @ F.normalize(y, dim=1).T
    unless(seen, bare, "these are cosines; a correlation takes the mean off first.")
    same(seen, expected, "For noise the matrix", tolerance=1e-3)


@exercise("17.3")
def greedy_pairs(answer: Callable) -> None:
    """answer(correlation (K, K)) -> partner (K,): a permutation, the largest value first."""
    hand = torch.tensor([[0.9, 0.8], [0.7, 0.1]])
    cases = [("For ((0.9, 0.8), (0.7, 0.1))", hand), ("For numbers drawn at random", drawn(9, 9).tanh())]
    for words, correlation in cases:
        given = correlation.clone()
        seen = answer(given)
        if not torch.equal(given, correlation):
            raise NotYet("your code wrote into the matrix it was given; work on a copy.")
        if (
            not isinstance(seen, torch.Tensor)
            or seen.shape != correlation.shape[:1]
            or seen.is_floating_point()
        ):
            raise NotYet("the partners should be a tensor of whole numbers, one for each row.")
        if seen.sort().values.tolist() != list(range(len(seen))):
            raise NotYet(f"{words} the partners are {seen.tolist()}: each column should be there once.")
        if seen.tolist() != _greedy(correlation):
            raise NotYet(
                f"{words} the partners are {seen.tolist()}; taking the largest value first gives others."
            )


def _greedy(correlation: torch.Tensor) -> list[int]:
    """Partners by going through all pairs, largest first."""
    size, partner, taken = len(correlation), {}, set()
    for place in correlation.flatten().argsort(descending=True).tolist():
        row, column = divmod(place, size)
        if row not in partner and column not in taken:
            partner[row] = column
            taken.add(column)
    return [partner[row] for row in range(size)]
