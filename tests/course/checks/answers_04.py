"""Right and wrong answers to the exercises of notebook 04, gradients."""

import torch

import vizlib as vz
from vizlib.course import checks


def sensitivity(method, net, images, a, b):
    first, second = (method(net, images, k).abs().amax(1, keepdim=True) for k in (a, b))
    return 1 - vz.rank_correlation(first, second)


RIGHT = {
    checks.darkening_map: lambda net, x, k: vz.saliency(net, x, k, part="negative"),
    checks.fourth_rule: lambda g, gate: gate(g).clamp(max=0),
    checks.class_sensitivity: sensitivity,
}

WRONG = [
    (
        checks.darkening_map,
        lambda net, x, k: vz.saliency(net, x, k, part="positive"),
        "where *more* light would help",
    ),
    (
        checks.darkening_map,
        lambda net, x, k: vz.saliency(net, x, k, part="negative")[:, 0],
        "keepdim=True keeps it",
    ),
    (
        checks.darkening_map,
        lambda net, x, k: vz.gradient(net, x, k).max(1, keepdim=True),
        ".amax(dim) only the values",
    ),
    (
        checks.darkening_map,
        lambda net, x, k: -vz.gradient(net, x, k).amin(1, keepdim=True),
        "has values below zero",
    ),
    (checks.fourth_rule, lambda g, gate: -gate(g).clamp(max=0), "has the wrong sign"),
    (checks.fourth_rule, lambda g, gate: gate(g) < 0, "should hold floating-point numbers"),
    (checks.class_sensitivity, lambda *given: torch.zeros(2), "sensitivity of gradient"),
]
