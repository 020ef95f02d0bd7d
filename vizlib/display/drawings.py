"""Drawings that more than one notebook needs: many small pictures in one, pictures as points, a network as a
row of boxes.
"""

import math

import torch
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.patches import Rectangle

from ..errors import VizlibError
from .figures import figure, picture

ORANGE, PURPLE, GREY = "#e66100", "#5d3a9b", "#bbbbbb"


def mosaic(images, columns=None, *, gap=1, scale=1, ground=1.0):
    """Many pictures or maps (N, C, h, w) as one (1, C, H, W), row by row, `gap` pixels of the grey `ground`
    between them.

    columns: by default a square of them. scale: every pixel becomes scale x scale, for filters of a few
    pixels.
    """
    if images.dim() != 4 or not len(images):
        raise VizlibError(f"A mosaic is made of pictures (N, C, h, w); these are {tuple(images.shape)}.")
    count, channels, h, w = images.shape
    columns = columns or math.ceil(count**0.5)
    rows = math.ceil(count / columns)
    images = images.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    h, w = h * scale, w * scale
    result = torch.full((1, channels, rows * (h + gap) - gap, columns * (w + gap) - gap), float(ground))
    for i, image in enumerate(images):
        y, x = i // columns * (h + gap), i % columns * (w + gap)
        result[0, :, y : y + h, x : x + w] = image
    return result


def thumbnails(points, images, *, alt, titles=("", ""), side=30, width=9.2, height=6.4):
    """Small pictures at their places in the plane, for embeddings. points: (N, 2). images: (N, 3, h, w) in
    [0, 1]. Returns a Picture.
    """
    if points.shape != (len(images), 2):
        raise VizlibError(
            f"{len(images)} pictures need as many points (N, 2); these are {tuple(points.shape)}."
        )
    fig, ax = figure(width, height)
    small = torch.nn.functional.interpolate(
        images, (2 * side, 2 * side), mode="bilinear", antialias=True
    ).clamp(0, 1)
    for (x, y), image in zip(points.tolist(), small.permute(0, 2, 3, 1).numpy(), strict=True):
        ax.add_artist(AnnotationBbox(OffsetImage(image, zoom=0.5), (x, y), frameon=False))
    margin = 0.06 * (points.amax(0) - points.amin(0))
    (left, low), (right, high) = (points.amin(0) - margin).tolist(), (points.amax(0) + margin).tolist()
    ax.set(xlim=(left, right), ylim=(low, high), xlabel=titles[0], ylabel=titles[1], xticks=[], yticks=[])
    return picture(fig, alt, "jpeg")


def draw_anatomy(table, *, alt):
    """Layers as a row of boxes, as high as their grid and as wide as their channels, over bars of parameters
    and multiply-adds.

    table: from `anatomy`. Heights and widths grow with the logarithm: a grid of 112 positions is drawn twice
    as high as one of 11.
    """
    fig, _ = figure(9.2, 4.6)
    fig.clear()
    top, bottom = fig.subplots(2, 1, height_ratios=(3, 2))
    for i, row in enumerate(table):
        channels, *grid = map(int, row["shape"].split("x"))
        high, wide = math.log2(1 + (grid[0] if grid else 1)) / 7, 0.08 * math.log2(1 + channels)
        top.add_patch(
            Rectangle((i - wide / 2, 0.5 - high / 2), wide, high, facecolor=GREY, edgecolor="black")
        )
        words = f"{row['name']}\n{channels}\n{'x'.join(map(str, grid))}"
        top.text(i, -0.1, words, ha="center", va="top", fontsize=9)
    top.set(xlim=(-0.6, len(table) - 0.4), ylim=(-0.62, 1.05))
    top.set_axis_off()
    for shift, column, colour in ((-0.2, "parameters", PURPLE), (0.2, "multiply-adds", ORANGE)):
        total = sum(table[column])
        shares = [100 * value / total for value in table[column]]
        bottom.bar(
            [i + shift for i in range(len(table))],
            shares,
            0.4,
            color=colour,
            label=f"{column}: {total / 1e6:.3g} million",
        )
    bottom.set(xlim=top.get_xlim(), ylabel="% of all", xticks=[])
    bottom.spines[["top", "right"]].set_visible(False)
    bottom.legend(fontsize=9)
    return picture(fig, alt)
