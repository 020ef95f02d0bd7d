"""The number of threads: all for one who works alone, shares for several, hands off where others decide."""

import math
import os
import random
import subprocess
import sys
import textwrap
import threading
import timeit

import pytest
import torch

import vizlib as vz
from vizlib import threads
from vizlib.threads import Look, Sharing, room, threads_for, yield_to_others


@pytest.fixture(autouse=True)
def no_wish(monkeypatch):
    monkeypatch.delenv("VIZLIB_THREADS", raising=False)


class Machine:
    """`cores` cores, on which several processes share the time as their numbers of threads ask for it."""

    def __init__(self, cores, processes, noise=0.0):
        self.cores, self.now, self.busy, self.noise = cores, 0.0, 0.0, noise
        self.threads, self.own, self.rng = [cores] * processes, [0.0] * processes, random.Random(0)
        self.kernels = [self._kernel(i) for i in range(processes)]

    def _kernel(self, i):
        def look():
            busy = self.busy + self.rng.uniform(-self.noise, self.noise)
            return Look(self.now, self.own[i], busy, self.cores)

        def put(count):
            self.threads[i] = count

        return Sharing(look, lambda: self.threads[i], put, lambda: self.now)

    def work(self, seconds=0.26, working=None, others=0.0):
        """All that are `working` compute for a while and then look; `others` cores are somebody else's."""
        working = range(len(self.kernels)) if working is None else working
        wanted = sum(self.threads[i] for i in working) + others
        share = seconds * min(1, self.cores / wanted) if wanted else 0
        for i in working:
            self.own[i] += self.threads[i] * share
        self.busy += wanted * share
        self.now += seconds
        for i in working:
            self.kernels[i]()
        return tuple(self.threads)


@pytest.mark.parametrize("cores", [1, 2, 3, 4, 8, 16, 64])
def test_one_who_works_alone_keeps_every_thread(cores):
    machine = Machine(cores, 1, noise=0.02 * cores**0.5)
    for _ in range(50):
        assert machine.work(others=0.2)[0] >= cores - (cores > 8)


@pytest.mark.parametrize(
    "cores, processes", [(2, 2), (2, 3), (2, 4), (2, 8), (4, 3), (8, 4), (16, 5), (64, 8)]
)
def test_several_share_the_cores_fairly_and_soon(cores, processes):
    machine = Machine(cores, processes, noise=0.02 * cores**0.5)
    for _ in range(8):  # about two seconds
        shares = machine.work()
    fair = max(1, cores / processes)
    assert all(fair * 0.6 - 0.5 <= share <= fair * 1.4 + 0.5 for share in shares)
    assert sum(shares) <= max(processes, 1.25 * cores)


def test_four_on_two_cores_get_one_each_at_the_first_look():
    assert Machine(2, 4).work() == (1, 1, 1, 1)


def test_when_the_others_have_gone_the_threads_come_back_within_two_seconds():
    machine = Machine(2, 4)
    for _ in range(10):
        machine.work()
    counts = [machine.work(working=[0])[0] for _ in range(8)]
    assert counts[0] == 1 and counts[-1] == 2 and counts == sorted(counts)


def test_what_a_browser_does_now_and_then_changes_nothing():
    machine = Machine(2, 1)
    assert {machine.work(others=0.5 * (step % 4 == 0))[0] for step in range(40)} == {2}


def test_between_half_and_half_it_does_not_go_to_and_fro():
    machine = Machine(2, 1)
    counts = [machine.work(others=0.5 + 0.1 * (step % 2))[0] for step in range(40)]
    assert sum(a != b for a, b in zip(counts, counts[1:], strict=False)) <= 1


def test_after_a_long_rest_the_first_look_decides():
    machine = Machine(2, 2)
    for _ in range(4):
        machine.work()
    assert machine.threads == [1, 1]
    machine.now += 60
    assert machine.work(working=[0])[0] == 2


