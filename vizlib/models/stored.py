"""Networks that come with vizlib: weights in safetensors, and beside them a card (JSON) that says what they
are and how they were made.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse
from torch import nn

from ..errors import VizlibError
from ..resources import data_folder
from .architectures import Conv, PlainNet, SqueezeNet
from .network import Network
from .seeded import seeded_init

SQUEEZENET = "SqueezeNet 1.1"  # as its card calls it


def weights_folder() -> Path:
    """Where the networks lie that come with vizlib. Raises VizlibError where vizlib's data are missing."""
    return data_folder() / "weights"


def stored() -> dict[str, list[int]]:
    """The networks that come with vizlib, and the times in their training (epochs, or steps) that are kept.

    {"zfnet": [0, 1, 2], "zfnet-b": []}. Raises VizlibError where vizlib's data are missing.

    >>> from vizlib.models.stored import stored
    >>> stored()["scenenet"]
    [0, 100, 300]
    """
    names = sorted(path.stem.partition("@") for path in weights_folder().glob("*.json"))
    return {
        name: sorted(int(time) for other, at, time in names if other == name and at)
        for name, at, _ in names
        if not at
    }


def read_weights(path: str | Path) -> tuple[dict, dict[str, torch.Tensor]]:
    """The card (a dict) and the tensors (float32) of a .safetensors file. 8-bit weights are multiplied by
    their factors.

    Raises VizlibError if the file or its card is missing, broken, or not what the card says.
    """
    path = Path(path)
    if not path.is_file():
        raise VizlibError(_needed(path))
    card, data = read_card(path), path.read_bytes()
    if hashlib.sha256(data).hexdigest() != card["sha256"]:
        raise VizlibError(
            f"{path.name} is not the file that its card describes ({len(data)} bytes, its SHA-256 differs). "
            "It may be cut short, or stem from another training. Get both files afresh: in a checkout git "
            "checkout -- data/weights, else install vizlib again."
        )
    try:
        state = parse(data)
    except SafetensorError as problem:
        raise VizlibError(f"{path.name} is not a safetensors file: {problem}.") from problem
    return card, {
        key: _whole(key, value, state) for key, value in state.items() if not key.endswith(".factor")
    }


def read_card(path: str | Path) -> dict:
    """The card beside a .safetensors file: what the network is and how it was made. Raises VizlibError if it
    is missing or no card.
    """
    card_path = Path(path).with_suffix(".json")
    if not card_path.is_file():
        raise VizlibError(_needed(card_path))
    try:
        card = json.loads(card_path.read_text(encoding="utf-8"))
        card["sha256"]
    except (ValueError, KeyError, TypeError) as problem:
        raise VizlibError(f"{card_path.name} is not a card of this course: {problem!r}.") from problem
    return card


def _needed(path: Path) -> str:
    return (
        f"{str(path)!r} is not there. Weights are two files, NAME.safetensors and the card NAME.json, as "
        "vizlib's trainings write them. For others: build their model, model.load_state_dict(...), and "
        "vz.Network(model, ...)."
    )


def _whole(key: str, value: torch.Tensor, state: dict[str, torch.Tensor]) -> torch.Tensor:
    factor = state.get(key + ".factor")
    if factor is None:
        return value.float()
    return value.float() * factor.float().view(-1, *[1] * (value.dim() - 1))


def load_stored(path: str | Path) -> Network:
    """The Network whose weights lie at `path`, on the CPU. Its card is the file's, without the labels, which
    are in `net.labels`.

    Raises VizlibError for files that are missing, broken, or do not fit their card.
    """
    card, state = read_weights(path)
    try:
        with seeded_init(0):  # the weights drawn here are replaced by the file's
            model = _model(card["architecture"], len(card["labels"]))
        model.load_state_dict(state)
        kept = {key: card[key] for key in ("name", "mean", "std", "input_size")}
        labels = card.pop("labels")
    except (KeyError, TypeError, RuntimeError) as problem:
        raise VizlibError(
            f"The weights in {Path(path).name} do not fit the architecture on the card: "
            f"{str(problem).splitlines()[0]}"
        ) from problem
    names = {
        "pool" if path == "gap" else "logits" if path == "fc" else path: path
        for path, _ in model.named_children()
    }
    names.pop("flatten")
    return Network(model, labels=labels, names=names, card=card, **kept)


def _model(architecture: Any, classes: int) -> nn.Module:
    if architecture == SQUEEZENET:
        return SqueezeNet(classes)
    return PlainNet([Conv(**conv) for conv in architecture], classes)
