"""Figures: pictures and maps in a grid, each map with a colour bar, each figure with a description for those
who cannot see it.

Signed maps are drawn from purple (negative) through white (zero) to orange (positive), maps without negative
values from black to yellow; both scales are safe for colour-blind eyes, and zero is always the middle or the
end of the scale.
"""

import base64
import html
import io
import math
import threading
from dataclasses import dataclass

import numpy as np
import PIL.Image
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..errors import VizlibError
from ..images.check import TOLERANCE

SIGNED, UNSIGNED = "PuOr_r", "inferno"
DPI = 96
_drawing = threading.Lock()  # matplotlib is not made for two threads at once


@dataclass(frozen=True)
class Picture:
    """A drawn figure: its encoded bytes, their format ("jpeg" or "png") and a description in words."""

    data: bytes
    format: str
    alt: str

    def save(self, path):
        """Write the figure to a file."""
        with open(path, "wb") as file:
            file.write(self.data)

    @property
    def size(self):
        """Width and height in pixels."""
        return PIL.Image.open(io.BytesIO(self.data)).size

    def html(self):
        """An <img> that carries the picture and its description."""
        width, height = self.size
        source = f"data:image/{self.format};base64,{base64.b64encode(self.data).decode()}"
        style = "display: block; width: 100%; height: auto"
        size = f'width="{width}" height="{height}"'
        return f'<img src="{source}" alt="{html.escape(self.alt)}" {size} decoding="sync" style="{style}">'

    def _repr_mimebundle_(self, include=None, exclude=None):
        mime = f"image/{self.format}"
        return {mime: base64.b64encode(self.data).decode(), "text/plain": repr(self)}, {
            mime: {"alt": self.alt}
        }

    def __repr__(self):
        return f"Figure: {self.alt}"


@dataclass(frozen=True)
class Overlay:
    image: torch.Tensor
    map: torch.Tensor


def overlay(image, map):
    """For `show`: a map (1, 1, H, W) laid over its picture (1, 3, H, W), in colour over grey, with a line at
    half its height.
    """
    channels = [tuple(t.shape)[:-2] for t in (image, map)]
    if (
        channels[0] not in ((3,), (1, 3))
        or channels[1] not in ((1,), (1, 1))
        or image.shape[-2:] != map.shape[-2:]
    ):
        raise VizlibError(
            "An overlay needs a map of the picture's size, one of each; the picture has "
            f"{tuple(image.shape)}, the map {tuple(map.shape)}. "
            "Methods give such a map unless upsample=False; three colours become one by .abs().amax(1, "
            "keepdim=True)."
        )
    return Overlay(image.reshape(3, *image.shape[-2:]), map.reshape(1, *map.shape[-2:]))


def centre(values, percentile=99.5):
    """Signed values (N, 3, H, W) scaled for the eye, to [0, 1]: zero is mid-grey, the given percentile of
    |values| black or white.
    """
    top = torch.quantile(values.abs().flatten(1).double(), percentile / 100, dim=1).clamp(min=1e-12)
    return (0.5 + values / (2 * top.view(-1, 1, 1, 1).to(values.dtype))).clamp(0, 1)


def show(items, titles=None, *, alt, columns=None, limit=None, clip=99.5, width=9.2):
    """Draw pictures and maps in a grid. Returns a Picture, which a notebook displays.

    items: pictures (N, 3, H, W) in [0, 1], maps (N, 1, H, W) of any range, overlays, or a list of these.
        titles: one per cell.
    alt: what is to be seen, in words. limit: the value at the end of every colour scale (default: each map's
        own, at its
    `clip` percentile, so that single pixels do not hide the rest). width: of the figure, in inches of 96
        pixels.
    Raises VizlibError for tensors that are neither, values that are not finite, and signed three-colour
        values (see `centre`).
    """
    cells = _cells(items)
    titles = [""] * len(cells) if titles is None else list(titles)
    if len(titles) != len(cells):
        raise VizlibError(f"There are {len(cells)} things to show and {len(titles)} titles.")
    columns = min(len(cells), columns or (4 if len(cells) > 4 and len(cells) != 5 else len(cells)))
    rows = math.ceil(len(cells) / columns)
    has_bar = [any(not _is_image(c) for c in cells[r * columns : (r + 1) * columns]) for r in range(rows)]
    heads = [max(_title_height(t) for t in titles[r * columns : (r + 1) * columns]) for r in range(rows)]
    side = min(width / columns, 3.4)
    aspect = max(_plane(c).shape[-2] / _plane(c).shape[-1] for c in cells)
    heights = [
        head + (side - 0.15) * aspect + (0.42 if bar else 0.08)
        for head, bar in zip(heads, has_bar, strict=True)
    ]
    fig = Figure(figsize=(side * columns, sum(heights) + 0.08), dpi=DPI)
    y = 0.04
    for row, height in enumerate(heights):
        for column in range(columns):
            i = row * columns + column
            if i < len(cells):
                box = column * side, y + heads[row], side - 0.15, (side - 0.15) * aspect
                _draw_cell(fig, cells[i], titles[i], box, limit, clip)
        y += height
    return picture(fig, alt, "jpeg")


