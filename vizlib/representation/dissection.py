"""Which units detect which object?  Their strongest pixels, laid over the exact masks of many scenes."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F

from ..batching import Progress, whole
from ..deprecation import renamed
from ..errors import VizlibError
from ..layers import record
from ..sweep.histograms import Histogram
from ..sweep.loops import run
from ..sweep.reducers import TopActivations, nothing
from ..table import Table
from .scenes import Scenes, scenes_of

if TYPE_CHECKING:
    from ..models import Network

FITS = 64_000_000  # so many activations are kept; beyond, a histogram of them
EVIDENCE = 16_000_000  # so many strong pixels and masks' pixels are kept; beyond, only what is counted
BEST = 100  # so many pictures of each unit are remembered in any case


class Evidence(NamedTuple):
    """What the counts were made of, where it was little enough to keep.

    peak (K, N): the highest activation in each picture. pixels: (unit, picture, pixel), three LongTensors
    that list the strong pixels of all units. owners (N, h * w): the object at each pixel, -1 for none.
    """

    peak: torch.Tensor
    pixels: tuple
    owners: torch.Tensor


@dataclass(frozen=True)
class Dissection:
    """How well each unit of a layer outlines each object. Row k belongs to unit k, column c to objects[c].

    iou (K, C): intersection over union of the unit's strongest pixels with the object's, over all pictures.
    threshold (K,): what is strong. exact: whether it is exact; otherwise it is at most 0.05 % of the unit's
        range too low.
    has (N, C): which picture shows which object. best_pictures (K, up to 100): where each unit is highest.
    grid: the sides of the masks. evidence: what it was counted from, or None where there was too much of it.

        >>> found = vz.dissect(vz.load("scenenet"), vz.collages(8), "relu5")
        >>> values, which = found.best
        >>> values.shape
        torch.Size([192])
    """

    layer: str
    objects: list
    iou: torch.Tensor
    threshold: torch.Tensor
    has: torch.Tensor
    best_pictures: torch.Tensor
    grid: tuple
    exact: bool
    evidence: Evidence | None

    @property
    def best(self) -> Any:
        """For each unit its highest IoU and the object it is with: values (K,), indices into `objects`
        (K,).
        """
        return self.iou.max(1)

    @property
    def peak(self) -> torch.Tensor:
        """(K, N): the highest activation of each unit in each picture."""
        return self._kept().peak

    @property
    def pixels(self) -> tuple:
        """(unit, picture, pixel): three LongTensors that list the strong pixels of all units."""
        return self._kept().pixels

    @property
    def owners(self) -> torch.Tensor:
        """(N, h * w): the object at each pixel, -1 for none."""
        return self._kept().owners

    def count(self, least: float = 0.1) -> int:
        """How many units outline one object with an IoU above `least`."""
        return int((self.best.values > least).sum())

    def table(self, least: float = 0.0, top: int = 9) -> Table:
        """The units whose best IoU is above `least`, best first: a Table with unit, object, IoU, and in how
        many of the unit's `top` pictures the object is (precision), beside how many of all pictures it is in
        (chance). top: 100 at most.
        """
        top = min(whole(top, "top is a number of pictures"), BEST)
        rows = Table()
        for k in self.best.values.argsort(descending=True, stable=True).tolist():
            value, c = float(self.best.values[k]), int(self.best.indices[k])
            if value > least:
                rows.append(
                    {
                        "unit": k,
                        "object": self.objects[c],
                        "IoU": value,
                        "precision": float(self.has[self.best_pictures[k, :top], c].float().mean()),
                        "chance": float(self.has[:, c].float().mean()),
                    }
                )
        return rows

    def mask(self, k: int, picture: int) -> torch.Tensor:
        """The strong pixels of unit k in one picture: (1, 1, h, w), 1 or 0."""
        unit, where, pixel = self.pixels
        plane = pixel.new_zeros(self.grid[0] * self.grid[1], dtype=torch.float32)
        plane[pixel[(unit == k) & (where == picture)]] = 1
        return plane.view(1, 1, *self.grid)

    def shuffled(self, seed: int = 0) -> torch.Tensor:
        """The IoUs (K, C) when every picture gets the masks of another one: what chance gives with the same
        units and the same masks.
        """
        order = torch.randperm(len(self.owners), generator=torch.Generator().manual_seed(seed))
        both, strong, area = overlaps(self.pixels, self.owners[order], *self.iou.shape)
        return both / (strong[:, None] + area - both).clamp(min=1)

    def _kept(self):
        if self.evidence is None:
            raise VizlibError(
                f"With {len(self.has)} pictures there were too many strong pixels to keep them; only what "
                "was counted is here. Dissect some of the pictures to look at single ones."
            )
        return self.evidence


@renamed(chunk="batch_size")
def dissect(
    net: Network,
    scenes: Any,
    layer: str,
    *,
    top: float = 0.005,
    mix: torch.Tensor | None = None,
    batch_size: int = 32,
    progress: Progress | None = None,
    client: Any = None,
    checkpoint: Any = None,
) -> Dissection:
    """Network dissection: which units of a layer detect which object, by the overlap of masks.

        IoU(k, c) = |M_k and L_c| / |M_k or L_c|

    M_k: the pixels where unit k is among its `top` share of all; L_c: those of object c. The maps (N, K, h,
    w) give the threshold, T_k with P(a_k > T_k) = top, and are enlarged bilinearly to the pictures' size
    before they are compared with it. A unit that never rises above T_k, a dead one for instance, has IoU 0.

    scenes: what `vz.collages` returns: pictures, and for each pixel the object it shows; or many of these: a
        list, or a function without arguments that returns an iterator (it is called again for a second pass).
    layer: one with a grid of positions.
    mix: (J, K), judges the J mixtures mix @ a of the channels instead, for other bases of the same space.
    progress, client, checkpoint: as in `vz.sweep.run`; when it is stopped, the pictures not yet seen are left
        out. A second pass keeps its state beside the first's, in a file that ends in ".overlaps".

    Up to 64 million activations are kept and give the exact threshold in one pass. Of more, a histogram of
    4096 bins is kept, which makes T_k at most 0.05 % of the unit's range too low, and a second pass counts
    pixels. Raises VizlibError for layers without positions, shares outside (0, 1), and scenes without
    objects. The question is that of Zhou et al. 2015, "Object Detectors Emerge in Deep Scene CNNs", section
    4; this measure is that of Bau et al. 2017, "Network Dissection", section 2.

    >>> found = vz.dissect(vz.load("scenenet"), vz.collages(8), "relu5")
    >>> found.iou.shape == (192, len(found.objects))
    True
    """
    if not net.layer(layer).spatial:
        raise VizlibError(
            f"Layer {layer!r} has no grid of positions; choose one of those that have in net.layers."
        )
    if not 0 < top < 1:
        raise VizlibError(
            f"top is the share of pixels that count as strong, between 0 and 1; this is {top!r}."
        )
    scenes, maps = scenes_of(scenes), Maps(net, layer, mix)
    numbers = maps(scenes[0]).numel() * scenes.total if scenes.total is not None else None
    two = numbers is None or numbers > FITS
    ask: dict = {"batch_size": batch_size, "client": client}
    belongs = {"question": "dissection", "network": net, "layer": layer, "top": float(top)}
    if mix is not None:
        belongs["mix"] = mix.tolist()
    first = run(
        scenes,
        _MapsOf(maps),
        Thresholds(FITS),
        progress=_pass(progress, 0, two),
        checkpoint=checkpoint,
        belongs=belongs,
        **ask,
    )
    if not first.objects:
        raise VizlibError(
            "These scenes show no objects, so there is nothing to detect. Make them with objects: "
            "vz.collages(..., show='all')."
        )
    threshold = first.quantile(1 - float(top))
    known = scenes.until(first.seen)
    if first.maps:
        ask, second = {"batch_size": batch_size}, _Strong(torch.cat(first.maps), threshold)
    else:
        second = _Strong(maps, threshold)
        ask |= {"progress": _pass(progress, first.seen, True), "belongs": belongs}
        ask["checkpoint"] = None if checkpoint is None else f"{checkpoint}.overlaps"
    return run(known, second, Overlaps(EVIDENCE), **ask).result(layer, threshold, bool(first.maps))


def _pass(progress, before, two):
    """The progress of one of two passes, or of one."""
    if progress is None:
        return None
    return lambda done, total, preview: progress(
        before + done, None if total is None else total * (2 if two else 1), preview
    )


@dataclass(frozen=True)
class Maps:
    """The maps of a layer, or mixtures of them: scenes -> (n, K, h, w)."""

    net: Network
    layer: str
    mix: torch.Tensor | None

    def __call__(self, scenes):
        maps = record(self.net, scenes.images, self.layer)[self.layer]
        return maps if self.mix is None else torch.einsum("jk,nkhw->njhw", self.mix.to(maps), maps)


@dataclass(frozen=True)
class _MapsOf:
    """What Thresholds takes, of one batch."""

    maps: Maps

    def __call__(self, numbers, scenes):
        return self.maps(scenes), bool((scenes.owners >= 0).any())


@dataclass
class Thresholds:
    """A reducer: the maps themselves while they are few, a histogram of each unit when they are many.

    fits: so many activations are kept. objects: is there any? seen: how many scenes there were.
    """

    fits: int
    maps: list = field(default_factory=list)
    histogram: Histogram = field(default_factory=Histogram)
    objects: bool = False
    seen: int = 0

    def update(self, maps: torch.Tensor, objects: bool) -> None:
        self.merge(Thresholds(self.fits, [maps.cpu()], Histogram(), objects, len(maps)))

    def merge(self, other: Thresholds) -> None:
        maps = [*self.maps, *other.maps]
        histogram = copy.copy(self.histogram)
        histogram.merge(other.histogram)
        if histogram.count or sum(m.numel() for m in maps) > self.fits:
            for m in maps:
                histogram.update(m.transpose(0, 1).flatten(1))
            maps = []
        self.maps, self.histogram = maps, histogram
        self.objects, self.seen = self.objects or other.objects, self.seen + other.seen

    def result(self) -> Thresholds:
        return self

    def quantile(self, share: float) -> torch.Tensor:
        """Of each unit the value that `share` of them do not exceed: (K,)."""
        if not self.maps:
            return self.histogram.quantile(share)
        values = torch.cat([m.transpose(0, 1).flatten(1) for m in self.maps], 1)
        nth = min(values.shape[1], max(1, round(share * values.shape[1])))
        return values.kthvalue(nth, dim=1).values  # torch.quantile takes 16 million numbers at most


@dataclass(frozen=True)
class _Strong:
    """What Overlaps takes, of one batch: the maps are those kept, (N, K, h, w), or made anew by `Maps`."""

    maps: Any
    threshold: torch.Tensor

    def __call__(self, numbers, scenes):
        maps = self.maps[numbers] if isinstance(self.maps, torch.Tensor) else self.maps(scenes)
        pixels = strong_pixels(maps, self.threshold.to(maps.device), scenes.owners.shape[1:])
        return numbers, pixels, maps.amax((2, 3)).cpu(), scenes


@dataclass
class Overlaps:
    """A reducer: how many strong pixels each unit has, and how many of them lie on each object.

    fits: so many strong pixels are kept one by one. strong (K,). both {object: (K,)}. area {object: pixels}.
    shows: for each scene the objects that can be seen. best: the pictures where each unit is highest.
    """

    fits: int
    strong: torch.Tensor = field(default_factory=nothing)
    both: dict = field(default_factory=dict)
    area: dict = field(default_factory=dict)
    shows: list = field(default_factory=list)
    best: TopActivations = field(default_factory=lambda: TopActivations(BEST))
    grid: tuple = ()
    evidence: list | None = field(default_factory=list)

    def update(self, numbers: torch.Tensor, pixels: tuple, peak: torch.Tensor, scenes: Scenes) -> None:
        """numbers (n,) of the scenes. pixels: as from `strong_pixels`. peak (n, K)."""
        objects, owners = global_owners(scenes)
        both, strong, area = overlaps(pixels, owners, peak.shape[1], len(objects))
        shown = [owner.unique().tolist() for owner in owners]
        best = TopActivations(BEST)
        best.update(numbers, {"unit": peak[:, :, None, None]}, 0)
        small = [index.to(torch.int32) for index in pixels]
        batch = (*small, peak, owners.to(torch.int16), objects)
        self.merge(
            Overlaps(
                self.fits,
                strong,
                dict(zip(objects, both.unbind(1), strict=True)),
                dict(zip(objects, area.tolist(), strict=True)),
                [[objects[c] for c in row if c >= 0] for row in shown],
                best,
                tuple(scenes.owners.shape[1:]),
                [batch],
            )
        )

    def merge(self, other: Overlaps) -> None:
        if not other.shows:
            return
        best = copy.copy(self.best)
        best.merge(other.best)
        self.both = {
            name: sum(b[name] for b in (self.both, other.both) if name in b)
            for name in self.both | other.both
        }
        self.strong = self.strong + other.strong if self.shows else other.strong
        self.area = dict(Counter(self.area) + Counter(other.area)) | {
            name: 0 for name in self.both if not self.area.get(name, 0) + other.area.get(name, 0)
        }
        self.shows, self.best, self.grid = [*self.shows, *other.shows], best, other.grid
        if self.evidence is not None and other.evidence is not None:
            evidence = [*self.evidence, *other.evidence]
            few = sum(len(e[0]) + e[3].numel() + e[4].numel() for e in evidence) <= self.fits
            self.evidence = evidence if few else None
        else:
            self.evidence = None

    def result(self, layer: str, threshold: torch.Tensor, exact: bool) -> Dissection:  # on the CPU
        objects = sorted(self.both)
        both = torch.stack([self.both[name] for name in objects], 1)
        area = torch.tensor([self.area[name] for name in objects])
        iou = both / (self.strong[:, None] + area - both).clamp(min=1)
        has = torch.tensor([[name in shown for name in objects] for shown in map(set, self.shows)])
        best = self.best.picture["unit"]
        return Dissection(
            layer, objects, iou, threshold.cpu(), has, best, self.grid, exact, self._evidence(objects)
        )

    def _evidence(self, objects):  # on the CPU
        if self.evidence is None:
            return None
        place, start, pixels, owners = {name: c for c, name in enumerate(objects)}, 0, [], []
        for unit, picture, pixel, _, owner, names in self.evidence:
            pixels.append(torch.stack([unit.long(), picture.long() + start, pixel.long()]))
            key = torch.tensor([*(place[name] for name in names), -1])  # owner -1 takes the last
            owners.append(key[owner.long()])
            start += len(owner)
        peak = torch.cat([e[3] for e in self.evidence]).T.contiguous()
        return Evidence(peak, tuple(torch.cat(pixels, 1)), torch.cat(owners))


def strong_pixels(maps, threshold, size):
    """(unit, picture, pixel) of every pixel above its unit's threshold, in maps (n, K, h, w) enlarged to
    `size`.
    """
    found = []
    for n, a in enumerate(maps):
        rises = (a.amax((1, 2)) > threshold).nonzero()[:, 0]  # enlarging makes nothing higher
        if not len(rises):
            continue
        large = F.interpolate(a[None, rises], size, mode="bilinear")[0].flatten(1)
        unit, pixel = (large > threshold[rises, None]).nonzero(as_tuple=True)
        found.append(torch.stack([rises[unit], torch.full_like(unit, n), pixel]).cpu())
    none = torch.zeros(3, 0, dtype=torch.long)  # on the CPU
    return tuple(torch.cat([none, *found], 1))


def global_owners(scenes):  # on the CPU
    """The names of all objects of some scenes, in alphabetical order, and for each pixel which it shows:
    (N, h * w), -1 for none.
    """
    objects = sorted({name for names in scenes.names for name in names})
    place = {name: c for c, name in enumerate(objects)}
    rows = []
    for owner, names in zip(scenes.owners, scenes.names, strict=True):
        key = torch.tensor([*(place[name] for name in names), -1])  # owner -1 takes the last
        rows.append(key[owner.flatten().long()])
    return objects, torch.stack(rows)


def overlaps(pixels, owners, units, objects):
    """How many strong pixels lie on each object (K, C), how many there are (K,), and the objects' areas
    (C,).
    """
    unit, picture, pixel = pixels
    owner = owners[picture, pixel]
    inside = owner >= 0
    both = torch.bincount(unit[inside] * objects + owner[inside], minlength=units * objects)
    area = torch.bincount(owners[owners >= 0], minlength=objects)
    return both.view(units, objects), torch.bincount(unit, minlength=units), area
