"""Folders of pictures: read when they are needed, in one order everywhere, a few at a time."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import torch
from PIL import Image

from ..batching import check_batch_size, whole
from ..errors import VizlibError
from ..images import open_image
from ..images.convert import SMALLEST_SIDE
from .streams import grouped

AHEAD, WHOLE_AHEAD = (
    16,
    2,
)  # so many pictures per thread are read before they are asked for; whole ones are large


def folder(path: str | Path, size: int | None = 224, *, recursive: bool = True, threads: int = 2) -> Folder:
    """A data set on disk: the pictures of a folder, lazily read, for everything that takes many pictures.

    path: the folder. Hidden files are passed over; files whose names end as no picture's does are skipped.
    size: the side of ImageNet's centre square, as in `open_image`; None keeps the pictures whole, which may
        then differ in size.
    recursive: look into its folders, too (links are followed, each folder once).
    threads: how many pictures are decoded at a time, beside the network's work; 0 reads them one by one.

    Returns a Folder: `len` and `.paths` are known at once, in natural order (2.jpg before 10.jpg) wherever it
    is; a loop over it gives pictures (1, 3, H, W), again and again; `.skipped` lists what could not be read,
    and why. Raises VizlibError where there is no such folder, or no picture in it.

    >>> pictures = vz.folder(vz.resources.data_folder() / "photos", size=64)
    >>> pictures[0].shape
    torch.Size([1, 3, 64, 64])
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise VizlibError(
            f"{str(path)!r} is a file. vz.open_image reads one picture."
            if root.exists()
            else f"There is no folder {str(path)!r} here ({Path.cwd()})."
        )
    if size is not None:
        size = whole(size, "size is a number of pixels", least=SMALLEST_SIDE)
    files = sorted(_files(root, recursive), key=lambda file: _natural(file.relative_to(root)))
    endings = {e for e, kind in Image.registered_extensions().items() if kind in Image.OPEN} | {""}
    pictures = [file for file in files if file.suffix.lower() in endings]
    if not pictures:
        raise VizlibError(
            f"The folder {str(path)!r} holds no picture among {len(files)} files. JPEG, PNG, WebP, GIF, BMP "
            "and TIFF files are some."
        )
    others = [file for file in files if file.suffix.lower() not in endings]
    skipped = {file: f"{file.suffix!r} is no picture's ending" for file in others}
    return Folder(root, pictures, size, whole(threads, "threads is a number of threads", least=0), skipped)


class Folder:
    """Pictures on disk; `vz.folder` makes it. A loop gives pictures (1, 3, H, W), folder[i] is one of them.

    paths: the files, in natural order; their places in this list are the pictures' numbers everywhere.
    size: the side of the square that is cut out, or None.
    """

    def __init__(
        self, root: Path, paths: Iterable[Path], size: int | None, threads: int, skipped: dict[Path, str]
    ) -> None:
        self.root, self.paths, self.size, self.threads = root, list(paths), size, threads
        self._skipped = skipped

    @property
    def skipped(self) -> list[tuple[Path, str]]:
        """The files that are no pictures or could not be read so far, and why: a list of (path, reason)."""
        return list(self._skipped.items())

    def skip(self, path: Path, reason: str) -> None:
        self._skipped[path] = reason

    def part(self, start: int, stop: int) -> Folder:
        """The pictures from number `start` to `stop` (without it); what it skips, this folder lists too."""
        return Folder(self.root, self.paths[start:stop], self.size, self.threads, self._skipped)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> torch.Tensor:
        """One picture, (1, 3, H, W). Raises VizlibError where it cannot be read."""
        return open_image(self.paths[number], self.size)

    def __iter__(self) -> Iterator[torch.Tensor]:
        return (image for _, image in self.read(range(len(self))))

    def batches(self, batch_size: int = 32) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The pictures in batches: yields their numbers (n,) and the pictures (n, 3, H, W), n at most
        `batch_size`. What follows each other in a batch has one size.
        """
        read = self.read(range(len(self)))
        pieces = ((torch.tensor([i]), image) for i, image in read)  # on the CPU: numbers of pictures
        return grouped(pieces, check_batch_size(batch_size))

    def read(self, numbers: Iterable[int], threads: int | None = None) -> Iterator[tuple[int, torch.Tensor]]:
        """Yields (number, picture) in the order asked for, without those that cannot be read; a few are
        decoded ahead, in threads.
        """
        threads = self.threads if threads is None else threads
        ahead = threads * (AHEAD if self.size else WHOLE_AHEAD)
        for number, image in _in_order(self._open, numbers, threads, ahead):
            if isinstance(image, str):
                self.skip(self.paths[number], image)
            else:
                yield number, image

    def _open(self, number):
        try:
            return number, self[number]
        except VizlibError as problem:
            return number, str(problem)

    def __repr__(self) -> str:
        size = "whole" if self.size is None else f"{self.size} x {self.size} pixels"
        skipped = f", {len(self._skipped)} files skipped (see .skipped)" if self._skipped else ""
        return f"Folder {str(self.root)!r}: {len(self)} pictures, {size}{skipped}"


def _in_order(function, inputs, threads, ahead):
    """function(input) for all inputs, in their order, `ahead` of them worked out before, by threads."""
    if threads == 0:
        yield from map(function, inputs)
        return
    inputs, pool = iter(inputs), ThreadPoolExecutor(threads, thread_name_prefix="vizlib reads")
    try:
        waiting = deque(pool.submit(function, i) for i in islice(inputs, ahead))
        while waiting:
            done = waiting.popleft().result()
            waiting.extend(pool.submit(function, i) for i in islice(inputs, 1))
            yield done
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _files(root, recursive):
    """All files under `root` but the hidden ones. Links are followed; a folder is visited once."""
    visited = set()
    for here, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(here)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        # in a fixed order, so that of two ways to one folder the same is taken everywhere
        folders[:] = sorted(f for f in folders if not f.startswith(".")) if recursive else []
        yield from (Path(here, f) for f in files if not f.startswith("."))


def _natural(path):
    """A key that sorts img2 before img10, alike on every machine."""
    parts = [re.split(r"(\d+)", part.casefold()) for part in path.parts]
    return [[(int(p), "") if p.isdecimal() else (-1, p) for p in part] for part in parts], path.as_posix()
