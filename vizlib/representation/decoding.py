"""Pictures from codes by an up-convolutional network (Dosovitskiy & Brox, 2016): what do pictures with this
code look like on average?
"""

from __future__ import annotations

import copy
import functools
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ..errors import VizlibError
from ..layers import record
from ..models.architectures import PLAIN, PlainNet
from ..models.fingerprint import fingerprint
from ..models.seeded import seeded_init
from ..models.stored import read_weights, weights_folder
from ..table import Card

if TYPE_CHECKING:
    from ..models.network import Network

CHANNELS = {4: 128, 8: 96, 16: 64, 32: 32, 64: 16}  # of the decoder's grid of 4 x 4, 8 x 8, ...
SIDE = 64


class Standardize(nn.Module):
    """(code - mean) / std per channel, with the mean and standard deviation of the codes it was
    measured on.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))

    def measure(self, codes: torch.Tensor) -> None:
        """codes (N, C) or (N, C, h, w). A channel that never changes keeps std 1."""
        rows = codes.transpose(0, 1).flatten(1)
        self.mean.copy_(rows.mean(1))
        self.std.copy_(torch.where(rows.std(1) > 1e-6, rows.std(1), 1.0))

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        shape = (1, -1, *[1] * (codes.dim() - 2))
        return (codes - self.mean.view(shape)) / self.std.view(shape)


class Decoder(nn.Sequential):
    """An up-convolutional network: codes (N, C, h, w) with h = w a power of two from 4 to 32, or (N, K) ->
    pictures (N, 3, 64, 64), not yet clipped to [0, 1].

    A convolution (for flat codes a linear layer to a 4 x 4 grid), then up-convolutions that double the grid
    until it is 64 x 64, each followed by a leaky ReLU with slope 0.2. ConvTranspose2d with a 4 x 4 kernel
    and stride 2 is the paper's unpooling (a value and three zeros) and convolution in one; four is a
    multiple of the stride, so that every pixel gets as many terms as its neighbours.
    """

    card: Card

    def __init__(self, shape: tuple[int, ...]) -> None:
        channels, grid = shape[0], shape[1] if len(shape) == 3 else 4
        first: nn.Module
        if len(shape) == 3:
            first = nn.Conv2d(channels, CHANNELS[grid], 3, padding=1)
        else:
            first = nn.Sequential(
                nn.Linear(channels, CHANNELS[grid] * grid * grid),
                nn.Unflatten(1, (CHANNELS[grid], grid, grid)),
            )
        layers: OrderedDict[str, nn.Module]
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
    """zfnet's layers up to pool5, free to learn whatever code serves best, and a decoder: pictures (N, 3,
    64, 64) -> the same.

    norm=True puts a batch-norm after every convolution, for training; it is folded away afterwards.
    """

    card: Card

    def __init__(self, *, norm: bool = False) -> None:
        super().__init__()
        layers = list(PlainNet(PLAIN["zfnet"], 1, norm=norm).named_children())
        self.encoder = nn.Sequential(OrderedDict(layers[: [name for name, _ in layers].index("pool5") + 1]))
        self.decoder = Decoder((256, 4, 4))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.encoder((images - 0.5) / 0.25))


def decode(net: Network, images: torch.Tensor, *, layer: str) -> torch.Tensor:
    """Feature inversion by an up-convolutional network (a decoder): what pictures with this code look like on
    average. Encode with `net` up to `layer`, decode with the network trained for that layer.

    images: (N, 3, 64, 64) in [0, 1]; the result has the same shape, and lies on the network's device. One
    forward pass each way; `decoder` gives the second half alone, for codes that were changed.

    Decoders: zfnet's pool1, relu3, pool5 and logits, and pool5 of untrained zfnet@0. Raises VizlibError for
    other layers and networks, for changed weights, and for pictures of another size.
    Dosovitskiy & Brox 2016, "Inverting Visual Representations with Convolutional Networks", section 3.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.decode(net, photo, layer="pool5").shape
        torch.Size([1, 3, 64, 64])
    """
    images, back = net.check(images), _decoder(net, layer)
    if images.shape[-2:] != (SIDE, SIDE):
        raise VizlibError(
            f"Decoders are made for pictures of {SIDE} x {SIDE} pixels; these have "
            f"{tuple(images.shape[-2:])}. vz.resize changes them."
        )
    with torch.no_grad():
        return back(record(net, images, layer)[layer]).clamp(0, 1)


def decoder(net: Network, layer: str) -> Decoder:
    """The network that was trained to turn codes of this layer of `net` into pictures: a Decoder, frozen,
    on the network's device, a copy of its own; its `card` says how.

    Raises VizlibError for a layer without one, and where the weights of `net` are not those that it was
    trained for.

        >>> vz.decoder(vz.load("zfnet"), "pool5").card["layer"]
        'pool5'
    """
    return copy.deepcopy(_decoder(net, layer))


def autoencoder() -> Autoencoder:
    """The control, an autoencoder: a network of zfnet's shape, trained together with its decoder to return
    the picture. An Autoencoder with `card`, a copy of its own.

        >>> vz.autoencoder()(vz.photo("goldfish", 64)).shape
        torch.Size([1, 3, 64, 64])
    """
    return copy.deepcopy(_read(_folder() / "autoencoder.safetensors", torch.device("cpu")))


def _folder() -> Path:
    return weights_folder() / "decoders"


def _decoder(net: Network, layer: str) -> Decoder:
    found = _read(_folder() / f"{net.name}-{layer}.safetensors", net.device)
    if fingerprint(net) != found.card.get("network's fingerprint"):
        raise VizlibError(
            f"The decoder {found.card['name']!r} was trained for other weights of {net.name} than these. "
            f"vz.load({net.name!r}) has those of the decoders that come with the course."
        )
    return found


@functools.cache
def _read(path: Path, device: torch.device) -> Any:
    """The Decoder, or the Autoencoder, in this file."""
    name = path.stem
    if not path.is_file():
        here = ", ".join(sorted(p.stem for p in path.parent.glob("*-*.json"))) or "none"
        raise VizlibError(
            f"There is no decoder {name!r} (network-layer); there are {here}. They come from python -m "
            "vizlib.course.training decoders."
        )
    card, state = read_weights(path)
    with torch.inference_mode(False), seeded_init(0):  # the weights drawn here are replaced by the file's
        model = Decoder(tuple(card["shape"])) if "shape" in card else Autoencoder()
        model.load_state_dict(state)
    model.card = Card(card)
    return model.to(device).eval().requires_grad_(False)
