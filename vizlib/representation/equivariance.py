"""What does turning a picture do to its code? Maps M_g with phi(g x) = M_g phi(x), as far as a linear map
can. Lenc & Vedaldi 2015.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from ..batching import batches
from ..errors import VizlibError
from ..images import check_images
from ..images.warps import Warp
from ..layers import record, resume
from . import filters
from .regression import forward_selection, least_squares

METHODS = ("places", "least squares", "ridge", "selection")


@dataclass(frozen=True)
class EquivariantMap:
    """M_g: the places of a code (N, K, h, w) are warped by g as pixels are, then come K filters of m x m
    places and a bias.

        (M_g f)[k, u] = bias[k] + sum over channels c and the m x m places v around 0 of weight[k, c, v] f[c,
        g^-1 u + v]

    weight: (K, K, m, m), v in the frame of the warped code; beyond the border the code goes on as at the
    border. bias: (K,).
    """

    g: Warp
    layer: str
    weight: torch.Tensor
    bias: torch.Tensor

    def __call__(self, codes):
        return F.conv2d(filters.around(self.g(codes), self.weight.shape[-1]), self.weight, self.bias)

    def transposed(self, w):
        """M^T w for weights w (K, h, w) of a linear score, and <w, bias>: <w, M f> = <M^T w, f> + <w, bias>
        for every code f.
        """
        with torch.enable_grad():
            f = torch.zeros_like(w)[None].requires_grad_()
            value = (w * self(f)[0]).sum()
            return torch.autograd.grad(value, f)[0][0], value.detach()

    def moved(self):
        """For each channel the share of its row that is not its own channel at its own place: |row without
        that entry| / |row|, (K,).

        0: the channel's map only moves with the picture, and the channel stays what it was (the paper:
        invariant).
        """
        middle, own = self.weight.shape[-1] // 2, torch.arange(len(self.weight))
        others = self.weight.clone()
        others[own, own, middle, middle] = 0
        return others.flatten(1).norm(dim=1) / self.weight.flatten(1).norm(dim=1).clamp(min=1e-12)

    def leaving(self, channels):
        """The same map, but these channels stay what they are: their rows become those of the identity."""
        still, weight, bias = (
            places(self.g, self.layer, *self.weight.shape[1:3]),
            self.weight.clone(),
            self.bias.clone(),
        )
        weight[channels], bias[channels] = still.weight[channels], 0.0
        return replace(self, weight=weight, bias=bias)


def places(g, layer, channels, size):
    """The map that moves places and leaves all channels what they are."""
    weight, own = torch.zeros(channels, channels, size, size), range(channels)
    weight[own, own, size // 2, size // 2] = 1.0
    return EquivariantMap(g, layer, weight, torch.zeros(channels))


def fit_equivariance(
    net, images, g, *, layer, method="selection", size=3, k=25, ridge=1e-3, samples=4096, seed=0
):
    """Find M_g from pictures: the codes phi(g^-1 x) go in, the codes phi(x) should come out. Returns an
    EquivariantMap.

    images: x, (N, 3, H, W). g: a Warp. layer: before a ReLU, where the paper finds it easier. method:
        "places" (nothing is fitted),
    "least squares", "ridge" (its weight relative to the mean variance of a channel), or "selection": at most
        k non-zeros in a row.
    size: m, odd; every output reads m x m places of all channels. samples: how many places of all pictures
        are used, drawn by seed.
    Raises VizlibError for layers without places, other methods, sizes and g. Lenc & Vedaldi 2015,
        equivariance by regression (l2 loss).
    """
    images = check_images(images)
    start = _start(net, g, layer, size)
    if method not in METHODS:
        raise VizlibError(
            f"method is one of {', '.join(METHODS)}; this is {method!r}. vz.train_equivariance uses the task "
            "itself."
        )
    return (
        start
        if method == "places"
        else solve(start, samples_of(net, images, start, samples, seed), method, k, ridge)
    )


def solve(start, samples, method, k, ridge):
    """The filters and the bias of a map from Moments of its samples, by one of METHODS; g, layer and size are
    those of `start`.
    """
    if method == "selection":
        A, b = forward_selection(samples, k=k)
    else:
        A, b = least_squares(samples, ridge=ridge if method == "ridge" else 0.0)
    return replace(start, weight=A.view_as(start.weight), bias=b)


def train_equivariance(net, images, labels, start, **options):
    """Improve a map by the task: the codes phi(g^-1 x), mapped, go through the rest of the network, which
    should answer `labels` to them.

    images: x, (N, 3, H, W). labels: (N,) classes; the network's own answers to x will do. start: an
        EquivariantMap, such as a fitted one.
    options: steps, batch, rate, seed, progress. Returns an EquivariantMap. Lenc & Vedaldi 2015, the
        task-oriented loss.
    """
    images = check_images(images)
    codes = torch.cat(
        [record(net, start.g.inverse(images[i]), start.layer)[start.layer] for i in batches(len(images), 64)]
    )
    return filters.train(net, codes, labels, start, layer=start.layer, **options)


def logits_through(net, images, M, *, batch_size=100):
    """The logits of psi(M phi(images)): what the network answers when the code at M.layer is mapped on its
    way. (N, classes)
    """
    images = check_images(images)
    with torch.no_grad():
        return torch.cat(
            [
                resume(net, M.layer, M(record(net, images[i], M.layer)[M.layer]))
                for i in batches(len(images), batch_size)
            ]
        )


def map_error(M, codes, wanted):
    """How far M(codes) is from what is wanted, |M f - f'| / |f' - mean f'| over all places and channels: a
    map to the mean has 1.
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
    if not (isinstance(size, int) and size % 2 == 1 and 0 < size <= min(info.shape[-2:])):
        raise VizlibError(f"size is an odd number of places, no more than the grid has; this is {size!r}.")
    return places(g, layer, info.shape[0], size)


def samples_of(net, images, M, samples, seed):
    """Moments of what the filters of M read and should give, at places drawn from all pictures."""

    def code(x):
        return record(net, x, M.layer)[M.layer]

    pairs = ((M.g(code(M.g.inverse(images[i]))), code(images[i])) for i in batches(len(images), 32))
    return filters.sample(pairs, len(images), M.weight.shape[-1], samples, seed)
