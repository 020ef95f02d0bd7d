"""Style for large pictures, from coarse to fine (Gatys et al. 2017): shapes are decided while small, strokes
are added on the way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from ..batching import Progress, whole
from ..errors import VizlibError
from ..images.convert import resize
from ..scalars import real
from .account import Account
from .ascent import Result
from .colours import one_picture
from .style import style_transfer

if TYPE_CHECKING:
    from ..models.network import Network

MULTIPLE = 16  # pixels: the grids of strided layers end where the frame ends
SMALLEST = 32  # pixels: a mirrored margin needs something to mirror


@torch.inference_mode(False)
def style_poster(
    net: Network,
    content: torch.Tensor,
    style: torch.Tensor | Sequence[torch.Tensor],
    *,
    sizes: Sequence[int] = (128, 256, 512),
    steps: int | Sequence[int] = (80, 50, 25),
    margin: int = 16,
    stroke: float = 1.0,
    start: str | torch.Tensor = "content",
    progress: Progress | None = None,
    **options: Any,
) -> Result:
    """Coarse-to-fine style transfer in high resolution: `style_transfer` at each of `sizes`, each time from
    the picture before. Returns a Result.

        x_1 = style_transfer(content_1, style_1),   x_i = style_transfer(content_i, style_i, start = x_(i-1)
        enlarged)

    content_i has sizes[i] pixels on its longest side, style_i `stroke` times as many (above 1: broader
    strokes). A unit that sees 77 pixels sees a head at the smallest size and an eyelash at the largest: one
    size alone gives either fine strokes or bold shapes.

    content: (1, 3, H, W) in [0, 1]. style: a picture or a list of them.
    steps: at each size, or one number for all. A poster of 512 pixels takes `squeezenet` about
    half a minute of one core.
    margin: so many pixels are mirrored around the picture and cut off in the end, because units at an edge
    see zeros beyond it.
    options: of `style_transfer`.
    .image and .images (the result of each size) have the last size; history runs over all sizes.
    progress(done, total, preview), Stop and an interrupt: as in `ascend`.

    Raises VizlibError for sizes that do not grow, and whatever `style_transfer` refuses.
    Gatys, Ecker, Bethge, Hertzmann & Shechtman 2017, "Controlling Perceptual Factors in Neural Style
    Transfer", efficient high resolution.

        >>> photo, painting, net = vz.photo("dahlia", 64), vz.photo("style_great_wave", 64), vz.load("zfnet")
        >>> vz.style_poster(net, photo, painting, sizes=(32, 64), steps=1).images.shape
        torch.Size([2, 3, 64, 64])
    """
    content = one_picture(content, "content", net.device)
    given: list[Any] = list(style) if isinstance(style, (list, tuple)) else [style]
    styles = [one_picture(s, "A style", net.device) for s in given]
    sizes, counts, margin, stroke = _plan(sizes, steps, margin, stroke)
    final, total = _sides(content, sizes[-1]), sum(counts)
    kept: list[torch.Tensor] = []
    account = Account(progress, total)
    whole_run = Result(resize(content, final), torch.empty(0))
    for size, count in zip(sizes, counts, strict=True):
        seen, cut = _framed(resize(content, _sides(content, size)), margin)
        if kept:
            start = _framed(resize(whole_run.image, _sides(content, size)), margin)[0]

        def shown(preview: torch.Tensor, cut: tuple = cut) -> torch.Tensor:
            return resize(preview[cut], final)

        small = [resize(s, _sides(s, stroke * size)) for s in styles]
        part = style_transfer(
            net, seen, small, start=start, steps=count, progress=account.run(shown), **options
        )
        whole_run.image = resize(part.image[cut], final)
        whole_run.history += part.history
        kept.append(whole_run.image)
        if part.stopped or account.refused:
            break
    whole_run.images, whole_run.stopped = torch.cat(kept), len(whole_run.history) < total
    return whole_run


def _sides(image: torch.Tensor, longest: float) -> tuple[int, int]:
    """(height, width) of the picture with `longest` pixels on its longest side."""
    scale = longest / max(image.shape[-2:])
    height, width = image.shape[-2:]
    return max(1, round(height * scale)), max(1, round(width * scale))


def _framed(image: torch.Tensor, margin: int) -> tuple[torch.Tensor, tuple]:
    """The picture with `margin` mirrored pixels around it, or a few more so that both sides are multiples
    of 16; and where it is within.
    """
    height, width = image.shape[-2:]
    more = [-(n + 2 * margin) % MULTIPLE for n in (height, width)]
    if min(height, width) <= margin + max(more):
        raise VizlibError(
            f"A picture of {width} x {height} pixels is too narrow for a mirrored margin: take larger sizes, "
            "or cut it."
        )
    framed = F.pad(image, (margin, margin + more[1], margin, margin + more[0]), mode="reflect")
    return framed, (..., slice(margin, margin + height), slice(margin, margin + width))


def _plan(
    sizes: Sequence[int], steps: int | Sequence[int], margin: int, stroke: float
) -> tuple[list[int], list[int], int, float]:
    rule = f"sizes grow, in whole pixels from {SMALLEST} on: (128, 256, 512). These are {sizes}; a size"
    sizes = [whole(size, rule, SMALLEST) for size in sizes]
    if not sizes or sizes != sorted(set(sizes)):
        raise VizlibError(f"{rule.rpartition(';')[0]}.")
    given: list[Any] = list(steps) if isinstance(steps, (list, tuple)) else [steps] * len(sizes)
    counts = [whole(count, "steps is a whole number, or one for each size; each") for count in given]
    if len(counts) != len(sizes):
        raise VizlibError(
            f"steps is a number, or one for each size; there are {len(sizes)} sizes and {len(counts)} "
            "numbers of steps."
        )
    margin = whole(margin, "margin is 0 to 16 pixels", 0)
    if margin > 16:
        raise VizlibError(f"margin is 0 to 16 pixels; this is {margin}.")
    stroke = real(stroke, "stroke is a factor above 0", lambda value: 0 < value < math.inf)
    return sizes, counts, margin, stroke
