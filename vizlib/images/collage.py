"""Scenes: collages of cut-outs on a background, with the exact pixels of every object. Objects decide what a
scene is called.

Every scene draws on the same backgrounds, so a background says nothing about the scene: who sees only it
guesses one in eight.
"""

from __future__ import annotations

import functools
import json
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from ..batching import whole
from ..errors import VizlibError, did_you_mean
from ..resources import data_file
from ..table import Table
from .library import background, backgrounds, cutout, sized_cutout

FEWEST, MOST = 3, 7  # objects in a scene
# An object's longest side as a share of the picture's, where there are three; smaller where there are more.
LONGEST = (0.4, 0.75)
STEPS = 24  # those shares are rounded to this many parts, so that a resized cut-out is used again
SINGLE = (0.3, 0.75)  # the same for an object that is alone
# How dark a shadow is; how far it falls and how soft it is, as shares of the object's longest side.
SHADOW, OFFSET = 0.45, 0.05
SHOW = ("all", "objects", "background")
SMALLEST, LARGEST = 32, 512  # pixels of a side

Seed = int | Sequence[int]


class World(NamedTuple):
    """What one kind of scene is made of, names of cut-outs.

    cutouts, held_out: one picture of each object, for training and never for training.
    objects: {object: (pictures for training, pictures never for training)}.
    """

    cutouts: tuple[str, ...]
    held_out: tuple[str, ...]
    objects: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]

    def pool(self, held_out: bool, many: bool) -> tuple[str, ...]:
        """The cut-outs that a collage is drawn from."""
        if many:
            return tuple(name for pictures in self.objects.values() for name in pictures[held_out])
        return self.held_out if held_out else self.cutouts


class Scene(NamedTuple):
    """image (1, 3, H, W); label, the scene's name; masks {cut-out: (1, 1, H, W)}, 1 on its visible pixels, in
    the order of painting.
    """

    image: torch.Tensor
    label: str
    masks: dict[str, torch.Tensor]


class Collages(NamedTuple):
    """Many scenes.

    images: (N, 3, H, W) in [0, 1].
    labels: (N,), class indices.
    owners: (N, H, W), which object each pixel shows, -1 for the background.
    names: per picture, the cut-outs that the numbers in `owners` stand for.
    """

    images: torch.Tensor
    labels: torch.Tensor
    owners: torch.Tensor
    names: list[list[str]]


@functools.cache
def _worlds() -> dict[str, World]:
    worlds = json.loads(data_file("scenes.json").read_text(encoding="utf-8"))
    return {
        kind: World(
            tuple(world["cutouts"]),
            tuple(world["held_out"]),
            {name: (tuple(o["training"]), tuple(o["held_out"])) for name, o in world["objects"].items()},
        )
        for kind, world in worlds.items()
    }


def scenes() -> Table:
    """The eight kinds of scenes, the classes of `scene`: a Table with kind, the cut-outs that make it, and
    those held out from training.

    >>> vz.scenes()["kind"][:3]
    ['farm', 'savanna', 'forest']
    """
    worlds = _worlds().items()
    return Table({"kind": k, "cutouts": list(w.cutouts), "held_out": list(w.held_out)} for k, w in worlds)


def scene_pictures() -> Table:
    """The larger collection for scenes, several pictures of each object (`many=True` in `scene`): a Table
    with scene, object, cutout, and held_out, True for the pictures that no training uses.

    >>> vz.scene_pictures().where(object="sheep", held_out=True)["cutout"]
    ['lamb', 'sheep_black_faced']
    """
    return Table(
        {"scene": kind, "object": name, "cutout": cutout, "held_out": bool(held_out)}
        for kind, world in _worlds().items()
        for name, pictures in world.objects.items()
        for held_out in (0, 1)
        for cutout in pictures[held_out]
    )


