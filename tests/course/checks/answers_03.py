"""Right and wrong answers to the exercises of notebook 03, occlusion."""

import itertools

import torch

import vizlib as vz
from vizlib.course import checks


def fall_of_box(net, image, label, rows, columns, fill):
    covered = image.clone()
    covered[..., slice(*rows), slice(*columns)] = fill
    return float(net(image)[0, net.index(label)] - net(covered)[0, net.index(label)])


def fall_of_box_on_the_spot(net, image, label, rows, columns, fill):
    before = net(image)[0, net.index(label)]
    image[..., slice(*rows), slice(*columns)] = fill
    return float(before - net(image)[0, net.index(label)])


def fall_of_probability(net, image, label, rows, columns, fill):
    covered = image.clone()
    covered[..., slice(*rows), slice(*columns)] = fill
    return float((net(image).softmax(1) - net(covered).softmax(1))[0, net.index(label)])


def share_that_differs(differ, among):
    """A function of (N, D): the share of entries in which two rows differ, `among` some of them, mean over
    pairs.
    """
    return lambda s: torch.stack(
        [(differ(a, b) & among(a, b)).sum() / among(a, b).sum() for a, b in itertools.combinations(s, 2)]
    ).mean()


def greedy(net, image, patch, looks_again=True):
    before, squares, falls = int(net(image).argmax()), [], None
    while int(net(image).argmax()) == before:
        if falls is None or looks_again:
            falls = vz.occlusion(
                net, image, lambda z: z.softmax(1)[:, before], patch=patch, stride=patch, upsample=False
            )[0, 0]
        top, left = (patch * i for i in divmod(int(falls.argmax()), falls.shape[1]))
        falls[top // patch, left // patch] = -torch.inf
        squares.append((top, left))
        image[..., top : top + patch, left : left + patch] = net.neutral
    return squares


RIGHT = {
    checks.fall_of_box: fall_of_box,
    checks.disagreement_without_zeros: share_that_differs(torch.ne, lambda a, b: (a != 0) | (b != 0)),
    checks.cover_until_it_changes: greedy,
}

WRONG = [
    (checks.fall_of_box, lambda *a: -fall_of_box(*a), "this is the rise"),
    (checks.fall_of_box, fall_of_probability, "fall of the probability"),
    (checks.fall_of_box, fall_of_box_on_the_spot, "has painted on the picture"),
    (checks.fall_of_box, lambda *a: 0.0, "nothing has changed"),
    (
        checks.fall_of_box,
        lambda net, x, label, r, c, fill: fall_of_box(net, x, label, c, r, fill),
        "the logit falls by",
    ),
    (
        checks.disagreement_without_zeros,
        share_that_differs(torch.ne, lambda a, b: a == a),
        "counts entries where both are 0",
    ),
    (
        checks.disagreement_without_zeros,
        share_that_differs(lambda a, b: a * b < 0, lambda a, b: (a != 0) | (b != 0)),
        "0 and 1 differ as well",
    ),
    (checks.disagreement_without_zeros, lambda s: torch.tensor(13 / 27), "is no pair"),
    (checks.disagreement_without_zeros, lambda s: 13 / 18, "right for one example"),
    (checks.disagreement_without_zeros, lambda s: s, "should be one number; yours is a Tensor"),
    (
        checks.cover_until_it_changes,
        lambda net, x, p: greedy(net, x, p, looks_again=False),
        "but 3 are enough. Measure the falls again",
    ),
    (
        checks.cover_until_it_changes,
        lambda net, x, p: [(0, 0)],
        "with your 1 squares covered, windmill_linda is still 'crane'",
    ),
    (checks.cover_until_it_changes, lambda net, x, p: [(1, 0)], "is no corner of a square"),
]
