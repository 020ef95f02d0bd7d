"""HOG and dense SIFT, the hand-made descriptors, written as convolutional networks that can be differentiated
and inverted.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from torch import nn

from ..batching import whole
from ..errors import VizlibError
from ..models import Network
from ..models.architectures import Grey
from .descriptor_layers import (
    BlockNorm,
    Clamp,
    Orientations,
    back_to_cells,
    blocks,
    cells,
    gradients,
    windows,
)


def hog(size: int = 96, *, cell: int = 8, directions: int = 9, binning: str = "bilinear") -> Network:
    """The HOG descriptor (histograms of oriented gradients, UoCTTI variant) as a Network for pictures of
    `size` x `size` pixels; its layer "hog" is the descriptor.

        gradients      r_k = cos(t_k) dx + sin(t_k) dy, t_k = pi k / K, k = 0 ... 2K - 1; 0 at the border
        (2K, H, W) orientations   |gradient| in the bin of the nearest direction, or shared by the two
        nearest        (2K, H, W) cells          sums over cells of `cell` pixels, each pixel shared between
        the four nearest        (2K, h, w) blocks         2 x 2 cells, each with its 2K signed and K
        unsigned (opposite bins added) entries
                                                                                                   (12K,
                                                                                                   h-1, w-1)
        norm, clamp    divided by the norm of the unsigned entries; at most 0.2
        hog            half the sum of a cell's entries in the up to four blocks that hold it
        (3K, h, w)

    Pictures are made grey first (mean of the colours).

    size: a multiple of cell. cell: an even number of pixels. directions: K.
    binning: "bilinear" (shared) or "hard". Without the four texture entries of the original.
    Raises VizlibError for sizes that do not fit.
    Dalal & Triggs 2005; Felzenszwalb et al. 2010 (UoCTTI); as a network: Mahendran & Vedaldi 2015, section
    4.1.

        >>> net = vz.hog(32, cell=8)
        >>> vz.record(net, vz.photo("goldfish", 32), "hog")["hog"].shape
        torch.Size([1, 27, 4, 4])
    """
    rule = "cell is an even number of pixels, size a multiple of it, two cells or more"
    cell, size = whole(cell, f"{rule}; cell is", 2), whole(size, f"{rule}; size is")
    if cell % 2 or size % cell or size < 2 * cell:
        raise VizlibError(f"{rule}; these are {cell!r} and {size!r}.")
    directions = whole(directions, "directions is a number of directions", 2)
    layers = OrderedDict(
        grey=Grey(),
        gradients=gradients(directions),
        border=nn.ZeroPad2d(1),
        orientations=Orientations(directions, binning),
        cells=cells(2 * directions, cell, cell // 2),
        blocks=blocks(directions),
        norm=BlockNorm(directions),
        clamp=Clamp(0.2),
        hog=back_to_cells(3 * directions),
        flatten=nn.Flatten(),
    )
    return _network(layers, f"hog-{binning}", size, "hog")


def dsift(
    size: int = 96, *, cell: int = 4, stride: int = 1, directions: int = 4, binning: str = "bilinear"
) -> Network:
    """Dense SIFT as a Network for pictures of `size` x `size` pixels; its layer "sift" holds a descriptor
    (32K) for every `stride` cells.

    As in `hog`, but blocks are 4 x 4 cells weighted by a Gaussian of 1.5 cells, with the signed entries
    alone, divided by their own norm; cells lie inside of the picture, and blocks are not taken apart again.
    Raises VizlibError for sizes that hold no block.
    Lowe 2004; as a network: Mahendran & Vedaldi 2015, section 4.1 (who take cells of 5 pixels and a stride
    of 3 cells).

        >>> vz.dsift(32, cell=4).layer("sift").shape
        (128, 3, 3)
    """
    size, cell = whole(size, "size is a number of pixels"), whole(cell, "cell is a number of pixels", 2)
    stride, directions = (
        whole(stride, "stride is a number of cells"),
        whole(directions, "directions is a number of directions", 2),
    )
    if (size - 2 - 2 * cell) // cell + 1 < 4:
        raise VizlibError(
            f"A block is 4 x 4 cells, and a cell of {cell} pixels reaches into the next ones: size is "
            f"{5 * cell + 2} or more; this is {size}."
        )
    layers = OrderedDict(
        grey=Grey(),
        gradients=gradients(directions),
        orientations=Orientations(directions, binning),
        cells=cells(2 * directions, cell, 0),
        blocks=windows(2 * directions, stride),
        norm=BlockNorm(None),
        sift=Clamp(0.2),
        flatten=nn.Flatten(),
    )
    return _network(layers, f"dsift-{binning}", size, "sift")


def _network(layers: OrderedDict[str, Any], name: str, size: int, last: str) -> Network:
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
