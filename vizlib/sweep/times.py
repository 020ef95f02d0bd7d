"""How long will it take?"""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO


class eta:
    """A progress bar in plain text, with the time to go: `progress=vz.sweep.eta()`.

    name: a word to begin the line with. every: seconds between two lines at least. stream: where to, default:
    the standard output. In a terminal and in a notebook the line is written over; elsewhere each is a new
    one.

    >>> import vizlib.sweep
    >>> progress = vz.sweep.eta("top patches", every=0)
    >>> progress(10, 40)  # doctest: +SKIP
    top patches: 10 of 40 (25 %), 0:12 to go
    """

    def __init__(self, name: str = "", *, every: float = 1.0, stream: TextIO | None = None) -> None:
        self.name, self.every, self.stream = name, every, stream
        self._first: tuple[float, int] | None = None
        self._last, self._width = float("-inf"), 0

    def __call__(self, done: int, total: int | None, preview: Any = None) -> None:
        now, finished = time.monotonic(), total is not None and done >= total
        # what a checkpoint brought along, or was done before the clock started, says nothing about the speed
        if self._first is None or done < self._first[1]:
            self._first = (now, done)
        if now - self._last < self.every and not finished:
            return
        self._last = now
        line = self.line(done, total, now - self._first[0], done - self._first[1])
        stream = self.stream or sys.stdout
        over = getattr(stream, "isatty", lambda: False)() or "ipykernel" in type(stream).__module__
        stream.write(("\r" if over else "") + line.ljust(self._width if over else 0))
        stream.write("\n" if finished or not over else "")
        stream.flush()
        self._width = len(line)

    def line(self, done: int, total: int | None, seconds: float, since: int) -> str:
        """The words for `since` pictures in `seconds` and `done` in all."""
        words = f"{self.name}: " if self.name else ""
        if total is None:
            return f"{words}{done} so far"
        words += f"{done} of {total} ({100 * done // max(total, 1)} %)"
        if done >= total:
            return words
        return f"{words}, {clock(seconds / since * (total - done))} to go" if since else words


def clock(seconds: float) -> str:
    """72.4 as 1:12; 3700 as 1:01:40."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
