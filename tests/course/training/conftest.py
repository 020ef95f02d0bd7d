"""A Tiny ImageNet that is tiny indeed: 200 colours, in both layouts."""

import io

import numpy as np
import pytest
from PIL import Image

CLASSES = 200
WNIDS = [
    f"n{k:08}" for k in np.random.default_rng(0).permutation(CLASSES)
]  # not in order, as in the real one


def _picture(label, rng):
    """A 64 x 64 picture whose colour gives its class away."""
    colour = np.array([label % 6, label // 6 % 6, label // 36 % 6]) * 45 + 10
    return np.clip(colour + rng.normal(0, 12, (64, 64, 3)), 0, 255).astype(np.uint8)


def _encoded(pixels, kind):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, quality=90)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def packed(tmp_path_factory):
    """The packed layout: two training files with two pictures per class together, and one validation picture
    per class.
    """
    folder, rng = tmp_path_factory.mktemp("packed"), np.random.default_rng(1)
    for name in ("train-0", "train-1", "val"):
        files = [_encoded(_picture(k, rng), "WEBP") for k in range(CLASSES)]
        np.savez(
            folder / f"{name}.npz",
            bytes=np.frombuffer(b"".join(files), np.uint8),
            offsets=np.cumsum([0, *map(len, files)]),
            labels=np.arange(CLASSES, dtype=np.uint8),
        )
    lines = [f"{k}\t{wnid}\tthing {wnid}, another name" for k, wnid in enumerate(WNIDS)]
    (folder / "classes.tsv").write_text("\n".join(["label\twnid\tname", *lines]) + "\n")
    return folder


@pytest.fixture(scope="session")
def downloaded(tmp_path_factory):
    """The layout of tiny-imagenet-200.zip, with two training pictures and one validation picture per
    class.
    """
    folder, rng = tmp_path_factory.mktemp("tiny-imagenet-200"), np.random.default_rng(1)
    (folder / "val" / "images").mkdir(parents=True)
    annotations = []
    for k, wnid in enumerate(WNIDS):
        images = folder / "train" / wnid / "images"
        images.mkdir(parents=True)
        for i in range(2):
            (images / f"{wnid}_{i}.JPEG").write_bytes(_encoded(_picture(k, rng), "JPEG"))
        (folder / "val" / "images" / f"val_{k}.JPEG").write_bytes(_encoded(_picture(k, rng), "JPEG"))
        annotations.append(f"val_{k}.JPEG\t{wnid}\t0\t0\t63\t63")
    (folder / "val" / "val_annotations.txt").write_text("\n".join(annotations) + "\n")
    (folder / "wnids.txt").write_text("\n".join(WNIDS) + "\n")
    (folder / "words.txt").write_text(
        "".join(f"{wnid}\tthing {wnid}, another name\n" for wnid in [*WNIDS, "n99999999"])
    )
    return folder
