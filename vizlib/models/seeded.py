"""Random weights drawn from a seed, without a touch on the generator that the whole process shares."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


@contextlib.contextmanager
def seeded_init(seed: int) -> Iterator[None]:
    """Reproducible random initialization: what PyTorch draws inside comes from a generator of its own.

    The numbers are those of torch.manual_seed(seed). The global generator is neither read nor set, and other
    threads do not notice; so this is safe where torch.random.fork_rng, which sets it for a moment, is not.
    For drawing on the CPU: make a model there and move it. NumPy and Python's `random` are left alone.

    >>> from vizlib.models.seeded import seeded_init
    >>> with seeded_init(0):
    ...     one = torch.nn.Linear(2, 3)
    >>> with seeded_init(0):
    ...     other = torch.nn.Linear(2, 3)
    >>> torch.equal(one.weight, other.weight)
    True
    """
    with _DrawingFrom(torch.Generator().manual_seed(int(seed))):
        yield


class _DrawingFrom(TorchDispatchMode):
    """While open, in this thread, every operator that draws without a generator draws from this one."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.generator = generator

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if torch.Tag.nondeterministic_seeded in func.tags and kwargs.get("generator") is None:
            seeded = _with_generator(func)
            if seeded is not None:  # the others, attention for one, draw only for dropout
                return seeded(*args, **{**kwargs, "generator": self.generator})
        return func(*args, **kwargs)


def _with_generator(func: Any) -> Callable | None:
    """The overload of an operator that takes a generator, or None: randn.generator for randn.default."""
    others = (getattr(func.overloadpacket, name) for name in func.overloadpacket.overloads())
    for overload in (func, *others):
        if "generator" in _arguments(overload) and _without(func) == _without(overload):
            return overload
    return None


def _arguments(func: Any) -> dict[str, str]:
    return {argument.name: str(argument.type) for argument in func._schema.arguments}


def _without(func: Any) -> dict[str, str]:
    return {name: kind for name, kind in _arguments(func).items() if name != "generator"}
