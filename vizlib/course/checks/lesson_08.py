"""Checks of the exercises of notebook 08, activation maximization."""

from collections.abc import Callable

import torch

from ...attribution import gradient
from .verdict import drawn, example, exercise, same, unless


@exercise("08.1")
def on_the_sphere(answer: Callable) -> None:
    """answer(x, g, rate, rho) -> (N, C, H, W): one step along g, then back to norm rho, each picture for
    itself.
    """
    x, g = torch.tensor([3.0, 0.0]).view(1, 1, 1, 2), torch.tensor([0.0, 4.0]).view(1, 1, 1, 2)
    same(
        answer(x.clone(), g.clone(), 1.0, 10.0),
        torch.tensor([6.0, 8.0]).view(1, 1, 1, 2),
        "From (3, 0) by (0, 4) to norm 10: the picture",
    )
    x, g = drawn(2, 3, 5, 6), drawn(2, 3, 5, 6, seed=1)
    moved = x + 0.5 * g
    seen = answer(x.clone(), g.clone(), 0.5, 2.0)
    both = 2 * moved / moved.norm()
    unless(seen, both, "the batch as a whole has norm 2; each of its pictures should have it.")
    same(seen, 2 * moved / moved.flatten(1).norm(dim=1).view(-1, 1, 1, 1), "For a batch the picture")


@exercise("08.2")
def class_model_slope(answer: Callable) -> None:
    """answer(net, x, k, weight) -> (1, 3, H, W): the slope of S_k(x) - weight * ||x - 0.5||^2."""
    net, images = example()
    x, k = images[:1], net.index("goldfish")
    slope = gradient(net, x, k)
    seen = answer(net, x.clone(), k, 0.01)
    for hint, wrong in (
        (
            "this is the slope with the square of x; what is subtracted is its distance from mid-grey.",
            slope - 0.02 * x,
        ),
        ("the square has a slope of twice its root.", slope - 0.01 * (x - 0.5)),
        ("this is the slope of the logit alone.", slope),
    ):
        unless(seen, wrong, hint, tolerance=1e-3)
    same(seen, slope - 0.02 * (x - 0.5), "The slope", tolerance=1e-3)


@exercise("08.3")
def from_waves(answer: Callable) -> None:
    """answer(z) -> (H, W): the grey picture of amplitudes z (H, W // 2 + 1), divided by frequencies of 1 / W
    or more.
    """
    z = torch.zeros(8, 5, dtype=torch.complex64)
    z[0, 2] = 8.0  # two waves a row: frequency 1 / 4, weight 4
    expected = torch.fft.irfft2(z * 4, s=(8, 8), norm="ortho").sigmoid()
    same(answer(z.clone()), expected, "For one wave of 4 pixels the picture")
    z = torch.complex(drawn(8, 5), drawn(8, 5, seed=1))
    fy, fx = torch.fft.fftfreq(8)[:, None], torch.fft.rfftfreq(8)[None]
    weight = 1 / (fy**2 + fx**2).sqrt().clamp(min=1 / 8)
    same(
        answer(z.clone()),
        torch.fft.irfft2(z * weight, s=(8, 8), norm="ortho").sigmoid(),
        "For noise the picture",
        tolerance=1e-3,
    )
