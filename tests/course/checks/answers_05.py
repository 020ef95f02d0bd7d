"""Right and wrong answers to the exercises of notebook 05, SmoothGrad and integrated gradients."""

import torch

import vizlib as vz
from vizlib.course import checks


def squares(net, image, target, noises, *, clip=True):
    copies = torch.cat([image + noise for noise in noises])
    return (
        vz.gradient(net, copies.clamp(0, 1) if clip else copies.clamp(-9, 9).sigmoid(), target) ** 2
    ).mean(0, keepdim=True)


def square_of_the_mean(net, image, target, noises):
    return (
        vz.gradient(net, torch.cat([(image + noise).clamp(0, 1) for noise in noises]), target).mean(
            0, keepdim=True
        )
        ** 2
    )


def over_baselines(net, image, target, baselines, steps=8):
    return torch.stack(
        [vz.integrated_gradients(net, image, target, baseline=b, steps=steps) for b in baselines]
    ).mean(0)


RIGHT = {
    checks.from_slopes: lambda slopes, x, start: (x - start) * slopes.mean(0, keepdim=True),
    checks.smoothgrad_squared: squares,
    checks.expected_gradients: over_baselines,
}

WRONG = [
    (checks.from_slopes, lambda slopes, x, start: slopes.mean(0, keepdim=True), "this is the mean slope"),
    (
        checks.from_slopes,
        lambda slopes, x, start: (start - x) * slopes.mean(0, keepdim=True),
        "has the wrong sign",
    ),
    (checks.smoothgrad_squared, square_of_the_mean, "square before you average"),
    (checks.smoothgrad_squared, lambda *given: squares(*given, clip=False), "off by up to"),
    (
        checks.expected_gradients,
        lambda net, x, k, baselines, steps: over_baselines(net, x, k, baselines[:1], steps),
        "off by up to",
    ),
]
