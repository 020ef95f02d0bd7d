"""Pictures from codes by an up-convolutional network (Dosovitskiy & Brox, 2016): what do pictures with this
code look like on average?
"""

from __future__ import annotations

import copy
import functools
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from ..errors import VizlibError
from ..images import resize
from ..images.check import check_images
from ..layers import record
from ..models.architectures import PLAIN, PlainNet, SqueezeNet
from ..models.fingerprint import fingerprint
from ..models.seeded import seeded_init
from ..models.stored import read_weights, weights_folder
from ..table import Card

if TYPE_CHECKING:
    from ..models.network import Network

CHANNELS = {4: 128, 8: 96, 16: 64, 32: 32, 64: 16}  # of the decoder's grid of 4 x 4, 8 x 8, ...
SIDE = 64
WIDE = {8: 256, 16: 192, 32: 96, 64: 64, 128: 32}
SLIM = {4: 64, 8: 128, 16: 96, 32: 64, 64: 48, 128: 32}  # for flat codes, whose linear layer is large


def large(shape: tuple[int, ...]) -> dict[str, Any]:
    """The options of a Decoder of pictures of 128 x 128 pixels from codes of this shape."""
    return {"side": 128, "channels": WIDE if len(shape) == 3 else SLIM, "refine": True}


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
    """An up-convolutional network: codes (N, C, h, w), or (N, K) -> pictures (N, 3, side, side), not yet
    clipped to [0, 1].

    A convolution (for flat codes a linear layer to a 4 x 4 grid), then up-convolutions that double the grid
    until it is as large as the picture, each followed by a leaky ReLU with slope 0.2.
    ConvTranspose2d with a 4 x 4 kernel and stride 2 is the paper's unpooling (a value and three zeros) and
    convolution in one; four is a multiple of the stride, so that every pixel gets as many terms as its
    neighbours.

    shape: of one code. A grid of h x h, h a power of two; or one less, as SqueezeNet makes them, whose first
    convolution has no margin: then this network's first has one of its own. Convolutions do not mind how
    large a grid is: what was made for 7 x 7 turns 13 x 13 into a larger picture.
    side: of the pictures. channels: {grid: channels there}.
    refine: a 3 x 3 convolution more after each up-convolution.
    """

    card: Card

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        side: int = SIDE,
        channels: dict[int, int] = CHANNELS,
        refine: bool = False,
    ) -> None:
        inputs, grid = shape[0], shape[1] if len(shape) == 3 else 4
        first: nn.Module
        if len(shape) == 1:
            first = nn.Sequential(
                nn.Linear(inputs, channels[grid] * grid * grid), nn.Unflatten(1, (channels[grid], grid, grid))
            )
        elif grid % 2:
            grid += 1
            first = nn.Conv2d(inputs, channels[grid], 2, padding=1)
        else:
            first = nn.Conv2d(inputs, channels[grid], 3, padding=1)
        layers: OrderedDict[str, nn.Module]
        layers = OrderedDict(standardize=Standardize(inputs), first=first, leaky=nn.LeakyReLU(0.2))
        while grid < side:
            fine = 2 * grid
            layers[f"up{fine}"] = nn.ConvTranspose2d(channels[grid], channels[fine], 4, stride=2, padding=1)
            layers[f"leaky{fine}"] = nn.LeakyReLU(0.2)
            if refine:
                layers[f"refine{fine}"] = nn.Conv2d(channels[fine], channels[fine], 3, padding=1)
                layers[f"leaky{fine}b"] = nn.LeakyReLU(0.2)
            grid = fine
        layers["picture"] = nn.Conv2d(channels[side], 3, 3, padding=1)
        super().__init__(layers)


class Autoencoder(nn.Module):
    """A network's layers up to one of them, free to learn whatever code serves best, and a decoder: pictures
    (N, 3, side, side) -> the same.

    like: "zfnet", up to pool5, or "squeezenet", up to fire9.
    norm=True puts a batch-norm after every convolution of zfnet, for training; it is folded away afterwards.
    """

    card: Card

    def __init__(self, like: str = "zfnet", *, norm: bool = False) -> None:
        super().__init__()
        whole: nn.Module
        if like == "squeezenet":
            whole, last, self.decoder = SqueezeNet(1), "fire9", Decoder((512, 7, 7), **large((512, 7, 7)))
        else:
            whole, last, self.decoder = PlainNet(PLAIN["zfnet"], 1, norm=norm), "pool5", Decoder((256, 4, 4))
        layers = list(whole.named_children())
        self.encoder = nn.Sequential(OrderedDict(layers[: [name for name, _ in layers].index(last) + 1]))
        if not norm or like == "squeezenet":  # nothing else keeps the signal from fading on its long way
            self.encoder.apply(_keeping_size)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.encoder((images - 0.5) / 0.25))


