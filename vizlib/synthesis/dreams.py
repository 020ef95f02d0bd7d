"""Deep dream: whatever a network sees in a picture, more of it (Mordvintsev, Olah & Tyka 2015), at several
sizes; and a film of it.
"""

import math

import torch
import torch.nn.functional as F

from ..errors import VizlibError
from ..images.check import check_images
from ..images.convert import resize
from ..layers import record
from .ascent import Result, ascend
from .canvas import Pixels
from .objectives import best_match, energy, objective

RATE = 1.5 / 255  # how far a pixel moves in a step, on average; the authors' notebook counts from 0 to 255


def dream(
    net,
    image,
    *,
    layer=None,
    target=None,
    guide=None,
    octaves=4,
    scale=1.4,
    steps=12,
    rate=RATE,
    jitter=32,
    tile=512,
    seed=0,
    progress=None,
    **options,
):
    """`image` changed so that more of what the network sees in it is there. Returns a Result; .images has one
    picture per octave.

        for each octave, from small to large:   x = base + detail;   x <- x + rate * g / mean |g|   (`steps`
        times);   detail = x - base

    base: `image` reduced by scale^(octaves - 1), ..., scale, 1; detail: what has been dreamt, enlarged to the
        next octave's size, so that
    the photograph keeps its own fine structure. g: the slope of the score in x, seen through a random roll of
        up to `jitter` pixels.
    The score is the energy of `layer`, 0.5 mean a^2; or, with a `guide` (1, 3, H, W), the inner product of
        each position's features with
    the guide's that fit best; or a `target` as in `ascend`: a class, vz.unit(layer, channel), objectives with
        weights.

    image: (N, 3, H, W). tile: pictures longer than this are looked at in pieces, rolled by up to half a tile
        so that the seams move;
    None: never. progress(done, total, preview): as in `ascend`, with previews of the whole picture's size;
        other options go there too.
    Stop and an interrupt keep the picture so far, at full size. history: the score before each step; octaves
        differ in level.
    Raises VizlibError for unknown layers, octaves that are too small for the layer, and numbers that make no
        picture.
    Mordvintsev, Olah & Tyka 2015, "Inceptionism", and the defaults (step 1.5 of 255, 4 octaves, 1.4, jitter
        32) of their notebook.
    """
    image, goal = check_images(image), _goal(net, layer, target, guide)
    if not (isinstance(rate, (int, float)) and 0 < rate <= 1):
        raise VizlibError(
            f"rate is how far a pixel moves in a step, on average, above 0 and at most 1; this is {rate!r}."
        )
    sizes = octave_sizes(image.shape[-2:], octaves, scale)
    _check_smallest(net, goal, image, sizes, scale, tile)
    whole, refused = Result(image.detach(), torch.empty(0)), []
    detail, kept = torch.zeros_like(resize(image, sizes[0])), []

    def finished(x, base):
        return (image + _enlarge(x - base, sizes[-1])).clamp(0, 1)

    try:
        for i, size in enumerate(sizes):
            base, before = resize(image, size), i * steps
            start = (base + _enlarge(detail, size)).clamp(0, 1)

            def told(done, _, preview, base=base, before=before):
                answer = progress(before + done, steps * octaves, finished(preview, base))
                if answer is False:
                    refused.append(before + done)
                return answer

            tiled = tile is not None and max(size) > tile
            settings = {
                "optimizer": "normalized",
                "jitter": {"roll": max(jitter, tile // 2) if tiled else jitter},
                "tile": tile,
            }
            settings |= {"snapshots": 0, "seed": seed + i, "progress": progress and told} | options
            part = ascend(net, goal, Pixels(start), steps=steps, rate=rate, **settings)
            detail = part.image - base
            whole.image = finished(part.image, base)
            whole.history += part.history
            kept.append(whole.image[:1])
            if part.stopped or refused:
                break
    except KeyboardInterrupt:  # between two octaves; within one, `ascend` sees to it
        pass
    whole.images = torch.cat(kept or [whole.image[:1]])
    whole.stopped = len(whole.history) < steps * octaves
    return whole


def octave_sizes(size, octaves=4, scale=1.4):
    """(height, width) / scale^i for i = octaves - 1, ..., 0: a list of whole sizes, small to large, the last
    one `size` itself.
    """
    if not (isinstance(octaves, int) and octaves > 0):
        raise VizlibError(f"octaves is a positive number; this is {octaves!r}.")
    if not (isinstance(scale, (int, float)) and 1 < scale < math.inf):
        raise VizlibError(f"scale is the factor from one octave to the next, above 1; this is {scale!r}.")
    return [tuple(max(1, round(n / scale**i)) for n in size) for i in reversed(range(octaves))]


def zoom_film(
    net, image, *, frames=24, zoom=1.05, turn=0.0, octaves=2, steps=4, seed=0, progress=None, **options
):
    """Into the dream: the picture; then, again and again, the frame before enlarged by `zoom` and dreamt on.
    Returns a Result.

    .images: (frames, 3, H, W), `image` first; .image: the last one; .history: each dreamt frame's last score.
        turn: degrees to turn by at
    each frame. octaves, steps and other options: of `dream`, for each frame. progress(done, total, preview)
        counts the steps of all frames;
    Stop and an interrupt keep the finished frames. `vz.save_film` writes them to a file.
    Mordvintsev, Olah & Tyka 2015, "Inceptionism", last section.
    """
    if not (isinstance(frames, int) and frames > 1):
        raise VizlibError(f"A film has two frames or more; this is frames={frames!r}.")
    image = check_images(image)[:1].detach()
    reel, history, refused = [image], [], []

    def told(done, total, preview):
        before = (len(reel) - 1) * total  # each frame takes `total` steps
        if progress(before + done, (frames - 1) * total, preview) is False:
            refused.append(before + done)
        return not refused

    try:
        for i in range(1, frames):
            settings = {
                "octaves": octaves,
                "steps": steps,
                "seed": seed + i * octaves,
                "progress": progress and told,
            }
            part = dream(net, zoomed(reel[-1], zoom, turn), **settings, **options)
            if part.stopped:
                break
            reel.append(part.image)
            history.append(part.history[-1])
            if refused:
                break
    except KeyboardInterrupt:  # between two frames; within one, `dream` sees to it
        pass
    return Result(reel[-1], torch.cat(reel), history, stopped=len(reel) < frames)


def zoomed(image, zoom=1.05, turn=0.0):
    """The middle of a picture, enlarged by `zoom` and turned by `turn` degrees: (N, 3, H, W) -> the same
    size. Bicubic, one resampling.
    """
    if not (isinstance(zoom, (int, float)) and 1 <= zoom < math.inf and math.isfinite(turn)):
        raise VizlibError(
            f"zoom is a factor, 1 or more, and turn is in degrees; these are {zoom!r} and {turn!r}."
        )
    height, width = image.shape[-2:]
    cos, sin = math.cos(math.radians(turn)) / zoom, math.sin(math.radians(turn)) / zoom
    rows = torch.tensor([[cos, -sin * height / width, 0], [sin * width / height, cos, 0]], dtype=image.dtype)
    grid = F.affine_grid(rows.expand(len(image), 2, 3), image.shape, align_corners=False)
    return F.grid_sample(image, grid, mode="bicubic", padding_mode="reflection", align_corners=False).clamp(
        0, 1
    )


def _enlarge(detail, size):
    if tuple(detail.shape[-2:]) == tuple(size):
        return detail
    return F.interpolate(detail, tuple(size), mode="bicubic", align_corners=False)


def _goal(net, layer, target, guide):
    if (layer is None) == (target is None):
        raise VizlibError(
            "Say what to dream of, in one way: layer=... for all that a layer sees, or target=... for a "
            "class or a unit."
        )
    if target is not None and guide is not None:
        raise VizlibError("A guide needs a layer in which to compare: layer=..., not target=....")
    goal = (
        objective(net, target)
        if layer is None
        else energy(layer)
        if guide is None
        else best_match(net, check_images(guide), layer)
    )
    for name in goal.layers:
        net.layer(name)  # refuses an unknown layer now, with the nearest names
    return goal


def _check_smallest(net, goal, image, sizes, scale, tile):
    """Refuse octaves in which the layer would have fewer than two positions a side, and those that the
    network cannot look at.
    """
    infos = [net.layer(name) for name in goal.layers]
    stride = max(
        max((i if i.spatial else net.layer(net.last_spatial_layer)).receptive_field.stride) for i in infos
    )
    least, smallest = 2 * stride, min(sizes[0])
    if smallest < least:
        fits = 1 + math.floor(math.log(max(1, min(sizes[-1]) / least), scale))
        advice = f"octaves={min(fits, len(sizes) - 1)}" if min(sizes[-1]) >= least else "a larger picture"
        raise VizlibError(
            f"The smallest of {len(sizes)} octaves has {sizes[0][1]} x {sizes[0][0]} pixels; {goal.name} "
            f"needs {least} a side, "
            f"two steps of its layer. Take {advice}, or an earlier layer."
        )
    if tile is not None and not (isinstance(tile, int) and tile >= 2 * least):
        raise VizlibError(
            f"tile is a number of pixels, here at least {2 * least}, or None; this is {tile!r}."
        )
    try:
        record(net, resize(image[:1], sizes[0]), goal.layers)
    except RuntimeError as problem:
        raise VizlibError(
            f"{net.name} cannot look at {sizes[0][1]} x {sizes[0][0]} pixels: take fewer octaves. ({problem})"
        ) from problem
