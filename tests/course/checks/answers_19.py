"""Right and wrong answers to the exercises of notebook 19, side by side."""

import statistics

import torch
import torch.nn.functional as F

import vizlib as vz
from vizlib.course import checks


def paired(a, b, spread=statistics.stdev):
    gaps = [x - y for x, y in zip(a, b, strict=True)]
    return statistics.mean(gaps), spread(gaps) / len(gaps) ** 0.5


def unpaired(a, b):
    return statistics.mean(a) - statistics.mean(b), (
        (statistics.variance(a) + statistics.variance(b)) / len(a)
    ) ** 0.5


def hill(image):
    y = torch.linspace(-1, 1, image.shape[-1])
    return (-4 * (y[:, None] ** 2 + y**2)).exp().expand_as(image[:, :1])


def odd_one_in_the_middle(image):
    return (image - image.mean((2, 3), keepdim=True)).square().sum(1, keepdim=True) * hill(image)


def within(maps, masks, tolerance, side=lambda t: 2 * t + 1):
    k = side(tolerance)
    return vz.pointing_game(maps, F.max_pool2d(masks, k, 1, k // 2))


RIGHT = {
    checks.hits_within: within,
    checks.paired_difference: paired,
    checks.blind_map: odd_one_in_the_middle,
}

WRONG = [
    (
        checks.hits_within,
        lambda maps, masks, tolerance: vz.pointing_game(maps, masks),
        "with a tolerance of 2 your answer is False",
    ),
    (
        checks.hits_within,
        lambda *given: within(*given, side=lambda t: 4 * t + 1),
        "with a tolerance of 1 your answer is True",
    ),
    (checks.hits_within, lambda *given: True, "one entry per map"),
    (
        checks.hits_within,
        lambda maps, *given: within(maps, *given)[:1].expand(len(maps)),
        "not for a batch of twelve",
    ),
    (checks.paired_difference, unpaired, "take the pairs together"),
    (checks.paired_difference, lambda a, b: paired(a, b, statistics.pstdev), "Divide by n - 1"),
    (checks.paired_difference, lambda a, b: paired(b, a), "the mean difference is 2.5; yours is -2.5"),
    (checks.paired_difference, lambda a, b: paired(a, b)[0], "return two numbers"),
    (checks.blind_map, hill, "3.2 is asked for"),
    (checks.blind_map, lambda image: image, "should have the shape (1, 1, 224, 224)"),
    (checks.blind_map, lambda image: hill(image) * torch.nan, "NaN or infinite"),
]