def scene(
    kind: str | None = None,
    seed: Seed = 0,
    *,
    size: int = 96,
    show: str = "all",
    held_out: bool = False,
    many: bool = False,
) -> Scene:
    """One collage with ground-truth segmentation masks: three to seven cut-outs of one scene on any
    background, with random places, sizes, flips, brightness and shadows.

    kind: one of `scenes()`; None draws one.
    seed: a number, or a tuple of numbers. The same seed gives the same scene.
    size: the side in pixels, from 32 to 512.
    show: "all", "objects" (on grey) or "background" (without objects): the same composition each time.
    held_out: only the three cut-outs of each scene that no training of ours has seen.
    many: objects in several pictures each, those of `scene_pictures()`; with held_out, pictures never
        trained on of the very objects that the training shows.

    Returns Scene(image, label, masks). Raises VizlibError for an unknown kind.

    >>> made = vz.scene("farm", seed=1)
    >>> made.image.shape, made.label, len(made.masks)
    (torch.Size([1, 3, 96, 96]), 'farm', 5)
    """
    made = collages([kind], seed, size=size, show=show, held_out=held_out, many=many)
    owners, names = made.owners[0], made.names[0]
    masks = {name: (owners == i).float()[None, None] for i, name in enumerate(names)}
    return Scene(
        made.images,
        list(_worlds())[int(made.labels[0])],
        {name: mask for name, mask in masks.items() if mask.any()},
    )


def collages(
    kinds: int | str | Sequence[str | None],
    seed: Seed = 0,
    *,
    size: int = 96,
    show: str = "all",
    held_out: bool = False,
    many: bool = False,
) -> Collages:
    """A batch of synthetic scenes with masks, made fast enough to train on: Collages(images, labels, owners,
    names).

    kinds: a number of scenes of random kinds, or a list of kinds. The rest as in `scene`.

    >>> vz.collages(3, seed=(0, 1)).images.shape
    torch.Size([3, 3, 96, 96])
    """
    if show not in SHOW:
        raise VizlibError(f"show is one of {', '.join(SHOW)}; this is {show!r}.")
    size, rng, known = _side(size), _generator(seed), list(_worlds())
    labels = [int(rng.integers(len(known))) if kind is None else known.index(kind) for kind in _kinds(kinds)]
    images, owners = _blank(len(labels), size)
    names = []
    for image, owner, label in zip(images, owners, labels, strict=True):
        pool = _worlds()[known[label]].pool(held_out, many)
        names.append(_compose(image, owner, pool, show, rng))
    return _collages(images, labels, owners, names)


def portraits(
    count: int, seed: Seed = 0, *, size: int = 96, held_out: bool = False, many: bool = False
) -> Collages:
    """Pictures of one object each, on any background: Collages whose labels are the objects' places in
    `scene_objects(many=many)`.

    The same cut-outs, backgrounds, light and shadows as in scenes, but one thing to a picture, as in a
    collection made to learn names from. The rest as in `collages`; held_out only with many, because
    without it the cut-outs held out are objects of their own.

    >>> from vizlib.images import portraits
    >>> portraits(2).names
    [['classical_guitar'], ['pigeon']]
    """
    if held_out and not many:
        raise VizlibError("held_out pictures of the same objects are there with many=True only; add it.")
    size, rng, objects, pictures = _side(size), _generator(seed), scene_objects(many=many), []
    chosen = {name: p[held_out] for w in _worlds().values() for name, p in w.objects.items()} if many else {}
    labels = rng.integers(len(objects), size=whole(count, "count is a number of pictures"))
    images, owners = _blank(len(labels), size)
    for image, owner, label in zip(images, owners, labels, strict=True):
        flips, light = rng.random(2) < 0.5, rng.uniform(0.75, 1.2, 2)
        _ground(image, flips[-1], light[-1], rng)
        pictures.append(rng.choice(chosen[objects[label]]).item() if many else objects[label])
        sprite = _sprite(pictures[-1], _rounded(rng.uniform(*SINGLE), size))
        _paint(image, owner, 0, sprite, flips[0], light[0], rng.uniform(0.3, 0.7, 2))
    return _collages(images, labels, owners, [[name] for name in pictures])


def scene_objects(*, many: bool = False) -> list[str]:
    """The cut-outs that make the scenes, in the order of `scenes()`; those held out from training are not
    among them. many: the names of the objects in `scene_pictures()` instead.
    """
    return [name for w in _worlds().values() for name in (w.objects if many else w.cutouts)]


# ------------------------------------------------------------------------------------- what was asked for


def _side(size: Any) -> int:
    side = whole(size, f"size is a number of pixels, at most {LARGEST}", SMALLEST)
    if side > LARGEST:
        raise VizlibError(f"size is a number of pixels from {SMALLEST} to {LARGEST}; this is {size!r}.")
    return side


