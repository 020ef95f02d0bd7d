"""The layers of HOG and dense SIFT: convolutions with weights made by hand, and what lies between them."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from ..errors import VizlibError

BINNINGS = ("bilinear", "hard")


class Orientations(nn.Module):
    """Orientation binning: (N, 2K, H, W) responses r_k -> (N, 2K, H, W), the gradient's length n =
    sqrt(sum_k r_k^2 / K) in the bin of its direction.

    hard: all of it in the bin with the largest response. bilinear: max(0, 1 - a_k K / pi) of it in every
    bin, a_k the angle between the gradient and direction k (arccos(r_k / n); computed from its sine as
    well, because arccos has no slope at 0).
    """

    turned: torch.Tensor

    def __init__(self, directions: int, binning: str) -> None:
        super().__init__()
        if binning not in BINNINGS:
            raise VizlibError(f"binning is one of {', '.join(BINNINGS)}; this is {binning!r}.")
        self.hard, self.directions = binning == "hard", directions
        t = _angles(directions)
        # r at a right angle to k, from all r
        self.register_buffer("turned", torch.sin(t[None] - t[:, None]) / directions, persistent=False)

    def forward(self, responses: torch.Tensor) -> torch.Tensor:
        square = responses.pow(2).sum(1, keepdim=True) / self.directions
        there = square > 1e-14  # where the picture is flat there is no direction, and a root has no slope
        length = torch.where(there, square, 1.0).sqrt() * there
        if self.hard:
            best = responses.argmax(1, keepdim=True)
            return torch.zeros_like(responses).scatter(1, best, 1.0) * length
        across = nn.functional.conv2d(responses, self.turned[:, :, None, None])
        angle = torch.atan2(across, torch.where(there, responses, 1.0)).abs()
        return torch.relu(1 - angle * self.directions / math.pi) * length


class BlockNorm(nn.Module):
    """Block normalization: divides each position of (N, 12K, h, w) by the norm of its 4 x K unsigned
    entries; with directions=None by that of all entries.
    """

    def __init__(self, directions: int | None) -> None:
        super().__init__()
        self.directions = directions

    def forward(self, blocks: torch.Tensor) -> torch.Tensor:
        k = self.directions
        counted = blocks if k is None else blocks.unflatten(1, (4, 3 * k))[:, :, 2 * k :].flatten(1, 2)
        return blocks / counted.pow(2).sum(1, keepdim=True).clamp(min=1e-12).sqrt()


class Clamp(nn.Module):
    """min(x, top): one strong edge does not drown the others."""

    def __init__(self, top: float) -> None:
        super().__init__()
        self.top = top

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.clamp(max=self.top)


def _angles(directions: int) -> torch.Tensor:
    return math.pi * torch.arange(2 * directions) / directions


def _convolution(weight: torch.Tensor, **options: Any) -> nn.Conv2d:
    """A convolution with these weights (out, in, h, w), and no bias."""
    inputs = weight.shape[1] * options.get("groups", 1)
    layer = nn.Conv2d(inputs, len(weight), weight.shape[-1], bias=False, **options)
    with torch.no_grad():
        layer.weight.copy_(weight)
    return layer


def gradients(directions: int) -> nn.Conv2d:
    """Central differences along 2K directions: (1, H, W) -> (2K, H - 2, W - 2)."""
    dx = torch.tensor([[0.0, 0, 0], [-0.5, 0, 0.5], [0, 0, 0]])
    t = _angles(directions)[:, None, None]
    return _convolution((t.cos() * dx + t.sin() * dx.T)[:, None])


def cells(channels: int, cell: int, padding: int) -> nn.Conv2d:
    """Every pixel shared between the nearest cells: a pyramid of 2 x 2 cells, moved by one cell."""
    a = 1 - ((torch.arange(2 * cell) + 0.5) / cell - 1).abs()
    return _convolution(
        (a[:, None] * a).expand(channels, 1, -1, -1), stride=cell, padding=padding, groups=channels
    )


def blocks(directions: int) -> nn.Conv2d:
    """2 x 2 cells one behind the other, and in each the sums of opposite bins behind the bins: (2K, h, w) ->
    (12K, h - 1, w - 1).
    """
    k = directions
    of_cell = torch.cat([torch.eye(2 * k), torch.cat([torch.eye(k), torch.eye(k)], 1)])
    weight = torch.zeros(4, 3 * k, 2 * k, 2, 2)
    for i in range(4):
        weight[i, :, :, i // 2, i % 2] = of_cell
    return _convolution(weight.flatten(0, 1))


def back_to_cells(entries: int) -> nn.Conv2d:
    """A cell's entries in the four blocks around it, added and halved: (4 E, h - 1, w - 1) -> (E, h, w)."""
    weight = torch.zeros(entries, 4, entries, 2, 2)
    for i in range(4):  # the block before holds the cell as its last one
        weight[:, i, :, 1 - i // 2, 1 - i % 2] = 0.5 * torch.eye(entries)
    return _convolution(weight.flatten(1, 2), padding=1)


def windows(channels: int, stride: int) -> nn.Conv2d:
    """4 x 4 cells one behind the other, weighted by their distance to the middle: (2K, h, w) -> (32K,
    ...).
    """
    u = torch.arange(4) - 1.5
    gauss = torch.exp(-(u[:, None] ** 2 + u**2) / (2 * 1.5**2))
    weight = torch.zeros(16, channels, channels, 4, 4)
    for i in range(16):
        weight[i, :, :, i // 4, i % 4] = gauss[i // 4, i % 4] * torch.eye(channels)
    return _convolution(weight.flatten(0, 1), stride=stride)
