"""A film into the dream: enlarge a little, dream on, and again (Mordvintsev, Olah & Tyka 2015)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from ..batching import Progress, whole
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