def _cells(items):
    parts = items if isinstance(items, (list, tuple)) else [items]
    cells = []
    for part in parts:
        if isinstance(part, Overlay):
            _finite(part.map)
            cells.append(part)
            continue
        if not isinstance(part, torch.Tensor) or part.dim() not in (3, 4) or part.shape[-3] not in (1, 3):
            seen = tuple(part.shape) if isinstance(part, torch.Tensor) else type(part).__name__
            raise VizlibError(
                f"show draws pictures (N, 3, H, W), maps (N, 1, H, W) and overlays; this is {seen}."
            )
        part = part.detach().float().cpu()
        _finite(part)
        if part.numel() and part.shape[-3] == 3 and (part.min() < -TOLERANCE or part.max() > 1 + TOLERANCE):
            raise VizlibError(
                f"These three-colour values run from {part.min():.3g} to {part.max():.3g}, so they are no "
                "picture. "
                "vz.centre(values) shows signed values with zero as mid-grey; values.sum(1, keepdim=True) "
                "makes a map."
            )
        cells.extend(part if part.dim() == 4 else [part])
    if not cells:
        raise VizlibError("There is nothing to show.")
    return cells


def _finite(values):
    if not bool(torch.isfinite(values).all()):
        raise VizlibError("This map holds NaN or infinite values and cannot be drawn.")


def _is_image(cell):
    return isinstance(cell, torch.Tensor) and cell.shape[0] == 3


def _plane(cell):
    """The tensor (C, H, W) that a cell shows; of an overlay the map."""
    return cell.map if isinstance(cell, Overlay) else cell


def _title_height(title):
    return 0.1 + 0.17 * (title.count("\n") + 1) if title else 0.0


def _draw_cell(fig, cell, title, box, limit, clip):
    """One cell: title, picture or map, colour bar. box: of the picture, x, y from the top left corner, width
    and height in inches.
    """
    total_w, total_h = fig.get_size_inches()
    x, y, width, height = box
    ax = fig.add_axes([(x + 0.075) / total_w, 1 - (y + height) / total_h, width / total_w, height / total_h])
    ax.set_axis_off()
    ax.set_anchor("C")
    if title:
        ax.set_title(title, fontsize=10.5, pad=4)
    if _is_image(cell):
        ax.imshow(cell.permute(1, 2, 0).clamp(0, 1).numpy(), interpolation="lanczos")
        return
    values = _plane(cell)[0].detach().float().numpy()
    low, top = _limits(values, limit, clip)
    if isinstance(cell, Overlay):
        ax.imshow(cell.image.detach().mean(0).numpy(), cmap="gray", vmin=0, vmax=1)
        drawn = ax.imshow(values, cmap=SIGNED if low else UNSIGNED, vmin=low, vmax=top, alpha=0.6)
        if np.abs(values).max() > 0:
            ax.contour(values, levels=[np.abs(values).max() / 2], colors="white", linewidths=1.2)
    else:
        drawn = ax.imshow(
            values, cmap=SIGNED if low else UNSIGNED, vmin=low, vmax=top, interpolation="nearest"
        )
    bar = fig.add_axes(
        [(x + 0.075) / total_w, 1 - (y + height + 0.14) / total_h, width / total_w, 0.09 / total_h]
    )
    scale = fig.colorbar(drawn, cax=bar, orientation="horizontal", ticks=[low, (low + top) / 2, top])
    scale.solids.set_alpha(1)
    bar.set_xticklabels([_number(t) for t in (low, (low + top) / 2, top)], fontsize=10)
    for label, side in zip(bar.get_xticklabels(), ("left", "center", "right"), strict=True):
        label.set_horizontalalignment(side)


def _limits(values, limit, clip):
    """The ends of the colour scale: symmetric around zero for signed values, from zero for others. A rounding
    error is no sign.
    """
    top = float(limit or np.percentile(np.abs(values), clip) or np.abs(values).max() or 1)
    return (-top if values.min() < -1e-4 * top else 0.0), top


def _number(value):
    return "0" if value == 0 else f"{value:.2g}" if 0.001 <= abs(value) < 1000 else f"{value:.0e}"


def figure(width=7.0, height=3.2, columns=1):
    """A blank matplotlib figure and its axes (one, or an array of `columns`), for curves and bars. Finish it
    with `picture`.
    """
    fig = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    axes = fig.subplots(1, columns)
    for ax in np.atleast_1d(axes):
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=10)
    return fig, axes


def picture(fig, alt, format="png"):
    """Encode a matplotlib figure as a Picture with a description in words."""
    if not alt:
        raise VizlibError("A figure needs alt=..., a sentence that says what is to be seen.")
    buffer = io.BytesIO()
    options = {"pil_kwargs": {"quality": 82}} if format == "jpeg" else {}
    with _drawing:
        FigureCanvasAgg(fig)
        fig.savefig(buffer, format=format, dpi=DPI, facecolor="white", **options)
    return Picture(buffer.getvalue(), format, alt)
