"""Checks of the exercises of notebook 11, fooling images."""

from collections.abc import Callable

import torch

from .verdict import NotYet, drawn, exercise, same, unless


@exercise("11.1")
def mutated(answer: Callable) -> None:
    """answer(genes, r, strength) -> genes after a step of polynomial mutation each, in [0, 1]."""
    r = torch.tensor([0.0, 0.005, 0.3, 0.5, 0.9, 0.99, 1.0])
    root = 1 / 16
    step = torch.where(r < 0.5, (2 * r) ** root - 1, 1 - (2 - 2 * r) ** root)
    genes = torch.full((7,), 0.5)
    seen = answer(genes.clone(), r.clone(), 15)
    other = torch.where(r < 0.5, (2 * r) ** (1 / 15) - 1, 1 - (2 - 2 * r) ** (1 / 15))
    unless(seen, genes + step, "genes stay in [0, 1]: clip them.")
    unless(seen, step, "these are the steps alone; the genes are to be moved by them.")
    unless(seen, (genes + other).clamp(0, 1), "the exponent is 1 / (strength + 1).")
    same(seen, (genes + step).clamp(0, 1), "For seven genes of 0.5 the result")
    genes, r = drawn(40, seed=2).sigmoid(), drawn(40, seed=3).sigmoid()
    step = torch.where(r < 0.5, (2 * r) ** (1 / 6) - 1, 1 - (2 - 2 * r) ** (1 / 6))
    same(answer(genes.clone(), r.clone(), 5), (genes + step).clamp(0, 1), "For a strength of 5 the result")


@exercise("11.2")
def new_champions(answer: Callable) -> None:
    """answer(scores, probabilities) -> the scores after a generation, and the child that takes each cell, -1
    for none.
    """
    scores = torch.tensor([0.5, 0.2, 0.9, 0.1])
    children = torch.tensor([[0.4, 0.3, 0.9, 0.2], [0.1, 0.6, 0.0, 0.3], [0.3, 0.25, 0.2, 0.25]])
    seen = answer(scores.clone(), children.clone())
    if not (
        isinstance(seen, tuple) and len(seen) == 2 and all(isinstance(part, torch.Tensor) for part in seen)
    ):
        raise NotYet("two tensors are asked for: the scores, and the numbers of the children.")
    same(seen[0], torch.tensor([0.5, 0.6, 0.9, 0.3]), "The scores after three children")
    taken = seen[1].tolist()
    if taken == [-1, 1, 0, 1]:
        raise NotYet("a child that only equals the champion of a cell does not take it.")
    if taken != [-1, 1, -1, 1]:
        raise NotYet(
            f"four champions and three children: the cells go to [-1, 1, -1, 1]; yours go to {taken}."
        )
    scores, children = drawn(30).sigmoid(), drawn(8, 30, seed=1).sigmoid()
    best, who = children.max(0)
    seen = answer(scores.clone(), children.clone())
    same(seen[0], torch.maximum(best, scores), "For thirty cells the scores")
    if seen[1].tolist() != torch.where(best > scores, who, -1).tolist():
        raise NotYet("for thirty cells some children are in the wrong place.")


@exercise("11.3")
def drawing(answer: Callable) -> None:
    """answer(weight, functions, side) -> (side, side): what a CPPN draws, |output| and at most 1."""
    nothing = [None] * 4
    weight = torch.zeros(5, 5)
    weight[4, 1], weight[4, 3] = 1.0, 0.5  # y + 0.5
    line = torch.linspace(-1, 1, 5)
    expected = (line + 0.5).abs().clamp(max=1)[:, None].expand(5, 5)
    seen = answer(weight.clone(), [*nothing, lambda s: s], 5)
    along = "for output = y + 0.5 the brightness should change from row to row; yours changes along the rows."
    unless(seen, expected.T, along)
    rows = (line + 0.5)[:, None].expand(5, 5)
    unless(seen, rows.clamp(0, 1), "negative outputs count by their size: |output|.")
    unless(seen, rows.abs(), "a brightness is at most 1.")
    same(seen, expected, "For output = y + 0.5 the picture")
    weight = torch.zeros(7, 7)
    weight[4, :4], weight[5, [2, 4]], weight[6, [0, 4, 5]] = drawn(4), drawn(2, seed=1), drawn(3, seed=2)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 6), torch.linspace(-1, 1, 6), indexing="ij")
    inputs = torch.stack([x, y, (x**2 + y**2).sqrt(), torch.ones_like(x)])
    first = torch.sin(torch.einsum("i,ihw->hw", weight[4, :4], inputs))
    second = torch.exp(-((weight[5, 2] * inputs[2] + weight[5, 4] * first) ** 2))
    output = torch.tanh(weight[6, 0] * x + weight[6, 4] * first + weight[6, 5] * second)
    functions = [*nothing, torch.sin, lambda s: torch.exp(-(s**2)), torch.tanh]
    same(answer(weight.clone(), functions, 6), output.abs().clamp(max=1), "With two hidden nodes the picture")
