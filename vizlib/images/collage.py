"""Scenes: collages of cut-outs on a background, with the exact pixels of every object. Objects decide what a
scene is called.

Every scene draws on the same backgrounds, so a background says nothing about the scene: who sees only it
guesses one in eight.
"""

import functools
import json
from typing import NamedTuple

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from ..errors import VizlibError, did_you_mean
from ..resources import data_file
from ..table import Table
from .library import background, backgrounds, cutout, sized_cutout

FEWEST, MOST = 3, 7  # objects in a scene
LONGEST = (
    0.4,
    0.75,
)  # an object's longest side as a share of the picture's, where there are three; smaller where there are more
STEPS = 24  # those shares are rounded to this many parts, so that a resized cut-out is used again
SINGLE = (0.3, 0.75)  # the same for an object that is alone
SHADOW, OFFSET = (
    0.45,
    0.05,
)  # how dark a shadow is; how far it falls and how soft it is, as shares of the object's longest side
SHOW = ("all", "objects", "background")


class Scene(NamedTuple):
    """image (1, 3, H, W); label, the scene's name; masks {cut-out: (1, 1, H, W)}, 1 on its visible pixels, in
    the order of painting.
    """

    image: torch.Tensor
    label: str
    masks: dict


class Collages(NamedTuple):
    """Many scenes. images (N, 3, H, W) in [0, 1]; labels (N,); owners (N, H, W): which object each pixel
        shows, -1 for the background;
    names: per picture, the cut-outs that the numbers in `owners` stand for."""

    images: torch.Tensor
    labels: torch.Tensor
    owners: torch.Tensor
    names: list


@functools.cache
def _worlds():
    return json.loads(data_file("scenes.json").read_text(encoding="utf-8"))


def scenes():
    """The eight kinds of scenes: a Table with kind, the cut-outs that make it, and those held out from
    training.
    """
    return Table({"kind": kind, **world} for kind, world in _worlds().items())


def scene(kind=None, seed=0, *, size=96, show="all", held_out=False):
    """One collage: three to seven cut-outs of one scene on any background, with random places, sizes, flips,
    brightness and shadows.

    kind: one of `scenes()`; None draws one. size: the side in pixels. show: "all", "objects" (on grey) or
        "background" (without objects):
    the same composition each time. held_out: only the three cut-outs of each scene that no training of ours
        has seen.
    Returns Scene(image, label, masks). The same seed gives the same scene. Raises VizlibError for an unknown
        kind.
    """
    made = collages([kind], seed, size=size, show=show, held_out=held_out)
    owners, names = made.owners[0], made.names[0]
    masks = {name: (owners == i).float()[None, None] for i, name in enumerate(names)}
    return Scene(
        made.images,
        list(_worlds())[made.labels[0]],
        {name: mask for name, mask in masks.items() if mask.any()},
    )


def collages(kinds, seed=0, *, size=96, show="all", held_out=False):
    """A batch of scenes, fast enough to train on: Collages(images, labels, owners, names).

    kinds: a number of scenes of random kinds, or a list of kinds. The rest as in `scene`. seed: a number or a
    tuple of numbers.
    """
    if show not in SHOW:
        raise VizlibError(f"show is one of {', '.join(SHOW)}; this is {show!r}.")
    if not (isinstance(size, int) and 32 <= size <= 512):
        raise VizlibError(f"size is a number of pixels from 32 to 512; this is {size!r}.")
    rng, known = np.random.default_rng(seed), list(_worlds())
    kinds = [None] * kinds if isinstance(kinds, int) else list(kinds)
    for kind in kinds:
        if kind is not None and kind not in known:
            raise VizlibError(f"There is no scene {kind!r}. {did_you_mean(kind, known)}")
    labels = [int(rng.integers(len(known))) if kind is None else known.index(kind) for kind in kinds]
    images = np.empty((len(kinds), size, size, 3), np.float32)
    owners = np.full((len(kinds), size, size), -1, np.int8)
    names = []
    for image, owner, label in zip(images, owners, labels, strict=True):
        world = _worlds()[known[label]]
        names.append(_compose(image, owner, world["held_out" if held_out else "cutouts"], show, rng))
    images = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    return Collages(images.clamp_(0, 1), torch.tensor(labels), torch.from_numpy(owners).long(), names)


