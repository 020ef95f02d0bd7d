"""One language for what is asked of a network: a class, a label, a unit, or any score."""

from dataclasses import dataclass

import torch

from ..errors import VizlibError
from .recording import tap


@dataclass(frozen=True)
class unit:
    """A channel of a layer as a target: its mean over all positions, or its value `at` = (row, column)."""

    layer: str
    channel: int
    at: tuple | None = None

    def read(self, activation):
        """(N, K, h, w) or (N, K) -> (N,)"""
        if not 0 <= self.channel < activation.shape[1]:
            raise VizlibError(
                f"Layer {self.layer!r} has the channels 0 to {activation.shape[1] - 1}; {self.channel} is "
                "not among them."
            )
        plane = activation[:, self.channel]
        if self.at is None:
            return plane.flatten(1).mean(1) if plane.dim() > 1 else plane
        inside = len(self.at) == plane.dim() - 1 == 2 and all(
            0 <= i < n for i, n in zip(self.at, plane.shape[1:], strict=True)
        )
        if not inside:
            raise VizlibError(
                f"Layer {self.layer!r} has the grid {tuple(plane.shape[1:])}; at={self.at} is not inside it."
            )
        return plane[:, self.at[0], self.at[1]]


def prepare(net, images, target):
    """Check the pictures and turn `target` into what `scores` takes.

    Returns images (N, 3, H, W) and one of: a LongTensor (N,) of class indices, a `unit`, a function logits ->
        (N,), or None
    (each picture's own top class). Raises VizlibError for classes that do not exist or a list of the wrong
        length.
    """
    images = net.check(images)
    if target is None or isinstance(target, unit):
        return images, target
    if callable(target):
        return images, target
    if isinstance(target, (str, int)) or getattr(target, "ndim", None) == 0:
        target = [target] * len(images)
    try:
        classes = [net.index(t) for t in target]
    except TypeError:
        raise VizlibError(
            "A target is a class index, a label, a list of them (one per picture), vz.unit(layer, channel), "
            f"or a function of the logits; this is {target!r}."
        ) from None
    if len(classes) != len(images):
        raise VizlibError(
            f"There are {len(images)} pictures and {len(classes)} targets. Give one target per picture, or a "
            "single one for all."
        )
    return images, torch.tensor(classes, device=net.device)


def scores(net, images, target):
    """What the network gives `target` for each picture: (N,), differentiable. `target` comes from
    `prepare`.
    """
    if isinstance(target, unit):
        with tap(net, [target.layer], stop=True) as taken:
            net(images)
        return target.read(taken[target.layer])
    logits = net(images)
    if target is None:
        target = logits.argmax(1)
    if isinstance(target, torch.Tensor):
        return logits.gather(1, target[:, None])[:, 0]
    value = target(logits)
    if not isinstance(value, torch.Tensor) or value.shape != logits.shape[:1]:
        seen = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
        raise VizlibError(
            f"A score takes logits {tuple(logits.shape)} and returns one number per picture, shape "
            f"({len(logits)},); "
            f"this one returned {seen}."
        )
    return value


def slope(score, of):
    """d(sum of score) / d(of), a tensor of the shape of `of`. Raises VizlibError if the score does not depend
    on it.
    """
    if score.requires_grad:
        (gradient,) = torch.autograd.grad(score, of, torch.ones_like(score), allow_unused=True)
        if gradient is not None:
            return gradient.contiguous()
    raise VizlibError(
        "This score has no slope: it does not depend on the pictures, or was cut off by argmax, detach or a "
        "comparison."
    )


def settle(net, images, target):
    """As `prepare`, but None becomes each picture's top class: methods that look at changed pictures ask for
    one class throughout.
    """
    images, target = prepare(net, images, target)
    if target is None:
        with torch.no_grad():
            target = net(images).argmax(1)
    return images, target
