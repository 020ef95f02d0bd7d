"""The checks of the exercises: a line for every kind of answer, and never a traceback.

The answers of each lesson are in answers_NN.py: RIGHT, a dict {check: answer}, and WRONG, a list of (check,
answer, part of the verdict).
"""

import importlib
from pathlib import Path

import pytest
import torch

import vizlib as vz
from vizlib.course import checks
from vizlib.course.checks.verdict import NotYet, example, number, same, unless

ANSWERS = [importlib.import_module(path.stem) for path in sorted(Path(__file__).parent.glob("answers_*.py"))]
RIGHT = {check: answer for lesson in ANSWERS for check, answer in lesson.RIGHT.items()}
WRONG = [each for lesson in ANSWERS for each in lesson.WRONG]


def not_attempted(*args, **options):
    raise NotImplementedError


def said(check, answer, capsys):
    check(answer)
    line = capsys.readouterr().out
    assert line.startswith("Exercise ") and line.count("\n") == 1
    return line.strip().split(": ", 1)[1]


def test_every_check_meets_right_and_wrong_answers():
    everything = {check for name, check in vars(checks).items() if hasattr(check, "__wrapped__")}
    assert everything == set(RIGHT) == {check for check, _, _ in WRONG}


@pytest.mark.parametrize("check", RIGHT, ids=lambda c: c.__name__)
def test_a_right_answer_is_called_correct_a_second_time_too(check, capsys):
    assert said(check, RIGHT[check], capsys) == said(check, RIGHT[check], capsys) == "correct."


@pytest.mark.parametrize("check", RIGHT, ids=lambda c: c.__name__)
def test_the_stub_is_not_attempted_and_broken_code_is_named(check, capsys):
    assert said(check, not_attempted, capsys) == "not attempted yet."
    assert said(check, lambda *args, **options: 1 / 0, capsys).startswith(
        "not yet: your code raised ZeroDivisionError"
    )
    assert said(check, lambda *args, **options: vz.load("nothing"), capsys).startswith(
        "not yet: vizlib says: There is no network"
    )
    assert said(check, lambda *args, **options: None, capsys).startswith("not yet: ")


@pytest.mark.parametrize("check, wrong, telling", WRONG, ids=lambda value: getattr(value, "__name__", None))
def test_a_wrong_answer_is_told_how_it_shows(check, wrong, telling, capsys):
    verdict = said(check, wrong, capsys)
    assert verdict.startswith("not yet: ") and telling in verdict


def test_an_answer_that_writes_into_its_pictures_spoils_nothing(capsys):
    def in_place(x):
        return x.copy_(x.mean(1, keepdim=True).expand_as(x))

    assert said(checks.grey, in_place, capsys) == "correct."
    assert said(checks.grey, lambda x: x, capsys) != "correct."


def test_pytorchs_own_not_implemented_error_does_not_count_as_not_attempted(capsys):
    def boolean_minus(g, gate):
        return 1 - (g > 0)

    assert "not attempted" not in said(checks.fourth_rule, boolean_minus, capsys)


def told(answer, convert):
    """`answer`, whose floating-point tensors are converted."""

    def deep(value):
        if isinstance(value, torch.Tensor):
            return convert(value) if value.is_floating_point() else value
        return tuple(map(deep, value)) if isinstance(value, tuple) else value

    return lambda *args, **options: deep(answer(*args, **options))


@pytest.mark.parametrize("check", RIGHT, ids=lambda c: c.__name__)
@pytest.mark.parametrize(
    "convert",
    [torch.Tensor.double, torch.Tensor.half, torch.Tensor.requires_grad_],
    ids=["double", "half", "with a slope"],
)
def test_a_right_answer_is_right_in_any_precision(check, convert, capsys):
    assert said(check, told(RIGHT[check], convert), capsys) == "correct."


@pytest.mark.parametrize("check, wrong, telling", WRONG, ids=lambda value: getattr(value, "__name__", None))
def test_a_wrong_answer_is_told_the_same_in_double_precision(check, wrong, telling, capsys):
    verdict = said(check, told(wrong, torch.Tensor.double), capsys)
    assert verdict.startswith("not yet: ")
    assert telling.replace("float32", "float64") in verdict


def test_half_precision_excuses_rounding_only():
    expected = torch.linspace(1, 2, 10)
    same(expected.half(), expected, "It")
    same(expected.bfloat16(), expected, "It")
    for wrong in (expected * 1.001, (expected * 1.02).half()):
        with pytest.raises(NotYet, match="off by up to"):
            same(wrong, expected, "It")
    unless(expected * 1.01, expected, "hint")
    unless(expected[:5], expected, "hint")
    unless(None, expected, "hint")
    with pytest.raises(NotYet, match="hint"):
        unless(expected.double(), expected, "hint")


def test_a_number_may_come_in_any_form_but_not_as_nan():
    import numpy as np

    forms = (3, 3.0, np.float32(3), np.int64(3), np.array([3.0]), torch.tensor(3), torch.tensor([[3.0]]))
    assert [number(form) for form in forms] == [3.0] * len(forms)
    for nothing in (float("nan"), torch.tensor(float("inf")), np.float32("nan")):
        with pytest.raises(NotYet, match="should be a finite number; yours is"):
            number(nothing)
    for other in ("3", None, [3], torch.ones(2), np.ones(2)):
        with pytest.raises(NotYet, match="should be one number; yours is a"):
            number(other)


@pytest.mark.parametrize("check", [checks.normalized_error, checks.paired_difference, checks.overlap])
def test_nan_is_no_right_answer(check, capsys):
    nan = float("nan")
    answer = (nan, nan) if check is checks.paired_difference else nan
    assert "should be a finite number; yours is nan" in said(check, lambda *given: answer, capsys)


def test_what_an_answer_does_to_its_network_is_forgotten(capsys):
    right = RIGHT[checks.hires_cam]

    def spoiling(net, *given):
        map_ = right(net, *given)
        with torch.no_grad():
            for weight in net.parameters():
                weight.zero_()
        net.train()
        net.card["licence"], net.labels = "mine", ("cat",) * 1000
        return map_

    assert said(checks.hires_cam, spoiling, capsys) == said(checks.hires_cam, spoiling, capsys) == "correct."
    assert said(checks.hires_cam, right, capsys) == "correct."
    net, _ = example()
    assert not net.training and net.card["licence"] == "Apache-2.0" and net.index("drum") > 0
    assert all(weight.any() for weight in net.parameters())


def test_a_network_handed_out_by_the_checks_is_nobody_elses():
    mine, images = example()
    before = mine(images)
    with torch.no_grad():
        next(mine.parameters()).zero_()
    other, _ = example()
    assert other is not mine and torch.equal(other(images), before)


def test_a_result_in_place_of_a_function_is_named(capsys):
    assert "give the check your function itself, not what it returns; this is a Tensor" in said(
        checks.grey, torch.zeros(1), capsys
    )
