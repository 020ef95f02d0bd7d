"""The numbers of notebook 17 that need Tiny ImageNet: how well halves of two networks work together (Lenc &
Vedaldi 2015).
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path

import torch

from ...files import write_whole
from ...models.network import Network
from ...representation.convergent import match_units
from ...representation.stitching import fit_stitch, franken, train_stitch
from .equivariance import errors
from .tiny_imagenet import read_tiny_imagenet, some

LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5")


def measure_stitching(
    data: str | Path,
    out: str | Path,
    load: Callable[[str], Network],
    *,
    pictures: int = 6000,
    validation: int = 4000,
    steps: int = 300,
    tell: Callable[[str], object] = print,
) -> Path:
    """Stitch zfnet, untrained zfnet@0, and zfnet-b itself into zfnet-b at every layer; measure the errors.
    Writes stitching.json to `out`.

    data: the folder of Tiny ImageNet. load: function from a name to a Network.
    pictures: from the training part, to fit. validation: pictures to measure on.
    steps: of the task's optimizer, 64 pictures each.
    Returns the path of the file.
    """
    tell("reading the pictures ...")
    x, x_labels = some(read_tiny_imagenet(data, "train"), pictures)
    y, y_labels = some(read_tiny_imagenet(data, "val"), validation)
    other, fronts = load("zfnet-b"), [load(name) for name in ("zfnet", "zfnet@0", "zfnet-b")]
    with torch.no_grad():
        plain = {
            net.name: errors(torch.cat([net(part) for part in y.split(100)]), y_labels)
            for net in (fronts[0], other)
        }
    rows, matches = [], []
    for layer in LAYERS:
        for net in fronts:
            stitches = {m: fit_stitch(net, x, other, layer=layer, method=m) for m in ("identity", "ridge")}
            if net is not fronts[-1]:
                stitches["task"] = train_stitch(net, x, other, x_labels, stitches["ridge"], steps=steps)
            for method, stitch in stitches.items():
                top1, top5 = errors(franken(net, y, other, stitch), y_labels)
                rows.append(
                    {"front": net.name, "layer": layer, "method": method, "top-1": top1, "top-5": top5}
                )
                tell(", ".join(map(str, rows[-1].values())))
        relu = layer.replace("conv", "relu")
        for method in ("one-to-one", "best"):
            for net in fronts[:2]:
                found = match_units(net, y[:1000], other, layer=relu, method=method).values
                matches.append(
                    {
                        "front": net.name,
                        "layer": relu,
                        "method": method,
                        "mean correlation": round(float(found.mean()), 4),
                    }
                )
                tell(", ".join(map(str, matches[-1].values())))
    card = {
        "what": "errors of zfnet-b on validation pictures of Tiny ImageNet "
        "when the layers up to one are those of another network",
        "command": "python -m vizlib.training stitching --data PATH",
        "date": datetime.date.today().isoformat(),
        "networks' SHA-256": {net.name: net.card.get("sha256") for net in fronts},
        "filters": "1 x 1",
        "fitted on": len(x),
        "measured on": len(y),
        "matched on": 1000,
        "steps of the task": steps,
        "whole networks": plain,
        "rows": rows,
        "matches": matches,
    }
    path = Path(out, "stitching.json")
    write_whole(path, lambda part: part.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8"))
    return path
