"""Checks of the exercises of notebook 09, inverting by optimization."""

import math

import torch

from .verdict import NotYet, drawn, exercise, same


@exercise("09.1")
def total_variation(answer):
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
        if isinstance(seen, torch.Tensor) and seen.shape == (1,) and abs(float(seen) - expected) > 1e-3:
            raise NotYet(
                f"{words} should be {expected:g}; yours is {float(seen):g}. Which axes do you compare?"
            )
    x = drawn(2, 3, 5, 7)
    both = (x[..., 1:] - x[..., :-1]).pow(2).sum((1, 2, 3)) + (x[..., 1:, :] - x[..., :-1, :]).pow(2).sum(
        (1, 2, 3)
    )
    same(answer(x.clone()), both, "For noise the total variation")


@exercise("09.2")
def nearest_with_code(answer):
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
    if isinstance(seen, torch.Tensor) and seen.shape == start.shape:
        if not torch.allclose(A @ seen, c, atol=1e-3):
            raise NotYet("A x is not c: the picture has another code.")
        if torch.allclose(seen, torch.linalg.pinv(A) @ c, atol=1e-3):
            raise NotYet("this is the answer that is nearest to zero; the start does not count in it.")
    same(
        seen,
        start + torch.linalg.pinv(A) @ (c - A @ start),
        "For a code of three numbers the answer",
        tolerance=1e-3,
    )


@exercise("09.3")
def orientation_bins(answer):
    """answer(dx, dy, K) -> (2K, H, W): each gradient's length, shared between the two bins nearest to its
    direction.
    """
    K, degrees = 9, torch.tensor([[25.0, 40.0, 355.0]])
    expected = torch.zeros(2 * K, 1, 3)
    expected[1, 0, 0], expected[2, 0, 0], expected[2, 0, 1], expected[17, 0, 2], expected[0, 0, 2] = (
        1.5,
        0.5,
        2.0,
        0.5,
        1.5,
    )
    t = torch.deg2rad(degrees)
    seen = answer(2 * t.cos(), 2 * t.sin(), K)
    if isinstance(seen, torch.Tensor) and seen.shape == expected.shape:
        if torch.allclose(seen[:, 0, :2], expected[:, 0, :2], atol=1e-3) and not torch.allclose(
            seen, expected, atol=1e-3
        ):
            raise NotYet(
                "25 and 40 degrees are right, 355 is not: the circle is not closed, it lies between the last "
                "bin and the first."
            )
        if torch.allclose(2 * seen, expected, atol=1e-3):
            raise NotYet("the shares are right; they should be multiplied by the gradient's length.")
        if int((seen[:, 0, 0].abs() > 1e-4).sum()) == 1:
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
