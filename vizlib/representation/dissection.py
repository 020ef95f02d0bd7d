"""Which units detect which object?  Their strongest pixels, laid over the exact masks of a collection of
scenes.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..batching import batches
from ..errors import VizlibError
from ..images import check_images
from ..layers import record
from ..table import Table


@dataclass(frozen=True)
class Detectors:
    """How well each unit of a layer outlines each object. Row k belongs to unit k, column c to objects[c].

    iou (K, C): intersection over union of the unit's strongest pixels with the object's, over all pictures.
        threshold (K,): what is strong.
    peak (K, N): the highest activation in each picture. has (N, C): which picture shows which object.
    pixels: (unit, picture, pixel), three LongTensors that list the strong pixels of all units. owners (N, h *
        w): the object at each pixel.
    """

    layer: str
    objects: list
    iou: torch.Tensor
    threshold: torch.Tensor
    peak: torch.Tensor
    has: torch.Tensor
    pixels: tuple
    owners: torch.Tensor
    grid: tuple

    @property
    def best(self):
        """For each unit its highest IoU and the object it is with: values (K,), indices into `objects`
        (K,).
        """
        return self.iou.max(1)

    def count(self, least=0.1):
        """How many units outline one object with an IoU above `least`."""
        return int((self.best.values > least).sum())

    def table(self, least=0.0, top=9):
        """The units whose best IoU is above `least`, best first: a Table with unit, object, IoU, and in how
            many of the unit's `top`
        pictures the object is (precision), beside how many of all pictures it is in (chance)."""
        rows = Table()
        for k in self.best.values.argsort(descending=True, stable=True).tolist():
            value, c = float(self.best.values[k]), int(self.best.indices[k])
            if value > least:
                precision = float(
                    self.has[self.peak[k].topk(min(top, len(self.has))).indices, c].float().mean()
                )
                chance = float(self.has[:, c].float().mean())
                rows.append(
                    {
                        "unit": k,
                        "object": self.objects[c],
                        "IoU": value,
                        "precision": precision,
                        "chance": chance,
                    }
                )
        return rows

    def mask(self, k, picture):
        """The strong pixels of unit k in one picture: (1, 1, h, w), 1 or 0."""
        unit, where, pixel = self.pixels
        plane = torch.zeros(self.grid[0] * self.grid[1])
        plane[pixel[(unit == k) & (where == picture)]] = 1
        return plane.view(1, 1, *self.grid)

    def shuffled(self, seed=0):
        """The IoUs (K, C) when every picture gets the masks of another one: what chance gives with the same
        units and the same masks.
        """
        order = torch.randperm(len(self.owners), generator=torch.Generator().manual_seed(seed))
        return _overlap(self.pixels, self.owners[order], len(self.iou), len(self.objects))


def detectors(net, scenes, layer, *, top=0.005, mix=None, batch_size=50, progress=None):
    """IoU(k, c) = |M_k and L_c| / |M_k or L_c|, M_k: the pixels where unit k is among its `top` share of all,
    L_c: those of object c.

    scenes: what `vz.collages` returns: pictures (N, 3, H, W), and for each pixel the object it shows. layer:
        one with a grid of positions;
    its maps (N, K, h, w) give the threshold, T_k with P(a_k > T_k) = top, and are enlarged bilinearly to the
        pictures' size before they
    are compared with it. A unit that never rises above T_k, a dead one for instance, has no strong pixels and
        IoU 0.
    mix: (J, K), judges the J mixtures mix @ a of the channels instead, for other bases of the same space.
    progress: a function (done, total) -> bool; when it returns False, the pictures not yet seen are left out.
    Returns Detectors. Raises VizlibError for layers without positions, and shares outside (0, 1).
    The question is that of Zhou et al. 2015, "Object Detectors Emerge in Deep Scene CNNs", section 4; this
        measure is that of Bau et al.
    2017, "Network Dissection", section 2.
    """
    images = check_images(scenes.images)
    if not net.layer(layer).spatial:
        raise VizlibError(
            f"Layer {layer!r} has no grid of positions; choose one of those that have in net.layers."
        )
    if not 0 < top < 1:
        raise VizlibError(
            f"top is the share of pixels that count as strong, between 0 and 1; this is {top!r}."
        )
    maps = [_maps(net, images[i], layer, mix) for i in batches(len(images), batch_size, progress)]
    maps = torch.cat(maps)
    threshold = _quantile(maps.transpose(0, 1).flatten(1), 1 - top)
    objects, owners = global_owners(scenes, len(maps))
    pixels = _strong(maps, threshold, images.shape[-2:])
    iou = _overlap(pixels, owners, maps.shape[1], len(objects))
    has = torch.stack([(owners == c).any(1) for c in range(len(objects))], 1)
    peak = maps.amax((2, 3)).T.contiguous()
    return Detectors(layer, objects, iou, threshold, peak, has, pixels, owners, tuple(images.shape[-2:]))


def _maps(net, images, layer, mix):
    maps = record(net, images, layer)[layer]
    return maps if mix is None else torch.einsum("jk,nkhw->njhw", mix, maps)


def _quantile(values, share):
    """Of each row the value that `share` of them do not exceed. (torch.quantile takes 16 million numbers at
    most.)
    """
    return values.kthvalue(min(values.shape[1], max(1, round(share * values.shape[1]))), dim=1).values


def _strong(maps, threshold, size):
    """(unit, picture, pixel) of every pixel above its unit's threshold, in maps enlarged to `size`."""
    found = []
    for n, a in enumerate(maps):
        rises = (a.amax((1, 2)) > threshold).nonzero()[:, 0]  # enlarging makes nothing higher
        if not len(rises):
            continue
        large = F.interpolate(a[None, rises], size, mode="bilinear")[0].flatten(1)
        unit, pixel = (large > threshold[rises, None]).nonzero(as_tuple=True)
        found.append(torch.stack([rises[unit], torch.full_like(unit, n), pixel]))
    return tuple(torch.cat(found, 1)) if found else (torch.zeros(0, dtype=torch.long),) * 3


def global_owners(scenes, count=None):
    """The names of all objects of some collages, in alphabetical order, and for each pixel which it shows:
    (N, H * W), -1 for none.
    """
    objects = sorted({name for names in scenes.names for name in names})
    place = {name: c for c, name in enumerate(objects)}
    rows = []
    for owner, names in list(zip(scenes.owners, scenes.names, strict=True))[:count]:
        key = torch.tensor([*(place[name] for name in names), -1])  # owner -1 takes the last
        rows.append(key[owner.flatten()])
    return objects, torch.stack(rows)


def _overlap(pixels, owners, units, objects):
    """The IoU (K, C) of strong pixels with objects."""
    unit, picture, pixel = pixels
    owner = owners[picture, pixel]
    both = torch.bincount(unit[owner >= 0] * objects + owner[owner >= 0], minlength=units * objects).view(
        units, objects
    )
    strong = torch.bincount(unit, minlength=units)
    area = torch.bincount(owners[owners >= 0], minlength=objects)
    return both / (strong[:, None] + area - both).clamp(min=1)
