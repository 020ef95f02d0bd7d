"""Right and wrong answers to the exercises of notebook 14, neural style."""

import torch

from vizlib.course import checks

WEIGHTS = torch.tensor([0.299, 0.587, 0.114])


def distance(a, b, positions=True, root=False):
    a, b = a.flatten(1), b.flatten(1)
    g, t = (x @ x.T / (x.shape[1] if positions else 1) for x in (a, b))
    value = ((g - t) ** 2).sum() / (t**2).sum()
    return value**0.5 if root else value


def bright(image, weights=WEIGHTS):
    return torch.einsum("c,nchw->nhw", weights, image)[:, None]


def coloured(photo, painted, weights=WEIGHTS):
    return (photo + bright(painted, weights) - bright(photo, weights)).clamp(0, 1)


def kernels(f, a, power=2, mixed=2, mean=torch.Tensor.mean):
    same, others, both = (mean((x.T @ y) ** power) for x, y in ((f, f), (a, a), (f, a)))
    return same + others - mixed * both


RIGHT = {checks.style_distance: distance, checks.keep_colours: coloured, checks.without_gram: kernels}

WRONG = [
    (checks.style_distance, lambda a, b: distance(a, b, positions=False), "by its number of positions"),
    (checks.style_distance, lambda a, b: distance(b, a), "the target's"),
    (checks.style_distance, lambda a, b: distance(a, b, root=True), "it is the root"),
    (checks.style_distance, lambda a, b: torch.zeros(2), "should be one number"),
    (checks.style_distance, lambda a, b: 2 * distance(a, b), "The distance should be"),
    (checks.keep_colours, lambda photo, painted: coloured(painted, photo), "the other way round"),
    (
        checks.keep_colours,
        lambda photo, painted: coloured(photo, painted, torch.full((3,), 1 / 3)),
        "not the plain mean",
    ),
    (checks.keep_colours, lambda photo, painted: photo + bright(painted), "take that off first"),
    (checks.keep_colours, lambda photo, painted: photo + bright(painted) - bright(photo), "clip it"),
    (
        checks.keep_colours,
        lambda photo, painted: coloured(photo, painted)[0],
        "should have the shape (1, 3, 6, 5)",
    ),
    (checks.without_gram, lambda f, a: kernels(f, a, power=1), "have to be squared"),
    (checks.without_gram, lambda f, a: kernels(f, a, mean=torch.Tensor.sum), "not sums"),
    (checks.without_gram, lambda f, a: kernels(f, a, mixed=1), "count twice"),
    (checks.without_gram, lambda f, a: 0.5 * kernels(f, a), "The distance should be"),
]
