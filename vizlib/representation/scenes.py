"""Many scenes, read a batch at a time: pictures together with the object at each pixel."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from ..errors import VizlibError
from ..images.check import check_images
from ..sweep.streams import Collection, Part, Rest


@dataclass(frozen=True)
class Scenes:
    """images (n, 3, H, W). owners (n, H, W): which object each pixel shows, -1 for none. names: per picture,
    what the numbers in `owners` stand for. A slice of it is Scenes again.
    """

    images: torch.Tensor
    owners: torch.Tensor
    names: list

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, some: slice) -> Scenes:
        return Scenes(self.images[some], self.owners[some], self.names[some])

    def alone(self) -> Scenes:
        """The same in memory of its own, so that a part can be sent without the whole."""
        return Scenes(self.images.cpu().clone(), self.owners.cpu().clone(), self.names)


class SceneStream(Collection):
    """Scenes as a collection that `run` can read: its batches are Scenes. Read anew for every pass."""

    def __init__(
        self,
        read: Callable[[], Iterator],
        total: int | None,
        name: Callable[[], str],
        most: int | None = None,
    ):
        super().__init__(None, total, name)
        self._read, self._most = read, most

    def until(self, count: int) -> SceneStream:
        """The first `count` scenes."""
        return SceneStream(self._read, count, lambda: f"{self.name()} up to {count}", count)

    def __getitem__(self, number: int) -> Scenes:
        rest = Rest(self._read(), _scenes)
        for _ in rest.take(number):
            pass
        return next(rest.take(1))

    def parts(self, size: int, first: int = 0) -> Iterator[Part]:
        rest, start = Rest(self._read(), _scenes), first * size
        for _ in rest.take(start):
            pass
        while (self._most is None or start < self._most) and not rest.at_end():
            count = size if self._most is None else min(size, self._most - start)
            yield _ScenePart(start, rest.take(count))
            start += count


class _ScenePart(Part):
    def batches(self, batch_size, threads=None):
        start = self.start
        for piece in self.pictures:
            for first in range(0, len(piece), batch_size):
                batch = piece[first : first + batch_size]
                yield torch.arange(start, start + len(batch)), batch  # on the CPU: numbers of scenes
                start += len(batch)

    def packed(self):
        return _ScenePart(self.start, [piece.alone() for piece in self.pictures])


def scenes_of(scenes: Any) -> SceneStream:
    """What `vz.collages` returns, a list of that, or a function that returns an iterator of it, as a stream.

    Raises VizlibError for anything else, generators among them, which can be read only once.
    """
    if hasattr(scenes, "images"):
        scenes = [scenes]
    if callable(scenes):
        return SceneStream(lambda: iter(scenes()), None, lambda: "a stream")
    if not isinstance(scenes, (list, tuple)):
        raise VizlibError(
            "Scenes are what vz.collages returns, or a list of that. For a stream give a function that "
            "begins it, since it is read twice: lambda: (vz.collages(100, seed=i) for i in range(99)). This "
            f"is a {type(scenes).__name__}."
        )
    pieces = [_scenes(piece) for piece in scenes]
    if not any(map(len, pieces)):
        raise VizlibError("There is no scene to look at: the list is empty.")
    if not any(names for piece in pieces for names in piece.names):
        raise VizlibError(
            "These scenes show no objects, so there is nothing to detect. Make them with objects: "
            "vz.collages(..., show='all')."
        )
    return SceneStream(lambda: iter(pieces), sum(map(len, pieces)), lambda: _digest(pieces))


def _digest(pieces):
    found = hashlib.sha256()
    for piece in pieces:
        found.update(repr((tuple(piece.images.shape), piece.names)).encode())
        found.update(piece.images[:1].cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def _scenes(item):
    if isinstance(item, Scenes):
        return item
    if not all(hasattr(item, part) for part in ("images", "owners", "names")):
        raise VizlibError(
            "Scenes have images (N, 3, H, W), owners (N, H, W) and names, as vz.collages returns them; this "
            f"is a {type(item).__name__}."
        )
    return Scenes(check_images(item.images), item.owners, list(item.names))
