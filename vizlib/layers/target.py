"""One language for what is asked of a network: a class, a label, a unit, or any score."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import torch

from ..errors import VizlibError
from .recording import tap

if TYPE_CHECKING:
    from ..models.network import Network


@dataclass(frozen=True)
class unit:
    """A unit as a target: channel `channel` of layer `layer`, its mean over all positions, or its value `at`
    = (row, column).

    Raises VizlibError for what is no whole number, and, when it is asked for, for a channel or a position
    that does not exist.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.gradient(net, photo, vz.unit("conv5", 17)).shape
        torch.Size([1, 3, 64, 64])
    """

    layer: str
    channel: int
    at: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        def index(value: Any) -> int:
            try:
                return operator.index(value)
            except TypeError:
                raise VizlibError(
                    'A unit is vz.unit("conv1", 3) or vz.unit("conv1", 3, at=(row, column)), '
                    f"in whole numbers; this is {self}."
                ) from None

        object.__setattr__(self, "channel", index(self.channel))
        if self.at is not None:
            places = tuple(self.at) if hasattr(self.at, "__len__") else (self.at, None)
            object.__setattr__(self, "at", tuple(map(index, places)))

    def read(self, activation: torch.Tensor) -> torch.Tensor:
        """Its value in the activations (N, K, h, w) or (N, K) of its layer: (N,)."""
        if activation.dim() == 3:
            raise VizlibError(
                f"Layer {self.layer!r} puts out tokens {tuple(activation.shape[1:])}, not channels on a "
                "grid. Choose a layer whose "
                "shape in net.layers has one number or three, or a function of the logits."
            )
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


# A class index, a label, a list of them (one for each picture), a unit, a function logits (N, K) -> (N,), or
# None: the top class.
Target: TypeAlias = (
    int | str | Sequence[int | str] | torch.Tensor | unit | Callable[[torch.Tensor], torch.Tensor] | None
)


def prepare(net: Network, images: torch.Tensor, target: Target) -> tuple[torch.Tensor, Any]:
    """Check the pictures, bring them to the network's device, and turn `target` into what `scores` takes.

    Returns images (N, 3, H, W) and one of: a LongTensor (N,) of class indices, a `unit`, a function logits ->
    (N,), or None (each picture's own top class). Raises VizlibError for classes that do not exist or a list
    of the wrong length.
    """
    images = net.check(images)
    if target is None or isinstance(target, unit) or callable(target):
        return images, target
    one = isinstance(target, (str, int)) or getattr(target, "ndim", None) == 0
    wanted: Any = [target] * len(images) if one else target
    try:
        classes = [net.index(t) for t in wanted]
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
    with torch.inference_mode(False):  # a tensor made in inference mode cannot take part in a backward pass
        return images, torch.tensor(classes, device=images.device)


def scores(net: Network, images: torch.Tensor, target: Any) -> torch.Tensor:
    """What the network gives a prepared `target` for each picture: (N,), differentiable."""
    if isinstance(target, unit):
        with tap(net, [target.layer], stop=True) as taken:
            net(images)
        return target.read(taken[target.layer])
    return score_of_logits(net(images), target)


def score_of_logits(logits: torch.Tensor, target: Any) -> torch.Tensor:
    """The score of logits (N, K) for a prepared class, function or None: (N,). Raises VizlibError for a
    function that is no score.
    """
    if target is None:
        target = logits.argmax(1)
    if isinstance(target, torch.Tensor):
        return logits.gather(1, target[:, None])[:, 0]
    try:
        value = target(logits)
    except (RuntimeError, IndexError, TypeError, AttributeError) as problem:
        raise VizlibError(f"The function of the logits {tuple(logits.shape)} failed: {problem}.") from problem
    if not isinstance(value, torch.Tensor) or value.shape != logits.shape[:1]:
        seen = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
        raise VizlibError(
            f"A score takes logits {tuple(logits.shape)} and returns one number per picture, shape "
            f"({len(logits)},); "
            f"this one returned {seen}."
        )
    return value


def slope(score: torch.Tensor, of: torch.Tensor) -> torch.Tensor:
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


@contextmanager
def with_slopes() -> Iterator[None]:
    """Gradients are computed in this block, also if the caller works in torch.no_grad() or
    torch.inference_mode().
    """
    with torch.inference_mode(False), torch.enable_grad():
        yield


def leaf(x: torch.Tensor) -> torch.Tensor:
    """A copy of `x` to take slopes of; also of a tensor made in inference mode. Call it in `with_slopes`."""
    return x.detach().clone().requires_grad_()


def settle(net: Network, images: torch.Tensor, target: Target) -> tuple[torch.Tensor, Any]:
    """As `prepare`, but None becomes each picture's top class: methods that look at changed pictures ask for
    one class throughout.
    """
    images, target = prepare(net, images, target)
    if target is None:
        with torch.inference_mode(False), torch.no_grad():
            target = net(images).argmax(1)
    return images, target
