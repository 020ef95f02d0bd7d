"""Checks of the exercises of notebook 13, deep dream."""

import torch
import torch.nn.functional as F

from .verdict import NotYet, drawn, exercise, same


@exercise("13.1")
def dream_step(answer):
    """answer(x, g, rate) -> (N, 3, H, W): x + rate * g / mean |g|, each picture for itself, clipped to [0,
    1].
    """
    x, g = torch.full((2, 3, 4, 5), 0.5), drawn(2, 3, 4, 5)
    g[1] *= 0.01  # a gentler slope
    free = x + 0.3 * g / g.abs().mean((1, 2, 3), keepdim=True)
    traps = {
        "each picture is to be divided by the mean of its own slope, not by that of the batch": x
        + 0.3 * g / g.abs().mean(),
        "the signs of g cancel in its mean; take the mean of its size": x
        + 0.3 * g / g.mean((1, 2, 3), keepdim=True),
        "this goes down the slope": 2 * x - free,
    }
    seen = answer(x.clone(), g.clone(), 0.3)
    _unless(seen, free, "some values have left [0, 1]")
    for words, wrong in traps.items():
        _unless(seen, wrong.clamp(0, 1), words)
    same(seen, free.clamp(0, 1), "The picture")


@exercise("13.2")
def one_octave(answer):
    """answer(base, detail, climb) -> (x, detail): the enlarged detail added to the photograph, climbed, and
    what differs then.
    """
    base, detail = 0.5 + 0.1 * drawn(1, 3, 8, 12).clamp(-3, 3), 0.1 * drawn(1, 3, 5, 9, seed=1)
    start = (base + F.interpolate(detail, (8, 12), mode="bicubic", align_corners=False)).clamp(0, 1)
    seen = answer(base.clone(), detail.clone(), lambda x: 0.9 * x)
    if not (isinstance(seen, (tuple, list)) and len(seen) == 2):
        raise NotYet("an octave returns two tensors: the picture, and what has been dreamt now.")
    x, now = seen
    _unless(x, start, "the picture is the one before the climb; climb(x) returns a new one")
    _unless(x, 0.9 * base, "what was dreamt in the octave before is lost; add it before the climb")
    same(x, 0.9 * start, "The picture", tolerance=1e-3)
    _unless(
        now,
        0.9 * start - start,
        "the new detail counts from the start of this octave; count from the photograph",
    )
    same(now, 0.9 * start - base, "The detail", tolerance=1e-3)


@exercise("13.3")
def guided_slope(answer):
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
    near = torch.cdist(a.flatten(1).T, b.flatten(1).T).argmin(1)
    _unless(
        seen,
        b.flatten(1)[:, near].reshape(a.shape),
        "this takes the guide's nearest feature; asked for is the largest inner product",
    )
    same(seen, b.flatten(1)[:, products.argmax(1)].reshape(a.shape), "For features drawn at random the slope")


def _unless(seen, wrong, words):
    """Raise NotYet with these words where the answer is this wrong one."""
    if (
        isinstance(seen, torch.Tensor)
        and seen.shape == wrong.shape
        and torch.allclose(seen, wrong, atol=1e-5)
    ):
        raise NotYet(f"{words}.")
