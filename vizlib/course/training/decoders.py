"""Training decoders for the codes of networks, and two controls: a decoder of untrained codes, and codes that
were made to be decoded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ...images import photo, photos
from ...layers import record
from ...models.fingerprint import fingerprint
from ...models.network import Network
from ...models.seeded import seeded_init
from ...representation.decoding import Autoencoder, Decoder, large
from .batches import Batches, in_unit_range
from .classifier import Recipe
from .fitting import fit
from .large_pictures import LARGE_SIDE, LargePictures
from .tiny_imagenet import SIDE, read_tiny_imagenet
from .weights import card_of_run, folded, write_weights

CODES = {  # what is trained together: [(network, layer), ...], and the network whose shape the control has
    "decoders": ([("zfnet", layer) for layer in ("pool1", "relu3", "pool5", "logits")], None),
    "decoder-controls": ([("zfnet@0", "pool5")], "zfnet"),
    "squeezenet-decoders": (
        [("squeezenet", layer) for layer in ("pool1", "pool3", "pool5", "fire9", "logits")]
        + [("squeezenet@0", "fire9")],
        "squeezenet",
    ),
}


@dataclass(frozen=True)
class DecoderRecipe:
    """epochs of batches of `batch` pictures; Adam with the highest rate `rate`. An epoch is as many batches
    as Tiny ImageNet fills once.
    """

    epochs: int = 3
    batch: int = 64
    rate: float = 2e-3
    seed: int = 0


class Inverters(nn.Module):
    """Decoders for layers of networks that stay as they are, and an autoencoder if asked for: from pictures
    (N, 3, side, side) to (decoders, N, 3, side, side). All networks and pictures are on one device.

    codes: {name: (network, layer)}. example: a picture, which says how large they are.
    autoencoder: the network that it is like.
    """

    def __init__(
        self, codes: dict[str, tuple[Network, str]], example: torch.Tensor, autoencoder: str | None = None
    ) -> None:
        super().__init__()
        self.codes = codes  # a plain dict: the networks are no part of what is trained or saved
        shapes = {name: tuple(code.shape[1:]) for name, code in self.encode(example).items()}
        self.side = example.shape[-1]
        self.decoders = nn.ModuleDict(  # a module's name may hold no dot
            {
                name: Decoder(shape, **(large(shape) if self.side == LARGE_SIDE else {}))
                for name, shape in shapes.items()
            }
        )
        self.autoencoder = Autoencoder(autoencoder, norm=True) if autoencoder else None

    def encode(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """{name: codes}, with one forward pass per network, in full precision."""
        out: dict[str, torch.Tensor] = {}
        for net in dict.fromkeys(net for net, _ in self.codes.values()):
            mine = {name: layer for name, (other, layer) in self.codes.items() if other is net}
            with torch.autocast(images.device.type, enabled=False):
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


def train_decoders(
    name: str,
    data: str | Path,
    out: str | Path,
    *,
    load: Callable[[str], Network],
    recipe: DecoderRecipe | None = None,
    tell: Callable[[str], object] = print,
) -> str | Path:
    """Train decoders on Tiny ImageNet in the folder `data`, where the networks are: "decoders" (one for each
    of four layers of zfnet), "decoder-controls" (of untrained zfnet's pool5; the autoencoder), or
    "squeezenet-decoders" (one for each of five layers of squeezenet and both controls, on pictures of 128
    pixels, which need an accelerator).

    load: function from "zfnet" or "zfnet@0" to a Network.
    Writes weights, cards and checkpoint to `out`, and returns that folder.
    """
    recipe = recipe or DecoderRecipe()
    chosen, like = CODES[name]
    tell("reading the pictures ...")
    nets = {network: load(network) for network, _ in chosen}
    device = next(iter(nets.values())).device
    batch, steps, test, what = (large_pictures if "squeezenet" in name else small_pictures)(
        data, recipe, device
    )
    codes = {f"{network}-{layer}": (nets[network], layer) for network, layer in chosen}
    some = torch.cat([batch(step)[0] for step in range(min(steps, 500 // recipe.batch + 1))])
    with seeded_init(recipe.seed):
        model = Inverters(codes, some[:1], like)
    model = model.to(device).to(memory_format=torch.channels_last)
    for key, code in model.encode(some).items():
        standardize: Any = model.decoders[key].get_submodule("standardize")
        standardize.measure(code)
    run = fit(
        model,
        batch,
        lambda decoded, images: F.mse_loss(decoded, images.expand_as(decoded)),
        torch.optim.Adam(model.parameters(), recipe.rate),
        steps,
        path=f"{out}/{name}.checkpoint",
        fingerprint=f"{name} {recipe}",
        tell=tell,
    )
    card = {
        "what": "a decoder from codes to pictures (Dosovitskiy & Brox, 2016)",
        **what,
        "recipe": asdict(recipe),
        "command": f"python -m vizlib.training {name} --data PATH",
        "side": model.side,
        **card_of_run(run),
    }
    _write(model, test, out, card, like, tell)
    return out


def small_pictures(data, recipe, device):
    """batch(step), the number of steps, 500 test pictures, and what a card says of them: Tiny ImageNet."""
    train, val = read_tiny_imagenet(data, "train"), read_tiny_imagenet(data, "val")
    plan = Recipe(crops=((recipe.epochs, SIDE),), batch=recipe.batch, seed=recipe.seed)
    batches = Batches(train, plan, device)

    def batch(step):
        images = in_unit_range(batches.pixels(step)[0])
        return images, images

    test = in_unit_range(val.images[:: max(1, len(val) // 500)])
    return batch, recipe.epochs * batches.per_epoch, test, {"data": "Tiny ImageNet: 64 x 64 pixels"}


def large_pictures(data, recipe, device):
    """The same for pictures of 128 x 128 pixels; the test pictures are the course's own photographs, none of
    which is trained on.
    """
    train, table = read_tiny_imagenet(data, "train"), photos(all=True)
    core = set(photos()["name"])
    others = [photo(name)[0].mul(255).byte().to(device) for name in table["name"] if name not in core]
    others = [x for x in others if min(x.shape[-2:]) > LARGE_SIDE]
    batch = LargePictures(torch.from_numpy(train.images).to(device), others, recipe.batch, recipe.seed)
    test = torch.cat([photo(name, LARGE_SIDE) for name in sorted(core)])
    what = {
        "data": f"Tiny ImageNet, enlarged and side by side, and squares of {len(others)} photographs: "
        "128 x 128 pixels",
        "measured on": f"{len(test)} other photographs",
    }
    return batch, recipe.epochs * (len(train) // recipe.batch), test, what


def _write(model, images, out, card, like, tell):
    """Round each decoder to half precision, measure it on the test pictures, write it."""
    for name, (net, layer) in model.codes.items():
        code = record(net, images, layer)[layer].cpu()
        decoder = folded(model.decoders[name], example=torch.zeros_like(code[:1]))
        error = pixel_error(images, decoder(code).clamp(0, 1))
        tell(f"{name}: pixel error {error:.3f}")
        about = {
            "network": net.name,
            "network's SHA-256": net.card["sha256"],
            "network's fingerprint": fingerprint(net),
            "layer": layer,
            "shape": code.shape[1:],
        }
        write_weights(out, name, decoder, {"name": name, **card, **about, "pixel error": round(error, 3)})
    if model.autoencoder:
        name = "autoencoder" if like == "zfnet" else f"{like}-autoencoder"
        plain = folded(model.autoencoder, example=images[:1])
        error = pixel_error(images, plain(images).clamp(0, 1))
        tell(f"{name}: pixel error {error:.3f}")
        card = {
            "name": name,
            **card,
            "like": like,
            "what": f"{like}'s shape up to the layer that is decoded, and a decoder, trained together to "
            "return the picture",
        }
        write_weights(out, name, plain, {**card, "pixel error": round(error, 3)})
