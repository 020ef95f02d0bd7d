"""What the checks of the exercises share: verdicts in one line, and comparisons that say what is off."""

from __future__ import annotations

import copy
import functools
import math
import numbers
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ...errors import VizlibError
from ...images import photo
from ...models import load
from ...models.network import Network


class NotYet(Exception):
    """The answer is wrong; the message says how it shows."""


def exercise(number: str) -> Callable[[Callable[[Callable], None]], Callable[[Callable], None]]:
    """Turn a check, which raises NotYet with a hint, into one that prints its verdict as a line.

    An answer gets a copy of each network that the check gives it: whatever it does to that one, the check
    goes on with the network as it was.
    """

    def decorate(check: Callable[[Callable], None]) -> Callable[[Callable], None]:
        @functools.wraps(check)
        def run(answer: Callable) -> None:
            try:
                check(_with_its_own_networks(answer))
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


def _with_its_own_networks(answer: Callable) -> Callable:
    if not callable(answer):
        raise NotYet(
            f"give the check your function itself, not what it returns; this is a {type(answer).__name__}."
        )

    def heard(*given: Any, **options: Any) -> Any:
        given = (copy.deepcopy(each) if isinstance(each, Network) else each for each in given)
        return answer(*given, **options)

    return heard


def same(seen: Any, expected: torch.Tensor, what: str, tolerance: float = 1e-4) -> None:
    """Raise NotYet unless `seen` is the tensor `expected`, in whatever precision and on whatever device.

    tolerance: of the largest value; where `seen` is in half precision, as much as that leaves.
    """
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
    tolerance = max(tolerance, 4 * rounding(seen))
    seen, expected = _plain(seen), _plain(expected)
    if expected.min() >= 0 and seen.min() < -tolerance:
        raise NotYet(f"{what} has values below zero, down to {float(seen.min()):.2g}; there should be none.")
    if expected.abs().max() > 0 and torch.allclose(-seen, expected, rtol=tolerance, atol=1e-8):
        raise NotYet(f"{what} has the wrong sign.")
    gap = (seen - expected).abs().max() / expected.abs().max().clamp(min=1e-12)
    if not gap <= tolerance:  # also catches NaN
        raise NotYet(
            f"{what} has the right shape, but its values are off by up to {float(gap):.0%} of the largest "
            "one."
        )


def unless(seen: Any, wrong: torch.Tensor, hint: str, tolerance: float = 1e-4) -> None:
    """Raise NotYet with this hint where the answer is this wrong one; tolerance: of its largest value."""
    if not isinstance(seen, torch.Tensor) or seen.shape != wrong.shape or not seen.is_floating_point():
        return
    seen, wrong = _plain(seen), _plain(wrong)
    if (seen - wrong).abs().max() <= tolerance * wrong.abs().max().clamp(min=1e-12):
        raise NotYet(hint)


def rounding(seen: torch.Tensor) -> float:
    """The relative distance of neighbouring numbers in the precision of this tensor."""
    return torch.finfo(seen.dtype).eps


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().cpu().double()


def number(seen: Any) -> float:
    """The answer as a float; NotYet if it is not one finite number."""
    one = isinstance(seen, (torch.Tensor, np.ndarray)) and math.prod(seen.shape) == 1
    if not (one or isinstance(seen, numbers.Real)):
        raise NotYet(f"the answer should be one number; yours is a {type(seen).__name__}.")
    value = float(seen.item() if one else seen)
    if not math.isfinite(value):
        raise NotYet(f"the answer should be a finite number; yours is {value}.")
    return value


def network(name: str = "lite0") -> Network:
    """A network of one's own, on the CPU, so that a check has the same verdict on every machine."""
    return load(name).cpu()


def example() -> tuple[Network, torch.Tensor]:
    """The default network and two photographs, made afresh each time: an answer may write into what it is
    given.
    """
    names = ("ladybird_on_forget_me_nots", "drum_kit_and_guitar")
    return network(), torch.cat([photo(name, 224) for name in names])


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
