"""Checks of the exercises of notebook 14, neural style."""

from collections.abc import Callable

import torch

from ...synthesis import gram, luminance, with_luminance_of
from .verdict import NotYet, drawn, exercise, number, same, unless


@exercise("14.1")
def style_distance(answer: Callable) -> None:
    """answer(a, b) -> one number: ||G_a - G_b||^2 / ||G_b||^2, for features (K, h, w), (K, h', w')."""
    a, b = drawn(4, 5, 6).relu(), drawn(4, 7, 3, seed=1).relu() + 0.5
    g, t = gram(a[None]), gram(b[None])
    seen, expected = number(answer(a.clone(), b.clone())), _relative(g, t)
    for words, wrong in (
        (
            "a larger grid gives larger sums, so divide each Gram matrix by its number of positions",
            _relative(30 * g, 21 * t),
        ),
        ("divide by the square of b's Gram matrix, the target's", _relative(t, g)),
        ("it is the plain sum of squares; divide by that of b's Gram matrix", float(((g - t) ** 2).sum())),
        ("it is the root; both sums stay squares", expected**0.5),
    ):
        _hint(seen, wrong, words)
    _equal(seen, expected, "The distance")
    _equal(number(answer(b.clone(), b.clone())), 0.0, "The distance of features to themselves")


@exercise("14.2")
def keep_colours(answer: Callable) -> None:
    """answer(photo, painted) -> (1, 3, H, W): the photo as bright as the painting, in its own colours, in [0,
    1].
    """
    photo, painted = 0.3 + 0.4 * drawn(1, 3, 6, 5).sigmoid(), 0.3 + 0.4 * drawn(1, 3, 6, 5, seed=1).sigmoid()
    seen = answer(photo.clone(), painted.clone())
    still, plain = photo + luminance(painted), photo + (painted - photo).mean(1, keepdim=True)
    turned = "this is the painting in the photo's brightness; it should be the other way round."
    unless(seen, with_luminance_of(painted, photo), turned)
    unless(seen, plain, "brightness is not the plain mean of the three colours: 0.299, 0.587, 0.114.")
    for wrong in (still, still.clamp(0, 1)):
        unless(seen, wrong, "the brightness of the photo is still in it; take that off first.")
    same(seen, with_luminance_of(photo, painted), "The picture")
    seen = answer(torch.ones(1, 3, 2, 2) * torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1), torch.ones(1, 3, 2, 2))
    if seen.max() > 1 or seen.min() < 0:
        raise NotYet("a pure red made as bright as white leaves [0, 1]; clip it.")


@exercise("14.3")
def without_gram(answer: Callable) -> None:
    """answer(f, a) -> one number: ||f f^T / M - a a^T / M'||^2, f (K, M) and a (K, M'), from products of
    positions only.
    """
    f, a = drawn(3, 7), drawn(3, 5, seed=1)
    expected = float(((f @ f.T / 7 - a @ a.T / 5) ** 2).sum())
    seen = number(answer(f.clone(), a.clone()))
    plain = float((f.T @ f).mean() + (a.T @ a).mean() - 2 * (f.T @ a).mean())
    sums = float(((f.T @ f) ** 2).sum() + ((a.T @ a) ** 2).sum() - 2 * ((f.T @ a) ** 2).sum())
    once = float(((f.T @ f) ** 2).mean() + ((a.T @ a) ** 2).mean() - ((f.T @ a) ** 2).mean())
    for words, wrong in (
        ("the products have to be squared; without squares it compares the mean features only", plain),
        ("take means over all pairs of positions, not sums", sums),
        ("the mixed pairs count twice", once),
    ):
        _hint(seen, wrong, words)
    _equal(seen, expected, "The distance")


def _relative(g: torch.Tensor, t: torch.Tensor) -> float:
    return float(((g - t) ** 2).sum() / (t**2).sum())


def _hint(seen: float, wrong: float, words: str) -> None:
    if abs(seen - wrong) <= 1e-4 * abs(wrong):
        raise NotYet(f"{words}.")


def _equal(seen: float, expected: float, what: str) -> None:
    if not abs(seen - expected) <= 1e-3 * max(1e-2, abs(expected)):
        raise NotYet(f"{what} should be {expected:.4g}; yours is {seen:.4g}.")
