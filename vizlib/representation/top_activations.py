"""Which patches of a collection does each unit answer to most?"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..batching import batches
from ..errors import VizlibError
from ..layers import record


@dataclass(frozen=True)
class Strongest:
    """The strongest answers of every unit of a layer: values, picture and at, each (K, top, ...); row k
    belongs to channel k.

    values (K, top): the activation, highest first. picture (K, top): the index of the picture. at (K, top,
    2): row and column in its map.
    """

    layer: str
    values: torch.Tensor
    picture: torch.Tensor
    at: torch.Tensor
    images: list
    field: object
    grey: torch.Tensor

    def patches(self, channel, side=None, of=None):
        """The patches that made this channel answer, (top, 3, s, s): its receptive field, or `side` pixels
        around the field's centre.

        What lies outside of the picture is the colour that the network sees as zero. of: maps of these
            pictures (C, H, W), strongest
        first, to cut the same places out of; outside they are 0.
        """
        if not 0 <= channel < len(self.values):
            raise VizlibError(
                f"Layer {self.layer!r} has the channels 0 to {len(self.values) - 1}; {channel} is not among "
                "them."
            )
        longest = max(max(x.shape[-2:]) for x in self.images)
        sides = [int(min(size, longest) if side is None else side) for size in self.field.size]
        if of is None:
            pictures, fill = [self.images[i] for i in self.picture[channel].tolist()], self.grey
        else:
            pictures, fill = [x[None] for x in of], torch.zeros(1)
        return torch.cat(
            [self._cut(x, self.at[channel, i].tolist(), sides, fill) for i, x in enumerate(pictures)]
        )

    def _cut(self, image, at, sides, fill):
        first = [
            round(start + place * stride + (size - side) / 2)
            for start, place, stride, size, side in zip(
                self.field.start, at, self.field.stride, self.field.size, sides, strict=True
            )
        ]
        before = [max(0, -f) for f in first]
        after = [max(0, f + s - n) for f, s, n in zip(first, sides, image.shape[-2:], strict=True)]
        padded = F.pad(image - fill, (before[1], after[1], before[0], after[0])) + fill
        rows, columns = (slice(f + b, f + b + s) for f, b, s in zip(first, before, sides, strict=True))
        return padded[..., rows, columns]


def strongest(net, images, layer, *, top=9, progress=None):
    """For every channel of `layer` the `top` pictures that it answers to most, each with the place of its
    maximum. Returns `Strongest`.

    images: a list of (1, 3, H, W) in [0, 1]; sizes may differ: a convolutional layer runs over a picture of
        any size.
    Each picture counts once, with its strongest position, so that one picture cannot fill the whole row.
    progress: a function (done, total) -> bool; when it returns False, the pictures not yet seen are left out.
    Raises VizlibError for a layer without positions or pictures that cannot be used.
    Zeiler & Fergus 2014, section 4 (the top 9 of each feature map); Girshick et al. 2014, section 3.1.
    """
    images = list(images)
    if not images:
        raise VizlibError("strongest looks for patches in pictures, and the list is empty.")
    if not net.layer(layer).spatial:
        raise VizlibError(
            f"Layer {layer!r} has no grid of positions; choose one of those that have in net.layers."
        )
    values, places = [], []
    for i in batches(len(images), 1, progress):
        activation = record(net, images[int(i)], layer)[layer][0]
        value, flat = activation.flatten(1).max(1)
        values.append(value)
        places.append(torch.stack([flat // activation.shape[2], flat % activation.shape[2]], 1))
    values, picture = torch.stack(values, 1).sort(dim=1, descending=True, stable=True)
    values, picture = values[:, :top], picture[:, :top]
    at = torch.stack(places, 1).gather(1, picture[..., None].expand(-1, -1, 2))
    return Strongest(layer, values, picture, at, images, net.layer(layer).receptive_field, net.neutral)
