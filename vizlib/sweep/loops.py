"""The one loop over many pictures: batch by batch, part by part, here or on a cluster."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch

from ..batching import Progress, check_batch_size, goes_on
from ..errors import VizlibError
from ..models.fingerprint import fingerprint
from .checkpoints import Checkpoint
from .streams import Part, collection, is_folder

R = TypeVar("R")  # a reducer
Measure = Callable[[torch.Tensor, torch.Tensor], tuple]

PART = 8  # batches: what is merged, saved and sent to a worker as one


class Step(NamedTuple):
    """How far a part has come: its reducer, the number of the next picture, how many pictures of the part
    were read, whether it is finished, and the files that were skipped.
    """

    reducer: Any
    until: int
    read: int
    finished: bool
    skipped: list


class Kept(NamedTuple):
    """What there is: the reducer of the finished parts, how many these are and how many pictures were read
    for them; the reducer of the part at work, and its pictures. One value, so that an interrupt finds it
    whole.
    """

    whole: Any
    parts: int
    read: int
    part: Any = None
    part_read: int = 0

    def after(self, step: Step) -> Kept:
        if step.finished:
            return Kept(_sum(self.whole, step.reducer), self.parts + 1, self.read + step.read)
        return self._replace(part=step.reducer, part_read=step.read)


def run(
    pictures: Any,
    measure: Measure,
    reducer: R,
    *,
    batch_size: int = 32,
    progress: Progress | None = None,
    client: Any = None,
    checkpoint: Any = None,
    belongs: dict[str, Any] | None = None,
) -> R:
    """Map and reduce over many pictures with bounded memory: ask every batch, keep a summary. Returns it.

    pictures: a tensor (N, 3, H, W), `vz.folder(...)`, a list, or any iterable; see `collection`.
    measure: a function (numbers, images) -> a tuple, the arguments of the reducer's `update`.
        numbers (n,): the pictures' places in the collection. images (n, 3, H, W), n at most batch_size.
    reducer: an empty reducer (`vizlib.sweep.reducers`); it stays as it is, copies of it are filled.
    progress: told after each batch (on a cluster: each part of 8 batches), with the number of pictures in
        all, or None where nobody knows. False from it, or an interrupt, ends the work with what there is.
    client: a dask.distributed.Client; the parts are worked on by its workers and merged in their order, so
        the result is the loop's. A lost worker costs its part, which is done again.
    checkpoint: a file name; what there is is kept there, and the same call goes on from it.
    belongs: what the file belongs to besides pictures and batch_size, {what: a string or number}; Networks as
        values are compared by their weights.
    Raises VizlibError for pictures that are none and a checkpoint of another sweep.

    >>> pictures = vz.photo("goldfish", 64).expand(5, 3, 64, 64)
    >>> colours = vz.sweep.run(pictures, lambda numbers, images: (images.mean((2, 3)),), vz.sweep.Moments())
    >>> colours.result().count, colours.result().mean.shape
    (5, torch.Size([3]))
    """
    pictures, size = collection(pictures), PART * check_batch_size(batch_size)
    keeper, state, first, read, complete = None, copy.copy(reducer), 0, 0, False
    if checkpoint is not None:
        keeper = Checkpoint(checkpoint, _settings(pictures, batch_size, belongs or {}))
        state, first, read, complete, skipped = keeper.load(reducer)
        _skip(pictures, skipped)
    if complete:
        return state
    if client is None:
        work = here(pictures.parts(size, first), measure, reducer, batch_size)
    else:
        from .clusters import on_workers

        parts = (part.packed() for part in pictures.parts(size, first))
        work = on_workers(client, parts, measure, reducer, batch_size)
    return _merged(work, Kept(state, first, read), first * size, pictures, progress, keeper)


def here(
    parts: Iterator[Part], measure: Measure, reducer: Any, batch_size: int, threads: int | None = None
) -> Iterator[Step]:
    """Work on parts one after the other: yields a Step after each batch, and one after each part."""
    for part in parts:
        mine, read, until = copy.copy(reducer), 0, part.start
        for numbers, images in part.batches(batch_size, threads):
            values = measure(numbers, images)
            mine = copy.copy(mine)  # so that an interrupt leaves the last one whole
            mine.update(*values)
            read, until = read + len(numbers), int(numbers[-1]) + 1
            yield Step(mine, until, read, False, [])
        until = part.start + len(part.pictures) if is_folder(part.pictures) else until
        skipped = part.pictures.skipped if is_folder(part.pictures) else []
        yield Step(mine, until, read, True, skipped)


def _merged(work, kept, told, pictures, progress, keeper):
    """Merge the parts in their order, keep what there is in the file, and tell how far it is."""
    try:
        for step in work:
            kept = kept.after(step)
            if step.finished:
                _skip(pictures, step.skipped)
                if keeper is not None:
                    keeper.save(*kept[:3], _skipped(pictures))
            if step.until > told:
                told = step.until
                if not goes_on(progress, told, pictures.total):
                    break
        else:
            if keeper is not None:
                keeper.save(*kept[:3], _skipped(pictures), "complete")
    except KeyboardInterrupt:
        if not kept.read + kept.part_read:
            raise
    finally:
        work.close()
        if keeper is not None:
            keeper.save(*kept[:3], _skipped(pictures), "stopped")
    if not kept.read + kept.part_read:
        raise VizlibError(_nothing(pictures))
    return kept.whole if kept.part is None else _sum(kept.whole, kept.part)


def _sum(first, second):
    both = copy.copy(first)
    both.merge(second)
    return both


def _settings(pictures, batch_size, belongs):
    plain = {k: _mark(v) if isinstance(v, torch.nn.Module) else v for k, v in belongs.items()}
    return {**plain, "pictures": pictures.name(), "batch_size": batch_size}


def _mark(net):
    """What a network is known by: its modules and its weights."""
    return hashlib.sha256(f"{fingerprint(net)} {net.model}".encode()).hexdigest()


def _skipped(pictures):
    return pictures.pictures.skipped if is_folder(pictures.pictures) else []


def _skip(pictures, skipped):
    for path, reason in skipped if is_folder(pictures.pictures) else []:
        pictures.pictures.skip(Path(path), reason)


def _nothing(pictures):
    if is_folder(pictures.pictures):
        path, reason = pictures.pictures.skipped[-1]
        return f"None of these files could be read. Of {path.name!r} is known: {reason}"
    return "There is no picture to look at: the stream is empty, or was read before."
