"""How much of its receptive field does a unit use?  Cover small squares of the pictures that it likes most,
and see how its answer changes.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from ..batching import Progress, batches, whole
from ..deprecation import renamed
from ..errors import VizlibError
from ..layers import ReceptiveField, record, unit

if TYPE_CHECKING:
    from ..models.network import Network

Pair = tuple[int, int]


@dataclass(frozen=True)
class EmpiricalField:
    """What `empirical_receptive_field` found.

    map: (1, 1, h, w), how much the unit's answer changes, on average, with a small square around each place
        of its field covered.
    size: the rows and columns, in pixels, of the field that could matter.
    stride: pixels from one value of the map to the next.
    pictures: which were used, and places: where in them the unit looked.
    """

    map: torch.Tensor
    size: Pair
    stride: int
    pictures: list[int]
    places: list[Pair]

    @property
    def theoretical(self) -> int | Pair:
        """The side of the field that could matter, in pixels; (rows, columns) if it is no square."""
        return self.size[0] if self.size[0] == self.size[1] else self.size

    def side(self, threshold: float = 0.2) -> float:
        """The side, in pixels, of a square of the area where the map is above `threshold` times its
        maximum.
        """
        return self.stride * int((self.map > threshold * self.map.max()).sum()) ** 0.5


@renamed(chunk="batch_size")
def empirical_receptive_field(
    net: Network,
    images: torch.Tensor,
    target: unit,
    *,
    top: int = 10,
    patch: int = 11,
    stride: int = 3,
    seed: int = 0,
    batch_size: int = 64,
    progress: Progress | None = None,
) -> EmpiricalField:
    """The empirical receptive field of a unit, the part of its theoretical one that it uses.

    For each of the `top` pictures that excite the unit most: D_p = |a(x) - a(x with random pixels in the
    square around p)| for squares of `patch` pixels on a grid of `stride` over the field, p counted from the
    field's corner, so that the maps of all pictures lie on each other and can be averaged. `side` of the
    result cuts the mean at a share of its maximum.

    images: (N, 3, H, W) in [0, 1].
    target: vz.unit(layer, channel). The place is that of its maximum among those whose field lies in the
        picture. Where that gives the same answer, only the piece of picture that the unit sees goes through
        the network.
    seed: of the random pixels. batch_size: pictures per pass.
    progress: a function (done, total, preview) -> bool, called after each picture; when it returns False, the
        pictures not yet done are left out.

    Returns an EmpiricalField. Raises VizlibError for targets that are no unit with a place, fields that fit
    into no picture, and units that answer to none. Zhou et al. 2015, "Object Detectors Emerge in Deep Scene
    CNNs", section 3.2 (11 x 11 pixels, stride 3, at 227 x 227).

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.empirical_receptive_field(net, photo, vz.unit("conv2", 5), top=1, patch=3).theoretical
        25
    """
    images = net.check(images)
    top, patch = whole(top, "top is a number of pictures"), whole(patch, "patch is a number of pixels")
    stride = whole(stride, "stride is a number of pixels")
    if not isinstance(target, unit) or target.at is not None or not net.layer(target.layer).spatial:
        raise VizlibError(
            "An empirical field belongs to vz.unit(layer, channel) of a layer with positions; this is "
            f"{target!r}."
        )
    field = net.layer(target.layer).receptive_field
    pictures, places = _favourites(net, images, target, field, top)
    size = (int(field.size[0]), int(field.size[1]))
    maps = []
    for piece in batches(len(pictures), 1, progress):
        one = _Look(net, images[pictures[piece]], target, field, places[piece])
        generator = torch.Generator().manual_seed(operator.index(seed) + int(piece))
        maps.append(one.discrepancy(size, patch, stride, generator, batch_size))
    done = len(maps)
    return EmpiricalField(torch.stack(maps).mean(0)[None, None], size, stride, pictures[:done], places[:done])


def _favourites(
    net: Network, images: torch.Tensor, target: unit, field: ReceptiveField, top: int
) -> tuple[list[int], list[Pair]]:
    """The pictures with the highest answers at places whose field lies inside, and these places."""
    maps = torch.cat([record(net, x, target.layer)[target.layer] for x in images.split(50)])
    target.read(maps[:1])  # says what is wrong with a channel that is not there
    maps = maps[:, target.channel].cpu()
    rows, columns = (
        torch.tensor(
            [start + i * step >= 0 and start + i * step + size <= n for i in range(cells)], device="cpu"
        )
        for start, step, size, n, cells in zip(
            field.start, field.stride, field.size, images.shape[-2:], maps.shape[1:], strict=True
        )
    )
    if not (rows.any() and columns.any()):
        raise VizlibError(
            f"A field of {field} pixels fits into no picture of {tuple(images.shape[-2:])}; choose a layer "
            "with a smaller one."
        )
    values, flat = maps.masked_fill(~(rows[:, None] & columns), -torch.inf).flatten(1).max(1)
    if values.max() <= 0:
        raise VizlibError(
            f"The unit {target.channel} of {target.layer!r} answers to none of these pictures: its highest "
            f"value is {values.max():.3g}."
        )
    order = [i for i in values.argsort(descending=True, stable=True)[:top].tolist() if values[i] > 0]
    return order, [divmod(int(flat[i]), len(columns)) for i in order]


class _Look:
    """A unit that looks at one place of a picture: at the piece of it that it sees, or at all of it, if the
    piece alone may give another answer, as it does behind a code of positions.
    """

    def __init__(
        self, net: Network, image: torch.Tensor, target: unit, field: ReceptiveField, place: Pair
    ) -> None:
        self.net = net
        self.window, self.corner, at = _window(image, place, field)
        self.reader = unit(target.layer, target.channel, at)
        self.answer = self._read(image[None], replace(self.reader, at=place))
        if field.local and self._is_enough():
            self.answer = self._read(self.window, self.reader)  # to the last digit that of a piece
        else:
            self.window, self.reader = image[None], replace(self.reader, at=place)
            self.corner = [round(s + i * j) for s, i, j in zip(field.start, place, field.stride, strict=True)]

    def _read(self, pictures: torch.Tensor, reader: unit) -> torch.Tensor:
        return reader.read(record(self.net, pictures, reader.layer)[reader.layer])

    def _is_enough(self) -> bool:
        """Does the piece alone give the answer of the whole picture?"""
        try:
            return torch.allclose(self._read(self.window, self.reader), self.answer, rtol=1e-4, atol=1e-6)
        except VizlibError:  # the network does not look at pictures this small, or has no such place then
            return False

    def discrepancy(
        self, size: Pair, patch: int, stride: int, generator: torch.Generator, batch_size: int
    ) -> torch.Tensor:
        """|a(x) - a(covered)| for every centre on the grid: (h, w)."""
        rows, columns = (range(min(stride // 2, side - 1), side, stride) for side in size)
        centres = [(y, x) for y in rows for x in columns]
        change = self.answer.new_zeros(len(centres))
        for i in batches(len(centres), batch_size):
            covered = self.window.repeat(len(i), 1, 1, 1)
            for picture, k in zip(covered, i.tolist(), strict=True):
                spot = picture[:, *self._square(centres[k], patch)]
                spot.copy_(torch.rand(spot.shape, generator=generator))
            change[i] = (self.answer - self._read(covered, self.reader)).abs()
        return change.view(len(rows), len(columns))

    def _square(self, centre: Pair, patch: int) -> list[slice]:
        firsts = [c + p - patch // 2 for c, p in zip(self.corner, centre, strict=True)]
        return [slice(max(0, first), first + patch) for first in firsts]


def _window(
    image: torch.Tensor, place: Sequence[int], field: ReceptiveField
) -> tuple[torch.Tensor, list[int], Pair]:
    """The piece of picture around a unit's field, its sides on the layer's grid: (1, 3, h, w), in it the
    field's corner and the place.
    """
    first = [round(s + i * j) for s, i, j in zip(field.start, place, field.stride, strict=True)]
    begin = [f // j * j for f, j in zip(first, field.stride, strict=True)]
    end = [
        min(-(-(f + int(r)) // j) * j, n)
        for f, r, j, n in zip(first, field.size, field.stride, image.shape[-2:], strict=True)
    ]
    rows, columns = (slice(b, e) for b, e in zip(begin, end, strict=True))
    row, column = (i - b // j for i, b, j in zip(place, begin, field.stride, strict=True))
    return image[None, :, rows, columns], [f - b for f, b in zip(first, begin, strict=True)], (row, column)