def portraits(count, seed=0, *, size=96):
    """Pictures of one object each, on any background: Collages whose labels are the objects' places in
    `scene_objects()`.

    The same cut-outs, backgrounds, light and shadows as in scenes, but one thing to a picture, as in a
    collection made to learn names from.
    """
    rng, objects = np.random.default_rng(seed), scene_objects()
    labels = rng.integers(len(objects), size=count)
    images = np.empty((count, size, size, 3), np.float32)
    owners = np.full((count, size, size), -1, np.int8)
    for image, owner, label in zip(images, owners, labels, strict=True):
        flips, light = rng.random(2) < 0.5, rng.uniform(0.75, 1.2, 2)
        _ground(image, flips[-1], light[-1], rng)
        side = round(round(rng.uniform(*SINGLE) * STEPS) / STEPS * size)
        _paint(image, owner, 0, _sprite(objects[label], side), flips[0], light[0], rng.uniform(0.3, 0.7, 2))
    images = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    return Collages(
        images.clamp_(0, 1),
        torch.from_numpy(labels),
        torch.from_numpy(owners).long(),
        [[objects[k]] for k in labels],
    )


def scene_objects():
    """The cut-outs that make the scenes, in the order of `scenes()`; those held out from training are not
    among them.
    """
    return [name for world in _worlds().values() for name in world["cutouts"]]


def _compose(image, owner, cutouts, show, rng):
    """Paint one scene into image (H, W, 3) and its objects' numbers into owner (H, W); return the objects'
    names.
    """
    size = len(image)
    count = int(rng.integers(FEWEST, min(MOST, len(cutouts)) + 1))
    names = [cutouts[i] for i in rng.permutation(len(cutouts))[:count]]
    # Centres in different cells of a 3 x 3 grid, so that objects overlap but seldom vanish.
    cells = rng.permutation(9)[:count]
    centres = (np.stack([cells // 3, cells % 3], 1) + 0.5) / 3 + rng.uniform(-0.12, 0.12, (count, 2))
    shares = rng.uniform(*LONGEST, count) * (FEWEST / count) ** 0.5
    flips, light = rng.random(count + 1) < 0.5, rng.uniform(0.75, 1.2, count + 1)
    _ground(image, flips[-1], light[-1], rng)
    if show == "objects":
        image[:] = 0.5
    if show == "background":
        return []
    for k, name in enumerate(names):
        _paint(
            image,
            owner,
            k,
            _sprite(name, round(round(shares[k] * STEPS) / STEPS * size)),
            flips[k],
            light[k],
            centres[k],
        )
    return names


def _ground(image, flip, light, rng):
    """Fill image (H, W, 3) with a piece of one of the backgrounds."""
    ground, size = _backgrounds(len(image)), len(image)
    number, corner = rng.integers(len(ground)), rng.integers(0, ground.shape[1] - size + 1, 2)
    patch = ground[number, corner[0] : corner[0] + size, corner[1] : corner[1] + size]
    image[:] = light * (patch[:, ::-1] if flip else patch)


def _paint(image, owner, k, sprite, flip, light, centre):
    """Draw a sprite, its shadow first, around `centre`; what reaches over the border is cut."""
    size, (height, width) = len(image), sprite.shape[:2]
    top, left = round(centre[0] * size - height / 2), round(centre[1] * size - width / 2)
    y, x = slice(max(top, 0), min(top + height, size)), slice(max(left, 0), min(left + width, size))
    sprite = (sprite[:, ::-1] if flip else sprite)[
        y.start - top : y.stop - top, x.start - left : x.stop - left
    ]
    colour, alpha, shade = sprite[..., :3], sprite[..., 3:4], sprite[..., 4:]
    under = image[y, x]
    under *= shade * (1 - alpha)
    under += light * colour
    owner[y, x][alpha[..., 0] > 0.5] = k


@functools.lru_cache(4096)
def _sprite(name, side):
    """A cut-out with its longest side at `side` pixels: (h, w, 5), colour times opacity, opacity, and how
    much light its shadow leaves.
    """
    own = cutout(name)[1].shape[-2:]
    weighted, alpha = sized_cutout(name, [max(1, round(n * side / max(own))) for n in own])
    weighted, alpha = weighted[0].numpy(), alpha[0, 0].numpy()
    margin = max(2, round(3 * OFFSET * side))
    alpha = np.pad(alpha, margin)
    weighted = np.pad(weighted, ((0, 0), (margin, margin), (margin, margin)))
    fall = max(1, round(OFFSET * side))
    shadow = gaussian_filter(np.roll(alpha, (fall, 0), (0, 1)), OFFSET * side)
    return np.stack([*weighted, alpha, 1 - SHADOW * shadow], -1).astype(np.float32)


@functools.lru_cache(4)
def _backgrounds(size):
    """All backgrounds, a quarter larger than a scene so that they can be shifted: (B, S, S, 3)."""
    side = size + size // 4
    return np.stack([background(row["name"], side)[0].permute(1, 2, 0).numpy() for row in backgrounds()])
