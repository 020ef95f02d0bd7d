"""The offline picture library in data/: photographs, cut-outs with alpha, backgrounds, and who made them."""

import csv
import functools
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..errors import VizlibError, did_you_mean
from ..table import Table
from .check import check_images
from .convert import open_image, resize

DATA = Path(__file__).resolve().parents[2] / "data"


@functools.cache
def _catalogue():
    index = DATA / "images.csv"
    if not index.is_file():
        raise VizlibError(
            f"The picture library is missing: {str(index)!r} is not there. Install vizlib from its checkout: "
            "pip install -e ."
        )
    with index.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def _table(kind):
    rows = (row for row in _catalogue() if row["kind"] == kind)
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


def photos():
    """The photographs: a Table with name, title, category, ImageNet label and index (None where no class
    fits), author, licence.
    """
    return _table("photo")


def cutouts():
    """The cut-outs (objects with an alpha channel): a Table as in `photos`."""
    return _table("cutout")


def backgrounds():
    """The backgrounds, 256 x 256, without a dominant object; the category is the kind of place: a Table as in
    `photos`.
    """
    return _table("background")


def _path(kind, name):
    paths = {Path(row["path"]).stem: row["path"] for row in _catalogue() if row["kind"] == kind}
    if name not in paths:
        raise VizlibError(
            f"There is no {kind} {name!r}. {did_you_mean(name, paths)} vz.{kind}s() lists all {len(paths)}."
        )
    return DATA / paths[name]


def photo(name, size=None):
    """A photograph of the library as (1, 3, H, W) in [0, 1]; with `size`, ImageNet's usual centre square of
    that many pixels.

    Raises VizlibError for an unknown name, with the nearest ones.
    """
    return open_image(_path("photo", name), size)


def whole_photos(side=256, multiple=32):
    """All photographs of the library, uncut: a list of (1, 3, H, W), in the order of `photos`, with `side`
    pixels on the short side.

    Of both sides a few pixels are cut to leave a `multiple`, so that strided layers step through them as
        through the pictures of their
    training. For questions to convolutional layers, which run over pictures of any size.
    """
    pictures = []
    for row in photos():
        image = photo(row["name"])
        scale = side / min(image.shape[-2:])
        height, width = (max(multiple, int(n * scale + 0.5) // multiple * multiple) for n in image.shape[-2:])
        covering = max(height / image.shape[-2], width / image.shape[-1])
        image = resize(
            image,
            [max(m, round(n * covering)) for m, n in zip((height, width), image.shape[-2:], strict=True)],
        )
        top, left = (image.shape[-2] - height) // 2, (image.shape[-1] - width) // 2
        pictures.append(image[..., top : top + height, left : left + width].contiguous())
    return pictures


def background(name, size=None):
    """A background of the library as (1, 3, H, W) in [0, 1]; with `size`, resized to a square of that many
    pixels.
    """
    image = open_image(_path("background", name))
    return image if size is None else resize(image, (size, size))


def cutout(name):
    """A cut-out of the library: colours (1, 3, H, W) and opacity (1, 1, H, W), both in [0, 1]."""
    with Image.open(_path("cutout", name)) as picture:
        pixels = torch.from_numpy(np.array(picture.convert("RGBA"))).permute(2, 0, 1)[None].float() / 255
    return pixels[:, :3].contiguous(), pixels[:, 3:].contiguous()


def sized_cutout(name, size):
    """A cut-out resized to (height, width): colours times opacity (1, 3, H, W), so that colours behind
        transparent pixels do not bleed in,
    and opacity (1, 1, H, W)."""
    colour, alpha = cutout(name)
    return resize(colour * alpha, size), resize(alpha, size)


def paste(image, name, centre, height):
    """Put the cut-out `name` on a picture and say exactly which pixels it covers.

    image: (1, 3, H, W). centre: (row, column) and height: its size, as shares of the picture's height and
        width in [0, 1].
    Returns the new picture (1, 3, H, W) and the object's mask (1, 1, H, W), 1 where the cut-out hides the
        picture.
    """
    image = check_images(image)
    own = cutout(name)[1].shape
    rows, columns = image.shape[-2:]
    h = max(1, round(height * rows))
    w = max(1, round(h * own[-1] / own[-2]))
    weighted, alpha = sized_cutout(name, (h, w))
    top, left = round(centre[0] * rows - h / 2), round(centre[1] * columns - w / 2)
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
