"""Checks of the exercises of notebook 02, deconvnet."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from .verdict import NotYet, exercise, same, unless


@exercise("02.1")
def one_block_down(answer: Callable) -> None:
    """answer(signal, switches, weight) -> (N, C, 2h, 2w): unpool, ReLU, transposed convolution."""
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(2, 4, 6, 8, generator=generator), torch.randn(4, 3, 5, 5, generator=generator)
    switches = F.max_pool2d(x, 2, return_indices=True)[1]
    signal = torch.randn(switches.shape, generator=generator)
    seen = answer(signal.clone(), switches.clone(), weight.clone())
    unpooled = F.max_unpool2d(signal, switches, 2)
    without = F.conv_transpose2d(unpooled, weight, padding=2)
    unless(seen, without, "the ReLU is missing: on its way back the signal loses what is negative.")
    same(seen, F.conv_transpose2d(unpooled.relu(), weight, padding=2), "The signal")


@exercise("02.2")
def adjoint_error(answer: Callable) -> None:
    """answer(forward, backward, x_shape, y_shape) -> the largest relative difference of <f(x), y> and <x,
    b(y)>.
    """
    weight = torch.tensor([[1.0, -2.0, 0.5], [3.0, 1.0, -1.0]])

    def forward(x):
        return x @ weight.T.to(x.dtype)

    right = answer(forward, lambda y: y @ weight.to(y.dtype), (4, 3), (4, 2))
    if not isinstance(right, float):
        raise NotYet(f"the answer is a float; yours is a {type(right).__name__}.")
    if not 0 <= right < 1e-4:
        raise NotYet(f"for a matrix and its transpose the error is 0 but for rounding; you find {right:.2g}.")
    wrong = answer(forward, lambda y: y @ weight.abs().to(y.dtype), (4, 3), (4, 2))
    if not wrong > 1e-2:
        raise NotYet(
            f"for a matrix and something that is not its transpose you find an error of only {wrong:.2g}."
        )


@exercise("02.3")
def project_with_switches_of(answer: Callable) -> None:
    """answer(w1, w2, picture, other) -> (1, C, H, W): the activation of one picture sent back with the
    switches of another.
    """
    generator = torch.Generator().manual_seed(0)
    w1, w2 = torch.randn(4, 3, 5, 5, generator=generator), torch.randn(6, 4, 3, 3, generator=generator)
    pictures = torch.rand(2, 1, 3, 16, 16, generator=generator)

    def project(picture, other):
        kept = []
        for x in (picture, other):
            p1, s1 = F.max_pool2d(F.conv2d(x, w1, padding=2).relu(), 2, return_indices=True)
            p2, s2 = F.max_pool2d(F.conv2d(p1, w2, padding=1).relu(), 2, return_indices=True)
            kept.append((p2, s1, s2))
        signal, s1, s2 = kept[0][0], *kept[1][1:]
        signal = F.conv_transpose2d(F.max_unpool2d(signal, s2, 2).relu(), w2, padding=1)
        return F.conv_transpose2d(F.max_unpool2d(signal, s1, 2).relu(), w1, padding=2)

    seen = answer(w1.clone(), w2.clone(), *(x.clone() for x in pictures))
    mistakes = {
        (0, 0): "this is the picture with its own switches.",
        (1, 1): "this is the other picture with its own switches.",
        (1, 0): "the two pictures have changed their roles.",
    }
    for pair, hint in mistakes.items():
        unless(seen, project(*pictures[list(pair)]), hint, tolerance=1e-3)
    same(seen, project(*pictures), "The projection", tolerance=1e-3)
