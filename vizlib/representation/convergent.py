"""Do two networks have the same units? Correlations between all pairs, and who belongs to whom (Li et al.
2016).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from ..deprecation import renamed
from ..errors import VizlibError
from ..layers import record
from ..sweep.loops import run
from ..sweep.reducers import Moments

if TYPE_CHECKING:
    from ..models import Network

METHODS = ("one-to-one", "best")


@dataclass(frozen=True)
class Matching:
    """partner (K,): for each unit of the first network its unit in the second, -1 for none.
    values (K,): their correlations. correlation (K, K'): those of all pairs. All on the CPU.
    """

    partner: torch.Tensor
    values: torch.Tensor
    correlation: torch.Tensor

    @property
    def order(self) -> torch.Tensor:
        """The units of the first network, best matched first: (K,)."""
        return self.values.argsort(descending=True, stable=True)


@renamed(chunk="batch_size", images="pictures")
def unit_correlations(
    net: Network, pictures: Any, other: Network, *, layer: str, into: str | None = None, **options: Any
) -> torch.Tensor:
    """Pearson correlations between all units of two layers, over all places of all pictures: (K, K'), on the
    CPU.

        corr(k, j) = cov(a_k, b_j) / (std a_k std b_j)    a: `layer` of net, b: `into` of other

    pictures: shown to both: a tensor (N, 3, H, W), `vz.folder(...)`, or another iterable.
    into: default: the layer of the same name. A unit that never changes correlates with nothing: 0.
    options: batch_size, progress, client, checkpoint, as in `vz.sweep.run`.
    Raises VizlibError where the two layers' grids differ. Li et al. 2016, section 3.

    >>> from vizlib.representation import unit_correlations
    >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
    >>> unit_correlations(net, photo, vz.load("zfnet@8"), layer="conv1").shape
    torch.Size([48, 48])
    """
    measure = _Beside(net, layer, other, into or layer)
    belongs = {"question": f"correlations, {layer} and {into or layer}", "network": net}
    belongs["other network"] = other
    found = run(pictures, measure, Moments(), belongs=belongs, **options).result()
    std = found.covariance.diagonal().clamp(min=0).sqrt()
    changes = std > 1e-6 * std.max()
    both = torch.outer(changes, changes)
    correlation = found.covariance / torch.outer(std, std).clamp(min=1e-30) * both
    units = net.layer(layer).shape[0]
    return correlation[:units, units:].clamp(-1, 1).float()


@dataclass(frozen=True)
class _Beside:
    """What Moments takes, of one batch: the units of both layers at each place, (places, K + K')."""

    net: Network
    layer: str
    other: Network
    into: str

    def __call__(self, numbers, images):
        a = record(self.net, images, self.layer)[self.layer]
        b = record(self.other, images, self.into)[self.into].to(a.device)
        if a.shape[2:] != b.shape[2:]:
            raise VizlibError(
                f"{self.layer!r} of {self.net.name} and {self.into!r} of {self.other.name} have different "
                "grids on these pictures."
            )
        return (torch.cat([a, b], 1).transpose(0, 1).flatten(1).T,)


@renamed(images="pictures")
def match_units(
    net: Network,
    pictures: Any,
    other: Network,
    *,
    layer: str,
    into: str | None = None,
    method: str = "one-to-one",
    **options: Any,
) -> Matching:
    """Convergent learning: find each unit of `layer` a partner in the other network.

    method: "one-to-one": pairs with the largest sum of correlations, no unit in two of them (the Hungarian
        method, by scipy; the paper's bipartite matching); where the second network has fewer units, some get
        the partner -1 and the value 0. "best": each its best, which several may share (the paper's
        semi-matching).
    Other arguments and errors: as in `unit_correlations`. Li et al. 2016, section 3; Kuhn 1955.

    >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
    >>> vz.match_units(net, photo, net, layer="conv1").partner[:3]
    tensor([0, 1, 2])
    """
    if method not in METHODS:
        raise VizlibError(f"method is one of {', '.join(METHODS)}; this is {method!r}.")
    correlation = unit_correlations(net, pictures, other, layer=layer, into=into, **options)
    if method == "best":
        values, partner = correlation.max(1)
        return Matching(partner, values, correlation)
    from scipy.optimize import linear_sum_assignment  # here: it takes long to import

    pairs = linear_sum_assignment(correlation.cpu().double().numpy(), maximize=True)
    rows, columns = map(torch.from_numpy, pairs)
    values = torch.zeros_like(correlation[:, 0])
    partner = torch.full_like(values, -1, dtype=torch.long)
    partner[rows], values[rows] = columns, correlation[rows, columns]
    return Matching(partner, values, correlation)
