"""Writing files so that a stop, a full disk or a crash leaves what was there before."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

from .errors import VizlibError


def write_whole(path: str | Path, write: Callable[[Path], object]) -> None:
    """Write a file beside `path` and put it in its place when it is complete: what was there stays until
    then.

    path: its folder is made. write: a function that takes a path and writes the file there.
    Raises VizlibError if it could not be written.
    """
    path = Path(path)
    # a name of its own, so that two writers do not write into each other's file
    part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(part)
        os.replace(part, path)
    except (OSError, RuntimeError) as problem:  # torch.save wraps a full disk in a RuntimeError
        raise VizlibError(
            f"{str(path)!r} could not be written ({problem}). What was there before is unharmed."
        ) from problem
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
