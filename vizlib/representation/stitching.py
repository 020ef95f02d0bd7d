"""Do two networks learn the same? The first half of one, a few filters, the second half of another (Lenc &
Vedaldi 2015).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from ..deprecation import renamed
from ..errors import VizlibError
from ..layers import record, resume
from ..sweep.streams import collection, each_batch
from . import filters
from .regression import least_squares

if TYPE_CHECKING:
    from ..models import Network

METHODS = ("identity", "least squares", "ridge")


@dataclass(frozen=True)
class Stitch:
    """E: codes (N, K, h, w) of `layer` of one network -> codes (N, K', h, w) of `into` of another.

        (E f)[k, u] = bias[k] + sum_{c, v} weight[k, c, v] f[c, u + v]

    over all channels c and the m x m places v around 0. weight: (K', K, m, m). bias: (K',). Beyond the
    border the code goes on as at the border.
    """

    layer: str
    into: str
    weight: torch.Tensor
    bias: torch.Tensor

    def __call__(self, codes: torch.Tensor) -> torch.Tensor:
        return F.conv2d(filters.around(codes, self.weight.shape[-1]), self.weight, self.bias)


@renamed(images="pictures")
def fit_stitch(
    net: Network,
    pictures: Any,
    other: Network,
    *,
    layer: str,
    into: str | None = None,
    method: str = "ridge",
    size: int = 1,
    ridge: float = 1e-3,
    samples: int = 8192,
    seed: int = 0,
    **options: Any,
) -> Stitch:
    """Model stitching: find E with phi'(x) = E phi(x), as far as it goes. phi: `net` at `layer`; phi':
    `other` at `into`.

    pictures: x, shown to both networks: a tensor (N, 3, H, W), `vz.folder(...)`, or another iterable.
    into: default: the layer of the same name. Both best before a ReLU.
    method: "identity" (channel k becomes channel k: nothing is fitted), "least squares", or "ridge", its
        weight relative to the mean variance of a channel.
    size: m, odd; every output reads m x m places of all channels.
    samples: places drawn from all pictures, by seed; of a stream that does not know its length, from every
        256.
    options: batch_size, progress, client, checkpoint, as in `vz.sweep.run`.
    Raises VizlibError where the two layers' grids differ on these pictures, for layers without one, and other
    methods and sizes.
    Lenc & Vedaldi 2015, section 4; the l2 loss of section 3.1 in place of the task's, which `train_stitch`
    uses.

    >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
    >>> vz.fit_stitch(net, photo, vz.load("zfnet@8"), layer="conv1").weight.shape
    torch.Size([48, 48, 1, 1])
    """
    into = into or layer
    for network, name in ((net, layer), (other, into)):
        if not network.layer(name).spatial:
            raise VizlibError(
                f"Layer {name!r} of {network.name} has no grid of places; choose one of those that have in "
                "net.layers."
            )
    if method not in METHODS:
        raise VizlibError(
            f"method is one of {', '.join(METHODS)}; this is {method!r}. vz.train_stitch uses the task "
            "itself."
        )
    size, (inputs, outputs) = filters.odd(size), (net.layer(layer).shape[0], other.layer(into).shape[0])
    pairs = _Pairs(net, layer, other, into)
    if method == "identity":
        pictures = collection(pictures)
        if pictures.again:
            pairs(pictures[0])  # says whether the grids fit
        weight = torch.zeros(outputs, inputs, size, size, device=other.device)
        own = range(min(inputs, outputs))
        weight[own, own, size // 2, size // 2] = 1.0
        return Stitch(layer, into, weight, weight.new_zeros(outputs))
    belongs = {"question": f"stitch, {layer} to {into}", "network": net, "other network": other}
    found = filters.sample(pictures, pairs, inputs, size, samples, seed, belongs=belongs, **options)
    A, b = least_squares(found, ridge=ridge if method == "ridge" else 0.0)
    return Stitch(layer, into, A.view(outputs, inputs, size, size).to(other.device), b.to(other.device))


@renamed(images="pictures")
def train_stitch(
    net: Network, pictures: Any, other: Network, labels: Any, start: Stitch, **options: Any
) -> Stitch:
    """Improve a stitch by the task of `other`: its second half should answer `labels` to the stitched codes
    of the pictures.

    pictures: as in `fit_stitch`. labels: (N,) classes of `other`; its own answers will do. start: a Stitch.
    options: steps, batch, rate, seed, progress.
    The codes of many pictures are not kept but made anew for each batch. Lenc & Vedaldi 2015, section 4.

    >>> net, other, photo = vz.load("zfnet"), vz.load("zfnet@8"), vz.photo("goldfish", 64)
    >>> start = vz.fit_stitch(net, photo, other, layer="conv1")
    >>> vz.train_stitch(net, photo, other, [1], start, steps=2).into
    'conv1'
    """

    def code(images):
        return record(net, images, start.layer)[start.layer].to(other.device)

    return filters.train(other, pictures, code, labels, start, layer=start.into, **options)


@renamed(chunk="batch_size", images="pictures")
def franken(
    net: Network, pictures: Any, other: Network, stitch: Stitch, *, batch_size: int = 32
) -> torch.Tensor:
    """What the first half of `net`, the stitch, and the second half of `other` answer together: the logits of
    `other`, (N, classes).

    pictures: as in `fit_stitch`.

    >>> from vizlib.representation import franken
    >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
    >>> stitch = vz.fit_stitch(net, photo, net, layer="conv1", method="identity")
    >>> torch.allclose(franken(net, photo, net, stitch), net(photo), atol=1e-4)
    True
    """

    def answer(images):
        code = record(net, images, stitch.layer)[stitch.layer].to(other.device)
        return resume(other, stitch.into, stitch(code))

    with torch.no_grad():
        return torch.cat([answer(images) for _, images in each_batch(pictures, batch_size)])


@dataclass(frozen=True)
class _Pairs:
    """Images -> the codes of one network and those of the other, on the same grid."""

    net: Network
    layer: str
    other: Network
    into: str

    def __call__(self, images):
        code = record(self.net, images, self.layer)[self.layer]
        wanted = record(self.other, images, self.into)[self.into].to(code.device)
        here, there = (tuple(c.shape[2:]) for c in (code, wanted))
        if here != there:
            raise VizlibError(
                f"{self.layer!r} of {self.net.name} has a grid of {here[0]} x {here[1]} places on these "
                f"pictures, {self.into!r} of {self.other.name} one of {there[0]} x {there[1]}. A stitch "
                "needs the same; choose other layers, or pictures of another size."
            )
        return code, wanted
