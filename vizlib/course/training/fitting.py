"""The training loop: one for classifiers and decoders, which a stop does not harm."""

import contextlib
import datetime
import itertools
import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ...errors import VizlibError
from ...files import write_whole

SAVE_EVERY = 300  # seconds


def one_cycle(progress, warm=0.25):
    """The share of the highest learning rate at `progress` in [0, 1] of the training: up and down again on
    half cosines (Smith, 2018).
    """
    if progress < warm:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * progress / warm)) / 2
    return (1 + math.cos(math.pi * (progress - warm) / (1 - warm))) / 2


@dataclass
class Run:
    """What a training leaves behind: the loss averaged over each stretch of `every` steps, and the time it
    took.
    """

    losses: list = field(default_factory=list)
    seconds: float = 0.0


def fit(
    model,
    batch,
    loss,
    optimizer,
    steps,
    *,
    every=100,
    path=None,
    fingerprint="",
    after=None,
    cost=None,
    tell=print,
):
    """Train `model` for `steps` steps with the learning rates of `optimizer` times one_cycle.

    batch: function of the step -> (inputs, targets). It must give the same for the same step, so that a
        stopped run can go on.
    loss: function (outputs, targets) -> a scalar. every: steps between two lines of progress. tell: prints a
        line; None for silence.
    path: a checkpoint. It is written every five minutes and when the run is interrupted; if it exists, the
        run goes on from it.
    fingerprint: a text that says what is trained; a checkpoint with another one is refused. after: called
        with the number of steps done.
    cost: function of the step -> how much work it is, in any unit, if steps differ; only the time to go
        depends on it.
    Returns a Run. Raises VizlibError for a checkpoint of something else, a loss that is not finite, or a disk
        that is full.
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
            if done % every == 0:
                pace = (time.monotonic() - began) / (work[done] - work[start])
                _report(run, float(total) / counted, done, steps, pace * (work[-1] - work[done]), tell)
                total, counted = 0.0, 0
            if after:
                after(done)
            if path is not None and time.monotonic() - saved > SAVE_EVERY:
                _save(path, model, optimizer, done, run, fingerprint)
                saved = time.monotonic()
    except KeyboardInterrupt:
        if path is not None:
            _save(path, model, optimizer, done, run, fingerprint)
            tell(f"stopped after step {done} of {steps}; the same command goes on from there")
        raise
    if path is not None:
        _save(path, model, optimizer, done, run, fingerprint)
    model.eval()
    return run


def _report(run, loss, done, steps, left, tell):
    if not math.isfinite(loss):
        raise VizlibError(
            f"The loss became {loss} at step {done}: the learning rate is too high for this network."
        )
    run.losses.append(round(loss, 4))
    tell(f"step {done} of {steps}, loss {loss:.3f}, {datetime.timedelta(seconds=round(left))} to go")


def autocast(device):
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
