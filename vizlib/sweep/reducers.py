"""What is kept of many pictures: small summaries that can be updated by a batch, and merged with each other.

A reducer has three methods:

    update(...)     takes what one batch of pictures gave
    merge(other)    takes what another reducer of its kind holds, of pictures that come after its own
    result()        what is known so far

Its attributes are tensors on the CPU, numbers, strings, and lists, tuples and dicts of them, so that it can
be sent to another machine and written to a file. `update` and `merge` give new values to its attributes and
never
write into the old ones: a copy made before (copy.copy) stays what it was, whenever the work is interrupted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

BLOCK = 8_000_000  # so many numbers at most are turned into double precision at a time


def nothing() -> torch.Tensor:
    """What a reducer holds before it has seen anything."""
    return torch.zeros(0, dtype=torch.float64)  # on the CPU, as all that reducers hold


class Reducer(Protocol):
    """What every reducer does; see the top of this file."""

    def update(self, *values: Any) -> None: ...

    def merge(self, other: Any) -> None: ...

    def result(self) -> Any: ...


@dataclass
class Moments:
    """Streaming mean and covariance of vectors of D numbers, in double precision, on the CPU.

    count: n. mean (D,). scatter (D, D): the sum of (x - mean)(x - mean)^T. Two of them merge by

        mean = mean_a + d n_b / n,  scatter = scatter_a + scatter_b + d d^T n_a n_b / n,  d = mean_b - mean_a

    which, other than a difference of two large sums, stays exact however far the mean is from 0.
    Chan, Golub & LeVeque 1979, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances".

    pending: vectors that wait until there are enough of them for one product of matrices; `result` counts
        them.

    >>> moments = vz.sweep.Moments()
    >>> moments.update(torch.tensor([[1.0, 5.0], [3.0, 5.0]]))
    >>> moments.result().mean
    tensor([2., 5.], dtype=torch.float64)
    """

    count: int = 0
    mean: torch.Tensor = field(default_factory=nothing)
    scatter: torch.Tensor = field(default_factory=nothing)
    pending: list = field(default_factory=list)

    def update(self, values: torch.Tensor) -> None:
        """values: (n, D)."""
        self._take([values.detach().cpu()])

    def merge(self, other: Moments) -> None:
        self._add(other)
        self._take(other.pending)

    def result(self) -> Moments:
        """The same with nothing pending."""
        whole = Moments(self.count, self.mean, self.scatter)
        whole._count(self.pending)
        return whole

    def _take(self, values):
        self.pending = [*self.pending, *(v for v in values if len(v))]
        if sum(v.numel() for v in self.pending) > BLOCK:
            pending, self.pending = self.pending, []
            self._count(pending)

    def _count(self, values):  # on the CPU
        for part in values and torch.cat(values).split(max(1, BLOCK // values[0].shape[1])):
            x = part.double()
            mean = x.mean(0)
            x = x - mean
            self._add(Moments(len(x), mean, x.T @ x))

    def _add(self, other):
        """The formula, without what is pending."""
        if not other.count:
            return
        if not self.count:
            self.count, self.mean, self.scatter = other.count, other.mean, other.scatter
            return
        count, away = self.count + other.count, other.mean - self.mean
        between = torch.outer(away, away) * (self.count * other.count / count)
        self.scatter = self.scatter + other.scatter + between
        self.mean = self.mean + away * (other.count / count)
        self.count = count

    @property
    def covariance(self) -> torch.Tensor:
        """The mean of (x - mean)(x - mean)^T: (D, D)."""
        return self.scatter / self.count

    @property
    def error(self) -> torch.Tensor:
        """The standard error of the mean, s / sqrt(n) with s^2 = scatter / (n - 1): (D,); NaN for n = 1."""
        spread = self.scatter.diagonal().clamp(min=0)
        if self.count < 2:
            return torch.full_like(spread, torch.nan)
        return (spread / (self.count - 1) / self.count).sqrt()


@dataclass
class TopActivations:
    """Of every channel of some layers the `top` pictures that it answers to most, each with its highest
    place.

    values {layer: (K, top)}: highest first. picture {layer: (K, top)}: the pictures' numbers.
    at {layer: (K, top, 2)}: row and column. Of equal values the earlier picture comes first.
    longest: the longest side of any picture. seen: how many pictures there were.
    """

    top: int
    values: dict[str, torch.Tensor] = field(default_factory=dict)
    picture: dict[str, torch.Tensor] = field(default_factory=dict)
    at: dict[str, torch.Tensor] = field(default_factory=dict)
    longest: int = 0
    seen: int = 0

    def update(self, numbers: torch.Tensor, activations: dict[str, torch.Tensor], longest: int) -> None:
        """numbers (n,) of pictures after all those seen; activations {layer: (n, K, h, w)}."""
        fresh = {layer: self._best(layer, numbers, maps) for layer, maps in activations.items()}
        self._take(fresh, longest, len(numbers))

    def merge(self, other: TopActivations) -> None:
        fresh = {k: (other.values[k], other.picture[k], other.at[k]) for k in other.values}
        self._take(fresh, other.longest, other.seen)

    def result(self) -> TopActivations:
        return self

    def _best(self, layer, numbers, maps):
        """The best of a batch, as in the attributes. Only where a channel is higher than the last on its list
        its place is looked for.
        """
        heights = maps.amax((2, 3))  # (n, K)
        values, order = heights.cpu().sort(dim=0, descending=True, stable=True)
        values, order = values[: self.top].T, order[: self.top].T  # (K, m)
        at = torch.zeros(*values.shape, 2, dtype=torch.long)  # on the CPU
        held = self.values.get(layer)
        full = held is not None and held.shape[1] == self.top
        wins = values > held[:, -1:] if full else torch.ones_like(values, dtype=torch.bool)
        channel, place = wins.nonzero(as_tuple=True)
        rows_at_once = BLOCK // maps[0, 0].numel() + 1
        for c, p in zip(channel.split(rows_at_once), place.split(rows_at_once), strict=True):
            rows = maps[order[c, p].to(maps.device), c.to(maps.device)].flatten(1)
            flat = rows.argmax(1).cpu()
            at[c, p] = torch.stack([flat // maps.shape[3], flat % maps.shape[3]], 1)
        return values, numbers[order], at

    def _take(self, fresh, longest, seen):
        """Keep the best of what there was and of what is new."""
        values, picture, at = dict(self.values), dict(self.picture), dict(self.at)
        for layer, (new, which, where) in fresh.items():
            if layer in values:
                new = torch.cat([values[layer], new], 1)
                which, where = torch.cat([picture[layer], which], 1), torch.cat([at[layer], where], 1)
            best, order = new.sort(dim=1, descending=True, stable=True)
            order = order[:, : self.top]
            values[layer], picture[layer] = best[:, : self.top].contiguous(), which.gather(1, order)
            at[layer] = where.gather(1, order[..., None].expand(-1, -1, 2))
        self.values, self.picture, self.at = values, picture, at
        self.longest, self.seen = max(self.longest, longest), self.seen + seen
