"""Checks of the exercises of notebook 09, inverting by optimization."""

import math
from collections.abc import Callable

import torch

from .verdict import NotYet, drawn, exercise, rounding, same, unless


@exercise("09.1")
def total_variation(answer: Callable) -> None:
    """answer(x) -> (N,): the squared differences between all neighbours in a row and in a column, summed over
    pixels and colours.
    """
    stripes, red = torch.tensor([0.0, 1, 0, 1]).expand(1, 3, 4, 4).contiguous(), torch.zeros(1, 3, 4, 4)
    red[:, 0] = 1
    for words, x, expected in (
        ("plain red has no edge: its total variation", red, 0.0),
        (
            "four upright stripes in three colours have 36 edges between neighbours: their total variation",
            stripes,
            36.0,
        ),
        ("four lying stripes in three colours: their total variation", stripes.mT.contiguous(), 36.0),
    ):
        seen = answer(x.clone())
        if (
            isinstance(seen, torch.Tensor)
            and seen.shape == (1,)
            and abs(float(seen.detach()) - expected) > 1e-3
        ):
            raise NotYet(
                f"{words} should be {expected:g}; yours is {float(seen.detach()):g}. Which axes are compared?"
            )
    x = drawn(2, 3, 5, 7)
    both = (x[..., 1:] - x[..., :-1]).pow(2).sum((1, 2, 3)) + (x[..., 1:, :] - x[..., :-1, :]).pow(2).sum(
        (1, 2, 3)
    )
    same(answer(x.clone()), both, "For noise the total variation")


@exercise("09.2")
def nearest_with_code(answer: Callable) -> None:
    """answer(A, c, start) -> (n,): the x with A x = c that is nearest to start."""
    A, c = torch.tensor([[1.0, 2.0]]), torch.tensor([2.0])
    same(
        answer(A.clone(), c.clone(), torch.zeros(2)),
        torch.tensor([0.4, 0.8]),
        "For x1 + 2 x2 = 2 from (0, 0) the answer",
    )
    A, start = drawn(3, 8), drawn(8, seed=1)
    c = A @ drawn(8, seed=2)
    seen = answer(A.clone(), c.clone(), start.clone())
    expected = start + torch.linalg.pinv(A) @ (c - A @ start)
    if isinstance(seen, torch.Tensor) and seen.shape == start.shape and seen.is_floating_point():
        slack = 1e-3 + 8 * rounding(seen)
        if not torch.allclose(A @ seen.detach().float(), c, atol=slack, rtol=slack):
            raise NotYet("A x is not c: the picture has another code.")
    nearest_to_zero = torch.linalg.pinv(A) @ c
    hint = "this is the answer that is nearest to zero; the start does not count in it."
    unless(seen, nearest_to_zero, hint, tolerance=1e-3)
    same(seen, expected, "For a code of three numbers the answer", tolerance=1e-3)


@exercise("09.3")
def orientation_bins(answer: Callable) -> None:
    """answer(dx, dy, K) -> (2K, H, W): each gradient's length, shared between the two bins nearest to its
    direction.
    """
    K, degrees = 9, torch.tensor([[25.0, 40.0, 355.0]])
    expected = torch.zeros(2 * K, 1, 3)
    expected[1, 0, 0], expected[2, 0, 0] = 1.5, 0.5
    expected[2, 0, 1] = 2.0
    expected[17, 0, 2], expected[0, 0, 2] = 0.5, 1.5
    t = torch.deg2rad(degrees)
    seen = answer(2 * t.cos(), 2 * t.sin(), K)
    if isinstance(seen, torch.Tensor) and seen.shape == expected.shape and seen.is_floating_point():
        slack = 1e-3 + 8 * rounding(seen)
        off = (seen.detach().float() - expected).abs().amax(0)[0] > slack  # for each of the three gradients
        if off.tolist() == [False, False, True]:
            raise NotYet(
                "25 and 40 degrees are right, 355 is not: the circle is not closed, it lies between the last "
                "bin and the first."
            )
        unless(seen, expected / 2, "the shares are right, but are to be multiplied by the gradient's length.")
        if int((seen[:, 0, 0].abs() > slack).sum()) == 1:
            raise NotYet(
                "a gradient at 25 degrees is in one bin alone; it should be shared between 20 and 40 degrees."
            )
    same(seen, expected, "For gradients of length 2 at 25, 40 and 355 degrees the code", tolerance=1e-3)
    dx, dy, K = drawn(4, 5), drawn(4, 5, seed=1), 4
    away = (
        torch.remainder(torch.atan2(dy, dx) * K / math.pi - torch.arange(2 * K).view(-1, 1, 1) + K, 2 * K) - K
    )
    same(
        answer(dx.clone(), dy.clone(), K),
        (1 - away.abs()).clamp(min=0) * torch.hypot(dx, dy),
        "For noise the code",
        tolerance=1e-3,
    )
