"""What a change of a few pixels changes in a network: only the units that can see them need to be computed
again.

A patch of 32 pixels on a picture of 224 touches a fiftieth of the picture and a twentieth of the first
layers' units, which are the costly ones. Going up layer by layer, `LocalChange` cuts a window around the
changed units out of the activations of the unchanged picture, puts the change into it, computes the next
layer on the window alone, and ends with a full pass through the layers above, where receptive fields have
grown so wide that everything has changed. The result is exact, not an approximation.
"""

import math

import torch

from ..errors import VizlibError
from .recording import record, substitute, tap

WORTH_IT = 0.75  # a layer whose units change by more than this share, per side, is computed whole


class LocalChange:
    """The outputs of `layer` for copies of `images` in which one rectangle of height x width pixels, at most,
    is painted over.

    net: a Network. images: (N, 3, H, W). Raises nothing for networks that cannot be cut: those are computed
    whole.
    """

    def __init__(self, net, images, layer, height, width):
        self.net, self.images, self.layer = net, images, layer
        self.cuts = _cuts(net, images, layer, height, width)
        self.clean = record(net, images, [cut.name for cut in self.cuts]) if self.cuts else {}
        self.checked = not self.cuts

    def __call__(self, i, boxes, colour):
        """i: (n,) which picture. boxes: n pairs of slices (rows, columns). colour: (3, 1, 1). Returns the
        outputs, one row for each i.
        """
        if self.checked:
            return self._local(i, boxes, colour) if self.cuts else self._whole(i, boxes, colour)
        self.checked = True
        one = self._whole(i[:1], boxes[:1], colour)
        try:
            local = self._local(i[:1], boxes[:1], colour)
            exact = local.shape == one.shape and torch.allclose(
                local, one, rtol=1e-3, atol=1e-3 * float(one.abs().max())
            )
        except (RuntimeError, VizlibError):  # a connection around the cut, which met tensors of two sizes
            exact = False
        if not exact:
            self.cuts = []
        return self(i, boxes, colour)

    def _whole(self, i, boxes, colour):
        x = self.images[i].clone()
        for picture, box in zip(x, boxes, strict=True):
            picture[:, box[0], box[1]] = colour
        return output_of(self.net, self.layer, lambda: self.net(x))

    def _local(self, i, boxes, colour):
        below, values = _Pixels(self.images), None
        for cut in self.cuts:
            windows, corners = _windows(below, cut, i, boxes, self._clean(below), values, colour)
            if isinstance(below, _Pixels):
                values = output_of(self.net, cut.name, lambda windows=windows: self.net(windows))
            else:
                values = self._resume(below.name, windows, cut.name)
            ratio = [a // b for a, b in zip(cut.stride, below.stride, strict=True)]
            values = [
                (v, [c // q for c, q in zip(corner, ratio, strict=True)])
                for v, corner in zip(values, corners, strict=True)
            ]
            below = cut
        full = self.clean[below.name][i].clone()
        for whole, box, (value, corner) in zip(full, boxes, values, strict=True):
            rows, columns = below.changed(box)
            whole[:, rows, columns] = value[:, _shift(rows, corner[0]), _shift(columns, corner[1])]
        return self._resume(below.name, full, self.layer)

    def _clean(self, below):
        return self.images if isinstance(below, _Pixels) else self.clean[below.name]

    def _resume(self, start, values, stop):
        """The output of the layer `stop` if the layer `start` had the output `values`; what lies below runs
        on a small dummy.
        """
        side = 8 * max(self.net.layer(start).receptive_field.stride)
        with substitute(self.net, start, values):
            return output_of(self.net, stop, lambda: self.net.unchecked(torch.zeros(1, 3, side, side)))


class _Pixels:
    size, stride, start = (1, 1), (1, 1), (0, 0)

    def __init__(self, images):
        self.grid = tuple(images.shape[-2:])

    def changed(self, box):
        return box


class _Cut:
    """A layer at which the local computation stops to paste: where its units look, and which of them a box
    changes.
    """

    def __init__(self, info, grid):
        self.name, self.grid = info.name, grid
        self.size, self.stride, self.start = (
            info.receptive_field.size,
            info.receptive_field.stride,
            info.receptive_field.start,
        )

    def changed(self, box):
        """Slices of the units that see any pixel of the box (two slices of pixels)."""
        out = []
        for side, r, j, a, n in zip(box, self.size, self.stride, self.start, self.grid, strict=True):
            first = max(0, math.floor((side.start - a - r) / j) + 1)
            out.append(slice(first, min(n, max(first + 1, math.ceil((side.stop - a) / j)))))
        return tuple(out)


def _cuts(net, images, layer, height, width):
    """The deepest layer of each stride below `layer` in which a box of height x width pixels leaves most
    units as they are.
    """
    net.layer(layer)
    grids, cuts = {1: tuple(images.shape[-2:])}, {}
    for name in net.layers["name"]:
        info = net.layer(name)
        if name == layer or info.path == net.layer(layer).path:
            break
        field = info.receptive_field
        if not info.spatial or info.calls != 1 or math.inf in field.size:
            continue
        grid = tuple(n // j for n, j in zip(grids[1], field.stride, strict=True))
        share = max(
            (b + r) / j / n
            for b, r, j, n in zip((height, width), field.size, field.stride, grid, strict=True)
        )
        even = all(n % j == 0 for n, j in zip(grids[1], field.stride, strict=True))
        if (
            share > WORTH_IT
            or not even
            or info.shape[-2:] != tuple(net.input_size // j for j in field.stride)
        ):
            break
        cuts[field.stride] = _Cut(info, grid)
    return list(cuts.values())


def _windows(below, cut, i, boxes, clean, values, colour):
    """What the layer `cut` needs to see in order to compute its changed units: windows of one size, with the
    change put in.

    Returns (n, C, h, w) and the windows' corners, multiples of the step from one grid to the other.
    """
    needs = [
        [_needed(below, cut, changed, axis) for axis, changed in enumerate(cut.changed(box))] for box in boxes
    ]
    sizes, corners = [], [[0, 0] for _ in boxes]
    for axis in (0, 1):
        q, n = cut.stride[axis] // below.stride[axis], below.grid[axis]
        starts = [need[axis].start // q * q for need in needs]
        size = min(
            n, max(math.ceil((need[axis].stop - s) / q) * q for need, s in zip(needs, starts, strict=True))
        )
        sizes.append(size)
        for corner, s in zip(corners, starts, strict=True):
            corner[axis] = min(s, n - size)
    windows = torch.stack(
        [
            clean[k, :, r : r + sizes[0], c : c + sizes[1]]
            for k, (r, c) in zip(i.tolist(), corners, strict=True)
        ]
    )
    for k, (window, box, corner) in enumerate(zip(windows, boxes, corners, strict=True)):
        inside = [_clip(_shift(s, c), n) for s, c, n in zip(below.changed(box), corner, sizes, strict=True)]
        if values is None:
            window[:, inside[0], inside[1]] = colour
        else:
            value, start = values[k]
            source = [_shift(s, b - c) for s, b, c in zip(inside, start, corner, strict=True)]
            window[:, inside[0], inside[1]] = value[:, source[0], source[1]]
    return windows, corners


def _needed(below, cut, changed, axis):
    """The units of `below` that the changed units of `cut` look at."""
    j, r, a = below.stride[axis], below.size[axis], below.start[axis]
    first = (cut.start[axis] + changed.start * cut.stride[axis] - a) // j
    last = (cut.start[axis] + (changed.stop - 1) * cut.stride[axis] + cut.size[axis] - a - r) // j
    return slice(max(0, first), min(below.grid[axis], last + 1))


def _shift(side, by):
    return slice(side.start - by, side.stop - by)


def _clip(side, n):
    return slice(max(side.start, 0), min(side.stop, n))


def output_of(net, layer, run):
    """What `layer` puts out, or the logits, while run() passes pictures through the network. Nothing above
    the layer is computed.
    """
    with torch.no_grad():
        if net.layer(layer).path == net.layer("logits").path:
            return run()
        with tap(net, [layer], stop=True) as taken:
            run()
    return taken[layer]
