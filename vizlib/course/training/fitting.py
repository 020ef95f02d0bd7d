"""The training loop: one for classifiers and decoders, which a stop does not harm."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from ...errors import VizlibError
from ...files import write_whole
from ...threads import yield_to_others

SAVE_EVERY = 300  # seconds
TOO_FAST = "the learning rate is too high for this network, or its inputs are not finite."


def one_cycle(progress: float, warm: float = 0.25) -> float:
    """The learning rate of the one-cycle schedule, as a share of the highest, at `progress` in [0, 1] of the
    training: up and down again on half cosines (Smith, 2018).
    """
    if progress < warm:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * progress / warm)) / 2
    return (1 + math.cos(math.pi * (progress - warm) / (1 - warm))) / 2


@dataclass
class Run:
    """What a training leaves behind: the loss averaged over each stretch of `every` steps, and the time it
    took.
    """

    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0


@torch.enable_grad()
def fit(
    model: nn.Module,
    batch: Callable[[int], tuple[torch.Tensor, torch.Tensor]],
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    optimizer: torch.optim.Optimizer,
    steps: int,
    *,
    every: int = 100,
    path: str | Path | None = None,
    fingerprint: str = "",
    after: Callable[[int], object] | None = None,
    cost: Callable[[int], float] | None = None,
    tell: Callable[[str], object] | None = print,
) -> Run:
    """Train `model` by `steps` steps of gradient descent, with the learning rates of `optimizer` times
    one_cycle.

    batch: function of the step -> (inputs, targets). It must give the same for the same step, so that a
        stopped run can go on.
    loss: function (outputs, targets) -> a scalar.
    every: steps between two lines of progress.
    path: a checkpoint, written every five minutes, when the run is interrupted and at its end; if it exists,
        the run goes on from it.
    fingerprint: a text that says what is trained; a checkpoint with another one is refused.
    after: called with the number of steps done, 0 included.
    cost: function of the step -> how much work it is, in any unit, if steps differ; only the time to go
        depends on it.
    tell: prints a line; None for silence.
    Returns a Run. Raises VizlibError for a checkpoint of something else, a loss that is not finite (it is
    noticed at the same step on a CPU, at the next line or checkpoint elsewhere), or a disk that is full.
    """
    device = next(model.parameters()).device
    run, start, tell = Run(), 0, tell or (lambda line: None)
    if path is not None and Path(path).is_file():
        start = _resume(path, model, optimizer, run, fingerprint)
        tell(f"going on from step {start} of {steps}")
    rates = [group.setdefault("highest", group["lr"]) for group in optimizer.param_groups]
    began = saved = time.monotonic()
    before, total, counted, done = run.seconds, 0.0, 0, start
    work = [0.0, *itertools.accumulate(cost(step) if cost else 1.0 for step in range(steps))]
    if after:
        after(start)  # also when going on: the run may have been stopped while this was at work
    model.train()
    try:
        for step in range(start, steps):
            yield_to_others()
            inputs, targets = (t.to(device, non_blocking=True) for t in batch(step))
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * one_cycle(step / steps)
            with autocast(device):
                value = loss(model(inputs), targets)
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            optimizer.step()
            done, total, counted = step + 1, total + value.detach(), counted + 1
            run.seconds = before + time.monotonic() - began
            line, due = done % every == 0, path is not None and time.monotonic() - saved > SAVE_EVERY
            if line or due or device.type == "cpu":  # an accelerator would have to be waited for
                _check_finite(total, done)
            if line:
                pace = (time.monotonic() - began) / (work[done] - work[start])
                left = datetime.timedelta(seconds=round(pace * (work[-1] - work[done])))
                run.losses.append(round(float(total) / counted, 4))
                tell(f"step {done} of {steps}, loss {run.losses[-1]:.3f}, {left} to go")
                total, counted = 0.0, 0
            if after:
                after(done)
            if due:
                _save(path, model, optimizer, done, run, fingerprint)
                saved = time.monotonic()
    except KeyboardInterrupt:
        _check_finite(total, done)
        if path is not None:
            _save(path, model, optimizer, done, run, fingerprint)
            tell(f"stopped after step {done} of {steps}; the same command goes on from there")
        raise
    _check_finite(total, done)
    if not all(weight.isfinite().all() for weight in model.parameters()):
        raise VizlibError(f"The last step, {done}, left weights that are not finite: {TOO_FAST}")
    if path is not None:
        _save(path, model, optimizer, done, run, fingerprint)
    model.eval()
    return run


def _check_finite(total: float | torch.Tensor, done: int) -> None:
    """`total` is a sum of losses, in which one that is not finite stays to be seen."""
    if not math.isfinite(total):
        raise VizlibError(f"The loss became {float(total)} at step {done}: {TOO_FAST}")


def autocast(device: torch.device) -> contextlib.AbstractContextManager:
    """Half precision (bfloat16) where the hardware computes in it, and nothing elsewhere."""
    if device.type == "cuda":
        return torch.autocast("cuda", torch.bfloat16)
    supported = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return torch.autocast("cpu", torch.bfloat16) if supported and supported() else contextlib.nullcontext()


def _save(path, model, optimizer, step, run, fingerprint):
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
        "losses": run.losses,
        "seconds": run.seconds,
        "fingerprint": fingerprint,
    }
    write_whole(path, lambda file: torch.save(state, file))


def _resume(path, model, optimizer, run, fingerprint):
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        seen = state["fingerprint"]
    except Exception as problem:  # a broken file fails in many ways
        raise VizlibError(
            f"The checkpoint {str(path)!r} cannot be read ({type(problem).__name__}). Delete it to start "
            "afresh."
        ) from problem
    if seen != fingerprint:
        raise VizlibError(
            f"The checkpoint {str(path)!r} is of another training: {seen!r}, not {fingerprint!r}. "
            "Delete it to start afresh, or choose another folder with --out."
        )
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    run.losses, run.seconds = state["losses"], state["seconds"]
    return state["step"]
