"""Do two networks have the same units? Correlations between all pairs, and who belongs to whom (Li et al.
2016).
"""

from dataclasses import dataclass

import torch
from scipy.optimize import linear_sum_assignment

from ..batching import batches
from ..errors import VizlibError
from ..images import check_images
from ..layers import record

METHODS = ("one-to-one", "best")


@dataclass(frozen=True)
class Matching:
    """partner (K,): for each unit of the first network its unit in the second. values (K,): their
    correlations. correlation (K, K').
    """

    partner: torch.Tensor
    values: torch.Tensor
    correlation: torch.Tensor

    @property
    def order(self):
        """The units of the first network, best matched first: (K,)."""
        return self.values.argsort(descending=True, stable=True)


def unit_correlations(net, images, other, *, layer, into=None, batch_size=64):
    """corr(k, j) = cov(a_k, b_j) / (std a_k std b_j) over all places of all pictures, a: `layer` of net, b:
    `into` of other. (K, K')

    images: (N, 3, H, W), shown to both. into: default: the layer of the same name. A unit that never changes
        correlates with nothing: 0.
    Raises VizlibError where the two layers' grids differ. Li et al. 2016, section 3.
    """
    images, into, count, sums = check_images(images), into or layer, 0, 0
    for i in batches(len(images), batch_size):
        a, b = record(net, images[i], layer)[layer], record(other, images[i], into)[into]
        if a.shape[2:] != b.shape[2:]:
            raise VizlibError(
                f"{layer!r} of {net.name} and {into!r} of {other.name} have different grids on these "
                "pictures."
            )
        both = torch.cat([a, b], 1).transpose(0, 1).flatten(1).double()
        both = torch.cat(
            [both, torch.ones(1, both.shape[1], dtype=both.dtype)]
        )  # the last row and column become sums and the count
        sums, count = sums + both @ both.T, count + both.shape[1]
    mean = sums[:-1, -1] / count
    cov = sums[:-1, :-1] / count - torch.outer(mean, mean)
    std = cov.diagonal().clamp(min=0).sqrt()
    changes = std > 1e-6 * std.max()
    correlation = cov / torch.outer(std, std).clamp(min=1e-30) * torch.outer(changes, changes)
    return correlation[: a.shape[1], a.shape[1] :].clamp(-1, 1).float()


def match_units(net, images, other, *, layer, into=None, method="one-to-one"):
    """Find each unit of `layer` a partner in the other network. Returns a Matching.

    method: "one-to-one": pairs with the largest sum of correlations, no unit in two of them (the Hungarian
        method, by scipy; the paper's
    bipartite matching); where the second network has fewer units, some get the partner -1 and the value 0.
        "best": each its best, which
    several may share (the paper's semi-matching). Other arguments and errors: as in `unit_correlations`.
    Li et al. 2016, section 3; Kuhn 1955.
    """
    if method not in METHODS:
        raise VizlibError(f"method is one of {', '.join(METHODS)}; this is {method!r}.")
    correlation = unit_correlations(net, images, other, layer=layer, into=into)
    if method == "best":
        values, partner = correlation.max(1)
        return Matching(partner, values, correlation)
    rows, columns = (
        torch.from_numpy(part) for part in linear_sum_assignment(correlation.double().numpy(), maximize=True)
    )
    partner, values = torch.full((len(correlation),), -1), torch.zeros(len(correlation))
    partner[rows], values[rows] = columns, correlation[rows, columns]
    return Matching(partner, values, correlation)
