"""Networks of our own: weights in safetensors, and beside them a card (JSON) that says what they are and how
they were made.
"""

import hashlib
import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load as parse

from ..errors import VizlibError
from ..images.library import DATA
from .architectures import Conv, PlainNet
from .network import Network

WEIGHTS = DATA / "weights"


def stored():
    """The names in data/weights, and the times in their training (epochs, or steps) that are kept: {"zfnet":
    [0, 1, 2], "zfnet-b": []}.
    """
    names = sorted(path.stem.partition("@") for path in WEIGHTS.glob("*.json"))
    return {
        name: sorted(int(time) for other, at, time in names if other == name and at)
        for name, at, _ in names
        if not at
    }


def read_weights(path):
    """The card (a dict) and the tensors (float32) of a .safetensors file. 8-bit weights are multiplied by
    their factors.

    Raises VizlibError if the file or its card is missing, broken, or not what the card says.
    """
    path = Path(path)
    card_path = path.with_suffix(".json")
    for needed in (path, card_path):
        if not needed.is_file():
            raise VizlibError(
                f"{str(needed)!r} is not there. Weights are two files, NAME.safetensors and the card "
                "NAME.json."
            )
    data = path.read_bytes()
    try:
        card = json.loads(card_path.read_text(encoding="utf-8"))
        expected = card["sha256"]
    except (ValueError, KeyError, TypeError) as problem:
        raise VizlibError(f"{card_path.name} is not a card of this course: {problem!r}.") from problem
    if hashlib.sha256(data).hexdigest() != expected:
        raise VizlibError(
            f"{path.name} is not the file that its card describes ({len(data)} bytes, its SHA-256 differs). "
            "It may be cut short, or stem from another training. Fetch both files again: git checkout -- "
            "data/weights"
        )
    try:
        state = parse(data)
    except SafetensorError as problem:
        raise VizlibError(f"{path.name} is not a safetensors file: {problem}.") from problem
    return card, {
        key: _whole(key, value, state) for key, value in state.items() if not key.endswith(".factor")
    }


def _whole(key, value, state):
    factor = state.get(key + ".factor")
    return (
        value.float() if factor is None else value.float() * factor.float().view(-1, *[1] * (value.dim() - 1))
    )


def load_stored(path):
    """The Network whose weights lie at `path`. Its card is the file's, without the labels, which are in
    `net.labels`.
    """
    card, state = read_weights(path)
    try:
        model = PlainNet([Conv(**conv) for conv in card["architecture"]], len(card["labels"]))
        model.load_state_dict(state)
    except (KeyError, TypeError, RuntimeError) as problem:
        raise VizlibError(
            f"The weights in {Path(path).name} do not fit the architecture on the card: "
            f"{str(problem).splitlines()[0]}"
        ) from problem
    labels = card.pop("labels")
    names = {
        "pool" if path == "gap" else "logits" if path == "fc" else path: path
        for path, _ in model.named_children()
    }
    names.pop("flatten")
    kept = {key: card[key] for key in ("name", "mean", "std", "input_size")}
    return Network(model, labels=labels, names=names, card=card, **kept)
