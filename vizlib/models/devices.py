"""Choosing where a network computes."""

from __future__ import annotations

from typing import Any

import torch

from ..errors import VizlibError


def find_device(device: str | torch.device | None = "auto") -> torch.device:
    """The device that a person means: "auto", "cpu", "cuda", "cuda:1", "mps", or a torch.device.

    "auto" (or None): CUDA if there is a device, else the CPU. Apple's MPS is taken on request only: it lacks
    double precision and some operators, and small networks run faster on the CPU beside it.
    Raises VizlibError for what is no device, and for one that is not here.

    >>> from vizlib.models.devices import find_device
    >>> find_device("cpu")
    device(type='cpu')
    """
    if device is None or (isinstance(device, str) and device.strip().lower() == "auto"):
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device.strip().lower() if isinstance(device, str) else device)
    except (RuntimeError, TypeError) as problem:
        raise VizlibError(
            f'device is "auto", "cpu", "cuda", "cuda:1", "mps" or a torch.device; this is {device!r}.'
        ) from problem
    try:
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as problem:
        raise VizlibError(_absent(found, problem)) from problem
    return found


def _absent(device: torch.device, problem: Any) -> str:
    advice = 'device="cpu" works everywhere, and "auto" takes CUDA where there is some.'
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if count:
            return (
                f"There is no CUDA device {device.index} here; their numbers go up to {count - 1}. {advice}"
            )
        return f"There is no CUDA device here: PyTorch sees none. {advice}"
    if device.type == "mps":
        return f"There is no MPS device here: it needs macOS on an Apple processor. {advice}"
    return f"There is no device {str(device)!r} here ({str(problem).splitlines()[0]}). {advice}"
