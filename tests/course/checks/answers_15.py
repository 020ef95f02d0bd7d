"""Right and wrong answers to the exercises of notebook 15, textures and FRAME."""

import torch

from vizlib.course import checks


def gram(a, mean=True):
    a = a.flatten(1)
    return a @ a.T / (a.shape[1] if mean else 1)


def step(x, slope, sigma, eps, z, pull=2, noise=1):
    return x + eps**2 / 2 * (slope - x / sigma**pull) + eps**noise * z


def one_round(filters, x, w, observed, sigma, eps, rate, z, sign=1, late=True):
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad((filters(x) * w.view(1, -1, 1, 1)).sum(), x)
    before, x = x.detach(), step(x.detach(), slope, sigma, eps, z)
    return x, w + sign * rate * (observed - filters(x if late else before).mean((0, 2, 3)))


RIGHT = {checks.gram_matrix: gram, checks.langevin_step: step, checks.frame_round: one_round}

WRONG = [
    (checks.gram_matrix, lambda a: gram(a, mean=False), "Take the mean"),
    (checks.gram_matrix, lambda a: gram(a)[None], "should have the shape (2, 2)"),
    (checks.gram_matrix, lambda a: torch.cov(a.flatten(1)), "has values below zero"),
    (
        checks.langevin_step,
        lambda x, slope, sigma, eps, z: x + eps**2 / 2 * slope + eps * z,
        "the pull back to the middle is missing",
    ),
    (checks.langevin_step, lambda *given: step(*given, pull=1), "it should be by its square"),
    (checks.langevin_step, lambda *given: step(*given[:4], 0 * given[4]), "the noise is missing"),
    (
        checks.langevin_step,
        lambda x, slope, sigma, eps, z: step(x, slope, sigma, eps, eps / 2 * z),
        "it should have eps",
    ),
    (checks.frame_round, lambda *given: one_round(*given)[0], "the answer is the pair x, w"),
    (checks.frame_round, lambda *given: one_round(*given, sign=-1), "observed minus synthesised"),
    (checks.frame_round, lambda *given: one_round(*given, late=False), "before the step"),
    (checks.frame_round, lambda filters, x, w, *rest: (x, w), "off by up to"),
]
