"""How much of its receptive field does a unit use?  Cover small squares of the pictures it likes most and see
how its answer changes.
"""

from dataclasses import dataclass

import torch

from ..batching import batches
from ..errors import VizlibError
from ..images import check_images
from ..layers import record, unit


@dataclass(frozen=True)
class EmpiricalField:
    """map (1, 1, h, w): how much the unit's answer changes, on average, with a small square around each place
    of its field covered.

    theoretical: the side of the field that could matter, in pixels. stride: pixels from one value of the map
        to the next. pictures: which
    were used, and places: where in them the unit looked.
    """

    map: torch.Tensor
    theoretical: int
    stride: int
    pictures: list
    places: list

    def side(self, threshold=0.2):
        """The side, in pixels, of a square of the area where the map is above `threshold` times its
        maximum.
        """
        return self.stride * int((self.map > threshold * self.map.max()).sum()) ** 0.5


def empirical_receptive_field(
    net, images, target, *, top=10, patch=11, stride=3, seed=0, batch_size=64, progress=None
):
    """The part of its receptive field that a unit uses: an EmpiricalField.

    For each of the `top` pictures that excite the unit most: D_p = |a(x) - a(x with random pixels in the
        square around p)| for squares of
    `patch` pixels on a grid of `stride` over the field, p counted from the field's corner, so that the maps
        of all pictures lie on each
    other and can be averaged. `side` of the result cuts the mean at a share of its maximum.
    images: (N, 3, H, W) in [0, 1]. target: vz.unit(layer, channel); the place is that of its maximum among
        those whose field lies inside
    the picture. Only the piece of picture that the unit sees goes through the network. progress: a function
        (done, total) -> bool, called
    after each picture; when it returns False, the pictures not yet done are left out.
    Raises VizlibError for targets that are no unit with a place, fields that fit into no picture, and units
        that answer to none.
    Zhou et al. 2015, "Object Detectors Emerge in Deep Scene CNNs", section 3.2 (11 x 11 pixels, stride 3, at
        227 x 227).
    """
    images = check_images(images)
    if not isinstance(target, unit) or target.at is not None or not net.layer(target.layer).spatial:
        raise VizlibError(
            "An empirical field belongs to vz.unit(layer, channel) of a layer with positions; this is "
            f"{target!r}."
        )
    field = net.layer(target.layer).receptive_field
    pictures, places = _favourites(net, images, target, field, top)
    total, done = 0, 0
    for piece in batches(len(pictures), 1, progress):
        generator = torch.Generator().manual_seed(seed + int(piece))
        window, corner, at = _window(images[pictures[piece]], places[piece], field)
        total, done = (
            total
            + _discrepancy(
                net, window, target, corner, at, int(field.size[0]), patch, stride, generator, batch_size
            ),
            done + 1,
        )
    places = [tuple(place) for place in places[:done]]
    return EmpiricalField((total / done)[None, None], int(field.size[0]), stride, pictures[:done], places)


def _favourites(net, images, target, field, top):
    """The pictures with the highest answers at places whose field lies inside, and these places: two
    lists.
    """
    maps = torch.cat([record(net, x, target.layer)[target.layer] for x in images.split(50)])
    target.read(maps[:1])  # says what is wrong with a channel that is not there
    maps = maps[:, target.channel]
    inside = [
        [start + i * stride >= 0 and start + i * stride + size <= n for i in range(cells)]
        for start, stride, size, n, cells in zip(
            field.start, field.stride, field.size, images.shape[-2:], maps.shape[1:], strict=True
        )
    ]
    rows, columns = (torch.tensor(side, device=maps.device) for side in inside)
    if not (rows.any() and columns.any()):
        raise VizlibError(
            f"A field of {field} pixels fits into no picture of {tuple(images.shape[-2:])}; choose a layer "
            "with a smaller one."
        )
    maps = maps.masked_fill(~(rows[:, None] & columns), -torch.inf).flatten(1)
    values, flat = maps.max(1)
    if values.max() <= 0:
        raise VizlibError(
            f"The unit {target.channel} of {target.layer!r} answers to none of these pictures: its highest "
            f"value is {values.max():.3g}."
        )
    order = values.argsort(descending=True, stable=True)[:top].tolist()
    order = [i for i in order if values[i] > 0]
    return order, [[int(flat[i]) // len(columns), int(flat[i]) % len(columns)] for i in order]


def _window(image, place, field):
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
    at = tuple(i - b // j for i, b, j in zip(place, begin, field.stride, strict=True))
    return image[None, :, rows, columns], [f - b for f, b in zip(first, begin, strict=True)], at


def _discrepancy(net, window, target, corner, at, side, patch, stride, generator, batch_size):
    """|a(x) - a(covered)| for every centre on the grid: (n, n)."""
    centres = range(stride // 2, side, stride)
    places = [(y, x) for y in centres for x in centres]
    reader = unit(target.layer, target.channel, at)
    whole = reader.read(record(net, window, target.layer)[target.layer])
    change = torch.zeros(len(places))
    for i in batches(len(places), batch_size):
        x = window.repeat(len(i), 1, 1, 1)
        for picture, k in zip(x, i.tolist(), strict=True):
            top, left = (max(0, c + p - patch // 2) for c, p in zip(corner, places[k], strict=True))
            bottom, right = (c + p - patch // 2 + patch for c, p in zip(corner, places[k], strict=True))
            spot = picture[:, top:bottom, left:right]
            spot.copy_(torch.rand(spot.shape, generator=generator))
        change[i] = (whole - reader.read(record(net, x, target.layer)[target.layer])).abs()
    return change.view(len(centres), len(centres))
