"""The training loop: it descends, a stop does not harm it, and it never writes over what it cannot
replace.
"""

import contextlib
import errno
import math
import re

import pytest
import torch
from torch import nn

import vizlib as vz
from vizlib.course.training import fit, one_cycle


def test_the_learning_rate_goes_up_once_and_down_once():
    rates = [one_cycle(i / 200) for i in range(201)]
    top = rates.index(max(rates))
    assert top == 50 and rates[top] == pytest.approx(1)
    assert rates[:51] == sorted(rates[:51]) and rates[50:] == sorted(rates[50:], reverse=True)
    assert rates[0] == pytest.approx(0.04) and rates[-1] == pytest.approx(0)


def _problem(seed=0):
    """Three numbers in, their weighted sum out: (model, batch, optimizer)."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))

    def batch(step):
        x = torch.randn(16, 3, generator=torch.Generator().manual_seed(step))
        return x, x @ torch.tensor([[1.0], [-2.0], [0.5]])

    return model, batch, torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)


def _fit(model, batch, optimizer, steps=60, **options):
    return fit(
        model, batch, nn.functional.mse_loss, optimizer, steps, **{"every": 10, "tell": None, **options}
    )


def test_it_learns_a_linear_map_and_leaves_the_model_in_eval_mode():
    model, batch, optimizer = _problem()
    run = _fit(model, batch, optimizer, 200)
    x, y = batch(10_000)
    assert nn.functional.mse_loss(model(x), y) < 0.01 * y.var()
    assert len(run.losses) == 20 and run.losses[-1] < 0.1 * run.losses[0] and run.seconds > 0
    assert not model.training


def test_an_interrupted_run_ends_exactly_where_an_unbroken_one_does(tmp_path):
    whole, batch, optimizer = _problem()
    _fit(whole, batch, optimizer)
    stopped, batch, optimizer = _problem()

    def interrupted(step):
        if step == 23:
            raise KeyboardInterrupt
        return batch(step)

    path, said = tmp_path / "runs" / "x.checkpoint", []
    with pytest.raises(KeyboardInterrupt):
        _fit(stopped, interrupted, optimizer, path=path, tell=said.append)
    assert said[-1] == "stopped after step 23 of 60; the same command goes on from there"
    resumed, batch, optimizer = _problem(seed=9)
    seen = []
    run = _fit(resumed, lambda step: seen.append(step) or batch(step), optimizer, path=path)
    assert seen == list(range(23, 60)) and len(run.losses) == 6
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_finished_run_is_not_run_again(tmp_path):
    model, batch, optimizer = _problem()
    _fit(model, batch, optimizer, path=tmp_path / "x")
    again, batch, optimizer = _problem(seed=5)
    _fit(again, lambda step: 1 / 0, optimizer, path=tmp_path / "x")
    assert torch.equal(model[0].weight, again[0].weight)


def test_after_is_called_with_each_number_of_steps_also_the_one_a_run_goes_on_from(tmp_path):
    calls = []
    model, batch, optimizer = _problem()
    _fit(model, batch, optimizer, 5, after=calls.append, path=tmp_path / "x")
    assert calls == [0, 1, 2, 3, 4, 5]
    calls.clear()
    _fit(*_problem(), 5, after=calls.append, path=tmp_path / "x")
    assert calls == [5]


def test_the_time_to_go_counts_the_work_and_not_the_steps(monkeypatch):
    clock = iter(range(10_000))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    said, told = [], []
    for cost, lines in ((None, said), (lambda step: 1 if step < 10 else 5, told)):
        _fit(*_problem(), 20, cost=cost, tell=lines.append)
    left = [
        sum(
            a * int(b)
            for a, b in zip(
                (3600, 60, 1), re.search(r"(\d+):(\d+):(\d+) to go", lines[0]).groups(), strict=True
            )
        )
        for lines in (said, told)
    ]
    assert left[1] == pytest.approx(5 * left[0], rel=0.1)


def test_a_checkpoint_of_another_training_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "x.checkpoint"
    _fit(*_problem(), path=path, fingerprint="zfnet seed 0")
    before = path.read_bytes()
    with pytest.raises(
        vz.VizlibError, match="is of another training: 'zfnet seed 0', not 'zfnet seed 1'.*Delete it.*--out"
    ):
        _fit(*_problem(), path=path, fingerprint="zfnet seed 1")
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_a_broken_checkpoint_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "x.checkpoint"
    if content is None:  # cut short
        _fit(*_problem(), path=path)
        content = path.read_bytes()[:-200]
    path.write_bytes(content)
    with pytest.raises(vz.VizlibError, match="x.checkpoint' cannot be read .*Delete it to start afresh"):
        _fit(*_problem(), path=path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "problem",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("PytorchStreamWriter failed writing file"),
    ],
)
def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, monkeypatch, problem):
    path = tmp_path / "x.checkpoint"
    _fit(*_problem(), 20, path=path)
    before = path.read_bytes()

    def full(state, file):
        file.write_bytes(b"half of")
        raise problem

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(
        vz.VizlibError, match="x.checkpoint' could not be written .*What was there before is unharmed"
    ):
        _fit(*_problem(), 40, path=path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["x.checkpoint"]


def test_a_loss_that_explodes_ends_the_run_with_a_sentence():
    model, batch, optimizer = _problem()
    optimizer.param_groups[0]["lr"] = 1e6
    with pytest.raises(
        vz.VizlibError, match=r"The loss became (nan|inf) at step \d: the learning rate is too high"
    ):
        _fit(model, batch, optimizer)
    assert not math.isfinite(nn.functional.mse_loss(model(batch(0)[0]), batch(0)[1]).item())


@pytest.mark.parametrize("broken", [0, 7, 49])
def test_a_loss_that_is_not_finite_is_noticed_in_a_run_shorter_than_a_line_of_progress(tmp_path, broken):
    model, batch, optimizer = _problem()

    def poisoned(step):
        x, y = batch(step)
        return x, y * (math.nan if step == broken else 1)

    with pytest.raises(vz.VizlibError, match=f"The loss became nan at step {broken + 1}: "):
        _fit(model, poisoned, optimizer, 50, every=100, path=tmp_path / "x")
    assert not (tmp_path / "x").exists()  # nothing to go on from


def test_a_last_step_into_nowhere_is_noticed_too(tmp_path):
    model, batch, optimizer = _problem()
    optimizer.param_groups[0]["lr"] = math.inf
    with pytest.raises(vz.VizlibError, match="The last step, 1, left weights that are not finite"):
        _fit(model, batch, optimizer, 1, path=tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_where_nobody_waits_for_the_device_a_broken_loss_is_still_there_at_the_end(monkeypatch):
    """An accelerator is asked at a line of progress or at the end only; the sum of losses keeps what was."""
    model, batch, optimizer = _problem()
    steps = []

    class Elsewhere:
        type = "elsewhere"

    def poisoned(step):
        steps.append(step)
        x, y = (tensor.as_subclass(Moved) for tensor in batch(step))
        return x, y * (math.nan if step == 3 else 1)

    class Moved(torch.Tensor):
        def to(self, *args, **options):
            return self.as_subclass(torch.Tensor)

    parameters = model.parameters
    monkeypatch.setattr(model, "parameters", lambda: (_On(p, Elsewhere()) for p in parameters()))
    monkeypatch.setattr("vizlib.course.training.fitting.autocast", lambda device: contextlib.nullcontext())
    with pytest.raises(vz.VizlibError, match="The loss became nan at step 10: "):
        _fit(model, poisoned, optimizer, 10, every=100)
    assert steps == list(range(10))


class _On:
    """A parameter that says it is on another device."""

    def __init__(self, parameter, device):
        self.parameter, self.device = parameter, device

    def __getattr__(self, name):
        return getattr(self.parameter, name)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.enable_grad])
def test_it_trains_in_any_mode(mode):
    with mode():
        model, batch, optimizer = _problem()
        run = _fit(model, batch, optimizer, 100)
    assert run.losses[-1] < 0.5 * run.losses[0]
