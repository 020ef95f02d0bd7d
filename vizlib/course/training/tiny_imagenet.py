"""Reading Tiny ImageNet, as people download it (a folder of JPEGs) and as packed arrays."""

from __future__ import annotations

import csv
import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from ...errors import VizlibError

CLASSES, SIDE = 200, 64
HELP = (
    "Tiny ImageNet is the file tiny-imagenet-200.zip of Stanford's course CS231n (cs231n.stanford.edu; 237 "
    "MB; research and education). "
    "Unpack it and give the folder that holds train, val and wnids.txt: --data tiny-imagenet-200"
)


@dataclass(frozen=True)
class Pictures:
    """images (N, 64, 64, 3) uint8, labels (N,) int64, and the 200 class names in the order of their WordNet
    ids.
    """

    images: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


def read_tiny_imagenet(folder: str | Path, split: str) -> Pictures:
    """The pictures of `split`, "train" or "val", from `folder`: Pictures.

    The folder holds either train/, val/, wnids.txt and words.txt (as downloaded) or train-*.npz, val.npz and
    classes.tsv (packed: WebP or JPEG files joined in `bytes`, cut at `offsets`, with `labels`).
    Raises VizlibError if the folder is missing or empty, does not hold 200 classes, or holds a file that
    cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise VizlibError(f"There is no folder {str(folder)!r}. {HELP}")
    if (folder / "classes.tsv").is_file():
        return _packed(folder, split)
    if (folder / "wnids.txt").is_file():
        return _downloaded(folder, split)
    inside = ", ".join(sorted(p.name for p in folder.iterdir())[:6]) or "nothing"
    raise VizlibError(f"{str(folder)!r} is not Tiny ImageNet: it holds {inside}. {HELP}")


def some(pictures: Pictures, most: int) -> tuple[torch.Tensor, torch.Tensor]:
    """About `most` of the pictures, of all classes alike, for a network: (N, 3, 64, 64) in [0, 1], and their
    labels (N,).
    """
    chosen = np.arange(len(pictures))[:: max(1, len(pictures) // most)]
    images = torch.from_numpy(pictures.images[chosen]).permute(0, 3, 1, 2).float() / 255
    return images, torch.from_numpy(pictures.labels[chosen])


def _packed(folder, split):
    rows = csv.DictReader(_lines(folder / "classes.tsv"), delimiter="\t")
    names = {int(row["label"]): (row["wnid"], row["name"]) for row in rows}
    paths = sorted(folder.glob("train-*.npz" if split == "train" else "val.npz"))
    if not paths:
        raise VizlibError(f"{str(folder)!r} holds no file with the {split} pictures.")
    files, labels = [], []
    for path in paths:
        try:
            with np.load(path) as pack:
                data, cuts, numbers = pack["bytes"], pack["offsets"], pack["labels"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as problem:
            raise VizlibError(
                f"{path.name} cannot be read ({problem}); it may be cut short. Fetch it again."
            ) from problem
        files += [
            (f"{path.name}, picture {i}", data[a:b].tobytes())
            for i, (a, b) in enumerate(zip(cuts, cuts[1:], strict=False))
        ]
        labels += [names.get(int(number), ("no class",))[0] for number in numbers]
    return _decode(files, labels, dict(names.values()))


def _downloaded(folder, split):
    words = dict(line.split("\t")[:2] for line in _lines(folder / "words.txt") if "\t" in line)
    ids = [line.strip() for line in _lines(folder / "wnids.txt") if line.strip()]
    if split == "train":
        paths = [
            (path, wnid)
            for wnid in ids
            for path in sorted((folder / "train" / wnid / "images").glob("*.JPEG"))
        ]
    else:
        rows = [line.split("\t") for line in _lines(folder / "val" / "val_annotations.txt")]
        paths = [(folder / "val" / "images" / row[0], row[1]) for row in rows if len(row) > 1]
    missing = [path for path, _ in paths if not path.is_file()]
    if missing:
        raise VizlibError(
            f"{len(missing)} of the {split} pictures are not there, the first is {str(missing[0])!r}. Unpack "
            "the file again."
        )
    return _decode(
        [(path, path.read_bytes()) for path, _ in paths],
        [wnid for _, wnid in paths],
        {i: words.get(i, i) for i in ids},
    )


def _lines(path):
    if not path.is_file():
        raise VizlibError(f"Tiny ImageNet's file {path.name} is not there: {str(path)!r}. {HELP}")
    return path.read_text(encoding="utf-8").splitlines()


def _decode(files, wnids, words):
    """Decode (name, bytes) files and number the classes by their sorted WordNet ids."""
    order = sorted(words)
    found = sorted(set(wnids))
    if len(order) != CLASSES or found != order:
        raise VizlibError(
            f"Tiny ImageNet has pictures of {CLASSES} classes; here are {len(order)} classes, {len(found)} "
            f"with pictures. {HELP}"
        )
    with ThreadPoolExecutor() as pool:
        images = np.stack(list(pool.map(_pixels, files)))
    number = {wnid: i for i, wnid in enumerate(order)}
    labels = np.array([number[wnid] for wnid in wnids], dtype=np.int64)
    return Pictures(images, labels, tuple(words[wnid].split(",")[0].strip() for wnid in order))


def _pixels(file):
    name, data = file
    try:
        with Image.open(io.BytesIO(data)) as picture:
            pixels = np.asarray(picture.convert("RGB"))
    except (UnidentifiedImageError, OSError) as problem:
        raise VizlibError(
            f"{str(name)!r} is not a whole picture ({len(data)} bytes). Fetch or unpack it again."
        ) from problem
    if pixels.shape != (SIDE, SIDE, 3):
        raise VizlibError(
            f"{str(name)!r} is {pixels.shape[1]} x {pixels.shape[0]} pixels; those of Tiny ImageNet are "
            f"{SIDE} x {SIDE}."
        )
    return pixels
