"""Linear maps from samples: least squares, ridge, and forward selection, where every output may read only a
few inputs.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from ..batching import whole
from ..errors import VizlibError
from ..sweep.reducers import Moments

# of the mean variance, added to all of them: with fewer samples than inputs there is still one answer, the
# shortest
TINY = 1e-10
BLOCK = 16_000_000  # so many numbers at most are gathered at a time by forward selection


class Covariances(NamedTuple):
    """All that a linear regression needs of its samples, in double precision on the CPU: G = cov(x, x), (P,
    P); C = cov(x, y), (P, Q); the means.
    """

    G: torch.Tensor
    C: torch.Tensor
    x: torch.Tensor
    y: torch.Tensor

    def affine(self, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights (P, Q) for centred samples as A (Q, P) and b (Q,): y = A x + b."""
        return weights.T.float(), (self.y - self.x @ weights).float()


def moments(inputs: torch.Tensor, outputs: torch.Tensor) -> Covariances:
    """Means and covariances of samples for a linear regression.

    inputs: (n, P). outputs: (n, Q). Raises VizlibError for fewer than two samples, or numbers of samples that
    differ.

    >>> from vizlib.representation import least_squares, moments
    >>> x = torch.rand(20, 3)
    >>> least_squares(moments(x, 2 * x))[0].diagonal().round(decimals=3)
    tensor([2., 2., 2.])
    """
    if inputs.dim() != 2 or outputs.dim() != 2 or len(inputs) != len(outputs) or len(inputs) < 2:
        raise VizlibError(
            f"A regression takes samples (n, P) and (n, Q), n at least 2; these are {tuple(inputs.shape)}, "
            f"{tuple(outputs.shape)}."
        )
    found = Moments()
    found.update(torch.cat([inputs.cpu().double(), outputs.cpu().double()], 1))
    return covariances(found, inputs.shape[1])


def covariances(found: Moments, inputs: int) -> Covariances:
    """What a regression needs of the Moments of vectors (x, y), x the first `inputs` numbers."""
    found = found.result()
    if found.count < 2:
        raise VizlibError(f"A regression takes at least two samples; there are {found.count}. Give more.")
    cov, mean, x, y = found.covariance, found.mean, slice(inputs), slice(inputs, None)
    return Covariances(cov[x, x], cov[x, y], mean[x], mean[y])


def least_squares(samples: Covariances, *, ridge: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Ridge regression: A (Q, P) and b (Q,) that minimize the mean of |A x + b - y|^2 + ridge * s * |A|^2,
    with s the mean variance of an input.

    samples: what `moments` returns. Without a ridge and with n <= P many A do; this is the one with the
    smallest |A|.
    """
    G, C, s = samples.G, samples.C, _scale(samples.G)
    return samples.affine(torch.linalg.solve(G + (ridge + TINY) * s * torch.eye(len(G)).to(G), C))


def forward_selection(samples: Covariances, *, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Orthogonal matching pursuit: A (Q, P) with at most k non-zeros in a row, and b (Q,). For every
    output, k times, the input that explains most of what is left is chosen.

    After each choice the weights of all inputs chosen so far are fitted again.
    samples: what `moments` returns. Raises VizlibError unless 1 <= k <= P. Pati, Rezaiifar & Krishnaprasad
        1993.
    """
    G, C = samples.G, samples.C
    k = whole(k, f"k is a number of inputs, from 1 to all {len(G)} of them")
    if k > len(G):
        raise VizlibError(f"k is a number of inputs, from 1 to all {len(G)} of them; this is {k!r}.")
    outputs = C.split(max(1, BLOCK // (k * len(G))), 1)  # independent of each other
    return samples.affine(torch.cat([_select(G, part, k) for part in outputs], 1))


def _select(G, C, k):
    """The weights (P, Q) of forward selection."""
    s = _scale(G)
    length = G.diagonal().clamp(min=TINY * s).sqrt()
    # what is not explained yet, seen from each input, (P, Q); the inputs chosen for each output, (Q, j)
    left, chosen = C, C.new_empty(C.shape[1], 0, dtype=torch.long)
    for j in range(k):
        gain = (left.abs() / length[:, None]).scatter(0, chosen.T, -1.0)
        chosen = torch.cat([chosen, gain.argmax(0)[:, None]], 1)
        among = G[chosen[:, :, None], chosen[:, None, :]] + TINY * s * torch.eye(j + 1).to(G)
        weights = torch.linalg.solve(among, C.T.gather(1, chosen))
        left = C - torch.bmm(weights[:, None], G[chosen])[:, 0].T
    return torch.zeros_like(C).scatter(0, chosen.T, weights.T)


def _scale(G):
    return G.diagonal().mean().clamp(min=1e-30)
