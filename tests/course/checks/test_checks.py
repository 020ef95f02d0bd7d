"""The checks of the exercises: a line for every kind of answer, and never a traceback.

The answers of each lesson are in answers_NN.py: RIGHT, a dict {check: answer}, and WRONG, a list of (check,
answer, part of the verdict).
"""

import importlib
from pathlib import Path

import pytest

import vizlib as vz
from vizlib.course import checks

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
