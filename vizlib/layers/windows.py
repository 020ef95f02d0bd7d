"""The arithmetic of receptive fields: how they grow from one sliding window to the next."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class ReceptiveField:
    """The rectangle of pixels that a layer's unit depends on, each entry as (rows, columns).

    The unit at position i sees the pixels from start + i * stride up to start + i * stride + size, the last
    one not included. A start below 0 reaches into the padding. `size` is infinite for units that may see the
    whole picture.

    local: is it known that the unit computes the same of its rectangle wherever in the picture that lies,
        with constants beyond the border? False also where that is only not known, as behind a code of
        positions.
    """

    size: tuple[float, ...]
    stride: tuple[int, ...]
    start: tuple[int, ...]
    local: bool = field(default=True, compare=False)

    @property
    def finite(self) -> bool:
        """Is it known that the unit does not see the whole picture?"""
        return math.inf not in self.size

    def __str__(self) -> str:
        if not self.finite:
            return "all"
        return "x".join(str(round(s)) for s in dict.fromkeys(self.size))


PIXEL = ReceptiveField((1, 1), (1, 1), (0, 0))
EVERYTHING = ReceptiveField((math.inf, math.inf), (1, 1), (0, 0), local=False)


def window(
    field: ReceptiveField,
    kernel: int | Sequence[int],
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
) -> ReceptiveField:
    """The field after a sliding window: r' = r + (k - 1) d j,  j' = j s,  start' = start - p j  (j: the
    stride so far).
    """
    k, s, p, d = map(pair, (kernel, stride, padding, dilation))
    return replace(
        field,
        size=tuple(
            r + (ki - 1) * di * j for r, ki, di, j in zip(field.size, k, d, field.stride, strict=True)
        ),
        stride=tuple(j * si for j, si in zip(field.stride, s, strict=True)),
        start=tuple(a - pi * j for a, pi, j in zip(field.start, p, field.stride, strict=True)),
    )


def union(a: ReceptiveField, b: ReceptiveField) -> ReceptiveField:
    """The field of a sum or a concatenation of two branches. Branches of two strides have no common
    rectangle: together they count as everything.
    """
    stride = tuple(map(max, a.stride, b.stride))
    if not (a.finite and b.finite and a.stride == b.stride):
        return replace(EVERYTHING, stride=stride)
    start = tuple(map(min, a.start, b.start))
    ends = tuple(max(s + r, t + q) for s, r, t, q in zip(a.start, a.size, b.start, b.size, strict=True))
    return ReceptiveField(
        tuple(e - s for e, s in zip(ends, start, strict=True)), stride, start, a.local and b.local
    )


def pair(value: int | Sequence[int]) -> tuple[int, ...]:
    """A number for rows and columns alike, or one for each, as (rows, columns)."""
    values = tuple(value) if isinstance(value, Sequence) else (value,)
    return values * 2 if len(values) == 1 else values
