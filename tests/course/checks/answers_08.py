"""Right and wrong answers to the exercises of notebook 08, activation maximization."""

import torch

import vizlib as vz
from vizlib.course import checks


def sphere(x, g, rate, rho, dims=(1, 2, 3)):
    moved = x + rate * g
    return rho * moved / moved.square().sum(dims, keepdim=True).sqrt()


def slope(net, x, k, weight, factor=2, grey=0.5):
    return vz.gradient(net, x, k) - factor * weight * (x - grey)


def waves(z, least=1 / 8, power=1):
    f = (torch.fft.fftfreq(8)[:, None] ** 2 + torch.fft.rfftfreq(8)[None] ** 2).sqrt()
    return torch.fft.irfft2(z / f.clamp(min=least) ** power, s=(8, 8), norm="ortho").sigmoid()


RIGHT = {checks.on_the_sphere: sphere, checks.class_model_slope: slope, checks.from_waves: waves}

WRONG = [
    (
        checks.on_the_sphere,
        lambda *given: sphere(*given, dims=(0, 1, 2, 3)),
        "each of its pictures should have it",
    ),
    (checks.on_the_sphere, lambda x, g, rate, rho: x + rate * g, "off by up to"),
    (checks.class_model_slope, lambda *given: slope(*given, grey=0), "its distance from mid-grey"),
    (checks.class_model_slope, lambda *given: slope(*given, factor=1), "twice its root"),
    (checks.class_model_slope, lambda net, x, k, weight: vz.gradient(net, x, k), "the logit alone"),
    (checks.from_waves, lambda z: waves(z, least=1 / 4), "off by up to"),
    (checks.from_waves, lambda z: waves(z, power=0), "For one wave of 4 pixels"),
    (checks.from_waves, lambda z: waves(z)[None], "should have the shape (8, 8)"),
]
