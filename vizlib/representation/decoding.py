"""Pictures from codes by an up-convolutional network (Dosovitskiy & Brox, 2016): what do pictures with this
code look like on average?
"""

import copy
import functools
from collections import OrderedDict

import torch
from torch import nn

from ..errors import VizlibError
from ..images import check_images
from ..layers import record
from ..models.architectures import PLAIN, PlainNet
from ..models.seeded import seeded_init
from ..models.stored import read_weights, weights_folder
from ..table import Card

CHANNELS = {4: 128, 8: 96, 16: 64, 32: 32, 64: 16}  # of the decoder's grid of 4 x 4, 8 x 8, ...
SIDE = 64


class Standardize(nn.Module):
    """(code - mean) / std per channel, with the mean and standard deviation of the codes it was
    measured on.
    """

    def __init__(self, channels):
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))

    def measure(self, codes):
        """codes (N, C) or (N, C, h, w). A channel that never changes keeps std 1."""
        rows = codes.transpose(0, 1).flatten(1)
        self.mean.copy_(rows.mean(1))
        self.std.copy_(torch.where(rows.std(1) > 1e-6, rows.std(1), 1.0))

    def forward(self, codes):
        shape = (1, -1, *[1] * (codes.dim() - 2))
        return (codes - self.mean.view(shape)) / self.std.view(shape)


class Decoder(nn.Sequential):
    """codes (N, C, h, w) with h = w a power of two from 4 to 32, or (N, K) -> pictures (N, 3, 64, 64), not
    yet clipped to [0, 1].

    A convolution (for flat codes a linear layer to a 4 x 4 grid), then up-convolutions that double the grid
        until it is 64 x 64, each
    followed by a leaky ReLU with slope 0.2. ConvTranspose2d with a 4 x 4 kernel and stride 2 is the paper's
        unpooling (a value and three
    zeros) and convolution in one; four is a multiple of the stride, so that every pixel gets as many terms as
        its neighbours.
    """

    def __init__(self, shape):
        channels, grid = shape[0], shape[1] if len(shape) == 3 else 4
        if len(shape) == 3:
            first = nn.Conv2d(channels, CHANNELS[grid], 3, padding=1)
        else:
            first = nn.Sequential(
                nn.Linear(channels, CHANNELS[grid] * grid * grid),
                nn.Unflatten(1, (CHANNELS[grid], grid, grid)),
            )
        layers = OrderedDict(standardize=Standardize(channels), first=first, leaky=nn.LeakyReLU(0.2))
        while grid < SIDE:
            layers[f"up{2 * grid}"] = nn.ConvTranspose2d(
                CHANNELS[grid], CHANNELS[2 * grid], 4, stride=2, padding=1
            )
            layers[f"leaky{2 * grid}"] = nn.LeakyReLU(0.2)
            grid *= 2
        layers["picture"] = nn.Conv2d(CHANNELS[SIDE], 3, 3, padding=1)
        super().__init__(layers)


class Autoencoder(nn.Module):
    """zfnet's layers up to pool5, free to learn whatever code serves best, and a decoder: pictures (N, 3, 64,
    64) -> the same.

    norm=True puts a batch-norm after every convolution, for training; it is folded away afterwards.
    """

    def __init__(self, *, norm=False):
        super().__init__()
        layers = list(PlainNet(PLAIN["zfnet"], 1, norm=norm).named_children())
        self.encoder = nn.Sequential(OrderedDict(layers[: [name for name, _ in layers].index("pool5") + 1]))
        self.decoder = Decoder((256, 4, 4))

    def forward(self, images):
        return self.decoder(self.encoder((images - 0.5) / 0.25))


def decode(net, images, *, layer):
    """What pictures with this code look like on average: encode with `net` up to `layer`, decode with the
    network trained for that layer.

    images: (N, 3, 64, 64) in [0, 1]; the result has the same shape. One forward pass each way; `decoder`
        gives the second half alone, for
    codes that were changed. Decoders: zfnet's pool1, relu3, pool5 and logits, and pool5 of untrained zfnet@0;
        others raise VizlibError.
    Dosovitskiy & Brox 2016, "Inverting Visual Representations with Convolutional Networks", section 3.
    """
    back, images = decoder(net, layer), check_images(images)
    if images.shape[-2:] != (SIDE, SIDE):
        raise VizlibError(
            f"Decoders are made for pictures of {SIDE} x {SIDE} pixels; these have "
            f"{tuple(images.shape[-2:])}. vz.resize changes them."
        )
    with torch.no_grad():
        return back(record(net, images, layer)[layer]).clamp(0, 1)


def decoder(net, layer):
    """The network that was trained to turn codes of this layer of `net` into pictures: a Decoder, frozen; its
    `card` says how.
    """
    return _load(f"{net.name}-{layer}", net.card.get("sha256"))


def autoencoder():
    """The control: a network of zfnet's shape, trained together with its decoder to return the picture: an
    Autoencoder with `card`.
    """
    return _load("autoencoder", None)


def _load(name, made_for):
    return copy.deepcopy(_read(_folder() / f"{name}.safetensors", made_for))  # nobody spoils another's


def _folder():
    return weights_folder() / "decoders"


@functools.cache
def _read(path, made_for):
    name = path.stem
    if not path.is_file():
        here = ", ".join(sorted(p.stem for p in path.parent.glob("*-*.json"))) or "none"
        raise VizlibError(
            f"There is no decoder {name!r} (network-layer); there are {here}. They come from python -m "
            "vizlib.course.training decoders."
        )
    card, state = read_weights(path)
    if made_for != card.get("network's SHA-256"):
        raise VizlibError(
            f"The decoder {name!r} was trained for other weights of {card['network']} than these; train it "
            "again."
        )
    with seeded_init(0):  # the weights drawn here are replaced by the file's
        model = Autoencoder() if made_for is None else Decoder(tuple(card["shape"]))
    model.load_state_dict(state)
    model.card = Card(card)
    return model.eval().requires_grad_(False)
