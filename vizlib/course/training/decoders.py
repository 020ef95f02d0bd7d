"""Training decoders for the codes of zfnet, and two controls: a decoder of untrained codes, and codes that
were made to be decoded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ...layers import record
from ...models.fingerprint import fingerprint
from ...models.network import Network
from ...models.seeded import seeded_init
from ...representation.decoding import Autoencoder, Decoder
from .batches import Batches
from .classifier import Recipe
from .fitting import fit
from .tiny_imagenet import SIDE, read_tiny_imagenet
from .weights import card_of_run, folded, write_weights

LAYERS = ("pool1", "relu3", "pool5", "logits")


@dataclass(frozen=True)
class DecoderRecipe:
    """epochs of batches of `batch` pictures; Adam with the highest rate `rate`."""

    epochs: int = 3
    batch: int = 64
    rate: float = 2e-3
    seed: int = 0


class Inverters(nn.Module):
    """Decoders for layers of networks that stay as they are, and an autoencoder if asked for: from pictures
    (N, 3, 64, 64) to (decoders, N, 3, 64, 64). All networks and pictures are on one device.

    codes: {name: (network, layer)}.
    """

    def __init__(self, codes: dict[str, tuple[Network, str]], autoencoder: bool = False) -> None:
        super().__init__()
        self.codes = codes  # a plain dict: the networks are no part of what is trained or saved
        decoders = {name: Decoder(net.layer(layer).shape) for name, (net, layer) in codes.items()}
        self.decoders = nn.ModuleDict(decoders)  # a module's name may hold no dot
        self.autoencoder = Autoencoder(norm=True) if autoencoder else None

    def encode(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """{name: codes}, with one forward pass per network."""
        out: dict[str, torch.Tensor] = {}
        for net in dict.fromkeys(net for net, _ in self.codes.values()):
            mine = {name: layer for name, (other, layer) in self.codes.items() if other is net}
            taken = record(net, images, list(mine.values()))
            out |= {name: taken[layer] for name, layer in mine.items()}
        return out

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        decoded = [self.decoders[name](code) for name, code in self.encode(images).items()]
        return torch.stack(decoded + ([self.autoencoder(images)] if self.autoencoder else []))


def pixel_error(images: torch.Tensor, decoded: torch.Tensor) -> float:
    """Normalized reconstruction error: the mean of ||x - f|| over the mean distance of two different pictures
    x. 0 is perfect, the mean picture gets about 0.71.
    """
    x, f = images.flatten(1), decoded.flatten(1)
    return float((x - f).norm(dim=1).mean() / (torch.cdist(x, x).sum() / (len(x) * (len(x) - 1))))


def pictures(pixels: np.ndarray) -> torch.Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) in [0, 1]"""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(255)


def train_decoders(
    name: str,
    data: str | Path,
    out: str | Path,
    *,
    load: Callable[[str], Network],
    recipe: DecoderRecipe | None = None,
    tell: Callable[[str], object] = print,
) -> str | Path:
    """Train "decoders" (one for each of four layers of zfnet) or "decoder-controls" (of untrained zfnet's
    pool5; the autoencoder) on Tiny ImageNet in the folder `data`, where the network is.

    load: function from "zfnet" or "zfnet@0" to a Network.
    Writes weights, cards and checkpoint to `out`, and returns that folder.
    """
    recipe = recipe or DecoderRecipe()
    tell("reading the pictures ...")
    train, val = read_tiny_imagenet(data, "train"), read_tiny_imagenet(data, "val")
    batches = Batches(train, Recipe(crops=((recipe.epochs, SIDE),), batch=recipe.batch, seed=recipe.seed))
    net, layers = (load("zfnet"), LAYERS) if name == "decoders" else (load("zfnet@0"), ("pool5",))
    codes = {f"{net.name}-{layer}": (net, layer) for layer in layers}
    with seeded_init(recipe.seed):
        model = Inverters(codes, autoencoder=name != "decoders")
    model = model.to(net.device)
    some = pictures(train.images[:: max(1, len(train) // 500)]).to(net.device)
    for key, code in model.encode(some).items():
        standardize: Any = model.decoders[key].get_submodule("standardize")
        standardize.measure(code)

    def batch(step):
        images = pictures(batches.pixels(step)[0])
        return images, images

    run = fit(
        model,
        batch,
        lambda decoded, images: F.mse_loss(decoded, images.expand_as(decoded)),
        torch.optim.Adam(model.parameters(), recipe.rate),
        recipe.epochs * batches.per_epoch,
        path=f"{out}/{name}.checkpoint",
        fingerprint=f"{name} {recipe}",
        tell=tell,
    )
    card = {
        "what": "a decoder from codes to pictures (Dosovitskiy & Brox, 2016)",
        "data": "Tiny ImageNet: 64 x 64 pixels",
        "recipe": asdict(recipe),
        "command": f"python -m vizlib.training {name} --data PATH",
        **card_of_run(run),
    }
    _write(model, pictures(val.images[:: max(1, len(val) // 500)]), out, card, tell)
    return out


def _write(model, images, out, card, tell):
    """Round each decoder to half precision, measure it on validation pictures, write it."""
    for name, (net, layer) in model.codes.items():
        decoder = folded(model.decoders[name], example=torch.zeros(1, *net.layer(layer).shape))
        error = pixel_error(images, decoder(record(net, images, layer)[layer].cpu()).clamp(0, 1))
        tell(f"{name}: pixel error {error:.3f}")
        code = {
            "network": net.name,
            "network's SHA-256": net.card["sha256"],
            "network's fingerprint": fingerprint(net),
            "layer": layer,
            "shape": net.layer(layer).shape,
        }
        write_weights(out, name, decoder, {"name": name, **card, **code, "pixel error": round(error, 3)})
    if model.autoencoder:
        plain = folded(model.autoencoder, example=images[:1])
        error = pixel_error(images, plain(images).clamp(0, 1))
        tell(f"autoencoder: pixel error {error:.3f}")
        card = {
            "name": "autoencoder",
            **card,
            "what": "zfnet's shape up to pool5, and a decoder, trained together to return the picture",
        }
        write_weights(out, "autoencoder", plain, {**card, "pixel error": round(error, 3)})
