"""Occlusion: cover a part of the picture and see what the network says then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch

from ..batching import Progress, batches, check_batch_size, select, whole
from ..deprecation import renamed
from ..errors import VizlibError
from ..images.check import check_colour
from ..layers.boxes import Box
from ..layers.local import LocalChange
from ..layers.target import Target, score_of_logits, settle, unit

if TYPE_CHECKING:
    from ..models.network import Network


@renamed(chunk="batch_size")
def occlusion(
    net: Network,
    images: torch.Tensor,
    target: Target = None,
    *,
    patch: int | tuple[int, int] = 32,
    stride: int | tuple[int, int] = 8,
    fill: Any = None,
    upsample: bool = True,
    batch_size: int = 8,
    progress: Progress | None = None,
) -> torch.Tensor:
    """Occlusion sensitivity: M_ij = S(x) - S(x with the patch at i, j covered), how much the score falls,
    signed.

    images: (N, 3, H, W) in [0, 1].
    target: a class, a label, one per picture, vz.unit(...), a function of the logits (such as a probability),
        or None for each picture's top class.
    patch, stride: side of the square and its step, in pixels, or (rows, columns). The last patches may be cut
        by the border.
    fill: the patch's colour, a number or one per colour in [0, 1]; by default what the network sees as zero.
    upsample: True gives (N, 1, H, W), each pixel the mean over the patches that covered it; False one value
        per patch, (N, 1, h, w).
    batch_size: patches per pass.
    progress: a function (done, total, preview) -> bool; when it returns False, patches not yet tried count as
        no fall.

    The layers near the pixels are computed only where a patch can change them (vizlib.layers.local); the
    result is the same up to rounding. Raises VizlibError for pictures, classes, layers, patches or colours
    that cannot be used. Zeiler & Fergus 2014, "Visualizing and Understanding Convolutional Networks", section
    4.2.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.occlusion(net, photo, "goldfish", patch=16, stride=16).shape
        torch.Size([1, 1, 64, 64])
    """
    images, target = settle(net, images, target)
    boxes, grid = patches(images, patch, stride)
    layer = target.layer if isinstance(target, unit) else "logits"
    change = _change(net, images, layer, boxes, batch_size)
    uncovered = _score(target, change.clean)
    drop = images.new_zeros(len(images), len(boxes))
    for i, b, outputs in _answers(change, boxes, colour_of(net, fill), batch_size, progress):
        drop[i, b] = uncovered[i] - _score(select(target, i), outputs)
    if not upsample:
        return drop.view(-1, 1, *grid)
    total, times = torch.zeros_like(images[:, :1]), images.new_zeros(images.shape[-2:])
    for fall, (rows, columns) in zip(drop.T, boxes, strict=True):
        total[:, 0, rows, columns] += fall[:, None, None]
        times[rows, columns] += 1
    return total / times.clamp(min=1)


@renamed(chunk="batch_size")
def occluded(
    net: Network,
    images: torch.Tensor,
    *,
    layer: str = "logits",
    patch: int | tuple[int, int] = 32,
    stride: int | tuple[int, int] = 8,
    fill: Any = None,
    batch_size: int = 8,
    progress: Progress | None = None,
) -> torch.Tensor:
    """Occlusion without a score: what `layer` says at every position of the patch, (N, h, w, K).

    For questions that one score does not answer: which label wins behind each patch, how strong is a feature
    map, which signs change?  Of a layer with positions, each channel's mean over its grid; logits as they
    are. Arguments and errors as in `occlusion`; patches not yet tried when progress returns False give what
    the whole picture gives.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.occluded(net, photo, layer="conv3", patch=16, stride=16).shape
        torch.Size([1, 4, 4, 192])
    """
    images = net.check(images)
    boxes, grid = patches(images, patch, stride)
    change = _change(net, images, layer, boxes, batch_size)
    result = _means(change.clean)[:, None].repeat(1, len(boxes), 1)
    for i, b, outputs in _answers(change, boxes, colour_of(net, fill), batch_size, progress):
        result[i, b] = _means(outputs)
    return result.view(len(images), *grid, -1)


def _change(
    net: Network, images: torch.Tensor, layer: str, boxes: Sequence[Box], batch_size: int
) -> LocalChange:
    height, width = (max(box[axis].stop - box[axis].start for box in boxes) for axis in (0, 1))
    return LocalChange(net, images, layer, height, width, check_batch_size(batch_size))


def _answers(
    change: LocalChange,
    boxes: Sequence[Box],
    colour: torch.Tensor,
    batch_size: int,
    progress: Progress | None,
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Yields (which pictures, which boxes, outputs of the layer), a batch at a time, for every picture with
    every box covered.
    """
    for some in batches(len(change.images) * len(boxes), batch_size, progress):
        i, b = some // len(boxes), some % len(boxes)
        yield i, b, change(i, [boxes[k] for k in b.tolist()], colour)


def colour_of(net: Network, fill: Any) -> torch.Tensor:
    """The colour of a patch, (3, 1, 1) on the network's device; None is what the network sees as zero."""
    return (net.neutral if fill is None else check_colour(fill).to(net.device)).view(3, 1, 1)


def patches(
    images: torch.Tensor, patch: int | tuple[int, int], stride: int | tuple[int, int]
) -> tuple[list[Box], tuple[int, int]]:
    """The boxes, pairs of slices row by row, and the grid (h, w) they form."""
    sides = []
    steps = zip(
        ("rows", "columns"), images.shape[-2:], _pair(patch, "patch"), _pair(stride, "stride"), strict=True
    )
    for what, n, p, s in steps:
        if p > n:
            raise VizlibError(f"A patch of {p} {what} does not fit a picture of {n}.")
        sides.append([slice(start, min(start + p, n)) for start in range(0, min(n - p + s, n), s)])
    return [(rows, columns) for rows in sides[0] for columns in sides[1]], (len(sides[0]), len(sides[1]))


def _pair(value: Any, name: str) -> tuple[int, int]:
    values = tuple(value) if hasattr(value, "__len__") and not isinstance(value, str) else (value, value)
    try:
        height, width = (whole(v, name) for v in values)
    except (ValueError, VizlibError):
        raise VizlibError(f"{name} is a number of pixels or (rows, columns); this is {value!r}.") from None
    return height, width


def _means(outputs: torch.Tensor) -> torch.Tensor:
    """(N, K): of maps their means over the grid."""
    return outputs.flatten(2).mean(2) if outputs.dim() > 2 else outputs


def _score(target: Any, outputs: torch.Tensor) -> torch.Tensor:
    return target.read(outputs) if isinstance(target, unit) else score_of_logits(outputs, target).float()
