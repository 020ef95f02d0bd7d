"""Right and wrong answers to the exercises of notebook 16, equivariance."""

import torch

from vizlib.course import checks
from vizlib.representation import forward_selection, moments


def mirror(bank, axis=-1):
    return (bank.flip(axis)[:, None] == bank[None]).flatten(2).all(2).float()


def turned(A, w):
    return torch.einsum("kc,kuv->cuv", A, w.flip(-2))


def select(x, y, k):
    return forward_selection(moments(x, y[:, None]), k=k)[0][0]


def by_covariance(x, y, k):
    chosen = (x.T @ y).abs().topk(k).indices
    weights = torch.zeros(x.shape[1])
    weights[chosen] = torch.linalg.lstsq(x[:, chosen], y[:, None]).solution[:, 0]
    return weights


RIGHT = {checks.mirror_matrix: mirror, checks.turned_weights: turned, checks.select: select}

WRONG = [
    (checks.mirror_matrix, lambda bank: mirror(bank, -2), "mirrored means left and right"),
    (checks.mirror_matrix, lambda bank: torch.eye(4), "off by up to"),
    (checks.turned_weights, lambda A, w: torch.einsum("kc,cuv->kuv", A, w.flip(-2)), "this is M w"),
    (checks.turned_weights, lambda A, w: torch.einsum("kc,kuv->cuv", A, w), "the places have not moved"),
    (checks.select, by_covariance, "the inputs chosen are"),
    (checks.select, lambda x, y, k: 2 * select(x, y, k), "off by up to"),
]
