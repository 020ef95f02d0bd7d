"""Right and wrong answers to the exercises of notebook 13, deep dream."""

import torch

from vizlib.course import checks


def step(x, g, rate, size=lambda g: g.abs().mean((1, 2, 3), keepdim=True), bounds=(0, 1)):
    return (x + rate * g / size(g)).clamp(*bounds)


def octave(base, detail, climb):
    enlarged = torch.nn.functional.interpolate(detail, base.shape[-2:], mode="bicubic")
    x = climb((base + enlarged).clamp(0, 1))
    return x, x - base


def guided(a, b):
    a_rows, b_rows = a.flatten(1).T, b.flatten(1).T
    return torch.stack([max(b_rows, key=lambda row: float(row @ here)) for here in a_rows], 1).reshape(
        a.shape
    )


def nearest(a, b):
    best = torch.cdist(a.flatten(1).T, b.flatten(1).T).argmin(1)
    return b.flatten(1)[:, best].reshape(a.shape)


def from_the_start(base, detail, climb):
    enlarged = torch.nn.functional.interpolate(detail, base.shape[-2:], mode="bicubic")
    start = (base + enlarged).clamp(0, 1)
    return climb(start), climb(start) - start


RIGHT = {checks.dream_step: step, checks.one_octave: octave, checks.guided_slope: guided}

WRONG = [
    (
        checks.dream_step,
        lambda *given: step(*given, size=lambda g: g.abs().mean()),
        "the mean of its own slope",
    ),
    (
        checks.dream_step,
        lambda *given: step(*given, size=lambda g: g.mean((1, 2, 3), keepdim=True)),
        "cancel in its mean",
    ),
    (checks.dream_step, lambda *given: step(*given, bounds=(None, 9)), "some values have left [0, 1]"),
    (checks.dream_step, lambda x, g, rate: step(x, -g, rate), "down the slope"),
    (checks.dream_step, lambda x, g, rate: (x + rate * g).clamp(0, 1), "off by up to"),
    (checks.one_octave, lambda *given: octave(*given)[0], "returns two tensors"),
    (
        checks.one_octave,
        lambda base, detail, climb: octave(base, detail, lambda x: x),
        "the one before the climb",
    ),
    (checks.one_octave, lambda base, detail, climb: octave(base, 0 * detail, climb), "is lost"),
    (checks.one_octave, from_the_start, "count from the photograph"),
    (
        checks.guided_slope,
        lambda a, b: b.mean((1, 2), keepdim=True).expand_as(a),
        "For a guide of three positions",
    ),
    (checks.guided_slope, lambda a, b: guided(a, b)[:, None], "should have the shape (2, 1, 2)"),
    (checks.guided_slope, lambda a, b: guided(a, b) / 2, "off by up to"),
]
