"""What a change of a few pixels changes in a network: only the units that can see them need to be computed
again.

A patch of 32 pixels on a picture of 224 touches a fiftieth of the picture and a twentieth of the first
layers' units, which are the costly ones. Going up layer by layer, `LocalChange` cuts a window around the
changed units out of the activations of the unchanged picture, puts the change into it, computes the next
layer on the window alone, and ends with a full pass through the layers above, where receptive fields have
grown so wide that everything has changed.

Up to rounding this is what a full pass gives, if two things hold of every layer at which a window is cut: its
units do the same everywhere in the picture (`ReceptiveField.local`), and all that the answer knows of the
picture has gone through it. Both are read off a traced pass of the first picture; then the result is
tried beside full passes on a few squares of noise. Where any of it does not hold, everything is computed
whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ..errors import VizlibError
from .boxes import (
    Box,
    Grid,
    cut_out,
    paste,
    shrunk,
    sides,
    units_looking_at,
    units_needed_for,
    windows_around,
)
from .receptive import PIXEL, FieldTracer, ReceptiveField
from .recording import substitute, tap

if TYPE_CHECKING:
    from ..models.network import Network

WORTH_IT = 0.75  # a layer whose units change by more than this share, per side, is computed whole
PROBES = 4  # squares of noise on which the short way is tried beside the full one
PIXELS = ""  # the name of what lies under all layers
CLOSE = 1e-3  # of the change there: what the two may differ by, beyond rounding


@dataclass(frozen=True)
class Level:
    """A layer at which windows are cut, or the pixels: what its units see, and their values (N, K, h, w) for
    the unchanged pictures.
    """

    name: str
    field: ReceptiveField
    clean: torch.Tensor

    @property
    def grid(self) -> Grid:
        return tuple(self.clean.shape[-2:])


class LocalChange:
    """The outputs of `layer` for copies of `images` in each of which one rectangle is painted over.

    net: a Network. images: (N, 3, H, W) on its device. layer: a name, or "logits". height, width: sides of
        the largest rectangle, in pixels. batch_size: pictures per pass. clean: what the unchanged pictures
        give.
    """

    def __init__(
        self, net: Network, images: torch.Tensor, layer: str, height: int, width: int, batch_size: int = 8
    ) -> None:
        self.net, self.images, self.layer = net, images, layer
        self.pixels = Level(PIXELS, PIXEL, images)
        candidates = _candidates(net, images, layer, height, width)
        self.cuts, self.clean = _clean_passes(net, images, candidates, layer, batch_size)
        if self.cuts and not self._agrees(height, width, batch_size):
            self.cuts = []

    def __call__(self, i: torch.Tensor, boxes: Sequence[Box], colour: torch.Tensor) -> torch.Tensor:
        """i: (n,) which pictures. boxes: n rectangles, pairs of slices. colour: (3, 1, 1). Returns the
        outputs, one row for each rectangle.
        """
        paints = [colour.expand(-1, *sides(box)) for box in boxes]
        if self.cuts:
            try:
                return self._above(self.cuts[-1], self._deepest(i, boxes, paints), self.layer)
            # a window in a corner may be too small for a layer that does not pad
            except (RuntimeError, VizlibError):
                self.cuts = []
        return outputs_of(self.net, self._painted(i, boxes, paints), [self.layer])[self.layer]

    def _painted(self, i: torch.Tensor, boxes: Sequence[Box], paints: Sequence[torch.Tensor]) -> torch.Tensor:
        return _with_changes(self.images[i], boxes, paints)

    def _deepest(self, i: torch.Tensor, boxes: Sequence[Box], paints: Sequence[torch.Tensor]) -> torch.Tensor:
        """The output of the deepest layer that is cut, its changed units computed anew: (n, K, h, w)."""
        below, places, values = self.pixels, boxes, paints
        for cut in self.cuts:
            changed = [units_looking_at(box, cut.field, cut.grid) for box in boxes]
            needed = [units_needed_for(units, cut.field, below.field, below.grid) for units in changed]
            step = [mine // its for mine, its in zip(cut.field.stride, below.field.stride, strict=True)]
            windows = windows_around(needed, step, below.grid)
            inputs = torch.stack(
                [cut_out(below.clean[k], w) for k, w in zip(i.tolist(), windows, strict=True)]
            )
            for one, window, value, place in zip(inputs, windows, values, places, strict=True):
                paste(one, window, value, place)
            outputs = self._above(below, inputs, cut.name)
            results = zip(outputs, changed, windows, strict=True)
            values = [cut_out(output, units, shrunk(window, step)) for output, units, window in results]
            below, places = cut, changed
        return _with_changes(below.clean[i], places, values)

    def _above(self, below: Level, values: torch.Tensor, layer: str) -> torch.Tensor:
        """The output of `layer` if the layer `below` had the output `values`. What lies under it runs on a
        small dummy.
        """
        if below.name == PIXELS:
            return outputs_of(self.net, values, [layer])[layer]
        side = 8 * max(below.field.stride)
        dummy = values.new_zeros(1, 3, side, side)
        with torch.no_grad(), substitute(self.net, below.name, values):
            if layer == "logits":
                return self.net.unchecked(dummy)
            with tap(self.net, [layer], stop=True) as taken:
                self.net.unchecked(dummy)
        return taken[layer]

    def _agrees(self, height: int, width: int, batch_size: int) -> bool:
        """Does a full pass give the same where squares of noise are put in several places, both in the
        deepest layer that is cut and in the answer?
        """
        i, boxes, paints = _probes(self.images, height, width)
        last, layer = self.cuts[-1], self.layer
        for start in range(0, PROBES, batch_size):
            some = slice(start, start + batch_size)
            probes = i[some], boxes[some], paints[some]
            right = outputs_of(self.net, self._painted(*probes), [last.name, layer])
            try:
                found = self._deepest(*probes)
                answer = self._above(last, found, layer)
            except Exception:  # whatever a person's own code says to a dummy, or to tensors of two sizes
                return False
            if not _same(found, right[last.name], last.clean[i[some]]):
                return False
            if not _same(answer, right[layer], self.clean[i[some]]):
                return False
        return True


def _candidates(net: Network, images: torch.Tensor, layer: str, height: int, width: int) -> list[str]:
    """The deepest layer of each stride, on the way to `layer`, in which a rectangle leaves most units as they
    are.
    """
    order, end, deepest = list(net.traced), net.layer(layer).path, {}
    for name, info in net.named_layers().items():
        field = info.receptive_field
        if order.index(info.path) >= order.index(end):
            break
        if not (info.spatial and info.calls == 1 and field.local):
            continue
        shares = zip((height, width), field.size, images.shape[-2:], strict=True)
        if max((p + r) / n for p, r, n in shares) > WORTH_IT:
            break
        deepest[field.stride] = name
    return list(deepest.values())


def _clean_passes(
    net: Network, images: torch.Tensor, candidates: Sequence[str], layer: str, batch_size: int
) -> tuple[list[Level], torch.Tensor]:
    """The levels to cut at, and what `layer` says of the unchanged pictures. The first picture's pass is
    traced, at the size at hand, to see which candidates may be cut: all that the layer knows of the picture
    must have gone through them.
    """
    first = images[:1]
    with torch.inference_mode(False), FieldTracer(first) as tracer:
        outputs = outputs_of(net, first, [*candidates, layer])
    fields = {}
    for name in candidates:
        field = tracer.field_of(outputs[name])
        only_way = tracer.all_through(outputs[layer], outputs[name])
        if only_way and field and field.local and _steps_evenly(field, images, outputs[name]):
            fields[name] = field
    wanted = [*fields, layer]
    others = (
        images[1:].split(batch_size) if len(images) > 1 else ()
    )  # no pass over no pictures: some fail there
    parts = [outputs, *(outputs_of(net, some, wanted) for some in others)]
    clean = {name: torch.cat([part[name] for part in parts]) for name in wanted}
    return [Level(name, field, clean[name]) for name, field in fields.items()], clean[layer]


def _steps_evenly(field: ReceptiveField, images: torch.Tensor, output: torch.Tensor) -> bool:
    """Does the layer have one unit for each step of its stride in the pictures, with nothing left over?"""
    triples = zip(images.shape[-2:], field.stride, output.shape[-2:], strict=True)
    return all(pixels == stride * units for pixels, stride, units in triples)


def _with_changes(
    values: torch.Tensor, boxes: Sequence[Box], changes: Sequence[torch.Tensor]
) -> torch.Tensor:
    """Write one change into each of `values` (n, K, h, w), in place."""
    for one, box, change in zip(values, boxes, changes, strict=True):
        one[:, *box] = change
    return values


def _probes(
    images: torch.Tensor, height: int, width: int
) -> tuple[torch.Tensor, list[Box], list[torch.Tensor]]:
    """Which pictures, rectangles in them, and noise to paint these with: the last corner, and places drawn at
    random, the same ones each time.
    """
    generator = torch.Generator().manual_seed(0)

    def draw(most: int) -> list[int]:
        return torch.randint(most + 1, (PROBES,), generator=generator).tolist()

    last = [n - side for n, side in zip(images.shape[-2:], (height, width), strict=True)]
    corners = [last, *list(zip(draw(last[0]), draw(last[1]), strict=True))[1:]]
    boxes: list[Box] = [(slice(r, r + height), slice(c, c + width)) for r, c in corners]
    noise = torch.rand(PROBES, images.shape[1], height, width, generator=generator)
    pictures = torch.randint(len(images), (PROBES,), generator=generator)
    return pictures, boxes, list(noise.to(images))


def _same(found: torch.Tensor, right: torch.Tensor, clean: torch.Tensor) -> bool:
    """Is what was found right, up to rounding and a small part of the change?"""
    if found.shape != right.shape:
        return False
    error, change, size = (x.abs().flatten(1).amax(1) for x in (found - right, right - clean, right))
    return bool((error <= CLOSE * change + _rounding(right.device) * size).all())


def _rounding(device: torch.device) -> float:
    """What two orders of summation may differ by, as a part of the largest value."""
    try:
        short = device.type == "cuda" and torch.backends.cudnn.allow_tf32  # products of ten binary digits
    except RuntimeError:  # PyTorch does not say where somebody has chosen by the newer fp32_precision
        short = True
    return 2e-3 if short else 1e-5


def outputs_of(net: Network, images: torch.Tensor, layers: Sequence[str]) -> dict[str, torch.Tensor]:
    """What the layers put out for checked pictures; nothing above them is computed."""
    with torch.no_grad(), tap(net, layers, stop=True) as taken:
        net(images)
    return taken
