"""How many threads PyTorch computes with: all of them for somebody who works alone, fewer when others work.

PyTorch takes a thread for every core, and threads that wait for each other keep their cores busy meanwhile.
Alone on a machine that is fast. When several kernels compute on the same cores, each of them waits for
threads that do not run because threads of the others are waiting in their place. On two cores, a loop of
forward passes took 1.3 s alone, and 30 to 36 s in each of four kernels at once; with one thread each 2.0 s
alone, and 5 s in four kernels. (Threads that sleep while they wait, OMP_WAIT_POLICY=PASSIVE, took 1.8 s and
7 to 8 s.)

So a network looks around before it computes, at most four times a second: how busy did other processes keep
the cores since the last look? What they left, rounded, is the number of threads, never fewer than one and
never more than PyTorch had chosen itself when vizlib was imported. It falls at once, and rises again when the
others have been quiet for a second or so. "The cores" are those that this process may use: its affinity, and
the quota of its control group (Linux, version 2), in which its siblings count as others.

The number of threads is not touched where somebody else sees to it: after anybody's torch.set_num_threads,
vizlib leaves it alone for good. The environment variable VIZLIB_THREADS decides instead:

    VIZLIB_THREADS=2        two threads, always
    VIZLIB_THREADS=all      as many as PyTorch chose, always

With another number of threads, sums are added up in another order, and results differ in their last digits.
Who needs them to the last bit, run after run, gives a number.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from .errors import VizlibError

EVERY = 0.25  # seconds between two looks
FALL, RISE = 0.7, 0.3  # how much a look counts for the smoothed room, where it becomes less, and more
CGROUP, OWN_CGROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


@dataclass(frozen=True)
class Look:
    """What can be seen of the machine at a moment; all but `cpus` and `quota` in seconds."""

    at: float
    own: float  # CPU time of this process
    busy: float  # CPU time of everybody on the CPUs that are open to this process
    cpus: int  # how many these are
    quota: float = math.inf  # of CPU time per second, for the process and its siblings together
    group: float = 0.0  # their CPU time


def look() -> Look | None:
    """A Look at the machine now, or None where there is no way to look."""
    try:
        times = psutil.cpu_times(percpu=True)
    except (OSError, RuntimeError, NotImplementedError, psutil.Error):
        return None
    mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()  # Linux has it
    if mine and max(mine) < len(times):
        times = [times[cpu] for cpu in sorted(mine)]
    idle = ("idle", "iowait", "steal", "guest", "guest_nice")  # the time of guests is in the user's already
    busy = sum(getattr(t, kind) for t in times for kind in t._fields if kind not in idle)
    return Look(time.monotonic(), time.process_time(), busy, len(times), *_quota())


def _quota() -> tuple[float, float]:
    """The tightest quota of CPU time per second that holds for this process, and what its group has used."""
    tightest = (math.inf, 0.0)
    with contextlib.suppress(OSError):  # no Linux
        for line in OWN_CGROUP.read_text().splitlines():
            if line.startswith("0::"):  # version 2
                folder = CGROUP / line.removeprefix("0::").lstrip("/")
                for group in (folder, *folder.parents):
                    tightest = min(tightest, _quota_of(group), key=lambda pair: pair[0])
    return tightest


def _quota_of(group: Path) -> tuple[float, float]:
    with contextlib.suppress(OSError, ValueError, KeyError):  # the root has none, and most have "max"
        most, period = (group / "cpu.max").read_text().split()
        used = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
        return float(most) / float(period), float(used["usage_usec"]) / 1e6
    return math.inf, 0.0


def room(before: Look, now: Look) -> float:
    """How many of its cores other processes left to this one between two looks."""
    seconds, own = now.at - before.at, now.own - before.own
    left = now.cpus - max(0.0, now.busy - before.busy - own) / seconds
    return min(left, now.quota - max(0.0, now.group - before.group - own) / seconds)


def asked_for() -> int | str | None:
    """What VIZLIB_THREADS says: a number, "all", or None. Raises VizlibError for anything else."""
    said = os.environ.get("VIZLIB_THREADS", "").strip().lower()
    if said in ("", "all"):
        return said or None
    if not said.isdecimal() or int(said) < 1:
        raise VizlibError(
            f"VIZLIB_THREADS is a number of threads, 1 or more, or 'all'; this is {said!r}. Without it "
            "vizlib takes a thread for each core that others leave free."
        )
    return int(said)


class Sharing:
    """The number of threads of this process.

    PyTorch keeps a number for each thread that computes (each worker of a panel has its own), so the one that
    is decided for the process is set in each, when it next asks.
    """

    def __init__(
        self,
        look: Callable[[], Look | None] = look,
        get: Callable[[], int] = torch.get_num_threads,
        put: Callable[[int], None] = torch.set_num_threads,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look, self._get, self._put, self._clock = look, get, put, clock
        self.most = self.count = get()
        self.off = False  # somebody else sees to it
        self.due = 0.0
        self._chosen = {self.most}  # every number that was decided for this process
        self.forget()

    def forget(self) -> None:
        """Begin anew, as a forked process has to."""
        self._lock, self._mine = threading.Lock(), threading.local()
        self._last, self._room = self._look(), float(self.most)

    def __call__(self) -> None:
        """Have this thread compute with the number of threads that is right now."""
        if self.off or self._clock() < self.due and getattr(self._mine, "count", None) == self.count:
            return
        said = asked_for()
        if said == "all":
            return
        with self._lock:
            if self._clock() >= self.due:
                self.due = self._clock() + EVERY
                self.count = said or self._decide()
                self._chosen.add(self.count)
            count, now = self.count, self._get()
            mine = getattr(self._mine, "count", None)
            if now != mine if mine else now not in self._chosen:
                self.off = True
                return
            if now != count:
                self._put(count)
            self._mine.count = count

    def _decide(self) -> int:
        """The number of threads, from what others did since the last look."""
        before, self._last = self._last, self._look()
        if before is None or self._last is None or before.cpus != self._last.cpus:
            return self.count
        if (seconds := self._last.at - before.at) <= 0:
            return self.count
        seen = room(before, self._last)
        weight = FALL if seen < self._room else RISE
        self._room += (seen - self._room) * (1 - (1 - weight) ** max(1.0, seconds / EVERY))
        return threads_for(self._room, min(self.count, self.most), self.most)


def threads_for(room: float, now: int, most: int) -> int:
    """The number of threads where others leave `room` cores: rounded, but not to and fro, and twice as many
    as `now` at most, because whoever else has found the room will take some of it.
    """
    if room < now - 0.6:
        now = math.floor(room + 0.6)
    elif room > now + 0.7:
        now = min(math.floor(room + 0.3), 2 * now)
    return max(1, min(now, most))


_sharing = Sharing()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_sharing.forget)


def yield_to_others() -> None:
    """Compute with fewer threads while other processes need the cores; see the head of this module.

    Called before every forward pass: it looks at the machine four times a second at most and costs a few
    microseconds otherwise. Raises VizlibError if the environment variable VIZLIB_THREADS holds nonsense.
    """
    _sharing()
