"""Any collection of pictures as parts of a known number, each a stream of batches: the one adapter."""

from __future__ import annotations

import bisect
import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..batching import check_batch_size
from ..errors import VizlibError
from ..images import open_image
from ..images.check import check_shape

Batch = tuple[torch.Tensor, torch.Tensor]  # numbers (n,) of the pictures, and the pictures (n, 3, H, W)


@dataclass
class Part:
    """Consecutive pictures of a collection: a Folder or an iterable of tensors (n, 3, H, W). Their numbers
    begin at `start`.
    """

    start: int
    pictures: Any

    def batches(self, batch_size: int, threads: int | None = None) -> Iterator[Batch]:
        """Yields numbers (n,) and pictures (n, 3, H, W), n at most `batch_size`, all of one size."""
        if is_folder(self.pictures):
            read = self.pictures.read(range(len(self.pictures)), threads)
            pieces = ((torch.tensor([self.start + i]), image) for i, image in read)  # on the CPU
            return grouped(pieces, batch_size)
        return grouped(_numbered(self.pictures, self.start), batch_size)

    def packed(self) -> Part:
        """The same, in a form that can be sent elsewhere: paths, or the pictures themselves."""
        if is_folder(self.pictures):
            return self
        return Part(self.start, [piece.detach().cpu().clone() for piece in self.pictures])


def is_folder(pictures: Any) -> bool:
    return hasattr(pictures, "read") and hasattr(pictures, "paths")


class Collection:
    """Pictures of any kind, seen one way. See `collection`."""

    def __init__(
        self, pictures: Any, total: int | None, name: Callable[[], str], lengths: list[int] | None = None
    ) -> None:
        """name: makes a fingerprint, by which a checkpoint knows its pictures again."""
        self.pictures, self.total, self.name = pictures, total, name
        self._ends = list(itertools.accumulate(lengths or []))  # of the entries of a list

    @property
    def again(self) -> bool:
        """Can its pictures be looked at again, in any order?"""
        return self.total is not None

    @property
    def paths(self) -> list[Path] | None:
        """The files, where it is a folder."""
        return self.pictures.paths if is_folder(self.pictures) else None

    def skip(self, number: int, reason: str) -> None:
        """Note a file that cannot be read; of other pictures raise the reason."""
        if self.paths is None:
            raise VizlibError(reason)
        self.pictures.skip(self.paths[number], reason)

    def parts(self, size: int, first: int = 0) -> Iterator[Part]:
        """The collection in parts of `size` pictures, from part number `first` on. Each has to be read
        before the next one is asked for, unless it is packed.
        """
        if is_folder(self.pictures):
            for start in range(first * size, len(self.pictures), size):
                yield Part(start, self.pictures.part(start, start + size))
            return
        rest = Rest(self.pictures)
        for _ in rest.take(first * size):
            pass
        for number in itertools.count(first):
            if rest.at_end():
                return
            yield Part(number * size, rest.take(size))

    def __getitem__(self, number: int) -> Any:
        """One picture again, (1, 3, H, W). Raises VizlibError where it has gone by."""
        if is_folder(self.pictures):
            return self.pictures[number]
        if not self.again:
            raise VizlibError(
                "These pictures came from a stream that can be read only once. Give a list, a tensor or "
                "vz.folder(...), whose pictures can be looked at again."
            )
        entry = bisect.bisect_right(self._ends, number)
        return _tensor(self.pictures[entry])[number - self._ends[entry] :][:1]

    def __len__(self) -> int:
        if self.total is None:
            raise TypeError("a stream does not know how many pictures it has")
        return self.total