def _generator(seed: Any) -> np.random.Generator:
    try:
        return np.random.default_rng([*map(operator.index, seed)] if np.ndim(seed) else operator.index(seed))
    except (TypeError, ValueError) as problem:
        raise VizlibError(
            f"seed is a whole number, 0 or more, or a tuple of them; this is {seed!r}."
        ) from problem


def _kinds(kinds: Any) -> list[str | None]:
    """A number of unknown kinds, or a list of known ones."""
    if isinstance(kinds, str):
        kinds = [kinds]
    if not isinstance(kinds, (list, tuple, np.ndarray)) or isinstance(kinds, np.ndarray) and not kinds.ndim:
        return [None] * whole(kinds, "kinds is a list of kinds, or a number of scenes")
    known = list(_worlds())
    for kind in kinds:
        if kind is not None and kind not in known:
            raise VizlibError(f"There is no scene {kind!r}. {did_you_mean(kind, known)}")
    if len(kinds) == 0:
        raise VizlibError("There is no kind of scene in this list. vz.scenes() shows the kinds.")
    return list(kinds)


# ------------------------------------------------------------------------------------- painting


def _blank(count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, H, W, 3) to be filled, and whose pixels they are: nobody's."""
    return np.empty((count, size, size, 3), np.float32), np.full((count, size, size), -1, np.int8)


def _collages(
    images: np.ndarray, labels: Sequence[int] | np.ndarray, owners: np.ndarray, names: list
) -> Collages:
    pictures = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    return Collages(pictures.clamp_(0, 1), torch.as_tensor(labels), torch.from_numpy(owners).long(), names)


def _rounded(share: float, size: int) -> int:
    """A share of a side in pixels, in steps of 1 / STEPS."""
    return round(round(share * STEPS) / STEPS * size)


def _compose(
    image: np.ndarray, owner: np.ndarray, cutouts: tuple[str, ...], show: str, rng: np.random.Generator
) -> list[str]:
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
        sprite = _sprite(name, _rounded(shares[k], size))
        _paint(image, owner, k, sprite, flips[k], light[k], centres[k])
    return names


def _ground(image: np.ndarray, flip: bool, light: float, rng: np.random.Generator) -> None:
    """Fill image (H, W, 3) with a piece of one of the backgrounds."""
    ground, size = _backgrounds(len(image)), len(image)
    number, corner = rng.integers(len(ground)), rng.integers(0, ground.shape[1] - size + 1, 2)
    patch = ground[number, corner[0] : corner[0] + size, corner[1] : corner[1] + size]
    image[:] = light * (patch[:, ::-1] if flip else patch)


def _paint(
    image: np.ndarray,
    owner: np.ndarray,
    k: int,
    sprite: np.ndarray,
    flip: bool,
    light: float,
    centre: np.ndarray,
) -> None:
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
def _sprite(name: str, side: int) -> np.ndarray:
    """A cut-out with its longest side at `side` pixels: (h, w, 5), colour times opacity, opacity, and how
    much light its shadow leaves.
    """
    from scipy.ndimage import gaussian_filter  # here, because it takes 0.2 s to import

    own = cutout(name)[1].shape[-2:]
    weighted, alpha = sized_cutout(
        name, (max(1, round(own[0] * side / max(own))), max(1, round(own[1] * side / max(own))))
    )
    colours, opaque = weighted[0].numpy(), alpha[0, 0].numpy()
    margin = max(2, round(3 * OFFSET * side))
    opaque = np.pad(opaque, margin)
    colours = np.pad(colours, ((0, 0), (margin, margin), (margin, margin)))
    fall = max(1, round(OFFSET * side))
    shadow = gaussian_filter(np.roll(opaque, (fall, 0), (0, 1)), OFFSET * side)
    return np.stack([*colours, opaque, 1 - SHADOW * shadow], -1).astype(np.float32)


@functools.lru_cache(4)
def _backgrounds(size: int) -> np.ndarray:
    """All backgrounds, a quarter larger than a scene so that they can be shifted: (B, S, S, 3)."""
    side = size + size // 4
    return np.stack([background(row["name"], side)[0].permute(1, 2, 0).numpy() for row in backgrounds()])
