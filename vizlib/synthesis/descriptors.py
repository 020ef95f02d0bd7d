"""HOG and dense SIFT, the hand-made descriptors, written as convolutional networks that can be differentiated
and inverted.
"""

import math
from collections import OrderedDict

import torch
from torch import nn

from ..errors import VizlibError
from ..models import Network
from ..models.architectures import Grey

BINNINGS = ("bilinear", "hard")


def hog(size=96, *, cell=8, directions=9, binning="bilinear"):
    """The HOG descriptor (UoCTTI variant) as a Network for pictures of `size` x `size` pixels; its layer
    "hog" is the descriptor.

        gradients      r_k = cos(t_k) dx + sin(t_k) dy, t_k = pi k / K, k = 0 ... 2K - 1; 0 in the outermost
            pixels  (2K, H, W)
        orientations   |gradient| in the bin of the nearest direction, or shared between the two nearest
            ("bilinear")
        cells          sums over cells of `cell` pixels, each pixel shared between the four nearest cells
            (2K, h, w)
        blocks         2 x 2 cells, each with its 2K signed and K unsigned (opposite bins added) entries
            (12K, h-1, w-1)
        norm, clamp    divided by the norm of the unsigned entries; at most 0.2
        hog            half the sum of a cell's entries in the up to four blocks that hold it
            (3K, h, w)

    Pictures are made grey first (mean of the colours). size: a multiple of cell, an even number. directions:
        K. binning: "bilinear" or
    "hard". Without the four texture entries of the original. Raises VizlibError for sizes that do not fit.
    Dalal & Triggs 2005; Felzenszwalb et al. 2010 (UoCTTI); as a network: Mahendran & Vedaldi 2015, section
        4.1.
    """
    if not (
        isinstance(cell, int)
        and cell >= 2
        and cell % 2 == 0
        and isinstance(size, int)
        and size >= 2 * cell
        and size % cell == 0
    ):
        raise VizlibError(
            f"cell is an even number of pixels, size a multiple of it, two cells or more; these are {cell!r} "
            f"and {size!r}."
        )
    k = 2 * _directions(directions)
    layers = OrderedDict(
        grey=Grey(),
        gradients=_gradients(directions),
        border=nn.ZeroPad2d(1),
        orientations=Orientations(directions, binning),
        cells=_cells(k, cell, cell // 2),
        blocks=_blocks(directions),
        norm=BlockNorm(directions),
        clamp=Clamp(0.2),
        hog=_back_to_cells(3 * directions),
        flatten=nn.Flatten(),
    )
    return _network(layers, f"hog-{binning}", size, "hog")


def dsift(size=96, *, cell=4, stride=1, directions=4, binning="bilinear"):
    """Dense SIFT as a Network for pictures of `size` x `size` pixels; its layer "sift" holds a descriptor
    (32K) for every `stride` cells.

    As in `hog`, but blocks are 4 x 4 cells weighted by a Gaussian of 1.5 cells, with the signed entries
        alone, divided by their own norm;
    cells lie inside of the picture, and blocks are not taken apart again. Raises VizlibError for sizes that
        hold no block.
    Lowe 2004; as a network: Mahendran & Vedaldi 2015, section 4.1 (who take cells of 5 pixels and a stride of
        3 cells).
    """
    grid = (
        (size - 2 - 2 * cell) // cell + 1
        if isinstance(size, int) and isinstance(cell, int) and cell > 1
        else 0
    )
    if grid < 4 or not (isinstance(stride, int) and stride > 0):
        raise VizlibError(
            f"A block is 4 x 4 cells; this does not fit: size {size!r}, cells of {cell!r} pixels (2 or "
            f"more), stride {stride!r}."
        )
    k = 2 * _directions(directions)
    layers = OrderedDict(
        grey=Grey(),
        gradients=_gradients(directions),
        orientations=Orientations(directions, binning),
        cells=_cells(k, cell, 0),
        blocks=_windows(k, stride),
        norm=BlockNorm(None),
        sift=Clamp(0.2),
        flatten=nn.Flatten(),
    )
    return _network(layers, f"dsift-{binning}", size, "sift")


class Orientations(nn.Module):
    """(N, 2K, H, W) responses r_k -> (N, 2K, H, W): the gradient's length n = sqrt(sum_k r_k^2 / K), in the
    bin of its direction.

    hard: all of it in the bin with the largest response. bilinear: max(0, 1 - a_k K / pi) of it in every bin,
        a_k the angle between the
    gradient and direction k (arccos(r_k / n); computed from its sine as well, because arccos has no slope at
        0).
    """

    def __init__(self, directions, binning):
        super().__init__()
        if binning not in BINNINGS:
            raise VizlibError(f"binning is one of {', '.join(BINNINGS)}; this is {binning!r}.")
        self.hard, self.directions = binning == "hard", directions
        t = _angles(directions)
        self.register_buffer(
            "turned", torch.sin(t[None] - t[:, None]) / directions, persistent=False
        )  # r at a right angle to k, from all r

    def forward(self, responses):
        square = responses.pow(2).sum(1, keepdim=True) / self.directions
        there = square > 1e-14  # where the picture is flat there is no direction, and a root has no slope
        length = torch.where(there, square, torch.ones(())).sqrt() * there
        if self.hard:
            best = responses.argmax(1, keepdim=True)
            return torch.zeros_like(responses).scatter(1, best, 1.0) * length
        across = nn.functional.conv2d(responses, self.turned[:, :, None, None])
        angle = torch.atan2(across, torch.where(there, responses, torch.ones(()))).abs()
        return torch.relu(1 - angle * self.directions / math.pi) * length


class BlockNorm(nn.Module):
    """Divides each position of (N, 12K, h, w) by the norm of its 4 x K unsigned entries; with directions=None
    by that of all entries.
    """

    def __init__(self, directions):
        super().__init__()
        self.directions = directions

    def forward(self, blocks):
        k = self.directions
        counted = blocks if k is None else blocks.unflatten(1, (4, 3 * k))[:, :, 2 * k :].flatten(1, 2)
        return blocks / counted.pow(2).sum(1, keepdim=True).clamp(min=1e-12).sqrt()


class Clamp(nn.Module):
    """min(x, top): one strong edge does not drown the others."""

    def __init__(self, top):
        super().__init__()
        self.top = top

    def forward(self, x):
        return x.clamp(max=self.top)


def _angles(directions):
    return math.pi * torch.arange(2 * directions) / directions


def _directions(k):
    if not (isinstance(k, int) and k >= 2):
        raise VizlibError(f"directions is a number of directions, 2 or more; this is {k!r}.")
    return k


def _convolution(weight, **options):
    """A convolution with these weights (out, in, h, w), and no bias."""
    inputs = weight.shape[1] * options.get("groups", 1)
    layer = nn.Conv2d(inputs, len(weight), weight.shape[-1], bias=False, **options)
    with torch.no_grad():
        layer.weight.copy_(weight)
    return layer


def _gradients(directions):
    """Central differences along 2K directions: (1, H, W) -> (2K, H - 2, W - 2)."""
    dx = torch.tensor([[0.0, 0, 0], [-0.5, 0, 0.5], [0, 0, 0]])
    t = _angles(directions)[:, None, None]
    return _convolution((t.cos() * dx + t.sin() * dx.T)[:, None])


def _cells(channels, cell, padding):
    """Every pixel shared between the nearest cells: a pyramid of 2 x 2 cells, moved by one cell."""
    a = 1 - ((torch.arange(2 * cell) + 0.5) / cell - 1).abs()
    return _convolution(
        (a[:, None] * a).expand(channels, 1, -1, -1), stride=cell, padding=padding, groups=channels
    )


def _blocks(directions):
    """2 x 2 cells one behind the other, and in each the sums of opposite bins behind the bins: (2K, h, w) ->
    (12K, h - 1, w - 1).
    """
    k = directions
    of_cell = torch.cat([torch.eye(2 * k), torch.cat([torch.eye(k), torch.eye(k)], 1)])
    weight = torch.zeros(4, 3 * k, 2 * k, 2, 2)
    for i in range(4):
        weight[i, :, :, i // 2, i % 2] = of_cell
    return _convolution(weight.flatten(0, 1))


def _back_to_cells(entries):
    """A cell's entries in the four blocks around it, added and halved: (4 E, h - 1, w - 1) -> (E, h, w)."""
    weight = torch.zeros(entries, 4, entries, 2, 2)
    for i in range(4):  # the block before holds the cell as its last one
        weight[:, i, :, 1 - i // 2, 1 - i % 2] = 0.5 * torch.eye(entries)
    return _convolution(weight.flatten(1, 2), padding=1)


def _windows(channels, stride):
    """4 x 4 cells one behind the other, weighted by their distance to the middle: (2K, h, w) -> (32K,
    ...).
    """
    u = torch.arange(4) - 1.5
    gauss = torch.exp(-(u[:, None] ** 2 + u**2) / (2 * 1.5**2))
    weight = torch.zeros(16, channels, channels, 4, 4)
    for i in range(16):
        weight[i, :, :, i // 4, i % 4] = gauss[i // 4, i % 4] * torch.eye(channels)
    return _convolution(weight.flatten(0, 1), stride=stride)


def _network(layers, name, size, last):
    names = {n: n for n in layers if n not in ("border", "flatten")} | {"logits": "flatten"}
    card = {
        "what": f"a hand-made descriptor, nothing trained; its layer {last!r} is the descriptor, "
        "logits the same in a row"
    }
    return Network(
        nn.Sequential(layers),
        name=name,
        mean=(0.0,) * 3,
        std=(1.0,) * 3,
        input_size=size,
        names=names,
        card=card,
    )
