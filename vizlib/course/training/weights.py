"""From a trained model to the files of the course: batch-norm folded, half precision, safetensors, and a card
that says how it was made.
"""

from __future__ import annotations

import copy
import datetime
import hashlib
import json
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from ...files import write_whole
from ...models.fold import fold_batchnorm, make_plain
from .fitting import Run


def folded(model: nn.Module, example: torch.Tensor) -> nn.Module:
    """A copy of `model` without batch-norm, its weights rounded to half precision (and kept as float32, to
    compute with).

    example: an input, to see which batch-norm belongs to which convolution.
    """
    plain = make_plain(copy.deepcopy(model).cpu().eval().requires_grad_(False))
    model = fold_batchnorm(plain, example)
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data = tensor.data.half().float()
    return model


def write_weights(
    folder: str | Path, name: str, model: nn.Module, card: dict[str, Any], *, small: bool = False
) -> Path:
    """Write NAME.safetensors in half precision and NAME.json, which holds the card and the file's SHA-256.
    Returns the path of the first.

    small: weights in 8 bits instead, each filter as whole numbers from -127 to 127 and one factor. That is
        enough to look at a training's history, at half the size.
    """
    state = {key: value.half().contiguous() for key, value in model.state_dict().items()}
    folder, data = Path(folder), save(in_bytes(state) if small else state)
    write_whole(folder / f"{name}.safetensors", lambda part: part.write_bytes(data))
    card = {**card, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    write_whole(
        folder / f"{name}.json",
        lambda part: part.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8"),
    )
    return folder / f"{name}.safetensors"


def in_bytes(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights as (key, int8) and (key.factor, float16), one factor per filter; biases stay as they are."""
    packed = {}
    for key, value in state.items():
        if value.dim() < 2:
            packed[key] = value
        else:
            factor = (value.float().flatten(1).abs().amax(1) / 127).clamp(min=1e-7).half()
            steps = value.float() / factor.float().view(-1, *[1] * (value.dim() - 1))
            packed[key] = steps.round().clamp(-127, 127).to(torch.int8).contiguous()
            packed[key + ".factor"] = factor
    return packed


@torch.no_grad()
def accuracy(
    model: nn.Module,
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]],
    top: Sequence[int] = (1, 5),
) -> list[float]:
    """Top-k accuracy: the shares of pictures whose label is among the `top` answers. batches: (inputs,
    labels) pairs.
    """
    right, count = torch.zeros(len(top)), 0
    for inputs, labels in batches:
        order = model(inputs).topk(max(top), 1).indices
        right += torch.stack([(order[:, :k] == labels[:, None]).any(1).sum() for k in top]).cpu()
        count += len(labels)
    return [round(float(r) / count, 4) for r in right]


@torch.no_grad()
def dead_units(
    model: nn.Module, batches: Iterable[tuple[torch.Tensor, torch.Tensor | None]]
) -> dict[str, int]:
    """For each ReLU of a plain network, how many of its units are zero everywhere on all pictures:
    {"relu1": 0, ...}.
    """
    alive: dict[str, torch.Tensor] = {}
    for inputs, _ in batches:
        x = inputs
        for name, layer in model.named_children():
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                fires = (x > 0).flatten(2).any(2).any(0)
                alive[name] = fires | alive.get(name, fires)
    return {name: int((~fires).sum()) for name, fires in alive.items()}


def card_of_run(run: Run | None) -> dict[str, Any]:
    """What a card says of the run: when, with what, how long, and how the loss fell."""
    card = {"date": datetime.date.today().isoformat(), "torch": torch.__version__, "device": _device()}
    return card if run is None else {**card, "minutes": round(run.seconds / 60, 1), "losses": run.losses}


def _device() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    kind = f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"
    return f"CPU ({kind}), {torch.get_num_threads()} threads"
