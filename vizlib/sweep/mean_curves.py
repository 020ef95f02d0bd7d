"""Deletion and insertion over many pictures: mean curves, and how sure they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from ..attribution.curves import deletion, insertion
from ..batching import whole
from ..errors import VizlibError
from ..layers.target import settle
from .loops import run
from .reducers import Moments

if TYPE_CHECKING:
    from ..models import Network

Method = Callable[[Any, torch.Tensor, list], torch.Tensor]  # (net, images, classes) -> maps (n, 1, H, W)


@dataclass(frozen=True)
class Curves:
    """Mean deletion and insertion curves over `count` pictures, each (steps + 1,), with standard errors.

    deletion_area, insertion_area: the mean of the areas under the curves and its standard error, two floats.
    """

    deletion: torch.Tensor
    deletion_error: torch.Tensor
    insertion: torch.Tensor
    insertion_error: torch.Tensor
    deletion_area: tuple[float, float]
    insertion_area: tuple[float, float]
    count: int


def curves(
    net: Network,
    pictures: Any,
    method: Method,
    target: Any = None,
    *,
    steps: int = 28,
    batch_size: int = 32,
    **options: Any,
) -> Curves:
    """Deletion and insertion metrics of an attribution method, averaged over many pictures.

    pictures: `vz.folder(...)`, a tensor (N, 3, H, W), or another iterable.
    method: a function (net, images, classes) -> maps (n, 1, H, W), such as vz.grad_cam or a lambda.
    target: None (each picture's own top class), a class for all, a list of one class per picture, of which
        the probability is followed; or a function logits -> (n,), which is followed itself.
    steps: as in `vz.deletion`. options: progress, client, checkpoint, as in `vz.sweep.run`.
    Returns Curves. Petsiuk, Das & Saenko 2018, section 4.2.

    >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
    >>> vz.sweep.curves(net, [photo, photo.flip(3)], vz.grad_cam, steps=4).deletion.shape
    torch.Size([5])
    """
    steps = whole(steps, "steps is a number of shares of the picture")
    belongs = {"question": "deletion and insertion", "network": net, "steps": steps, "target": repr(target)}
    belongs["method"] = getattr(method, "__qualname__", type(method).__name__)
    measure = _Curves(net, method, target, steps, batch_size)
    found = run(pictures, measure, Moments(), batch_size=batch_size, belongs=belongs, **options).result()
    falling, rising = slice(2, steps + 3), slice(steps + 3, None)
    mean, error = found.mean.float(), found.error.float()
    gone, come = ((float(found.mean[i]), float(found.error[i])) for i in (0, 1))
    return Curves(mean[falling], error[falling], mean[rising], error[rising], gone, come, found.count)


@dataclass(frozen=True)
class _Curves:
    """What Moments takes, of one batch: (n, 2 + 2 (steps + 1)), the areas and the curves."""

    net: Network
    method: Method
    target: Any
    steps: int
    batch_size: int

    def __call__(self, numbers, images):
        images, classes, follow = asked(self.net, numbers, images, self.target)
        maps = check_maps(self.method(self.net, images, classes), images)
        both = follow_all(self.net, images, follow, maps, self.steps, self.batch_size)
        return (torch.cat([torch.stack([c.mean(1) for c in both], 1), *both], 1),)


def asked(net, numbers, images, target):
    """The pictures, what a method is asked for each, and what is followed for each: functions of the
    logits."""
    if isinstance(target, (list, tuple)) or getattr(target, "ndim", 0) == 1:
        if int(numbers[-1]) >= len(target):
            raise VizlibError(
                f"There are {len(target)} targets, and a picture number {int(numbers[-1])} (counted from 0). "
                "Give one target per picture, or a single one for all."
            )
        target = [target[i] for i in numbers.tolist()]
    images, settled = settle(net, images, target)
    if not isinstance(settled, torch.Tensor):
        return images, settled, [settled] * len(images)
    classes = settled.tolist()
    return images, classes, [lambda logits, k=k: net.probabilities(logits)[:, k] for k in classes]


def follow_all(net, images, follow, maps, steps, batch_size):
    """The curves of all pictures, by deletion and by insertion: two tensors (n, steps + 1)."""
    return [
        torch.cat(
            [
                curve(net, x[None], score, m[None], steps=steps, batch_size=batch_size)
                for x, score, m in zip(images, follow, maps, strict=True)
            ]
        )
        for curve in (deletion, insertion)
    ]


def check_maps(maps, images):
    if not isinstance(maps, torch.Tensor) or maps.shape != images[:, :1].shape:
        seen = tuple(maps.shape) if isinstance(maps, torch.Tensor) else type(maps).__name__
        raise VizlibError(
            f"A method gives maps {tuple(images[:, :1].shape)} for pictures {tuple(images.shape)}; this one "
            f"gave {seen}. Of slopes take maps.abs().amax(1, keepdim=True)."
        )
    return maps.detach().to(images.device)
