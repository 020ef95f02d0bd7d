"""Time to go: by a clock that the test holds."""

import io

import pytest

from vizlib.sweep import eta, times


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(times.time, "monotonic", lambda: now[0])
    return now


def test_the_time_to_go_follows_from_the_speed_so_far(clock):
    out = io.StringIO()
    progress = eta("patches", every=0, stream=out)
    assert progress(100, 400) is None  # what a checkpoint brought along took no time
    clock[0] += 10
    progress(150, 400)
    clock[0] += 50
    progress(400, 400)
    assert out.getvalue().splitlines() == [
        "patches: 100 of 400 (25 %)",
        "patches: 150 of 400 (37 %), 0:50 to go",
        "patches: 400 of 400 (100 %)",
    ]


def test_lines_come_at_most_so_often_but_the_last_one_always(clock):
    out = io.StringIO()
    progress = eta(every=5, stream=out)
    for done in range(1, 11):
        progress(done, 10)
        clock[0] += 1
    assert [line.split()[0] for line in out.getvalue().splitlines()] == ["1", "6", "10"]


def test_without_a_total_there_is_only_a_count(clock):
    out = io.StringIO()
    eta(every=0, stream=out)(32, None)
    assert out.getvalue() == "32 so far\n"


def test_in_a_terminal_a_line_is_written_over(clock):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    out = Terminal()
    progress = eta(every=0, stream=out)
    progress(1, 2)
    clock[0] += 1
    progress(2, 2)
    assert out.getvalue() == "\r1 of 2 (50 %)\r2 of 2 (100 %)\n"


@pytest.mark.parametrize("seconds, words", [(0.4, "0:00"), (72.4, "1:12"), (3700, "1:01:40")])
def test_clocks(seconds, words):
    assert times.clock(seconds) == words
