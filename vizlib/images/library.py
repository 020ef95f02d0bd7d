"""The offline picture library: photographs, cut-outs with alpha, backgrounds, and who made them."""

from __future__ import annotations

import csv
import functools
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..batching import whole
from ..errors import VizlibError, did_you_mean
from ..resources import INDEX, data_file
from ..table import Table
from .check import check_images
from .convert import open_image, resize


@functools.cache
def _catalogue() -> tuple[dict[str, str], ...]:
    with data_file(INDEX).open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def _table(kind: str, all: bool = True) -> Table:
    rows = (row for row in _catalogue() if row["kind"] == kind and (all or row["set"] == "core"))
    return Table(
        {
            "name": Path(row["path"]).stem,
            "title": row["title"],
            "category": row["place"] if kind == "background" else row["category"],
            "label": row["imagenet_label"] or None,
            "index": int(row["imagenet_index"]) if row["imagenet_index"] else None,
            "author": row["author"],
            "licence": row["licence"],
        }
        for row in rows
    )


def photos(*, all: bool = False) -> Table:
    """The photographs of the library, with their credits.

    all: also those beyond the core set, which the numbers of the lessons are about; `photo` opens both.
    A Table with name, title, category, ImageNet label and index (None where no class fits), author, licence.

    >>> vz.photos().where(name="goldfish")["label"]
    ['goldfish']
    >>> len(vz.photos()), len(vz.photos(all=True))
    (90, 429)
    """
    return _table("photo", all)


def cutouts(*, all: bool = False) -> Table:
    """The cut-outs of the library (objects with an alpha channel): a Table as in `photos`.

    all: also those beyond the core set, with which the objects of `scene_pictures` have several pictures.

    >>> "zebra" in vz.cutouts()["name"]
    True
    """
    return _table("cutout", all)


def backgrounds() -> Table:
    """The backgrounds of the library, 256 x 256, without a dominant object: a Table as in `photos`.

    The category is the kind of place.

    >>> "grass_green" in vz.backgrounds()["name"]
    True
    """
    return _table("background")


def _path(kind: str, name: str) -> Path:
    name = str(name)
    paths = {Path(row["path"]).stem: row["path"] for row in _catalogue() if row["kind"] == kind}
    if name not in paths:
        every = "" if kind == "background" else "all=True"
        raise VizlibError(
            f"There is no {kind} {name!r}. {did_you_mean(name, paths)} "
            f"vz.{kind}s({every}) lists all {len(paths)}."
        )
    return data_file(*paths[name].split("/"))


def photo(name: str, size: int | None = None) -> torch.Tensor:
    """A photograph of the library: (1, 3, H, W) in [0, 1].

    name: one of `photos(all=True)`.
    size: a side in pixels; with it, ImageNet's usual centre square of that size.
    Raises VizlibError for an unknown name, with the nearest ones, and where vizlib's data are missing.

    >>> vz.photo("goldfish", 64).shape
    torch.Size([1, 3, 64, 64])
    """
    return open_image(_path("photo", name), size)


def whole_photos(side: int = 256, multiple: int = 32, *, all: bool = False) -> list[torch.Tensor]:
    """The photographs of the library, uncut: a list of (1, 3, H, W) in [0, 1], in the order of `photos`.

    side: the short side in pixels.
    multiple: both sides are cut by a few pixels to a multiple of this many, so that strided layers step
        through them as through the pictures of their training.
    all: also the photographs beyond the core set, as in `photos`.
    For questions to convolutional layers, which run over pictures of any size.

    >>> vz.whole_photos(64)[0].shape[-2:]
    torch.Size([64, 96])
    """
    side = whole(side, "side is a number of pixels")
    multiple = whole(multiple, "multiple is a number of pixels")
    if side < multiple:
        raise VizlibError(f"side is a number of pixels, {multiple} (the multiple) or more; this is {side}.")
    return [_covered(photo(row["name"]), side, multiple) for row in photos(all=all)]


