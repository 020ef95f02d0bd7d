"""Explorable figures of many pictures: scrub a film, flip two, click one of a sheet, walk an atlas."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ..errors import VizlibError
from .figure import Explorable
from .packing import as_maps, as_numbers, encoded, map_sprite, one_picture, pack, sprite, to_pil, uri, words

MOST_MAP_PIXELS = 60_000  # of a sheet or a film of maps; more are refused before they are coloured


def scrub(
    frames: torch.Tensor,
    steps: Sequence[object] | None = None,
    *,
    name: str = "step",
    values: Mapping[str, Any] | None = None,
    captions: Sequence[str] | None = None,
    size: int = 160,
    alt: str,
) -> Explorable:
    """Scrub through a film (a slider over frames): the steps of an optimisation, alpha of a path, epsilon,
    epochs, layers; curves beside it follow.

    frames: pictures (N, 3, H, W) in [0, 1], or maps (N, 1, h, w), each on its own colour scale; two or more.
    steps: N names of the frames, such as [0, 16, 32] or layer names; by default their numbers.
    name: what the slider is, "step", "alpha", "epsilon", "layer".
    values: {name: (N,)}, numbers that are drawn as curves over the frames and read out at each.
    captions: N sentences. size: longer side of a picture as it is kept, in pixels. alt: what is to be seen.

    Raises VizlibError for numbers of frames, steps, values and captions that differ.

    >>> vz.explore.scrub(torch.rand(4, 3, 32, 32), [0, 8, 16, 24], values={"loss": [4, 2, 1, 1]}, alt="noise")
    Explorable figure (scrub): noise
    """
    still, where = _film(frames, size)
    count = where["count"]
    if count < 2:
        raise VizlibError("scrub runs through two frames or more; this is one. vz.show shows one.")
    series = _series(values, count, "frame")
    data = {
        "kind": "scrub",
        "sprite": where,
        "name": str(name),
        "steps": words(steps, count, "frames"),
        "series": series,
        "captions": None if captions is None else words(captions, count, "frames"),
    }
    return Explorable(
        data, still, alt, f"Give fewer frames ({count} now), or a smaller size (size={size} now)."
    )


def flip(
    before: torch.Tensor,
    after: torch.Tensor,
    titles: tuple[str, str] = ("before", "after"),
    *,
    size: int = 448,
    alt: str,
) -> Explorable:
    """Two pictures under one slider (a before-and-after slider): the reader wipes one away over the other.

    before, after: (1, 3, H, W) in [0, 1], of one size. titles: their names.
    size: longer side as they are kept, in pixels; smaller pictures stay small.
    alt: what is to be seen, in words.

    >>> photo = vz.photo("goldfish", 64)
    >>> vz.explore.flip(photo, 1 - photo, ("photo", "negative"), alt="a goldfish and its negative")
    Explorable figure (flip): a goldfish and its negative
    """
    before, after = one_picture(before, "before"), one_picture(after, "after")
    if before.shape != after.shape:
        raise VizlibError(
            f"flip takes two pictures of one size; these are {_side(before)} and {_side(after)}. "
            "vz.resize makes them equal."
        )
    still, where = sprite(torch.cat([before, after]), min(size, max(before.shape[-2:])), columns=2)
    data = {"kind": "flip", "sprite": where, "titles": words(titles, 2, "pictures")}
    return Explorable(data, still, alt, f"Give a smaller size (size={size} now).")


def sheet(
    items: torch.Tensor,
    labels: Sequence[str] | None = None,
    *,
    name: str = "channel",
    values: Mapping[str, Any] | None = None,
    photo: torch.Tensor | None = None,
    size: int = 48,
    alt: str,
) -> Explorable:
    """A contact sheet (grid of feature maps, filters or pictures): all at once; click one to see it large.

    items: maps (K, 1, h, w) or (1, K, h, w), each on its own colour scale, or pictures (K, 3, H, W) in
        [0, 1].
    labels: K names; by default their numbers.
    name: what they are, "channel", "filter", "class".
    values: {name: (K,)}, numbers that are read out for the chosen one; of maps the largest is added.
    photo: (1, 3, H, W); the chosen map is then shown over it.
    size: longer side of each picture as it is kept, in pixels; maps are kept as they are.
    alt: what is to be seen, in words.

    >>> maps = torch.rand(1, 12, 7, 7)
    >>> vz.explore.sheet(maps, alt="twelve channels")
    Explorable figure (sheet): twelve channels
    """
    if isinstance(items, torch.Tensor) and items.dim() == 4 and len(items) == 1 and items.shape[1] != 3:
        items = items.movedim(1, 0)
    still, where = _film(items, size)
    count, maps = where["count"], items.shape[1] == 1
    values = dict(values or {})
    if maps:
        values["largest value"] = as_maps(items, "items are maps").max((1, 2))
    data = {
        "kind": "sheet",
        "sprite": where,
        "maps": maps,
        "signed": maps and bool((items < 0).any()),
        "name": str(name),
        "labels": words(labels, count, "things on the sheet"),
        "numbers": _series(values, count, name),
    }
    if photo is not None:
        data["photo"] = uri(encoded(to_pil(one_picture(photo, "photo"))))
    return Explorable(data, still, alt, f"Give fewer ({count} now), or a smaller size (size={size} now).")


def atlas(
    points: Any,
    images: torch.Tensor,
    labels: Sequence[str],
    *,
    size: int = 48,
    alt: str,
) -> Explorable:
    """An atlas to walk (an embedding, such as t-SNE or PCA, with a picture at each point): zoom, move, and
    read which pictures are neighbours.

    points: (N, 2). images: (N, 3, H, W) in [0, 1]. labels: N names.
    size: longer side of a picture as it is kept, in pixels. alt: what is to be seen, in words.

    The still picture is a grid in which neighbours stay neighbours: each point is given the cell that is
    nearest in total (linear assignment).

    >>> vz.explore.atlas(torch.rand(6, 2), torch.rand(6, 3, 32, 32), list("abcdef"), alt="six of noise")
    Explorable figure (atlas): six of noise
    """
    places = as_numbers(points, "points are numbers (N, 2)", 2)
    if places.shape[1] != 2:
        raise VizlibError(f"points are numbers (N, 2); this has the shape {places.shape}.")
    count = len(places)
    words([""] * len(images), count, "points, one picture each")
    labels = words(labels, count, "points")
    low, high = places.min(0), places.max(0)
    places = (places - low) / np.maximum(high - low, 1e-12)
    columns = math.ceil(count**0.5 * 1.2)
    order = _in_a_grid(places, columns)
    still, where = sprite(images[torch.as_tensor(order)], size, columns)
    data = {
        "kind": "atlas",
        "sprite": where,
        "points": pack(places[order], "points", 2),
        "labels": [labels[i] for i in order],
    }
    return Explorable(
        data, still, alt, f"Give fewer pictures ({count} now), or a smaller size (size={size} now)."
    )


def _in_a_grid(places: np.ndarray, columns: int) -> list[int]:
    """Which point lies in which cell of a grid, row by row, when all together move least. y points up."""
    from scipy.optimize import linear_sum_assignment
    from scipy.stats import rankdata

    rows = math.ceil(len(places) / columns)
    cells = np.array([(i % columns, i // columns) for i in range(len(places))], float)
    x, y = (rankdata(axis) / len(places) for axis in (places[:, 0], -places[:, 1]))
    cost = (cells[:, :1] - x * columns) ** 2 + (cells[:, 1:] - y * rows) ** 2
    return linear_sum_assignment(cost)[1].tolist()


def _film(frames: Any, size: int) -> tuple[bytes, dict[str, int]]:
    """Pictures or maps as one sprite."""
    if not isinstance(frames, torch.Tensor) or frames.dim() != 4 or frames.shape[1] not in (1, 3):
        seen = tuple(frames.shape) if isinstance(frames, torch.Tensor) else type(frames).__name__
        raise VizlibError(f"These are pictures (N, 3, H, W) or maps (N, 1, h, w); this is {seen}.")
    if frames.shape[1] == 3:
        return sprite(frames, size)
    maps = as_maps(frames, "maps are numbers (N, 1, h, w)")
    if maps.size > MOST_MAP_PIXELS:
        raise VizlibError(
            f"These maps have {maps.size:,} values together, and {MOST_MAP_PIXELS:,} is the most. Give "
            "fewer, or coarser ones: torch.nn.functional.avg_pool2d(maps, 2)."
        )
    return map_sprite(maps)


def _series(values: Mapping[str, Any] | None, count: int, what: str) -> dict[str, Any]:
    """{name: numbers as the page reads them}, one number for each of `count` things."""
    packed = {}
    for key, numbers in (values or {}).items():
        packed[str(key)] = pack(numbers, f"values[{key!r}] is one number for each {what}", 1)
        if (seen := packed[str(key)]["shape"][0]) != count:
            raise VizlibError(
                f"values[{key!r}] holds {seen} numbers, and there are {count} to give one each."
            )
    return packed


def _side(image: torch.Tensor) -> str:
    return f"{image.shape[-1]} x {image.shape[-2]}"
