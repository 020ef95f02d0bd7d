"""Long work that can be broken off: what there is goes to a file now and then, and is taken up again."""

from __future__ import annotations

import copy
import pickle
import time
from pathlib import Path
from typing import Any

import torch

from ..errors import VizlibError
from ..files import write_whole

KIND = "vizlib sweep 1"
SHARE = 0.05  # of the time, at most, goes into writing


class Checkpoint:
    """A file that holds how far a sweep has come, and whose sweep it is.

    path: its name. belongs: what the sweep is made of, {what: string or number}; a file of another sweep is
    refused with the name of what differs. Written whole or not at all, and read without pickle's code.
    """

    def __init__(self, path: str | Path, belongs: dict[str, Any]) -> None:
        self.path, self.belongs = Path(path), belongs
        self._cost, self._last, self._parts = 0.0, time.monotonic(), 0

    def load(self, empty: Any) -> tuple[Any, int, int, bool, list]:
        """A reducer like `empty` with what the file holds; how many parts are finished and how many pictures
        were read; whether that is all; and the files that were skipped. Without a file: an empty one.
        """
        if not self.path.exists():
            return copy.copy(empty), 0, 0, False, []
        try:
            kept = torch.load(self.path, weights_only=True)
            if kept["kind"] != KIND:
                raise KeyError("kind")
        except (OSError, EOFError, RuntimeError, KeyError, TypeError, pickle.UnpicklingError) as problem:
            raise VizlibError(
                f"{str(self.path)!r} is no checkpoint of a sweep that can be read. Delete it, or give "
                "another name."
            ) from problem
        self._compare(kept["belongs"])
        self._parts = kept["parts"]
        return _filled(empty, kept["state"]), kept["parts"], kept["read"], kept["complete"], kept["skipped"]

    def _compare(self, theirs):
        for what, mine in self.belongs.items():
            if theirs.get(what) == mine:
                continue
            seen = (
                f"other {what} than these"
                if what in ("network", "pictures", "weights")
                else f"{what} {theirs.get(what)!r}, not {mine!r}"
            )
            raise VizlibError(
                f"The checkpoint {str(self.path)!r} belongs to another sweep: it has {seen}. Give this one a "
                "name of its own, or delete the file to begin anew."
            )

    def save(self, reducer: Any, parts: int, read: int, skipped: list, state: str = "running") -> None:
        """Write the file: while the work is "running" not so often that it takes more than SHARE of the
        time; when it is "stopped", if something is new; when it is "complete".
        """
        began = time.monotonic()
        recently = state == "running" and began - self._last < self._cost / SHARE
        if state != "complete" and (recently or parts == self._parts):
            return
        kept = {
            "kind": KIND,
            "belongs": self.belongs,
            "state": _state(reducer),
            "parts": parts,
            "read": read,
            "complete": state == "complete",
            "skipped": [(str(path), reason) for path, reason in skipped],
        }
        write_whole(self.path, lambda part: torch.save(kept, part))
        self._parts, self._last = parts, time.monotonic()
        self._cost = self._last - began


def _state(reducer):
    """A reducer's attributes; those that are reducers themselves, as theirs."""
    return {k: _state(v) if hasattr(v, "merge") else v for k, v in vars(reducer).items()}


def _filled(empty, state):
    reducer = copy.copy(empty)
    for name, value in state.items():
        inner = getattr(empty, name, None)
        setattr(reducer, name, _filled(inner, value) if hasattr(inner, "merge") else value)
    return reducer