def test_room_is_what_others_leave_of_the_cores_or_of_the_quota():
    before = Look(at=10, own=1, busy=100, cpus=4)
    assert room(before, Look(at=12, own=3, busy=105, cpus=4)) == 4 - 3 / 2
    assert room(before, Look(at=12, own=3, busy=101, cpus=4)) == 4  # clocks that do not quite agree
    before = Look(at=10, own=1, busy=100, cpus=64, quota=2, group=50)
    after = Look(at=12, own=3, busy=180, cpus=64, quota=2, group=55)
    assert room(before, after) == 2 - 3 / 2


def test_the_number_is_rounded_and_never_below_one_or_above_pytorchs_own():
    assert [threads_for(r, 4, 4) for r in (-1, 0.2, 1, 1.6, 2.7, 3.2, 3.5, 9)] == [1, 1, 1, 2, 3, 3, 4, 4]
    assert [threads_for(r, 1, 4) for r in (0, 1.6, 1.8, 2.8, 4)] == [1, 1, 2, 2, 2]
    assert threads_for(9, 2, 2) == 2


def test_what_it_sees_of_this_machine_makes_sense():
    first = threads.look()
    assert 1 <= first.cpus <= os.cpu_count() and first.quota > 0
    end = threads.time.monotonic() + 0.3
    while threads.time.monotonic() < end:
        pass
    second = threads.look()
    assert 0.01 < second.own - first.own <= second.busy - first.busy + 0.1
    assert room(first, second) <= first.cpus


def test_the_tightest_quota_of_the_control_groups_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(threads, "CGROUP", tmp_path)
    monkeypatch.setattr(threads, "OWN_CGROUP", tmp_path / "own")
    assert threads._quota() == (math.inf, 0)
    inner = tmp_path / "job" / "step"
    inner.mkdir(parents=True)
    for folder, most, used in ((tmp_path / "job", "150000 100000", 7_500_000), (inner, "max 100000", 1)):
        (folder / "cpu.max").write_text(most)
        (folder / "cpu.stat").write_text(f"usage_usec {used}\nuser_usec 5\n")
    (tmp_path / "own").write_text("4:memory:/other\n0::/job/step\n")
    assert threads._quota() == (1.5, 7.5)
    (inner / "cpu.max").write_text("50000 100000")
    assert threads._quota() == (0.5, 1e-6)
    (inner / "cpu.max").write_text("nonsense")
    assert threads._quota() == (1.5, 7.5)
    (tmp_path / "own").write_text("4:memory:/other\n")
    assert threads._quota() == (math.inf, 0)


class Torch:
    """torch.get_num_threads and set_num_threads, which keep a number for each thread that computes."""

    def __init__(self, count=4):
        self.count, self.calls, self.local = count, 0, threading.local()

    def get(self):
        if not hasattr(self.local, "count"):
            self.local.count = self.count
        return self.local.count

    def put(self, count):
        self.count = self.local.count = count
        self.calls += 1


def crowded(torch_, clock):
    """A Sharing on a machine with four cores that somebody else keeps busy."""
    return Sharing(lambda: Look(clock[0], 0, 4 * clock[0], 4), torch_.get, torch_.put, lambda: clock[0])


def test_it_keeps_its_hands_off_where_somebody_else_sees_to_it():
    torch_, clock = Torch(), [0.0]
    sharing = crowded(torch_, clock)
    torch_.put(3)  # before the first look
    for clock[0] in range(1, 20):
        sharing()
    assert torch_.get() == 3 and torch_.calls == 1

    torch_, clock = Torch(), [0.0]
    sharing = crowded(torch_, clock)
    clock[0] = 1.0
    sharing()
    assert torch_.get() == 1
    torch_.put(2)  # later
    for clock[0] in range(2, 20):
        sharing()
    assert torch_.get() == 2 and torch_.calls == 2