def collection(pictures: Any) -> Collection:
    """Pictures of any kind as a Collection.

    pictures: a tensor (N, 3, H, W); `vz.folder(...)`; a list or any iterable, a generator for instance, of
        what `open_image` reads (tensors (1, 3, H, W), paths, PIL pictures), of batches (n, 3, H, W), or of
        (batch, labels), of which the batch is taken. Sizes may differ.
    Raises VizlibError for what is none of these, and for an empty collection.
    """
    if isinstance(pictures, Collection):
        return pictures
    if is_folder(pictures):
        return Collection(pictures, len(pictures), lambda: _digest_of_names(pictures))
    if isinstance(pictures, (str, Path)):
        raise VizlibError(
            f"Many pictures are asked for; this is the name {str(pictures)!r}. vz.folder({str(pictures)!r}) "
            "reads a folder, [vz.open_image(...)] makes a list of one picture."
        )
    if isinstance(pictures, torch.Tensor):
        check_shape(pictures)
        pictures = [pictures]
    if not (hasattr(pictures, "__iter__") or hasattr(pictures, "__getitem__")):
        raise VizlibError(
            "Many pictures are a tensor (N, 3, H, W), a list or another iterable of them, or vz.folder(...); "
            f"this is a {type(pictures).__name__}."
        )
    if not isinstance(pictures, (list, tuple)):
        return Collection(pictures, None, lambda: "a stream")
    lengths = [_length(item) for item in pictures]
    if not sum(lengths):
        raise VizlibError("There is no picture to look at: the list is empty.")
    return Collection(pictures, sum(lengths), lambda: _digest_of(pictures, lengths), lengths)


def each_batch(pictures: Any, batch_size: int) -> Iterator[Batch]:
    """All pictures in batches, for what gives something for each picture."""
    for part in collection(pictures).parts(8 * check_batch_size(batch_size)):
        yield from part.batches(batch_size)


def grouped(pieces: Iterable[Batch], batch_size: int) -> Iterator[Batch]:
    """Join what follows each other and has one size into batches of at most `batch_size`; cut what is
    larger.
    """
    held: list[Batch] = []
    count = 0
    for numbers, images in pieces:
        if held and images.shape[1:] != held[0][1].shape[1:]:
            yield _joined(held)
            held, count = [], 0
        for n, x in zip(numbers.split(batch_size), images.split(batch_size), strict=True):
            if count + len(x) > batch_size:  # so that every batch but the last is full
                left = batch_size - count
                yield _joined([*held, (n[:left], x[:left])])
                held, count, n, x = [], 0, n[left:], x[left:]
            held, count = [*held, (n, x)], count + len(x)
            if count == batch_size:
                yield _joined(held)
                held, count = [], 0
    if held:
        yield _joined(held)


def _joined(pieces):
    if len(pieces) == 1:
        return pieces[0]
    numbers, images = zip(*pieces, strict=True)
    return torch.cat(numbers), torch.cat(images)


def _numbered(pieces, start):
    for piece in pieces:
        yield torch.arange(start, start + len(piece)), piece  # on the CPU: numbers of pictures
        start += len(piece)


def _bare(item):
    """An entry without its label, as data sets and data loaders give them together."""
    paired = isinstance(item, (tuple, list)) and item and not isinstance(item[0], dict)
    return item[0] if paired else item


def _length(item):
    item = _bare(item)
    return len(item) if isinstance(item, torch.Tensor) and item.dim() == 4 else 1


def _tensor(item):
    """One entry of an iterable as pictures (n, 3, H, W)."""
    item = _bare(item)
    if isinstance(item, torch.Tensor) and item.dim() == 4:
        check_shape(item)
        return item
    return open_image(item)


class Rest:
    """What is left of an iterable of pictures, taken a number at a time."""

    def __init__(self, pictures, pieces=_tensor):
        """pieces: makes of an entry something with a length that can be cut."""
        self._items, self._left, self._pieces = iter(pictures), None, pieces

    def at_end(self):
        while self._left is None or not len(self._left):
            item = next(self._items, None)
            if item is None:
                return True
            self._left = self._pieces(item)
        return False

    def take(self, count):
        """Yields pieces, tensors (n, 3, H, W), `count` pictures in all, as far as there are."""
        while count and not self.at_end():
            piece, self._left = self._left[:count], self._left[count:]
            count -= len(piece)
            yield piece


def _digest_of_names(folder):
    listing = "\n".join(path.relative_to(folder.root).as_posix() for path in folder.paths)
    return hashlib.sha256(f"{folder.size}\n{listing}".encode()).hexdigest()


def _digest_of(pictures, lengths):
    """A fingerprint of a list: how many pictures each entry holds, and the pixels of some."""
    found = hashlib.sha256(repr(lengths).encode())
    for item in pictures[:: -(-len(pictures) // 64)]:
        item = _bare(item)
        if isinstance(item, (str, Path)):
            found.update(str(item).encode())
            continue
        images = _tensor(item)
        found.update(repr(tuple(images.shape)).encode())
        found.update(images[:: -(-len(images) // 64)].detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()
