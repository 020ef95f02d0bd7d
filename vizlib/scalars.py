"""Numbers that people give: reals, seeds and sizes, also those of NumPy and torch, or a sentence about what
is wrong with them.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import torch

from .batching import whole
from .errors import VizlibError


def real(value: Any, rule: str, allowed: Callable[[float], bool] = math.isfinite) -> float:
    """`value` as a float that is `allowed` (NaN never is); else a VizlibError that states the `rule`."""
    try:
        number = math.nan if isinstance(value, (str, bytes, bool)) else float(value)
    except (TypeError, ValueError, RuntimeError):
        number = math.nan
    if math.isnan(number) or not allowed(number):
        raise VizlibError(f"{rule}; this is {value!r}.")
    return number


def seeded(seed: Any) -> torch.Generator:
    """A generator of random numbers on the CPU, so that a seed gives the same numbers for every device."""
    try:
        return torch.Generator().manual_seed(operator.index(seed))
    except TypeError:
        raise VizlibError(f"seed is a whole number; this is {seed!r}.") from None


def sides(size: Any, what: str = "size", least: int = 1) -> tuple[int, int]:
    """(height, width) of a size: a number of pixels for a square, or (height, width)."""
    rule = f"{what} is a number of pixels, or two, (height, width)"
    pair = size if isinstance(size, (tuple, list)) else (size, size)
    if len(pair) != 2:
        raise VizlibError(f"{rule}; this is {size!r}.")
    return whole(pair[0], rule, least), whole(pair[1], rule, least)
