"""Many questions, a few at a time: the loops behind every method, and how they say how far they are."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import torch

from .errors import VizlibError

# progress(done, total, preview): called after every piece of work, `preview` a picture, an archive, or None.
# It ends the work by returning False, and what there is until then comes back.
Progress = Callable[[int, int, Any], Any]


def goes_on(progress: Progress | None, done: int, total: int, preview: Any = None) -> bool:
    """Tell `progress`, if there is one, how far the work is. False if it wants the work to end."""
    return progress is None or progress(done, total, preview) is not False


def whole(value: Any, what: str, least: int = 1) -> int:
    """`value` as an int, `least` or more (NumPy integers count); else a VizlibError that names `what`."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or number < least:
        raise VizlibError(f"{what}, {least} or more; this is {value!r}.")
    return number


def real(value: Any, what: str, least: float = 0.0) -> float:
    """`value` as a float, `least` or more (NumPy and torch scalars count); else a VizlibError that names
    `what`.
    """
    try:
        number = float("nan") if isinstance(value, str) else float(value)
    except (TypeError, ValueError, RuntimeError):
        number = float("nan")
    if not number >= least:
        raise VizlibError(f"{what}, {least:g} or more; this is {value!r}.")
    return number


def batches(total: int, batch_size: int, progress: Progress | None = None) -> Iterator[torch.Tensor]:
    """Cut 0 ... total - 1 into batches of at most `batch_size`: yields LongTensors, on the CPU. Ends where
    progress says so.

    Raises VizlibError for a batch_size that is no whole number above 0.
    """
    batch_size = check_batch_size(batch_size)
    for start in range(0, total, batch_size):
        stop = min(start + batch_size, total)
        yield torch.arange(start, stop)  # on the CPU: it may index a tensor on any device
        if not goes_on(progress, stop, total):
            return


def check_batch_size(batch_size: int) -> int:
    return whole(batch_size, "batch_size is a whole number of pictures")


def select(target: Any, indices: slice | torch.Tensor) -> Any:
    """The targets of the pictures `indices`: a slice, or a LongTensor in which a picture may come several
    times.
    """
    if isinstance(target, torch.Tensor):
        return target[indices.to(target.device) if isinstance(indices, torch.Tensor) else indices]
    return target


def in_batches(
    method: Callable[[torch.Tensor, Any], torch.Tensor], images: torch.Tensor, target: Any, batch_size: int
) -> torch.Tensor:
    """Apply method(images, target) to `batch_size` pictures at a time and join the results.

    Raises VizlibError for a batch_size that is no whole number above 0.
    """
    batch_size = check_batch_size(batch_size)
    starts = range(0, len(images), batch_size)
    cuts = [slice(start, start + batch_size) for start in starts]
    return torch.cat([method(images[cut], select(target, cut)) for cut in cuts])
