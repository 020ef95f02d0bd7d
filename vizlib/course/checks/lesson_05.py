"""Checks of the exercises of notebook 05, SmoothGrad and integrated gradients."""

from collections.abc import Callable

import torch

from ...attribution import gradient, integrated_gradients
from .verdict import example, exercise, same, unless


@exercise("05.1")
def from_slopes(answer: Callable) -> None:
    """answer(slopes, image, baseline) -> (1, 3, H, W): integrated gradients from slopes at evenly spaced
    points.
    """
    generator = torch.Generator().manual_seed(0)
    slopes = torch.randn(4, 3, 5, 6, generator=generator)
    image, baseline = torch.rand(2, 1, 3, 5, 6, generator=generator)
    mean = slopes.mean(0, keepdim=True)
    seen = answer(slopes.clone(), image.clone(), baseline.clone())
    unless(seen, mean, "this is the mean slope; on a linear network its sum would not be S(x) - S(x').")
    same(seen, (image - baseline) * mean, "The attribution")


@exercise("05.2")
def smoothgrad_squared(answer: Callable) -> None:
    """answer(net, image, target, noises) -> (1, 3, H, W): the mean of the squared gradients at the noisy
    copies, clipped to [0, 1].
    """
    net, images = example()
    generator = torch.Generator().manual_seed(0)
    noises = [0.1 * torch.randn(images[:1].shape, generator=generator) for _ in range(3)]
    slopes = gradient(net, torch.cat([(images[:1] + noise).clamp(0, 1) for noise in noises]), "ladybug")
    seen = answer(net, images[:1].clone(), "ladybug", [noise.clone() for noise in noises])
    wrong = slopes.mean(0, keepdim=True) ** 2
    unless(seen, wrong, "this is the square of the mean; square before you average.", tolerance=1e-3)
    same(seen, (slopes**2).mean(0, keepdim=True), "The map", tolerance=1e-3)


@exercise("05.3")
def expected_gradients(answer: Callable) -> None:
    """answer(net, image, target, baselines, steps) -> (1, 3, H, W): integrated gradients, averaged over
    baselines.
    """
    net, images = example()
    baselines: list = ["black", 0.7, (0.1, 0.4, 0.9)]
    each = [integrated_gradients(net, images[:1], "ladybug", baseline=b, steps=4) for b in baselines]
    seen = answer(net, images[:1].clone(), "ladybug", list(baselines), steps=4)
    same(seen, torch.stack(each).mean(0), "The attribution", tolerance=1e-2)
