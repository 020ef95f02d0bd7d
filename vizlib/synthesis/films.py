"""Films: into the dream, and of one eye being born (Mordvintsev, Olah & Tyka 2015)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from ..batching import Progress, goes_on, whole
from ..errors import VizlibError
from ..images.convert import resize
from ..scalars import real
from .account import Account
from .ascent import Result
from .dreams import dream

if TYPE_CHECKING:
    from ..models.network import Network


@torch.inference_mode(False)
def zoom_film(
    net: Network,
    image: torch.Tensor,
    *,
    frames: int = 24,
    zoom: float = 1.05,
    turn: float = 0.0,
    octaves: int = 2,
    steps: int = 4,
    seed: int = 0,
    progress: Progress | None = None,
    **options: Any,
) -> Result:
    """A DeepDream zoom film: the picture; then, again and again, the frame before enlarged by `zoom` and
    dreamt on. Returns a Result.

    .images: (frames, 3, H, W), `image` first; .image: the last one; .history: each dreamt frame's last score.
    turn: degrees to turn by at each frame.
    octaves, steps, options: of `dream`, for each frame.
    progress(done, total, preview) counts the steps of all frames; Stop and an interrupt keep the finished
    frames. `vz.save_film` writes them to a file.
    Mordvintsev, Olah & Tyka 2015, "Inceptionism", last section.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.zoom_film(net, photo, layer="conv3", frames=3, octaves=1, steps=1).images.shape
        torch.Size([3, 3, 64, 64])
    """
    frames = whole(frames, "A film has two frames or more: frames is a number", 2)
    octaves, steps = whole(octaves, "octaves is a whole number"), whole(steps, "steps is a whole number")
    reel, history = [net.check(image)[:1]], []
    account = Account(progress, (frames - 1) * octaves * steps)
    try:
        for i in range(1, frames):
            of_frame: dict[str, Any] = {"octaves": octaves, "steps": steps, "seed": seed + i * octaves}
            part = dream(net, zoomed(reel[-1], zoom, turn), progress=account.run(), **of_frame, **options)
            if part.stopped:
                break
            reel.append(part.image)
            history.append(part.history[-1])
            if account.refused:
                break
    except KeyboardInterrupt:  # between two frames; within one, `dream` sees to it
        pass
    return Result(reel[-1], torch.cat(reel), history, stopped=len(reel) < frames)


@torch.inference_mode(False)
def dream_film(
    net: Network,
    image: torch.Tensor,
    *,
    at: tuple[int, int] | None = None,
    window: int = 128,
    size: int = 256,
    frames: int = 40,
    progress: Progress | None = None,
    **options: Any,
) -> Result:
    """A DeepDream watched from near, step by step: an eye being born out of a photograph. Returns the Result
    of `dream`, except for .images.

    .images: (frames, 3, size, size), a square of `window` pixels of the picture, enlarged: first of the
    photograph, then of what has been dreamt at steps evenly chosen from those of all octaves.
    at: (row, column), the middle of the window in pixels; default: where the dream changed the picture most.
    options: of `dream`: layer, octaves, steps ...
    progress, Stop and an interrupt: as in `dream`; the film shows the steps so far.
    `vz.save_film` writes it to a file.
    Raises VizlibError for a window that is larger than the picture, or a middle outside, and for what `dream`
    refuses.
    Mordvintsev, Olah & Tyka 2015, "Inceptionism".

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.dream_film(net, photo, layer="conv3", octaves=2, steps=2, window=32, size=64).images.shape
        torch.Size([5, 3, 64, 64])
    """
    image = net.check(image)[:1]
    window, size = whole(window, "window is a number of pixels"), whole(size, "size is a number of pixels")
    frames = whole(frames, "A film has two frames or more: frames is a number", 2)
    height, width = image.shape[-2:]
    inside = at is None or (0 <= at[0] < height and 0 <= at[1] < width)
    if window > min(height, width) or not inside:
        raise VizlibError(
            f"A window of {window} pixels around {at or 'some place'} does not fit a picture of {height} "
            f"rows and {width} columns: take a smaller window, a middle inside, or a larger picture."
        )
    seen = [image]

    def watch(done: int, total: int, preview: torch.Tensor) -> bool:
        seen.append(preview)
        return goes_on(progress, done, total, preview)

    result = dream(net, image, progress=watch, **options)
    y, x = _most_changed(image, result.image, window) if at is None else (n - window // 2 for n in at)
    y, x = min(max(y, 0), height - window), min(max(x, 0), width - window)
    count = min(frames, len(seen))
    chosen = [round(i * (len(seen) - 1) / max(1, count - 1)) for i in range(count)]
    near = torch.cat([seen[i][..., y : y + window, x : x + window] for i in chosen])
    result.images = resize(near, size)
    return result


def _most_changed(before: torch.Tensor, after: torch.Tensor, window: int) -> tuple[int, int]:
    """Row and column of the top left corner of the square with the largest mean squared change."""
    change = F.avg_pool2d((after - before).square().mean(1, keepdim=True), window, 1)
    row, column = divmod(int(change.argmax()), change.shape[-1])
    return row, column


def zoomed(image: torch.Tensor, zoom: float = 1.05, turn: float = 0.0) -> torch.Tensor:
    """The middle of a picture, enlarged by `zoom` and turned by `turn` degrees: (N, 3, H, W) -> the same
    size. Bicubic, one resampling.
    """
    rule = "zoom is a factor, 1 or more, and turn is in degrees"
    zoom, turn = real(zoom, rule, lambda value: 1 <= value < math.inf), real(turn, rule)
    height, width = image.shape[-2:]
    cos, sin = math.cos(math.radians(turn)) / zoom, math.sin(math.radians(turn)) / zoom
    rows = [[cos, -sin * height / width, 0], [sin * width / height, cos, 0]]
    way = torch.tensor(rows, dtype=image.dtype, device=image.device)
    grid = F.affine_grid(way.expand(len(image), 2, 3), list(image.shape), align_corners=False)
    seen = F.grid_sample(image, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
    return seen.clamp(0, 1)
