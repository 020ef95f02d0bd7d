"""Deep dream: more of whatever a network sees in a picture (Mordvintsev, Olah & Tyka 2015)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import nn

from ..batching import whole
from ..errors import VizlibError
from ..images.check import check_images
from ..images.convert import resize
from ..layers import record
from ..scalars import real, sides
from .account import Account
from .ascent import Result, ascend, options_for_ascend
from .canvas import Pixels
from .objectives import Objective, best_match, energy, objective

if TYPE_CHECKING:
    from ..layers.target import Target
    from ..models.network import Network

RATE = 1.5 / 255  # how far a pixel moves in a step, on average; the authors' notebook counts from 0 to 255


@torch.inference_mode(False)
def dream(
    net: Network,
    image: torch.Tensor,
    *,
    layer: str | None = None,
    target: Target | Objective = None,
    guide: torch.Tensor | None = None,
    octaves: int = 4,
    scale: float = 1.4,
    jitter: int = 32,
    tile: int | None = 512,
    **options: Any,
) -> Result:
    """DeepDream: `image` changed so that more of what the network sees in it is there. Returns a Result;
    .images has one picture per octave.

        for each octave, from small to large:
            x = base + detail;   x <- x + rate * g / mean |g|, `steps` times;   detail = x - base

    base: `image` reduced by scale^(octaves - 1), ..., scale, 1; detail: what has been dreamt, enlarged to
    the next octave's size, so that the photograph keeps its own fine structure. g: the slope of the score
    in x.

    image: (N, 3, H, W) in [0, 1].
    layer: the score is its energy, 0.5 mean a^2, so that all that a layer sees grows. squeezenet dreams of
    eyes in fire6, of heads in fire7 and fire8, of animals in fire9 (with octaves=5, steps=20 at 512 pixels).
    guide: (1, 3, H, W), with a layer: the score is the inner product of each position's features with the
    guide's that fit best.
    target: instead of a layer, as in `ascend`: a class, vz.unit(layer, channel), objectives with weights.
    octaves, scale: how many sizes, and the factor from one to the next.
    jitter: each look is at the picture rolled by up to so many pixels, at random.
    tile: pictures longer than this are looked at in pieces, rolled by up to half a tile so that the seams
    move. None: never.
    options: of `ascend`; by default 12 steps in each octave, at a rate of 1.5 / 255, the mean change of a
    pixel in a step. progress counts the steps of all octaves, with previews of the whole picture's size;
    Stop and an interrupt keep the picture so far, at full size. history: octaves differ in level.

    Raises VizlibError for unknown layers, octaves that are too small for the layer, and numbers that make no
    picture.
    Mordvintsev, Olah & Tyka 2015, "Inceptionism", and the defaults of their notebook.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.dream(net, photo, layer="conv3", octaves=2, steps=1).image.shape
        torch.Size([1, 3, 64, 64])
    """
    image, goal = net.check(image), _goal(net, layer, target, guide)
    options = options_for_ascend(
        options, ("jitter", "tile"), steps=12, rate=RATE, optimizer="normalized", snapshots=0, seed=0
    )
    real(
        options["rate"],
        "rate is how far a pixel moves in a step, on average, above 0 and at most 1",
        lambda value: 0 < value <= 1,
    )
    steps, jitter = whole(options["steps"], "steps is a whole number"), whole(jitter, "jitter is a roll", 0)
    sizes = octave_sizes(image.shape[-2:], octaves, scale)
    _check_smallest(net, goal, image, sizes, scale, tile)
    dreamt, account = Result(image, torch.empty(0)), Account(options.get("progress"), steps * len(sizes))
    detail, kept = torch.zeros_like(resize(image, sizes[0])), []
    try:
        for i, size in enumerate(sizes):
            base = resize(image, size)

            def finished(x: torch.Tensor, base: torch.Tensor = base) -> torch.Tensor:
                return (image + _enlarge(x - base, sizes[-1])).clamp(0, 1)

            # in tiles, the seams have to move, too
            roll = jitter if tile is None or max(size) <= tile else max(jitter, tile // 2)
            of_octave: dict[str, Any] = {
                "jitter": {"roll": roll},
                "tile": tile,
                "seed": options["seed"] + i,
                "progress": account.run(finished),
            }
            start = Pixels((base + _enlarge(detail, size)).clamp(0, 1))
            part = ascend(net, goal, start, **options | of_octave)
            detail = part.image - base
            dreamt.image = finished(part.image)
            dreamt.history += part.history
            kept.append(dreamt.image[:1])
            if part.stopped or account.refused:
                break
    except KeyboardInterrupt:  # between two octaves; within one, `ascend` sees to it
        pass
    dreamt.images = torch.cat(kept or [dreamt.image[:1]])
    dreamt.stopped = len(dreamt.history) < steps * len(sizes)
    return dreamt


def octave_sizes(size: Sequence[int], octaves: int = 4, scale: float = 1.4) -> list[tuple[int, int]]:
    """The sizes of an image pyramid: (height, width) / scale^i for i = octaves - 1, ..., 0, a list of whole
    sizes, small to large, the last one `size` itself.

        >>> vz.synthesis.octave_sizes((96, 128), 3, 2)
        [(24, 32), (48, 64), (96, 128)]
    """
    octaves = whole(octaves, "octaves is a whole number")
    scale = real(
        scale, "scale is the factor from one octave to the next, above 1", lambda value: 1 < value < math.inf
    )
    height, width = sides(tuple(size))
    factors = [scale**i for i in reversed(range(octaves))]
    return [(max(1, round(height / f)), max(1, round(width / f))) for f in factors]


def _enlarge(detail: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    if tuple(detail.shape[-2:]) == tuple(size):
        return detail
    return F.interpolate(detail, tuple(size), mode="bicubic", align_corners=False)


def _goal(
    net: Network, layer: str | None, target: Target | Objective, guide: torch.Tensor | None
) -> Objective:
    if (layer is None) == (target is None):
        raise VizlibError(
            "Say what to dream of, in one way: layer=... for all that a layer sees, or target=... for a "
            "class or a unit."
        )
    if target is not None and guide is not None:
        raise VizlibError("A guide needs a layer in which to compare: layer=..., not target=....")
    if layer is None:
        goal = objective(net, target)
    elif guide is None:
        goal = energy(layer)
    else:
        goal = best_match(net, check_images(guide), layer)
    for name in goal.layers:
        net.layer(name)  # refuses an unknown layer now, with the nearest names
    return goal


def _check_smallest(
    net: Network,
    goal: Objective,
    image: torch.Tensor,
    sizes: list[tuple[int, int]],
    scale: float,
    tile: int | None,
) -> None:
    """Refuse octaves in which the layer would have fewer than two positions a side, and those that the
    network cannot look at.
    """
    grids = [
        i for i in net.named_layers().values() if i.spatial and not isinstance(i.module, nn.AdaptiveAvgPool2d)
    ]
    infos = [net.layer(name) for name in goal.layers]
    infos = [i for i in infos if i.spatial] or grids[-1:]  # a class needs the positions that it is read from
    least = 2 * max((max(i.receptive_field.stride) for i in infos), default=1)
    smallest = min(sizes[0])
    if smallest < least:
        fits = 1 + math.floor(math.log(max(1, min(sizes[-1]) / least), scale))
        advice = f"octaves={min(fits, len(sizes) - 1)}" if min(sizes[-1]) >= least else "a larger picture"
        raise VizlibError(
            f"The smallest of {len(sizes)} octaves has {sizes[0][1]} x {sizes[0][0]} pixels; {goal.name} "
            f"needs {least} a side, two steps of its layer. Take {advice}, or an earlier layer."
        )
    if tile is not None:
        whole(tile, "tile is None, or a number of pixels; for this layer", 2 * least)
    try:
        record(net, resize(image[:1], sizes[0]), goal.layers)
    except (RuntimeError, VizlibError) as problem:
        raise VizlibError(
            f"{net.name} cannot look at {sizes[0][1]} x {sizes[0][0]} pixels: take fewer octaves. ({problem})"
        ) from problem
