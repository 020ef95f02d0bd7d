"""What turns a slope into a step: the optimizers that `ascend` knows by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ..errors import VizlibError


class Along:
    """x <- x + way(g, rate), g the slope: an optimizer without memory."""

    def __init__(
        self, knobs: torch.Tensor, rate: float, way: Callable[[torch.Tensor, float], torch.Tensor]
    ) -> None:
        self.knobs, self.rate, self.way = knobs, rate, way

    def zero_grad(self) -> None:
        self.knobs.grad = None

    def step(self, loss: Callable) -> None:
        loss()
        g = self.knobs.grad
        assert g is not None
        with torch.no_grad():
            self.knobs -= self.way(g, self.rate)


def normalized(g: torch.Tensor, rate: float) -> torch.Tensor:
    """rate * g / mean |g|, for each picture: a step is as long on a gentle slope as on a steep one.
    Mordvintsev et al. 2015.
    """
    return rate * g / g.abs().flatten(1).mean(1).clamp(min=1e-30).view(-1, *[1] * (g.dim() - 1))


MAKERS = {
    "adam": lambda knobs, rate: torch.optim.Adam([knobs], rate),
    "sgd": lambda knobs, rate: torch.optim.SGD([knobs], rate, momentum=0.9),
    "lbfgs": lambda knobs, rate: torch.optim.LBFGS([knobs], rate, max_iter=1, history_size=20),
    "normalized": lambda knobs, rate: Along(knobs, rate, normalized),
}


def make_stepper(optimizer: str | Callable, knobs: torch.Tensor, rate: float) -> Any:
    """The optimizer with this name, or that this function makes, for the parameters of a canvas. It makes
    the loss, minus the score, smaller. Raises VizlibError for an unknown name.
    """
    if callable(optimizer):
        return optimizer(knobs, rate)
    if optimizer not in MAKERS:
        raise VizlibError(f"optimizer is one of {', '.join(MAKERS)}; this is {optimizer!r}.")
    return MAKERS[optimizer](knobs, rate)
