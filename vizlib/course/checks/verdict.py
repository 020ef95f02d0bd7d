"""What the checks of the exercises share: verdicts in one line, and comparisons that say what is off."""

import functools

import torch

from ...errors import VizlibError
from ...images import photo
from ...models import load


class NotYet(Exception):
    """The answer is wrong; the message says how it shows."""


def exercise(number):
    """Turn a check, which raises NotYet with a hint, into one that prints its verdict as a line."""

    def decorate(check):
        @functools.wraps(check)
        def run(answer):
            try:
                check(answer)
                verdict = "correct."
            except NotImplementedError as problem:  # the stub raises it without words, PyTorch with some
                verdict = (
                    f"not yet: your code raised NotImplementedError: {problem}"
                    if str(problem)
                    else "not attempted yet."
                )
            except NotYet as hint:
                verdict = f"not yet: {hint}"
            except VizlibError as problem:
                verdict = f"not yet: vizlib says: {problem}"
            except Exception as problem:
                verdict = f"not yet: your code raised {type(problem).__name__}: {problem}"
            print(f"Exercise {number}: {verdict}")

        return run

    return decorate


def same(seen, expected, what, tolerance=1e-4):
    """Raise NotYet unless `seen` is the tensor `expected`."""
    if not isinstance(seen, torch.Tensor):
        hint = (
            " .max(dim) returns values and indices; .amax(dim) only the values."
            if isinstance(seen, tuple)
            else ""
        )
        raise NotYet(f"{what} should be a tensor; yours is a {type(seen).__name__}.{hint}")
    if seen.shape != expected.shape:
        lost = seen.dim() < expected.dim() and seen.numel() == expected.numel()
        hint = " A dimension is missing: keepdim=True keeps it." if lost else ""
        raise NotYet(
            f"{what} should have the shape {tuple(expected.shape)}; yours has {tuple(seen.shape)}.{hint}"
        )
    if not seen.is_floating_point():
        raise NotYet(f"{what} should hold floating-point numbers; yours holds {seen.dtype}.")
    if expected.min() >= 0 and seen.min() < -tolerance:
        raise NotYet(f"{what} has values below zero, down to {float(seen.min()):.2g}; there should be none.")
    if expected.abs().max() > 0 and torch.allclose(-seen, expected, rtol=tolerance, atol=1e-8):
        raise NotYet(f"{what} has the wrong sign.")
    gap = (seen.detach() - expected).abs().max() / expected.abs().max().clamp(min=1e-12)
    if not gap <= tolerance:  # also catches NaN
        raise NotYet(
            f"{what} has the right shape, but its values are off by up to {float(gap):.0%} of the largest "
            "one."
        )


def number(seen):
    """The answer as a float; NotYet if it is not one number."""
    if isinstance(seen, torch.Tensor) and seen.numel() == 1 or isinstance(seen, (int, float)):
        return float(seen)
    raise NotYet(f"the answer should be one number; yours is a {type(seen).__name__}.")


def example():
    """The default network and two photographs, a fresh copy each time: an answer may write into what it is
    given.
    """
    return load("lite0"), torch.cat(
        [photo("ladybird_on_forget_me_nots", 224), photo("drum_kit_and_guitar", 224)]
    )


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
