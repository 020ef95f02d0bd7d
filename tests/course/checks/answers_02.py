"""Right and wrong answers to the exercises of notebook 02, deconvnet."""

import torch
import torch.nn.functional as F

from vizlib.course import checks


def projected(w1, w2, picture, other):
    """The activation of `picture` with the switches of `other`, as the slope of the two blocks applied to
        `other`, ReLUs passing what is
    positive on the way back."""
    switches = []
    for x in (picture, other):
        p1, s1 = F.max_pool2d(F.conv2d(x, w1, padding=w1.shape[-1] // 2).relu(), 2, return_indices=True)
        p2, s2 = F.max_pool2d(F.conv2d(p1, w2, padding=w2.shape[-1] // 2).relu(), 2, return_indices=True)
        switches.append((p2, s2, s1))
    signal = switches[0][0]
    for s, w in zip(switches[1][1:], (w2, w1), strict=True):
        signal = RIGHT[checks.one_block_down](signal, s, w)
    return signal


def adjoint_error(forward, backward, x_shape, y_shape):
    x, y = torch.ones(x_shape, dtype=torch.double), torch.eye(*y_shape, dtype=torch.double)
    left, right = (forward(x) * y).sum(), (x * backward(y)).sum()
    return float((left - right).abs() / left.abs())


RIGHT = {
    checks.one_block_down: lambda R, s, w: F.conv_transpose2d(
        F.max_unpool2d(R.clamp(min=0), s, 2), w, padding=w.shape[-1] // 2
    ),
    checks.project_with_switches_of: projected,
    checks.adjoint_error: adjoint_error,
}

WRONG = [
    (
        checks.one_block_down,
        lambda R, s, w: F.conv_transpose2d(F.max_unpool2d(R, s, 2), w, padding=2),
        "the ReLU is missing",
    ),
    (
        checks.one_block_down,
        lambda R, s, w: F.conv_transpose2d(F.max_unpool2d(R.relu(), s, 2), w),
        "should have the shape",
    ),
    (checks.adjoint_error, lambda f, b, xs, ys: 0.0, "you find an error of only 0"),
    (checks.adjoint_error, lambda f, b, xs, ys: 1.0, "but for rounding; you find 1"),
    (checks.adjoint_error, lambda f, b, xs, ys: torch.tensor(0), "the answer is a float"),
    (
        checks.project_with_switches_of,
        lambda w1, w2, x, other: projected(w1, w2, x, x),
        "the picture with its own switches",
    ),
    (
        checks.project_with_switches_of,
        lambda w1, w2, x, other: projected(w1, w2, other, other),
        "the other picture with its own",
    ),
]
