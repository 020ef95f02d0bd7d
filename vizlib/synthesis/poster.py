"""Style for large pictures, from coarse to fine (Gatys et al. 2017): shapes are decided while small, strokes
are added on the way.
"""

import torch
import torch.nn.functional as F

from ..errors import VizlibError
from ..images.convert import resize
from .ascent import Result
from .colours import one_picture
from .style import style_transfer

MULTIPLE, SMALLEST = (
    16,
    32,
)  # pixels: the grids of strided layers end where the frame ends; a mirrored margin needs something to mirror


def style_poster(
    net,
    content,
    style,
    *,
    sizes=(128, 224, 384),
    steps=(60, 40, 30),
    margin=16,
    stroke=1.0,
    start="content",
    progress=None,
    **options,
):
    """A large picture in the style of another: `style_transfer` at each of `sizes`, each time from the
    picture before. Returns a Result.

        x_1 = style_transfer(content_1, style_1),   x_i = style_transfer(content_i, style_i, start = x_(i-1)
        enlarged)

    content_i has sizes[i] pixels on its longest side, style_i `stroke` times as many (above 1: broader
        strokes). A unit that sees 77 pixels
    sees a head at the smallest size and an eyelash at the largest: one size alone gives either fine strokes
        or bold shapes.
    margin: so many pixels are mirrored around the picture and cut off in the end, because units at an edge
        see zeros beyond it.
    content: (1, 3, H, W). style: a picture or a list of them. steps: at each size. Other options: of
        `style_transfer`.
    .image and .images (the result of each size) have the last size; history runs over all sizes.
        progress(done, total, preview), Stop and
    an interrupt: as in `ascend`. Raises VizlibError for sizes that do not grow, and whatever `style_transfer`
        refuses.
    Gatys, Ecker, Bethge, Hertzmann & Shechtman 2017, "Controlling Perceptual Factors in Neural Style
        Transfer" (efficient high resolution).
    """
    content, styles = one_picture(content, "content"), style if isinstance(style, (list, tuple)) else [style]
    styles = [one_picture(s, "A style") for s in styles]
    sizes, steps = _plan(sizes, steps, margin, stroke)
    final, total, kept, refused = _sides(content, sizes[-1]), sum(steps), [], []
    whole = Result(resize(content, final), torch.empty(0))
    for size, count in zip(sizes, steps, strict=True):
        seen, cut = _framed(resize(content, _sides(content, size)), margin)
        done = len(whole.history)
        before = _framed(resize(whole.image, _sides(content, size)), margin)[0] if kept else start

        def told(i, _, preview, cut=cut, done=done):
            answer = progress(done + i, total, resize(preview[cut], final))
            if answer is False:
                refused.append(done + i)
            return answer

        small = [resize(s, _sides(s, stroke * size)) for s in styles]
        part = style_transfer(
            net, seen, small, start=before, steps=count, progress=progress and told, **options
        )
        whole.image = resize(part.image[cut], final)
        whole.history += part.history
        kept.append(whole.image)
        if part.stopped or refused:
            break
    whole.images, whole.stopped = torch.cat(kept), len(whole.history) < total
    return whole


def _sides(image, longest):
    """(height, width) of the picture with `longest` pixels on its longest side."""
    scale = longest / max(image.shape[-2:])
    return tuple(max(1, round(n * scale)) for n in image.shape[-2:])


def _framed(image, margin):
    """The picture with `margin` mirrored pixels around it, or a few more so that both sides are multiples of
    16; and where it is within.
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


def _plan(sizes, steps, margin, stroke):
    sizes = list(sizes)
    steps = [steps] * len(sizes) if isinstance(steps, int) else list(steps)
    if (
        not sizes
        or sizes != sorted(set(sizes))
        or not all(isinstance(n, int) and n >= SMALLEST for n in sizes)
    ):
        raise VizlibError(
            f"sizes grow, in whole pixels from {SMALLEST} on: (128, 224, 384). These are {sizes}."
        )
    if len(steps) != len(sizes):
        raise VizlibError(
            f"steps is a number, or one for each size; there are {len(sizes)} sizes and {len(steps)} numbers "
            "of steps."
        )
    if not (isinstance(margin, int) and 0 <= margin <= 16) or not 0 < stroke < float("inf"):
        raise VizlibError(
            f"margin is 0 to 16 pixels and stroke a factor above 0; these are {margin!r} and {stroke!r}."
        )
    return sizes, steps
