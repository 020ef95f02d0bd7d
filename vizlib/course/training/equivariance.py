"""The numbers of notebook 16 that need Tiny ImageNet: what each map M_g is worth to the classifier (Lenc &
Vedaldi 2015).
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ...files import write_whole
from ...images.warps import H_FLIP, V_FLIP, rotation, scaling
from ...layers import record, resume
from ...models.network import Network
from ...representation.equivariance import (
    METHODS,
    EquivariantMap,
    fit_equivariance,
    map_error,
    samples_of,
    solve,
    train_equivariance,
)
from .tiny_imagenet import read_tiny_imagenet

LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5")
# with 63 pixels the grids of zfnet lie evenly on the picture: (63 + 2 * 3 - 7) is a multiple of its first
# stride
SIDE = 63
# What is done to the pictures is g^-1; the maps are to undo it.
WARPS = {
    "mirror": H_FLIP,
    "upside down": V_FLIP,
    "turn by 90": rotation(90).inverse,
    "shrink by 1.41": scaling(2**0.5),
    "enlarge by 1.41": scaling(2**-0.5),
}
K, RIDGE, SAMPLES, RATE, KEPT = 25, 0.03, 4096, 1e-4, 0.95


def measure_equivariance(
    data: str | Path,
    out: str | Path,
    net: Network,
    *,
    steps: int = 60,
    tell: Callable[[str], object] = print,
) -> Path:
    """Fit M_g for every warp and layer by regression and by the task; measure the classifier with and
    without. Writes equivariance.json to `out`.

    data: the folder of Tiny ImageNet. Of every ten validation pictures, which the network has not seen in
        training, two are to fit on and one is to measure on.
    net: zfnet. steps: of the task's optimizer, 64 pictures each.
    Returns the path of the file.
    """
    tell("reading the pictures ...")
    everything = read_tiny_imagenet(data, "val")
    (x, x_labels), (y, y_labels) = _part(everything, (3, 7)), _part(everything, (0,))
    codes = {layer: record(net, y, layer)[layer] for layer in LAYERS}
    chosen = {"as they are": errors(_tail(net, LAYERS[0], codes[LAYERS[0]]), y_labels)}
    rows, unmoved = [], []
    for name, g in WARPS.items():
        for layer in LAYERS:
            warped = record(net, g.inverse(y), layer)[layer]
            chosen.setdefault(name, errors(_tail(net, layer, warped), y_labels))
            start = fit_equivariance(net, x, g, layer=layer, method="places")
            samples = samples_of(net, x, start, SAMPLES, seed=0)
            maps = {"places": start, **{m: solve(start, samples, m, K, RIDGE) for m in METHODS[1:]}}
            maps["task"] = train_equivariance(net, x, x_labels, maps["ridge"], steps=steps, rate=RATE)
            for method, M in maps.items():
                top1, top5 = errors(_tail(net, layer, warped, M), y_labels)
                row = {"picture": name, "layer": layer, "method": method, "top-1": top1, "top-5": top5}
                rows.append({**row, "map error": round(map_error(M, warped, codes[layer]), 3)})
                tell(", ".join(map(str, rows[-1].values())))
            count = still(net, warped[:500], y_labels[:500], maps["task"])
            unmoved.append(
                {"picture": name, "layer": layer, "channels": count, "of": len(maps["task"].weight)}
            )
            tell(f"{count} channels can stay what they are")
    card = {
        "what": "errors of zfnet on warped validation pictures of Tiny ImageNet, "
        "with maps fitted on other validation pictures",
        "command": "python -m vizlib.training equivariance --data PATH",
        "date": datetime.date.today().isoformat(),
        "network": net.name,
        "network's SHA-256": net.card.get("sha256"),
        "side": SIDE,
        "fitted on": len(x),
        "measured on": len(y),
        "filters": "3 x 3",
        "k": K,
        "ridge": RIDGE,
        "samples": SAMPLES,
        "steps of the task": steps,
        "rate": RATE,
        "without a map": chosen,
        "rows": rows,
        "channels that stay": unmoved,
    }
    path = Path(out, "equivariance.json")
    write_whole(path, lambda part: part.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8"))
    return path


def errors(logits: torch.Tensor, labels: torch.Tensor) -> list[float]:
    """Top-1 and top-5 error: the shares of pictures whose label is not the first answer, and not among the
    first five.
    """
    right = logits.topk(5, 1).indices.cpu() == labels[:, None].cpu()
    return [round(1 - float(right[:, :k].any(1).float().mean()), 4) for k in (1, 5)]


def still(net: Network, codes: torch.Tensor, labels: torch.Tensor, M: EquivariantMap) -> int:
    """How many channels can stay what they are, those that move least first, before the accuracy falls below
    95 % of M's. By bisection.
    """
    order = M.moved().argsort()

    def right(M):
        return 1 - errors(_tail(net, M.layer, codes, M), labels)[0]

    low, high, least = 0, len(order) + 1, KEPT * right(M)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if right(M.leaving(order[:middle])) >= least else (low, middle)
    return low


def _part(pictures, digits):
    """The pictures whose number ends in one of these digits, cut to 63 x 63 pixels, and their labels."""
    chosen = np.flatnonzero(np.isin(np.arange(len(pictures)) % 10, digits))
    images = torch.from_numpy(pictures.images[chosen][:, :SIDE, :SIDE]).permute(0, 3, 1, 2).float() / 255
    return images, torch.from_numpy(pictures.labels[chosen])


def _tail(net, layer, codes, M=lambda f: f):
    """The logits that the rest of the network makes of M(codes)."""
    with torch.no_grad():
        return torch.cat([resume(net, layer, M(part)) for part in codes.split(100)])
