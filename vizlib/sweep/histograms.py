"""Quantiles of streams that fit into no memory: histograms whose bins grow with the data."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from .reducers import BLOCK, nothing

BINS = 4096


@dataclass
class Histogram:
    """Streaming quantiles of K channels at once, from a histogram of each.

    A channel's bins are 2^e wide and begin at multiples of that; e is the smallest for which BINS of them
    hold all its values. So the counts depend on the values alone, not on their order or on who merged with
    whom, and a bin is less than 2 / (BINS - 1) of the channel's range wide: 0.05 %.

    low, high (K,): the extremes. exponent (K,): e. counts (K, BINS). count: how many values a channel has.
    """

    low: torch.Tensor = field(default_factory=nothing)
    high: torch.Tensor = field(default_factory=nothing)
    exponent: torch.Tensor = field(default_factory=nothing)
    counts: torch.Tensor = field(default_factory=nothing)
    count: int = 0

    def update(self, values: torch.Tensor) -> None:
        """values: (K, n)."""
        for block in values.split(max(1, BLOCK // len(values)), 1):
            x = block.detach().cpu().double()
            low, high = x.amin(1), x.amax(1)
            exponent = _exponent(low, high)
            place = _bin(x, exponent[:, None]) - _bin(low, exponent)[:, None]
            place = place + BINS * torch.arange(len(x))[:, None]  # on the CPU, as x is
            counts = torch.bincount(place.flatten(), minlength=len(x) * BINS).view(len(x), BINS)
            self.merge(Histogram(low, high, exponent, counts, x.shape[1]))

    def merge(self, other: Histogram) -> None:
        if not other.count:
            return
        if not self.count:
            vars(self).update(vars(other))
            return
        low, high = self.low.minimum(other.low), self.high.maximum(other.high)
        exponent = _exponent(low, high)
        self.counts = self._moved(low, exponent) + other._moved(low, exponent)
        self.low, self.high, self.exponent = low, high, exponent
        self.count += other.count

    def result(self) -> Histogram:
        return self

    def quantile(self, share: float) -> torch.Tensor:  # on the CPU
        """Of each channel the value that a `share` of its values does not exceed, (K,): the lower edge of the
        bin that holds it, so at most a bin's width too low. A value of exactly 0 is never below 0.
        """
        nth = min(self.count, max(1, round(share * self.count)))
        place = (self.counts.cumsum(1) < nth).sum(1)
        edge = (_bin(self.low, self.exponent) + place).double() * 2.0 ** self.exponent.double()
        return edge.maximum(self.low).float()

    def _moved(self, low, exponent):  # on the CPU
        """The counts in bins of 2^exponent that begin with the one that holds `low`."""
        own = _bin(self.low, self.exponent)[:, None] + torch.arange(BINS)
        place = (own >> (exponent - self.exponent)[:, None]) - _bin(low, exponent)[:, None]
        # bins beyond the last are empty: all values lie between low and high
        return torch.zeros_like(self.counts).scatter_add(1, place.clamp(max=BINS - 1), self.counts)


def _bin(values, exponent):  # on the CPU
    """The number of the bin of 2^exponent that holds each value."""
    return (values * 2.0 ** -exponent.double()).floor().long()


def _exponent(low, high):
    """The smallest e for which bins of 2^e between low and high are at most BINS, (K,)."""
    size = low.abs().maximum(high.abs())
    # no finer than 2^-40 of the values, which keeps the numbers of the bins far inside of 64 bits
    least = torch.where(size > 0, torch.frexp(size)[1], -125) - 40
    spread = high - low
    exponent = torch.where(spread > 0, torch.frexp(spread)[1] - (BINS.bit_length() - 1) - 1, least)
    exponent = exponent.maximum(least)
    while bool((wide := _bin(high, exponent) - _bin(low, exponent) >= BINS).any()):
        exponent = exponent + wide
    return exponent.long()
