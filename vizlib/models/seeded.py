"""Random weights drawn from a seed, without a touch on the generator that the whole process shares."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

DRAWS = {
    *(
        torch.rand,
        torch.randn,
        torch.randint,
        torch.randperm,
        torch.normal,
        torch.bernoulli,
        torch.multinomial,
    ),
    *(torch.Tensor.uniform_, torch.Tensor.normal_, torch.Tensor.bernoulli_, torch.Tensor.random_),
    *(torch.Tensor.exponential_, torch.Tensor.cauchy_, torch.Tensor.log_normal_, torch.Tensor.geometric_),
    *(torch.Tensor.bernoulli, torch.Tensor.multinomial),
    *(nn.init.uniform_, nn.init.normal_, nn.init.kaiming_uniform_),  # those that a mode sees as a whole
}


class _From(TorchFunctionMode):
    """Every draw that names no generator takes its numbers from this one."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.generator = generator

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in DRAWS and kwargs.get("generator") is None:
            kwargs["generator"] = self.generator
        return func(*args, **kwargs)


@contextlib.contextmanager
def seeded_init(seed: int) -> Iterator[None]:
    """with seeded_init(seed): weights made inside, in this thread, are those of torch.manual_seed(seed)."""
    with _From(torch.Generator().manual_seed(int(seed))):
        yield
