"""Checks of the exercises of notebook 15, textures and FRAME."""

from collections.abc import Callable

import torch

from .verdict import NotYet, drawn, exercise, same, unless


@exercise("15.1")
def gram_matrix(answer: Callable) -> None:
    """answer(a) -> (K, K): for activations (K, h, w), the mean over positions of a_k a_l."""
    a = torch.tensor([[[1.0, 2], [0, 1]], [[0.0, 1], [3, 0]]])
    seen = answer(a.clone())
    unless(
        seen,
        torch.tensor([[6.0, 2], [2, 10]]),
        "this is the sum over positions; a larger picture would have a larger one. Take the mean.",
    )
    same(seen, torch.tensor([[1.5, 0.5], [0.5, 2.5]]), "For (1 2 0 1) and (0 1 3 0) the matrix")
    a = drawn(5, 3, 4)
    same(answer(a.clone()), torch.einsum("kyx,lyx->kl", a, a) / 12, "For noise the matrix")


@exercise("15.2")
def langevin_step(answer: Callable) -> None:
    """answer(x, slope, sigma, eps, z) -> x after one step: eps^2 / 2 (slope - x / sigma^2) uphill, and eps z
    of noise.
    """
    x, slope, z = drawn(2, 3, 4, 4), drawn(2, 3, 4, 4, seed=1), drawn(2, 3, 4, 4, seed=2)
    seen = answer(x.clone(), slope.clone(), 2.0, 0.5, z.clone())
    expected = x + 0.125 * (slope - x / 4) + 0.5 * z
    by_sigma = x + 0.125 * (slope - x / 2) + 0.5 * z
    unless(seen, x + 0.125 * slope + 0.5 * z, "the pull back to the middle is missing.")
    unless(seen, by_sigma, "the pull back is divided by sigma; it should be by its square.")
    unless(seen, expected - 0.5 * z, "the noise is missing.")
    unless(seen, expected - 0.375 * z, "the noise has the factor of the slope; it should have eps.")
    same(seen, expected, "The picture after a step")


@exercise("15.3")
def frame_round(answer: Callable) -> None:
    """answer(filters, x, w, observed, sigma, eps, rate, z) -> x, w: a Langevin step, then the weights learn
    from the new pictures.
    """
    f = drawn(4, 3, seed=3)

    def filters(x):
        return torch.einsum("kc,nchw->nkhw", f, x).relu()

    x, z = drawn(2, 3, 5, 5), drawn(2, 3, 5, 5, seed=2)
    w, observed = drawn(4, seed=4), drawn(4, seed=5).abs()
    leaf = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad((filters(leaf).sum((0, 2, 3)) * w).sum(), leaf)
    moved = x + 0.02 * (slope - x / 0.25) + 0.2 * z
    learned = w + 0.1 * (observed - filters(moved).mean((0, 2, 3)))
    seen = answer(filters, x.clone(), w.clone(), observed.clone(), 0.5, 0.2, 0.1, z.clone())
    if not (isinstance(seen, tuple) and len(seen) == 2):
        raise NotYet(f"the answer is the pair x, w; yours is a {type(seen).__name__}.")
    same(seen[0], moved, "The pictures")
    too_early = w + 0.1 * (observed - filters(x).mean((0, 2, 3)))
    falling = "the weights fall where they should rise: observed minus synthesised."
    unless(seen[1], 2 * w - learned, falling)
    unless(seen[1], too_early, "the weights learned from the pictures before the step.")
    same(seen[1], learned, "The weights")
