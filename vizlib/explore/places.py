"""Explorable figures over a photo: drag a patch, hover over places, guess a place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..attribution.occluders import patches
from ..display.grids import limits
from ..errors import VizlibError
from ..images.check import check_colour
from .figure import Explorable
from .packing import (
    as_maps,
    as_numbers,
    beside,
    encoded,
    one_picture,
    over_grey,
    pack,
    scale_of,
    sprite,
    to_pil,
    uri,
    words,
)

SMALLER = "Give fewer of them, or a smaller picture."
MOST_STILL = 4  # maps beside the photo in the still picture


def drag(
    photo: torch.Tensor,
    scores: Any,
    labels: Sequence[str],
    *,
    patch: int | tuple[int, int],
    stride: int | tuple[int, int],
    uncovered: Any = None,
    fill: Any = 0.5,
    sharp: torch.Tensor | None = None,
    alt: str,
) -> Explorable:
    """Drag an occluder over a photo and read the scores behind it, an explorable occlusion map.

    photo: (1, 3, H, W) in [0, 1].
    scores: (h, w, K), or (1, h, w, K): of each of the K labels at every place of the patch, as `occluded`
        gives them.
    patch, stride, fill: as they were given to `occluded`; the colour is a number or one per colour in [0, 1].
    uncovered: (K,), the scores of the whole photo, drawn as marks; the map is then how much a score falls.
    sharp: the same photo with more pixels, for the eye.
    alt: what is to be seen, in words.

    The patch moves in the steps that were measured. Where it has been, the map of the chosen label appears;
    a button shows all of it. Raises VizlibError for shapes that do not fit each other. Zeiler & Fergus 2014,
    section 4.2.

    >>> photo, scores = vz.photo("goldfish", 64), torch.rand(4, 4, 2)
    >>> vz.explore.drag(photo, scores, ["goldfish", "tench"], patch=16, stride=16, alt="a goldfish")
    Explorable figure (drag): a goldfish
    """
    photo = one_picture(photo, "photo")
    numbers = as_numbers(scores, "scores are numbers (rows, columns, labels)", 3)
    boxes, grid = patches(photo, patch, stride)
    if numbers.shape[:2] != grid:
        raise VizlibError(
            f"A patch of {patch} with stride {stride} has {grid[0]} x {grid[1]} places on this photo; these "
            f"scores have {numbers.shape[0]} x {numbers.shape[1]}. Give both the same patch and stride."
        )
    labels = words(labels, numbers.shape[2], "scores at each place")
    whole = None
    if uncovered is not None:
        whole = as_numbers(uncovered, "uncovered holds one score for each label", 1)
        words(labels, len(whole), "scores of the whole photo")
    falls = numbers if whole is None else whole - numbers
    largest = boxes[0]
    scale = scale_of(falls)
    data = {
        "kind": "drag",
        "photo": _seen(photo, sharp),
        "size": list(photo.shape[-2:]),
        "tops": [boxes[i * grid[1]][0].start for i in range(grid[0])],
        "lefts": [boxes[j][1].start for j in range(grid[1])],
        "patch": [largest[0].stop - largest[0].start, largest[1].stop - largest[1].start],
        "fill": [round(255 * float(colour)) for colour in check_colour(fill).flatten()],
        "labels": labels,
        "scores": pack(numbers, "scores", 3),
        "uncovered": None if whole is None else whole.tolist(),
        "scale": scale,
    }
    still = beside(photo, over_grey(photo, falls[..., 0], scale["low"] < 0))
    return Explorable(data, still, alt, "Give a larger stride or fewer labels, or no sharp photo.")


def hover(
    photo: torch.Tensor,
    maps: Any,
    labels: Sequence[str],
    *,
    pictures: torch.Tensor | None = None,
    picture_size: int = 64,
    sharp: torch.Tensor | None = None,
    alt: str,
) -> Explorable:
    """Hover over a place and see which maps are strongest there; hover over a name (a class, a unit, a
    method) and see its map over the photo.

    photo: (1, 3, H, W) in [0, 1].
    maps: (K, h, w), (K, 1, h, w) or (1, K, h, w), such as class activation maps, or the channels of a layer.
    labels: K names. Of more than eight maps the eight strongest at the place are listed.
    pictures: (K, 3, h, w), one beside each name: a unit's patches, or the picture that it wants.
        picture_size: their longer side, in pixels.
    sharp: the same photo with more pixels, for the eye. alt: what is to be seen, in words.

    Raises VizlibError for shapes that do not fit each other.

    >>> photo, maps = vz.photo("goldfish", 64), torch.rand(3, 4, 4)
    >>> vz.explore.hover(photo, maps, ["fin", "eye", "water"], alt="three maps over a goldfish")
    Explorable figure (hover): three maps over a goldfish
    """
    photo = one_picture(photo, "photo")
    numbers = as_maps(maps, "maps are numbers (maps, rows, columns)")
    labels = words(labels, len(numbers), "maps")
    scale = scale_of(numbers)
    signed = scale["low"] < 0
    data: dict[str, Any] = {
        "kind": "hover",
        "photo": _seen(photo, sharp),
        "size": list(photo.shape[-2:]),
        "labels": labels,
        "maps": pack(numbers, "maps", 3),
        "tops": [limits(map, None, 100)[1] for map in numbers],
        "scale": scale,
    }
    if pictures is not None:
        words(labels, len(pictures), "pictures")
        sheet, where = sprite(pictures, picture_size)
        data["pictures"] = {"src": uri(sheet), **where}
    still = beside(photo, *(over_grey(photo, map, signed) for map in numbers[: MOST_STILL - 1]))
    return Explorable(
        data, still, alt, f"Give fewer maps ({len(numbers)} now), coarser ones, or smaller pictures."
    )


def guess(
    photo: torch.Tensor,
    map: Any,
    question: str,
    *,
    sharp: torch.Tensor | None = None,
    alt: str,
) -> Explorable:
    """Guess first: the reader clicks where they believe the answer lies, then sees the measured map, how far
    their place is from its peak, and how it ranks.

    photo: (1, 3, H, W) in [0, 1]. question: one sentence.
    map: (h, w) or (1, 1, h, w), from any of the methods. What is larger than 56 x 56 is averaged down to it.
    sharp: the same photo with more pixels, for the eye.
    alt: what is to be seen, in words; it should not tell the answer.

    Raises VizlibError for shapes that do not fit, and for an empty question.

    >>> photo, map = vz.photo("goldfish", 64), torch.rand(1, 1, 8, 8)
    >>> vz.explore.guess(photo, map, "Where is the fish?", alt="a goldfish")
    Explorable figure (guess): a goldfish
    """
    photo = one_picture(photo, "photo")
    if isinstance(map, torch.Tensor) and map.dim() == 4:
        map = map[:, 0]
    numbers = as_numbers(map, "map is numbers (rows, columns)", 2)
    if not (isinstance(question, str) and question.strip()):
        raise VizlibError("guess asks a question, one sentence in words.")
    if numbers.size > MOST_PLACES:
        fine = torch.as_tensor(numbers, dtype=torch.float32)[None, None]
        side = GUESS_SIDE / max(numbers.shape)
        shape = max(1, round(numbers.shape[0] * side)), max(1, round(numbers.shape[1] * side))
        numbers = torch.nn.functional.adaptive_avg_pool2d(fine.cpu(), shape)[0, 0].cpu().double().numpy()
    data = {
        "kind": "guess",
        "photo": _seen(photo, sharp),
        "size": list(photo.shape[-2:]),
        "question": question.strip(),
        "map": pack(numbers, "map", 2),
        "scale": scale_of(numbers),
    }
    return Explorable(data, encoded(to_pil(photo)), alt, SMALLER)


GUESS_SIDE = 56
MOST_PLACES = GUESS_SIDE**2  # a larger map is averaged down to this


def _seen(photo: torch.Tensor, sharp: torch.Tensor | None) -> str:
    """The photo for the eye, as the src of an <img>."""
    if sharp is None:
        return uri(encoded(to_pil(photo)))
    sharp = one_picture(sharp, "sharp")
    (h, w), (high, wide) = photo.shape[-2:], sharp.shape[-2:]
    if abs(high / wide - h / w) > 0.02 * h / w:
        raise VizlibError(f"sharp is {wide} x {high} pixels, which is not the shape of the photo, {w} x {h}.")
    return uri(encoded(to_pil(sharp)))
