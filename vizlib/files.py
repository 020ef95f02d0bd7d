"""Writing files so that a stop, a full disk or a crash leaves what was there before."""

import os
from pathlib import Path

from .errors import VizlibError


def write_whole(path, write):
    """Write a file beside `path` and put it in its place when it is complete: what was there stays until
    then.

    path: a path; its folder is made. write: a function that takes a path and writes the file there.
    Raises VizlibError if it could not be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        write(part)
        os.replace(part, path)
    except (OSError, RuntimeError) as problem:  # torch.save wraps a full disk in a RuntimeError
        part.unlink(missing_ok=True)
        raise VizlibError(
            f"{str(path)!r} could not be written ({problem}). What was there before is unharmed."
        ) from problem
