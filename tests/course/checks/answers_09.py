"""Right and wrong answers to the exercises of notebook 09, inverting by optimization."""

import math

import torch

from vizlib.course import checks


def variation(x):
    return x.diff(dim=3).square().sum((1, 2, 3)) + x.diff(dim=2).square().sum((1, 2, 3))


def on_the_wrong_axes(x):
    return (x[:, :-1, :-1] - x[:, 1:, :-1]).square().sum((1, 2, 3)) + (
        x[:, :-1, :-1] - x[:, :-1, 1:]
    ).square().sum((1, 2, 3))


def without_last_edges(x):
    return x.diff(dim=3)[:, :, :-1].square().sum((1, 2, 3)) + x.diff(dim=2)[..., :-1].square().sum((1, 2, 3))


def nearest(A, c, start):
    return start - A.T @ torch.linalg.solve(A @ A.T, A @ start - c)


def bins(dx, dy, K, closed=True, length=True):
    place = torch.atan2(dy, dx) % (2 * math.pi) * K / math.pi
    low, share = place.floor().long(), place.frac()
    size = torch.hypot(dx, dy) if length else torch.ones_like(dx)
    result = torch.zeros(2 * K + 1, *dx.shape).scatter_add_(0, low[None], ((1 - share) * size)[None])
    result = result.scatter_add_(0, low[None] + 1, (share * size)[None])
    if closed:
        result[0] += result[2 * K]
    return result[: 2 * K]


def hard(dx, dy, K):
    t = math.pi * torch.arange(2 * K).view(-1, 1, 1) / K
    best = (t.cos() * dx + t.sin() * dy).argmax(0, keepdim=True)
    return torch.zeros(2 * K, *dx.shape).scatter(0, best, torch.hypot(dx, dy)[None])


RIGHT = {checks.total_variation: variation, checks.nearest_with_code: nearest, checks.orientation_bins: bins}

WRONG = [
    (
        checks.total_variation,
        on_the_wrong_axes,
        "plain red has no edge: its total variation should be 0; yours is 12",
    ),
    (
        checks.total_variation,
        lambda x: x.diff(dim=2).square().sum((1, 2, 3)),
        "upright stripes in three colours have 36 edges",
    ),
    (checks.total_variation, without_last_edges, "should be 36; yours is 27"),
    (checks.total_variation, lambda x: variation(x).sum(), "should have the shape (2,)"),
    (checks.nearest_with_code, lambda A, c, start: torch.linalg.pinv(A) @ c, "the start does not count"),
    (
        checks.nearest_with_code,
        lambda A, c, start: start + A.T @ (c - A @ start) / A.square().sum(),
        "the picture has another code",
    ),
    (checks.nearest_with_code, lambda A, c, start: start, "off by up to 100%"),
    (checks.orientation_bins, hard, "it should be shared between 20 and 40 degrees"),
    (checks.orientation_bins, lambda *given: bins(*given, closed=False), "the circle is not closed"),
    (
        checks.orientation_bins,
        lambda *given: bins(*given, length=False),
        "multiplied by the gradient's length",
    ),
    (checks.orientation_bins, lambda dx, dy, K: bins(dy, dx, K), "off by up to"),
]
