"""Right and wrong answers to the exercises of notebook 10, inverting by networks."""

import torch

from vizlib.course import checks


def error(images, guesses, pairs=lambda n: n * (n - 1), power=1):
    x, f = images.flatten(1), guesses.flatten(1)
    apart = (torch.cdist(x, x) ** power).sum() / pairs(len(x))
    return float(((x - f).norm(dim=1) ** power).mean() / apart)


def guess(pictures, codes):
    return torch.stack([pictures[codes == c].mean(0) for c in codes])


def linear(codes, pictures, constant=True):
    x, y = (codes - codes.mean(0), pictures - pictures.mean(0)) if constant else (codes, pictures)
    return x @ torch.linalg.pinv(x) @ y + constant * pictures.mean(0)


RIGHT = {checks.normalized_error: error, checks.best_guess: guess, checks.linear_guess: linear}

WRONG = [
    (
        checks.normalized_error,
        lambda *given: error(*given, pairs=lambda n: n * n),
        "should not count among the pairs",
    ),
    (checks.normalized_error, lambda *given: 2 * error(*given) - 0.5 + 1e-9, "for six pictures"),
    (checks.normalized_error, lambda *given: error(*given) * 3, "should be 0.5"),
    (checks.best_guess, lambda pictures, codes: pictures.clone(), "not at the picture"),
    (
        checks.best_guess,
        lambda pictures, codes: pictures.mean(0).expand_as(pictures),
        "For codes 3, 5, 3, 9, 5, 3, 5",
    ),
    (
        checks.best_guess,
        lambda pictures, codes: pictures.copy_(guess(pictures, codes)),
        "wrote into the pictures",
    ),
    (checks.linear_guess, lambda *given: linear(*given, constant=False), "constant b is missing"),
    (checks.linear_guess, lambda codes, pictures: pictures.mean(0).expand_as(pictures), "off by up to"),
]
