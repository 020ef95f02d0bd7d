"""Linear maps from samples: least squares, ridge, and forward selection, where every output may read only a
few inputs.
"""

from typing import NamedTuple

import torch

from ..errors import VizlibError

# of the mean variance, added to all of them: with fewer samples than inputs there is still one answer, the
# shortest
TINY = 1e-10


class Moments(NamedTuple):
    """All that a linear regression needs of its samples, in double precision: G = cov(x, x), (P, P); C =
    cov(x, y), (P, Q); the means.
    """

    G: torch.Tensor
    C: torch.Tensor
    x: torch.Tensor
    y: torch.Tensor

    def affine(self, weights):
        """Weights (P, Q) for centred samples as A (Q, P) and b (Q,): y = A x + b."""
        return weights.T.float(), (self.y - self.x @ weights).float()


def moments(inputs, outputs):
    """inputs: (n, P). outputs: (n, Q). Raises VizlibError for fewer than two samples, or numbers of samples
    that differ.
    """
    if inputs.dim() != 2 or outputs.dim() != 2 or len(inputs) != len(outputs) or len(inputs) < 2:
        raise VizlibError(
            f"A regression takes samples (n, P) and (n, Q), n at least 2; these are {tuple(inputs.shape)}, "
            f"{tuple(outputs.shape)}."
        )
    x, y = inputs.double(), outputs.double()
    x0, y0 = x.mean(0), y.mean(0)
    x, y = x - x0, y - y0
    return Moments(x.T @ x / len(x), x.T @ y / len(x), x0, y0)


def least_squares(samples, *, ridge=0.0):
    """A (Q, P) and b (Q,) that minimize the mean of |A x + b - y|^2, plus ridge * s * |A|^2 with s the mean
    variance of an input.

    samples: Moments. Without a ridge and with n <= P many A do; this is the one with the smallest |A|.
    """
    G, C, s = samples.G, samples.C, _scale(samples.G)
    return samples.affine(torch.linalg.solve(G + (ridge + TINY) * s * torch.eye(len(G), dtype=G.dtype), C))


def forward_selection(samples, *, k):
    """A (Q, P) with at most k non-zeros in a row, and b (Q,): for every output, k times, the input that
    explains most of what is left.

    After each choice the weights of all inputs chosen so far are fitted again (orthogonal matching pursuit).
    samples: Moments. Raises VizlibError unless 1 <= k <= P. Pati, Rezaiifar & Krishnaprasad 1993.
    """
    G, C, s = samples.G, samples.C, _scale(samples.G)
    if not (isinstance(k, int) and 1 <= k <= len(G)):
        raise VizlibError(f"k is a number of inputs, from 1 to all {len(G)} of them; this is {k!r}.")
    length = G.diagonal().clamp(min=TINY * s).sqrt()
    left, chosen = (
        C,
        torch.empty(C.shape[1], 0, dtype=torch.long),
    )  # what is not explained yet, seen from each input; (Q, j)
    for j in range(k):
        gain = (left.abs() / length[:, None]).scatter(0, chosen.T, -1.0)
        chosen = torch.cat([chosen, gain.argmax(0)[:, None]], 1)
        among = G[chosen[:, :, None], chosen[:, None, :]] + TINY * s * torch.eye(j + 1, dtype=G.dtype)
        weights = torch.linalg.solve(among, C.T.gather(1, chosen))
        left = C - torch.bmm(weights[:, None], G[chosen])[:, 0].T
    return samples.affine(torch.zeros_like(C).scatter(0, chosen.T, weights.T))


def _scale(G):
    return G.diagonal().mean().clamp(min=1e-30)
