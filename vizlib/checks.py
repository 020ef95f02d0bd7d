"""The checks behind the exercises: each takes a learner's answer and prints one line that says how it went.

A check never prints the solution and never leaves a traceback: an answer that is not there yet, one that fails and one that is
wrong each get a sentence.
"""

import functools

import torch

from .attribution import gradient, guided_backprop, rank_correlation, saliency
from .errors import VizlibError
from .images import photo
from .networks import load


class _NotYet(Exception):
    """The answer is wrong; the message says how it shows."""


def exercise(number):
    """Turn a check, which raises _NotYet with a hint, into one that prints its verdict as a line."""

    def decorate(check):
        @functools.wraps(check)
        def run(answer):
            try:
                check(answer)
                verdict = "correct."
            except NotImplementedError:
                verdict = "not attempted yet."
            except _NotYet as hint:
                verdict = f"not yet: {hint}"
            except VizlibError as problem:
                verdict = f"not yet: vizlib says: {problem}"
            except Exception as problem:
                verdict = f"not yet: your code raised {type(problem).__name__}: {problem}"
            print(f"Exercise {number}: {verdict}")

        return run

    return decorate


def _same(seen, expected, what, tolerance=1e-4):
    """Raise _NotYet unless `seen` is the tensor `expected`."""
    if not isinstance(seen, torch.Tensor):
        raise _NotYet(f"{what} should be a tensor; yours is a {type(seen).__name__}.")
    if seen.shape != expected.shape:
        raise _NotYet(f"{what} should have the shape {tuple(expected.shape)}; yours has {tuple(seen.shape)}.")
    gap = (seen.detach() - expected).abs().max() / expected.abs().max().clamp(min=1e-12)
    if not gap <= tolerance:  # also catches NaN
        raise _NotYet(f"{what} has the right shape, but its values are off by up to {float(gap):.0%} of the largest one.")


@functools.cache
def _example():
    return load("lite0"), torch.cat([photo("ladybird_on_forget_me_nots", 224), photo("drum_kit_and_guitar", 224)])


@exercise("04.1")
def darkening_map(answer):
    """answer(net, images, target) -> (N, 1, H, W): where less light raises the score."""
    net, images = _example()
    seen = answer(net, images, "drum")
    _same(seen, saliency(net, images, "drum", part="negative"), "The map")


@exercise("04.2")
def fourth_rule(answer):
    """answer(g, active) -> tensor: the signal of guided backpropagation turned around, where what is negative passes."""
    g = torch.tensor([[-2.0, -1.0, 0.0], [3.0, -4.0, 5.0]])
    active = torch.tensor([[True, False, True], [True, True, False]])
    _same(answer(g, active), torch.tensor([[-2.0, 0.0, 0.0], [0.0, -4.0, 0.0]]), "The signal")


@exercise("04.3")
def class_sensitivity(answer):
    """answer(method, net, images, a, b) -> (N,): 1 - Spearman correlation of |map for a| and |map for b|, largest over colours."""
    net, images = _example()
    for method in (gradient, guided_backprop):
        a, b = (method(net, images, k).abs().amax(1, keepdim=True) for k in ("drum", "electric guitar"))
        seen = answer(method, net, images, "drum", "electric guitar")
        _same(seen, 1 - rank_correlation(a, b), f"The sensitivity of {method.__name__}", tolerance=1e-3)
