"""Right and wrong answers to the exercises of notebook 17, equivalence."""

import torch
from scipy.optimize import linear_sum_assignment

from vizlib.course import checks


def shuffled(order, back=True):
    E = torch.eye(len(order))[order]
    return E.T.contiguous() if back else E


def correlations(f, g, centred=True, least=1e-12):
    f, g = (x.transpose(0, 1).flatten(1) for x in (f, g))
    f, g = (x - centred * x.mean(1, keepdim=True) for x in (f, g))
    return f @ g.T / (f.norm(dim=1)[:, None] * g.norm(dim=1)).clamp(min=least)


def greedy(correlation, copy=True):
    left = correlation.clone() if copy else correlation
    partner = torch.zeros(len(left), dtype=torch.long)
    for _ in range(len(left)):
        row, column = divmod(int(left.argmax()), len(left))
        partner[row], left[row], left[:, column] = column, -2.0, -2.0
    return partner


RIGHT = {checks.unshuffle: shuffled, checks.correlations: correlations, checks.greedy_pairs: greedy}

WRONG = [
    (checks.unshuffle, lambda order: shuffled(order, back=False), "it should undo the order"),
    (checks.unshuffle, lambda order: torch.eye(len(order)), "For the order 2, 0, 1"),
    (checks.correlations, lambda f, g: correlations(f, g, centred=False), "off by up to"),
    (checks.correlations, lambda f, g: correlations(f, g, least=0.0), "NaN"),
    (checks.correlations, lambda f, g: correlations(f, g).T, "For a channel that rises"),
    (checks.greedy_pairs, lambda c: c.argmax(1), "each column should be there once"),
    (
        checks.greedy_pairs,
        lambda c: torch.from_numpy(linear_sum_assignment(c.numpy(), maximize=True)[1]),
        "taking the largest value first",
    ),
    (checks.greedy_pairs, lambda c: greedy(c, copy=False), "work on a copy"),
    (checks.greedy_pairs, lambda c: greedy(c).float(), "whole numbers"),
]
