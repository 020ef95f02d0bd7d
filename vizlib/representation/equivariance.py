"""What does turning a picture do to its code? Maps M_g with phi(g x) = M_g phi(x), as far as a linear map
can. Lenc & Vedaldi 2015.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from ..deprecation import renamed
from ..errors import VizlibError
from ..images.warps import Warp
from ..layers import record, resume
from ..sweep.streams import each_batch
from . import filters
from .regression import Covariances, forward_selection, least_squares

if TYPE_CHECKING:
    from ..models import Network

METHODS = ("places", "least squares", "ridge", "selection")


@dataclass(frozen=True)
class EquivariantMap:
    """M_g: the places of a code (N, K, h, w) are warped by g as pixels are, then come K filters of m x m
    places and a bias.

        (M_g f)[k, u] = bias[k] + sum_{c, v} weight[k, c, v] f[c, g^-1 u + v]

    over all channels c and the m x m places v around 0.

    weight: (K, K, m, m), v in the frame of the warped code; beyond the border the code goes on as at the
    border. bias: (K,).

        >>> net = vz.load("scenenet")
        >>> vz.fit_equivariance(net, vz.collages(4).images, vz.H_FLIP, layer="conv2", samples=500).layer
        'conv2'
    """

    g: Warp
    layer: str
    weight: torch.Tensor
    bias: torch.Tensor

    def __call__(self, codes: torch.Tensor) -> torch.Tensor:
        return F.conv2d(filters.around(self.g(codes), self.weight.shape[-1]), self.weight, self.bias)

    def transposed(self, w: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """M^T w for weights w (K, h, w) of a linear score, and <w, bias>: <w, M f> = <M^T w, f> + <w, bias>
        for every code f.
        """
        with torch.inference_mode(False), torch.enable_grad():
            f, w = torch.zeros_like(w)[None].requires_grad_(), w.detach().clone()
            value = (w * replace(self, weight=self.weight.clone(), bias=self.bias.clone())(f)[0]).sum()
            return torch.autograd.grad(value, f)[0][0], value.detach()

    def moved(self) -> torch.Tensor:
        """For each channel the share of its row that is not its own channel at its own place: |row without
        that entry| / |row|, (K,).

        0: the channel's map only moves with the picture, and the channel stays what it was (the paper:
        invariant).
        """
        middle, own = self.weight.shape[-1] // 2, range(len(self.weight))
        others = self.weight.clone()
        others[own, own, middle, middle] = 0
        return others.flatten(1).norm(dim=1) / self.weight.flatten(1).norm(dim=1).clamp(min=1e-12)

    def leaving(self, channels: torch.Tensor) -> EquivariantMap:
        """The same map, but these channels stay what they are: their rows become those of the identity."""
        count, size = self.weight.shape[1:3]
        still = places(self.g, self.layer, count, size, self.weight.device)
        weight, bias = self.weight.clone(), self.bias.clone()
        weight[channels], bias[channels] = still.weight[channels], 0.0
        return replace(self, weight=weight, bias=bias)


def places(
    g: Warp, layer: str, channels: int, size: int, device: torch.device | str = "cpu"
) -> EquivariantMap:
    """The map that moves places and leaves all channels what they are."""
    weight, own = torch.zeros(channels, channels, size, size, device=device), range(channels)
    weight[own, own, size // 2, size // 2] = 1.0
    return EquivariantMap(g, layer, weight, torch.zeros(channels, device=device))


@renamed(images="pictures")
def fit_equivariance(
    net: Network,
    pictures: Any,
    g: Warp,
    *,
    layer: str,
    method: str = "selection",
    size: int = 3,
    k: int = 25,
    ridge: float = 1e-3,
    samples: int = 4096,
    seed: int = 0,
    **options: Any,
) -> EquivariantMap:
    """Fit the equivariant map M_g of a layer: the codes phi(g^-1 x) go in, the codes phi(x) should come out.

    pictures: x, a tensor (N, 3, H, W), `vz.folder(...)`, or another iterable. g: a Warp.
    layer: before a ReLU, where the paper finds it easier.
    method: "places" (nothing is fitted), "least squares", "ridge" (its weight relative to the mean variance
        of a channel), or "selection": at most k non-zeros in a row.
    size: m, odd; every output reads m x m places of all channels.
    samples: how many places of all pictures are used, drawn by seed; of a stream that does not know its
        length, of every 256 pictures.
    options: batch_size, progress, client, checkpoint, as in `vz.sweep.run`.
    Raises VizlibError for layers without places, other methods, sizes and g.
    Lenc & Vedaldi 2015, equivariance by regression (l2 loss).

    >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
    >>> vz.fit_equivariance(net, photo, vz.H_FLIP, layer="conv1", method="ridge", size=1).weight.shape
    torch.Size([48, 48, 1, 1])
    """
    start = _start(net, g, layer, size)
    if method not in METHODS:
        raise VizlibError(
            f"method is one of {', '.join(METHODS)}; this is {method!r}. vz.train_equivariance uses the task "
            "itself."
        )
    if method == "places":
        return start
    return solve(start, samples_of(net, pictures, start, samples, seed, **options), method, k, ridge)


def solve(start: EquivariantMap, samples: Covariances, method: str, k: int, ridge: float) -> EquivariantMap:
    """The filters and the bias of a map from what `samples_of` returns, by one of METHODS; g, layer and
    size are those of `start`.
    """
    if method == "selection":
        A, b = forward_selection(samples, k=k)
    else:
        A, b = least_squares(samples, ridge=ridge if method == "ridge" else 0.0)
    return replace(
        start, weight=A.view_as(start.weight).to(start.weight.device), bias=b.to(start.bias.device)
    )


@renamed(images="pictures")
def train_equivariance(
    net: Network, pictures: Any, labels: Any, start: EquivariantMap, **options: Any
) -> EquivariantMap:
    """Improve an equivariant map by the task: the codes phi(g^-1 x), mapped, go through the rest of the
    network, which should answer `labels` to them.

    pictures: x, as in `fit_equivariance`. labels: (N,) classes; the network's own answers to x will do.
    start: an EquivariantMap, such as a fitted one. options: steps, batch, rate, seed, progress.
    The codes of many pictures are not kept but made anew for each batch.
    Lenc & Vedaldi 2015, the task-oriented loss.

    >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
    >>> M = vz.fit_equivariance(net, photo, vz.H_FLIP, layer="conv1", method="places", size=1)
    >>> vz.train_equivariance(net, photo, [1], M, steps=2).layer
    'conv1'
    """

    def code(images):
        return record(net, start.g.inverse(images), start.layer)[start.layer]

    return filters.train(net, pictures, code, labels, start, layer=start.layer, **options)


@renamed(chunk="batch_size", images="pictures")
def logits_through(net: Network, pictures: Any, M: EquivariantMap, *, batch_size: int = 32) -> torch.Tensor:
    """The logits of psi(M phi(x)): what the network answers when the code at M.layer is mapped on its way.

    pictures: x, as in `fit_equivariance`. Returns (N, classes).

    >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
    >>> M = vz.fit_equivariance(net, photo, vz.rotation(0), layer="conv1", method="places", size=1)
    >>> torch.allclose(vz.logits_through(net, photo, M), net(photo), atol=1e-4)
    True
    """
    with torch.no_grad():
        return torch.cat(
            [
                resume(net, M.layer, M(record(net, images, M.layer)[M.layer]))
                for _, images in each_batch(pictures, batch_size)
            ]
        )


def map_error(M: Callable, codes: torch.Tensor, wanted: torch.Tensor) -> float:
    """How far M(codes) is from what is wanted, |M f - f'| / |f' - mean f'| over all places and channels: a
    map to the mean has 1.

        >>> codes = vz.record(vz.load("scenenet"), vz.collages(2).images, "conv3")["conv3"]
        >>> vz.map_error(lambda f: f, codes, codes)
        0.0
    """
    spread = wanted - wanted.mean((0, 2, 3), keepdim=True)
    return float((M(codes) - wanted).norm() / spread.norm())


def _start(net, g, layer, size):
    info = net.layer(layer)
    if not info.spatial:
        raise VizlibError(
            f"Layer {layer!r} has no grid of places to warp; choose one of those that have in net.layers."
        )
    if not isinstance(g, Warp):
        raise VizlibError(f"g is a warp, such as vz.H_FLIP or vz.rotation(90); this is {g!r}.")
    size = filters.odd(size)
    if size > min(info.shape[-2:]):
        raise VizlibError(f"size is an odd number of places, no more than the grid has; this is {size!r}.")
    return places(g, layer, info.shape[0], size, net.device)


def samples_of(
    net: Network, pictures: Any, M: EquivariantMap, samples: int, seed: int, **options: Any
) -> Covariances:
    """What a regression needs: what the filters of M read and should give, at places drawn from all
    pictures."""
    channels, size = M.weight.shape[1], M.weight.shape[-1]
    belongs = {"question": f"equivariance, {M.g}", "network": net, "layer": M.layer}
    return filters.sample(
        pictures, _Pairs(net, M.g, M.layer), channels, size, samples, seed, belongs=belongs, **options
    )


@dataclass(frozen=True)
class _Pairs:
    """Images -> the moved codes of the warped pictures, and the codes of the pictures."""

    net: Network
    g: Warp
    layer: str

    def __call__(self, images):
        return self.g(self._code(self.g.inverse(images))), self._code(images)

    def _code(self, images):
        return record(self.net, images, self.layer)[self.layer]
