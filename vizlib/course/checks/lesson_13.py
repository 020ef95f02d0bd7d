"""Checks of the exercises of notebook 13, deep dream."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from .verdict import NotYet, drawn, exercise, same, unless


@exercise("13.1")
def dream_step(answer: Callable) -> None:
    """answer(x, g, rate) -> (N, 3, H, W): x + rate * g / mean |g|, each picture for itself, clipped to [0,
    1].
    """
    x, g = torch.full((2, 3, 4, 5), 0.5), drawn(2, 3, 4, 5)
    g[1] *= 0.01  # a gentler slope
    free = x + 0.3 * g / g.abs().mean((1, 2, 3), keepdim=True)
    one_for_all, cancelled = g / g.abs().mean(), g / g.mean((1, 2, 3), keepdim=True)
    traps = {
        "each picture is to be divided by the mean of its own slope, not by that of the batch.": (
            x + 0.3 * one_for_all
        ),
        "the signs of g cancel in its mean; take the mean of its size.": x + 0.3 * cancelled,
        "this goes down the slope.": 2 * x - free,
    }
    seen = answer(x.clone(), g.clone(), 0.3)
    unless(seen, free, "some values have left [0, 1].")
    for hint, wrong in traps.items():
        unless(seen, wrong.clamp(0, 1), hint)
    same(seen, free.clamp(0, 1), "The picture")


@exercise("13.2")
def one_octave(answer: Callable) -> None:
    """answer(base, detail, climb) -> (x, detail): the enlarged detail added to the photograph, climbed, and
    what differs then.
    """
    base, detail = 0.5 + 0.1 * drawn(1, 3, 8, 12).clamp(-3, 3), 0.1 * drawn(1, 3, 5, 9, seed=1)
    start = (base + F.interpolate(detail, (8, 12), mode="bicubic", align_corners=False)).clamp(0, 1)
    seen = answer(base.clone(), detail.clone(), lambda x: 0.9 * x)
    if not (isinstance(seen, (tuple, list)) and len(seen) == 2):
        raise NotYet("an octave returns two tensors: the picture, and what has been dreamt now.")
    x, now = seen
    unless(x, start, "the picture is the one before the climb; climb(x) returns a new one.")
    unless(x, 0.9 * base, "what was dreamt in the octave before is lost; add it before the climb.")
    same(x, 0.9 * start, "The picture", tolerance=1e-3)
    from_start = "the new detail counts from the start of this octave; count from the photograph."
    unless(now, 0.9 * start - start, from_start)
    same(now, 0.9 * start - base, "The detail", tolerance=1e-3)


@exercise("13.3")
def guided_slope(answer: Callable) -> None:
    """answer(a, b) -> (K, h, w): at each position the guide's feature with the largest inner product."""
    a = torch.tensor([[1.0, 0.2], [0.0, 1.0]]).view(2, 1, 2)  # (1, 0) and (0.2, 1)
    b = torch.tensor([[2.0, 0.5, 0.0], [0.0, 0.5, 1.0]]).view(2, 1, 3)  # (2, 0), (0.5, 0.5) and (0, 1)
    same(
        answer(a.clone(), b.clone()),
        torch.tensor([[2.0, 0.0], [0.0, 1.0]]).view(2, 1, 2),
        "For a guide of three positions the slope",
    )
    a, b = drawn(4, 3, 5), drawn(4, 2, 6, seed=1)
    products = a.flatten(1).T @ b.flatten(1)
    seen = answer(a.clone(), b.clone())
    near = b.flatten(1)[:, torch.cdist(a.flatten(1).T, b.flatten(1).T).argmin(1)].reshape(a.shape)
    unless(seen, near, "this takes the guide's nearest feature; asked for is the largest inner product.")
    same(seen, b.flatten(1)[:, products.argmax(1)].reshape(a.shape), "For features drawn at random the slope")