def _covered(image: torch.Tensor, side: int, multiple: int) -> torch.Tensor:
    """`image` with its short side at about `side`, and the middle of it whose sides are multiples."""
    own = image.shape[-2:]
    scale = side / min(own)
    height, width = (max(multiple, int(n * scale + 0.5) // multiple * multiple) for n in own)
    covering = max(height / own[0], width / own[1])
    size = [max(m, round(n * covering)) for m, n in zip((height, width), own, strict=True)]
    image = resize(image, size)
    top, left = (image.shape[-2] - height) // 2, (image.shape[-1] - width) // 2
    return image[..., top : top + height, left : left + width].contiguous()


def background(name: str, size: int | None = None) -> torch.Tensor:
    """A background of the library: (1, 3, 256, 256) in [0, 1].

    name: one of `backgrounds()`. size: a side in pixels; with it, the picture is resized to that square.
    Raises VizlibError for an unknown name, with the nearest ones.

    >>> vz.background("grass_green", 48).shape
    torch.Size([1, 3, 48, 48])
    """
    image = open_image(_path("background", name))
    if size is None:
        return image
    size = whole(size, "size is a number of pixels")
    return resize(image, (size, size))


def cutout(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """A cut-out of the library: its colours (1, 3, H, W) and its opacity (1, 1, H, W), both in [0, 1].

    name: one of `cutouts(all=True)`. Raises VizlibError for an unknown name, with the nearest ones.

    >>> colour, opacity = vz.cutout("zebra")
    >>> colour.shape[1], opacity.shape[1]
    (3, 1)
    """
    with Image.open(_path("cutout", name)) as picture:
        pixels = torch.from_numpy(np.array(picture.convert("RGBA"))).permute(2, 0, 1)[None].float() / 255
    return pixels[:, :3].contiguous(), pixels[:, 3:].contiguous()


def sized_cutout(name: str, size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """A cut-out resized to (height, width): its colours times its opacity (1, 3, H, W), so that colours
    behind transparent pixels do not bleed in, and its opacity (1, 1, H, W).
    """
    colour, alpha = cutout(name)
    return resize(colour * alpha, size), resize(alpha, size)


def paste(
    image: torch.Tensor, name: str, centre: tuple[float, float], height: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Put the cut-out `name` on a picture, and say exactly which pixels it covers: its segmentation mask.

    image: (1, 3, H, W) in [0, 1].
    name: one of `cutouts(all=True)`.
    centre: (row, column) of the object's middle, as shares of the picture's height and width in [0, 1].
    height: of the object, as a share of the picture's height.
    Returns the new picture (1, 3, H, W) and the object's mask (1, 1, H, W), 1 where the cut-out hides the
    picture. Raises VizlibError where the object would lie outside.

    >>> picture, mask = vz.paste(vz.background("grass_green", 64), "zebra", (0.6, 0.5), 0.5)
    >>> picture.shape, mask.shape
    (torch.Size([1, 3, 64, 64]), torch.Size([1, 1, 64, 64]))
    """
    image = check_images(image)
    row, column, height = _place(centre, height)
    own = cutout(name)[1].shape
    rows, columns = image.shape[-2:]
    h = max(1, round(height * rows))
    w = max(1, round(h * own[-1] / own[-2]))
    weighted, alpha = (part.to(image.device) for part in sized_cutout(name, (h, w)))
    top, left = round(row * rows - h / 2), round(column * columns - w / 2)
    y, x = slice(max(top, 0), min(top + h, rows)), slice(max(left, 0), min(left + w, columns))
    if y.start >= y.stop or x.start >= x.stop:
        raise VizlibError(
            f"At centre {centre} the cut-out {name!r} lies outside the picture. Use shares of its height and "
            "width in [0, 1]."
        )
    inside = (
        slice(None),
        slice(None),
        slice(y.start - top, y.stop - top),
        slice(x.start - left, x.stop - left),
    )
    result, mask = image.clone(), torch.zeros_like(image[:, :1])
    result[..., y, x] = (weighted[inside] + (1 - alpha[inside]) * image[..., y, x]).clamp(0, 1)
    mask[..., y, x] = (alpha[inside] > 0.5).float()
    return result, mask


def _place(centre: Any, height: Any) -> tuple[float, float, float]:
    try:
        (row, column), height = map(float, centre), float(height)
    except (TypeError, ValueError) as problem:
        raise VizlibError(
            "centre is (row, column) and height a number, shares of the picture's sides in [0, 1]; these are "
            f"{centre!r} and {height!r}."
        ) from problem
    if not (math.isfinite(row + column) and 0 < height < math.inf):
        raise VizlibError(
            "height is a share of the picture's height, more than 0, and centre two finite shares; these are "
            f"{height} and {row, column}."
        )
    return row, column, height
