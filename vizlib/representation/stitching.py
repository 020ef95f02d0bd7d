"""Do two networks learn the same? The first half of one, a few filters, the second half of another (Lenc &
Vedaldi 2015).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..batching import batches
from ..errors import VizlibError
from ..images import check_images
from ..layers import record, resume
from . import filters
from .regression import least_squares

METHODS = ("identity", "least squares", "ridge")


@dataclass(frozen=True)
class Stitch:
    """E: codes (N, K, h, w) of `layer` of one network -> codes (N, K', h, w) of `into` of another.

        (E f)[k, u] = bias[k] + sum over channels c and the m x m places v around 0 of weight[k, c, v] f[c, u
        + v]

    weight: (K', K, m, m). bias: (K',). Beyond the border the code goes on as at the border.
    """

    layer: str
    into: str
    weight: torch.Tensor
    bias: torch.Tensor

    def __call__(self, codes):
        return F.conv2d(filters.around(codes, self.weight.shape[-1]), self.weight, self.bias)


def fit_stitch(
    net, images, other, *, layer, into=None, method="ridge", size=1, ridge=1e-3, samples=8192, seed=0
):
    """Find E with phi'(x) = E phi(x), as far as it goes: phi, `net` at `layer`; phi', `other` at `into`.
    Returns a Stitch.

    images: x, (N, 3, H, W), shown to both networks. into: default: the layer of the same name. Both best
        before a ReLU.
    method: "identity" (channel k becomes channel k: nothing is fitted), "least squares", or "ridge", its
        weight relative to the mean
    variance of a channel. size: m, odd; every output reads m x m places of all channels. samples: places
        drawn from all pictures, by seed.
    Raises VizlibError where the two layers' grids differ on these pictures, for layers without one, and other
        methods and sizes.
    Lenc & Vedaldi 2015, section 4; the l2 loss of section 3.1 in place of the task's, which `train_stitch`
        uses.
    """
    images, into = check_images(images), into or layer
    channels = _channels(net, images[:1], layer, other, into)
    if method not in METHODS:
        raise VizlibError(
            f"method is one of {', '.join(METHODS)}; this is {method!r}. vz.train_stitch uses the task "
            "itself."
        )
    if not (isinstance(size, int) and size > 0 and size % 2 == 1):
        raise VizlibError(f"size is an odd number of places; this is {size!r}.")
    if method == "identity":
        weight = torch.zeros(channels[1], channels[0], size, size)
        own = range(min(channels))
        weight[own, own, size // 2, size // 2] = 1.0
        return Stitch(layer, into, weight, torch.zeros(channels[1]))
    both = (
        (record(net, images[i], layer)[layer], record(other, images[i], into)[into])
        for i in batches(len(images), 32)
    )
    found = filters.sample(both, len(images), size, samples, seed)
    A, b = least_squares(found, ridge=ridge if method == "ridge" else 0.0)
    return Stitch(layer, into, A.view(channels[1], channels[0], size, size), b)


def train_stitch(net, images, other, labels, start, **options):
    """Improve a stitch by the task of `other`: its second half should answer `labels` to the stitched codes
    of `images`. Returns a Stitch.

    labels: (N,) classes of `other`; its own answers will do. start: a Stitch. options: steps, batch, rate,
        seed, progress.
    Lenc & Vedaldi 2015, section 4.
    """
    images = check_images(images)
    codes = torch.cat([record(net, images[i], start.layer)[start.layer] for i in batches(len(images), 64)])
    return filters.train(other, codes, labels, start, layer=start.into, **options)


def franken(net, images, other, stitch, *, batch_size=100):
    """What the first half of `net`, the stitch, and the second half of `other` answer together: the logits of
    `other`, (N, classes).
    """
    images = check_images(images)
    with torch.no_grad():
        return torch.cat(
            [
                resume(other, stitch.into, stitch(record(net, images[i], stitch.layer)[stitch.layer]))
                for i in batches(len(images), batch_size)
            ]
        )


def _channels(net, image, layer, other, into):
    """How many channels the two layers have; they must have the same grid of places."""
    for network, name in ((net, layer), (other, into)):
        if not network.layer(name).spatial:
            raise VizlibError(
                f"Layer {name!r} of {network.name} has no grid of places; choose one of those that have in "
                "net.layers."
            )
    codes = record(net, image, layer)[layer], record(other, image, into)[into]
    here, there = (tuple(c.shape[2:]) for c in codes)
    if here != there:
        raise VizlibError(
            f"{layer!r} of {net.name} has a grid of {here[0]} x {here[1]} places on these pictures, {into!r} "
            f"of {other.name} one of "
            f"{there[0]} x {there[1]}. A stitch needs the same; choose other layers, or pictures of another "
            "size."
        )
    return [c.shape[1] for c in codes]
