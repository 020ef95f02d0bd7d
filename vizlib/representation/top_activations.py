"""Which patches of a collection does each unit answer to most?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from ..batching import Progress, whole
from ..deprecation import renamed
from ..errors import VizlibError
from ..layers import record
from ..layers.receptive import ReceptiveField
from ..sweep.loops import run
from ..sweep.reducers import TopActivations
from ..sweep.streams import Collection, collection

if TYPE_CHECKING:
    from ..models import Network


@dataclass(frozen=True)
class TopPatches:
    """Top activations: what every unit of a layer answers to most. Row k belongs to channel k; all on the
    CPU.

    values (K, top): the activation, highest first. picture (K, top): the picture's number. at (K, top, 2):
        row and column in its map. seen: how many pictures were looked at.
    images: the collection they were found in; images[number] is a picture again, (1, 3, H, W).
    field: the layer's receptive field. grey (1, 3, 1, 1): the colour that the network sees as zero.

        >>> found = vz.top_patches(vz.load("scenenet"), vz.collages(5).images, "conv3", top=3)
        >>> found.patches(0).shape, found.values.shape
        (torch.Size([3, 3, 35, 35]), torch.Size([128, 3]))
    """

    layer: str
    values: torch.Tensor
    picture: torch.Tensor
    at: torch.Tensor
    images: Collection
    field: ReceptiveField
    grey: torch.Tensor
    seen: int = 0
    longest: int = 0

    def patches(self, channel: int, side: int | None = None, of: Sequence | None = None) -> torch.Tensor:
        """The patches that made this channel answer, (top, 3, s, s): its receptive field, or `side` pixels
        around the field's centre. The few pictures that it takes are read again. Of a unit that sees
        everything, the whole pictures.

        What lies outside of the picture is the colour that the network sees as zero.
        of: maps of these pictures (C, H, W), strongest first, to cut the same places out of; outside they
            are 0.
        Raises VizlibError for a channel that is not there, for a `side` where units see everything, and
            pictures that cannot be read again.
        """
        numbers = self._row(channel).tolist()
        if side is not None and math.inf in self.field.size:
            raise VizlibError(
                f"The units of {self.layer!r} see the whole picture, so there is no centre to cut {side!r} "
                "pixels around. Leave side out, or choose an earlier layer."
            )
        sides = [int(min(size, self.longest) if side is None else side) for size in self.field.size]
        if of is None:
            pictures, fill = [self.images[i].cpu() for i in numbers], self.grey
        else:
            pictures, fill = [x[None].cpu() for x in of], torch.zeros(())
        return torch.cat(
            [self._cut(x, self.at[channel, i].tolist(), sides, fill) for i, x in enumerate(pictures)]
        )

    def paths(self, channel: int) -> list[Path]:
        """The files of this channel's pictures, strongest first, where they came from a folder."""
        if self.images.paths is None:
            raise VizlibError("These pictures are no files; .picture holds their numbers.")
        return [self.images.paths[i] for i in self._row(channel).tolist()]

    def _row(self, channel):
        channel = whole(channel, f"A channel of {self.layer!r} is a number", least=0)
        if channel >= len(self.values):
            raise VizlibError(
                f"Layer {self.layer!r} has the channels 0 to {len(self.values) - 1}; {channel} is not among "
                "them."
            )
        return self.picture[channel]

    def _cut(self, image, at, sides, fill):
        first = [
            # half a pixel always to one side; who sees everything sees it from the picture's corner on
            0 if size == math.inf else math.floor(start + place * stride + (size - side) / 2 + 0.5)
            for start, place, stride, size, side in zip(
                self.field.start, at, self.field.stride, self.field.size, sides, strict=True
            )
        ]
        before = [max(0, -f) for f in first]
        after = [max(0, f + s - n) for f, s, n in zip(first, sides, image.shape[-2:], strict=True)]
        padded = F.pad(image - fill, (before[1], after[1], before[0], after[0])) + fill
        rows, columns = (slice(f + b, f + b + s) for f, b, s in zip(first, before, sides, strict=True))
        return padded[..., rows, columns]


@renamed(images="pictures", layer="layers")
def top_patches(
    net: Network,
    pictures: Any,
    layers: str | Sequence[str],
    *,
    top: int = 9,
    batch_size: int = 16,
    progress: Progress | None = None,
    client: Any = None,
    checkpoint: Any = None,
) -> TopPatches | dict[str, TopPatches]:
    """Top activations, or dataset examples: for every channel of the layers the `top` pictures that it
    answers to most, each with the place of its maximum. One pass over the pictures, however many layers.

    Each picture counts once, with its strongest position, so that one picture cannot fill the whole row. Of
    equal answers the earlier picture comes first.
    pictures: `vz.folder(...)`, a tensor (N, 3, H, W), a list of (1, 3, H, W), or another iterable, in [0, 1];
        sizes may differ: a convolutional layer runs over a picture of any size. Only numbers are kept, not
        pictures.
    layers: a name, which gives one TopPatches, or a list of names, which gives a dict of them.
    batch_size: pictures at a time; 16 of 224 pixels take lite0 some 300 MB.
    progress, client, checkpoint: as in `vz.sweep.run`; when it is stopped, the pictures not yet seen are left
        out.
    Raises VizlibError for a layer without positions or pictures that cannot be used.
    Zeiler & Fergus 2014, section 4 (the top 9 of each feature map); Girshick et al. 2014, section 3.1.

    >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
    >>> vz.top_patches(net, [photo, photo.flip(3)], "conv3", top=2).patches(0).shape
    torch.Size([2, 3, 45, 45])
    """
    several, pictures = isinstance(layers, (list, tuple)), collection(pictures)
    asked: list[Any] = list(layers) if several else [layers]
    top = whole(top, "top is a number of pictures per channel")
    infos = {name: net.layer(name) for name in asked}
    for name, info in infos.items():
        if not info.spatial:
            raise VizlibError(
                f"Layer {name!r} has no grid of positions; choose one of those that have in net.layers."
            )
    if not infos:
        raise VizlibError("layers is a layer's name or a list of some; this list is empty.")
    names = [info.name for info in infos.values()]
    found = run(
        pictures,
        _Activations(net, names),
        TopActivations(top),
        batch_size=batch_size,
        progress=progress,
        client=client,
        checkpoint=checkpoint,
        belongs={"question": "top patches", "network": net, "layers": ", ".join(names), "top": top},
    )
    every = {
        name: TopPatches(
            name,
            found.values[info.name],
            found.picture[info.name],
            found.at[info.name],
            pictures,
            info.receptive_field,
            net.neutral.cpu(),
            found.seen,
            found.longest,
        )
        for name, info in infos.items()
    }
    return every if several else every[asked[0]]


@dataclass(frozen=True)
class _Activations:
    """What TopActivations takes, of one batch."""

    net: Network
    layers: list

    def __call__(self, numbers, images):
        return numbers, record(self.net, images, self.layers), max(images.shape[-2:])
