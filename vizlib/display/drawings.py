"""Drawings that more than one notebook needs: many small pictures in one, pictures as points, a network as a
row of boxes.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from ..batching import whole
from ..errors import VizlibError
from ..images.check import check_images
from ..table import Table
from .figures import Picture, drawing, figure, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ORANGE, PURPLE, GREY = "#e66100", "#5d3a9b", "#bbbbbb"


def mosaic(
    images: torch.Tensor,
    columns: int | None = None,
    *,
    gap: int = 1,
    scale: int = 1,
    fill: float = 1.0,
    ground: float | None = None,
) -> torch.Tensor:
    """An image grid (montage): many pictures or maps (N, C, h, w) as one (1, C, H, W), row by row.

    columns: by default a square of them.
    gap: pixels between them, of the grey `fill`.
    scale: every pixel becomes scale x scale, for filters of a few pixels.

    The mosaic is float32, on the device of the pictures. Raises VizlibError for what is no batch of pictures.

    >>> vz.mosaic(torch.rand(6, 3, 8, 8), 3, gap=2).shape
    torch.Size([1, 3, 18, 28])
    """
    if ground is not None:
        warnings.warn("mosaic(ground=...) is now called fill.", DeprecationWarning, stacklevel=2)
        fill = ground
    if not isinstance(images, torch.Tensor) or images.dim() != 4 or 0 in images.shape:
        seen = tuple(images.shape) if isinstance(images, torch.Tensor) else type(images).__name__
        raise VizlibError(f"A mosaic is made of pictures (N, C, h, w); these are {seen}.")
    count, channels = images.shape[:2]
    columns = math.ceil(count**0.5) if columns is None else whole(columns, "columns is a number of pictures")
    gap, scale = whole(gap, "gap is a number of pixels", 0), whole(scale, "scale is a whole number")
    rows = math.ceil(count / columns)
    images = images.detach().float().repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    h, w = images.shape[-2:]
    size = (1, channels, rows * (h + gap) - gap, columns * (w + gap) - gap)
    result = images.new_full(size, float(fill))
    for i, image in enumerate(images):
        y, x = i // columns * (h + gap), i % columns * (w + gap)
        result[0, :, y : y + h, x : x + w] = image
    return result


def thumbnails(
    points: Any,
    images: torch.Tensor,
    *,
    alt: str,
    titles: Sequence[str] = ("", ""),
    side: int = 30,
    width: float = 9.2,
    height: float = 6.4,
) -> Picture:
    """Small pictures at their places in the plane, a scatter plot of images, for embeddings (t-SNE, PCA).

    points: (N, 2), a tensor or an array.
    images: (N, 3, h, w) in [0, 1].
    alt: what is to be seen, in words. titles: of the two axes.
    side: of a small picture, in pixels. width, height: of the figure, in inches of 96 pixels.

    >>> vz.thumbnails(torch.rand(5, 2), torch.rand(5, 3, 16, 16), alt="noise at five places")
    Figure: noise at five places
    """
    images, points = check_images(images).detach().cpu(), torch.as_tensor(points).detach().cpu().float()
    side = whole(side, "side is a number of pixels")
    if points.shape != (len(images), 2):
        raise VizlibError(
            f"{len(images)} pictures need as many points (N, 2); these are {tuple(points.shape)}."
        )
    if not bool(points.isfinite().all()):
        raise VizlibError("These points hold NaN or infinite values and have no place in the plane.")
    small = torch.nn.functional.interpolate(
        images, (2 * side, 2 * side), mode="bilinear", antialias=True
    ).clamp(0, 1)
    low, high = points.amin(0), points.amax(0)
    margin = (0.06 * (high - low)).clamp(min=1e-6)  # a single point has a place, too
    with drawing:
        from matplotlib.offsetbox import AnnotationBbox, OffsetImage

        fig, ax = figure(width, height)
        for (x, y), image in zip(points.tolist(), small.permute(0, 2, 3, 1).numpy(), strict=True):
            ax.add_artist(AnnotationBbox(OffsetImage(image, zoom=0.5), (x, y), frameon=False))
        (left, bottom), (right, top) = (low - margin).tolist(), (high + margin).tolist()
        ax.set(
            xlim=(left, right), ylim=(bottom, top), xlabel=titles[0], ylabel=titles[1], xticks=[], yticks=[]
        )
        return picture(fig, alt, "jpeg")


def draw_anatomy(table: Table, *, alt: str) -> Picture:
    """An architecture diagram: layers as a row of boxes, as high as their grid and as wide as their channels,
    over bars of parameters and multiply-adds.

    table: from `anatomy`. Heights and widths grow with the logarithm: a grid of 112 positions is drawn twice
    as high as one of 11. alt: what is to be seen, in words.

    >>> vz.draw_anatomy(vz.anatomy(vz.load("zfnet")), alt="zfnet as a row of boxes")
    Figure: zfnet as a row of boxes
    """
    if not table:
        raise VizlibError("This table has no layers to draw. vz.anatomy(net) makes one that has.")
    with drawing:
        fig, _ = figure(9.2, 4.6)
        fig.clear()
        top, bottom = fig.subplots(2, 1, height_ratios=(3, 2))
        _draw_boxes(top, table)
        _draw_costs(bottom, table)
        bottom.set(xlim=top.get_xlim(), ylabel="% of all", xticks=[])
        return picture(fig, alt)


def _draw_boxes(ax: Axes, table: Table) -> None:
    from matplotlib.patches import Rectangle

    for i, row in enumerate(table):
        channels, *grid = map(int, row["shape"].split("x"))
        high, wide = math.log2(1 + (grid[0] if grid else 1)) / 7, 0.08 * math.log2(1 + channels)
        ax.add_patch(Rectangle((i - wide / 2, 0.5 - high / 2), wide, high, facecolor=GREY, edgecolor="black"))
        words = f"{row['name']}\n{channels}\n{'x'.join(map(str, grid))}"
        ax.text(i, -0.1, words, ha="center", va="top", fontsize=9)
    ax.set(xlim=(-0.6, len(table) - 0.4), ylim=(-0.62, 1.05))
    ax.set_axis_off()


def _draw_costs(ax: Axes, table: Table) -> None:
    for shift, column, colour in ((-0.2, "parameters", PURPLE), (0.2, "multiply-adds", ORANGE)):
        total = sum(table[column])
        shares = [100 * value / (total or 1) for value in table[column]]
        label = f"{column}: {total / 1e6:.3g} million"
        ax.bar([i + shift for i in range(len(table))], shares, 0.4, color=colour, label=label)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(fontsize=9)