def test_each_thread_that_computes_gets_the_number(in_thread):
    torch_, clock = Torch(), [0.0]
    sharing = crowded(torch_, clock)
    started, go_on = threading.Event(), threading.Event()

    def worker():
        seen = [torch_.get()]
        started.set()
        go_on.wait(10)
        sharing()  # nothing is due: the number was decided, and in this thread it is not set yet
        return [*seen, torch_.get()]

    job = in_thread(worker)
    started.wait(10)
    clock[0] = 1.0
    sharing()
    go_on.set()
    assert job.result() == [4, 1] and torch_.get() == 1 and not sharing.off
    clock[0] = 2.0
    sharing()
    assert not sharing.off


@pytest.mark.parametrize("said, count", [("3", 3), (" 7 ", 7), ("all", 4), ("ALL", 4), ("", 1)])
def test_the_environment_variable_decides(said, count, monkeypatch):
    monkeypatch.setenv("VIZLIB_THREADS", said)
    torch_, clock = Torch(), [0.0]
    sharing = crowded(torch_, clock)
    for clock[0] in range(1, 10):
        sharing()
    assert torch_.get() == count


@pytest.mark.parametrize("said", ["two", "0", "-1", "1.5", "all!", "²"])
def test_nonsense_in_it_gets_a_sentence_each_time(said, monkeypatch):
    monkeypatch.setenv("VIZLIB_THREADS", said)
    torch_, clock = Torch(), [0.0]
    sharing = crowded(torch_, clock)
    for _ in range(2):
        with pytest.raises(
            vz.VizlibError, match="VIZLIB_THREADS is a number of threads, 1 or more, or 'all'"
        ):
            sharing()
    assert torch_.calls == 0


def test_where_nothing_can_be_seen_nothing_changes():
    torch_, clock = Torch(), [0.0]
    sharing = Sharing(lambda: None, torch_.get, torch_.put, lambda: clock[0])
    for clock[0] in range(1, 10):
        sharing()
    assert torch_.calls == 0 and torch_.get() == 4


def test_threads_that_ask_at_once_look_once(in_thread):
    torch_, clock, looks = Torch(), [0.0], []
    sharing = Sharing(lambda: looks.append(1), torch_.get, torch_.put, lambda: clock[0])
    clock[0], barrier = 1.0, threading.Barrier(8)

    def ask():
        barrier.wait(10)
        for _ in range(200):
            sharing()

    jobs = [in_thread(ask) for _ in range(8)]
    for job in jobs:
        job.result()
    assert len(looks) == 2  # when it was made, and now


def test_asking_costs_less_than_twenty_microseconds():
    yield_to_others()
    assert min(timeit.repeat(yield_to_others, number=1000, repeat=5)) / 1000 < 20e-6
    torch_ = Torch()
    sharing = Sharing(lambda: None, torch_.get, torch_.put, threads.time.monotonic)  # not off, as it is here
    sharing()
    sharing.due = math.inf
    assert min(timeit.repeat(sharing, number=1000, repeat=5)) / 1000 < 20e-6


def test_these_tests_themselves_decided_for_one_thread():
    """conftest.py calls torch.set_num_threads, and nobody takes that back."""
    for _ in range(3):
        yield_to_others()
        threads.time.sleep(0.26)
    assert torch.get_num_threads() == 1


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="where a process cannot be tied to cores")
def test_in_a_process_of_its_own_it_yields_to_programs_that_are_really_there():
    """Two cores (or the one that there is), programs that keep them busy, and one that looks."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    count = f"import os; os.sched_setaffinity(0, {cores})\nwhile True: pass"
    script = f"""
        import os, time
        os.sched_setaffinity(0, {cores})
        import torch
        torch.set_num_threads({len(cores)})
        import subprocess, sys
        from vizlib.threads import yield_to_others
        others = [subprocess.Popen([sys.executable, "-c", {count!r}]) for _ in range({2 * len(cores)})]
        try:
            end = time.monotonic() + 20
            while time.monotonic() < end and torch.get_num_threads() > 1 or time.monotonic() < end - 19:
                yield_to_others()
                torch.ones(1000).sum()
                time.sleep(0.01)
            print(torch.get_num_threads())
        finally:
            for other in others:
                other.kill()
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "VIZLIB_"))}
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, env=env, check=True
    )
    assert run.stdout.strip() == "1"