def _keeping_size(module: nn.Module) -> None:
    """Weights with which a convolution and its ReLU keep the size of what goes through (He et al. 2015)."""
    if isinstance(module, nn.Conv2d) and module.bias is not None:
        nn.init.kaiming_normal_(module.weight)
        nn.init.zeros_(module.bias)


def decode(net: Network, images: torch.Tensor, *, layer: str) -> torch.Tensor:
    """Feature inversion by an up-convolutional network (a decoder): what pictures with this code look like on
    average. Encode with `net` up to `layer`, decode with the network trained for that layer.

    images: (N, 3, H, W) in [0, 1]; the result has the same shape, and lies on the network's device. One
    forward pass each way; `decoder` gives the second half alone, for codes that were changed.

    Decoders: zfnet's pool1, relu3, pool5 and logits, and pool5 of untrained zfnet@0, for 64 x 64 pixels (all
    but the logits' for other sizes of whole cells, too). Raises VizlibError for other layers and networks,
    for changed weights, and for pictures of another size.
    Dosovitskiy & Brox 2016, "Inverting Visual Representations with Convolutional Networks", section 3.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.decode(net, photo, layer="pool5").shape
        torch.Size([1, 3, 64, 64])
    """
    images, back = net.check(images), _decoder(net, layer)
    with torch.no_grad():
        decoded = back(record(net, images, layer)[layer]).clamp(0, 1)
    if decoded.shape != images.shape:
        side = back.card.get("side", SIDE)
        raise VizlibError(
            f"This decoder was made for pictures of {side} x {side} pixels, and those it draws of "
            f"{tuple(images.shape[-2:])} are {tuple(decoded.shape[-2:])}. vz.resize(images, {side}) fits."
        )
    return decoded


def decoder(net: Network, layer: str) -> Decoder:
    """The network that was trained to turn codes of this layer of `net` into pictures: a Decoder, frozen,
    on the network's device, a copy of its own; its `card` says how.

    Raises VizlibError for a layer without one, and where the weights of `net` are not those that it was
    trained for.

        >>> vz.decoder(vz.load("zfnet"), "pool5").card["layer"]
        'pool5'
    """
    return copy.deepcopy(_decoder(net, layer))


def autoencoder(like: str = "zfnet") -> Autoencoder:
    """The control, an autoencoder: a network of zfnet's shape up to pool5, trained together with its decoder
    to return the picture. An Autoencoder with `card`, a copy of its own.

    like: the network whose shape it has; "zfnet", for pictures of 64 x 64 pixels, comes with the course.

        >>> vz.autoencoder()(vz.photo("goldfish", 64)).shape
        torch.Size([1, 3, 64, 64])
    """
    name = "autoencoder" if like == "zfnet" else f"{like}-autoencoder"
    return copy.deepcopy(_read(_folder() / f"{name}.safetensors", torch.device("cpu")))


def thumbnail_size(images: torch.Tensor, decoded: torch.Tensor) -> float:
    """A yardstick for reconstruction errors: the n for which an n x n thumbnail of each picture, enlarged
    again, is on average as far from it, ||x - f||, as `decoded` is.

    images, decoded: (N, 3, side, side); what lies outside [0, 1] is clipped. From 1 (no better than one
    colour) to side (perfect); between two sizes that were tried, on a logarithmic scale.

        >>> photos = torch.cat([vz.photo(name, 64) for name in ("goldfish", "scarlet_macaw")])
        >>> small = vz.resize(photos, 16)
        >>> round(vz.thumbnail_size(photos, vz.resize(small, 64)))
        16
    """
    x, f = check_images(images), check_images(decoded.clamp(0, 1)).to(images.device)
    if x.shape != f.shape or x.shape[-1] != x.shape[-2]:
        raise VizlibError(
            "thumbnail_size compares square pictures with others of the same size; these are "
            f"{tuple(x.shape)} and {tuple(f.shape)}."
        )
    side = x.shape[-1]
    sizes = sorted({min(side, round(2 ** (i / 4))) for i in range(4 * side.bit_length() + 1)})
    errors = [_distance(x, resize(resize(x, n), side)) for n in sizes]
    return float(np.exp(np.interp(-_distance(x, f), -np.array(errors), np.log(sizes))))


def _distance(x: torch.Tensor, f: torch.Tensor) -> float:
    return float((x - f.clamp(0, 1)).flatten(1).norm(dim=1).mean())


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
        if "shape" in card:
            shape = tuple(card["shape"])
            model: Decoder | Autoencoder = Decoder(shape, **(large(shape) if card.get("side") == 128 else {}))
        else:
            model = Autoencoder(card.get("like", "zfnet"))
        model.load_state_dict(state)
    model.card = Card(card)
    return model.to(device).eval().requires_grad_(False)
