"""Batches of Tiny ImageNet, each a function of its number, so that a stopped training sees what an unbroken
one sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch

from .tiny_imagenet import Pictures

if TYPE_CHECKING:
    from .classifier import Recipe

MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
SHIFT = 6  # pixels


def tensor(pixels: np.ndarray) -> torch.Tensor:
    """Pictures (N, H, W, 3) uint8 as a network's first convolution takes them: (N, 3, H, W), normalized,
    channels last.
    """
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    return x.sub_(255 * MEAN[0]).div_(255 * STD[0]).contiguous(memory_format=torch.channels_last)


def augment(pixels: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """From each picture (N, H, W, 3), widened by 6 mirrored pixels, a random square of side x side pixels,
    flipped half of the time.
    """
    n, height, width, _ = pixels.shape
    margin = SHIFT if side == height else 0  # a smaller square has room to move without it
    padded = np.pad(pixels, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="reflect")
    out = np.empty((n, side, side, 3), np.uint8)
    tops = rng.integers(0, height + 2 * margin - side + 1, n)
    lefts = rng.integers(0, width + 2 * margin - side + 1, n)
    for i, (y, x) in enumerate(zip(tops, lefts, strict=True)):
        out[i] = padded[i, y : y + side, x : x + side]
    flipped = rng.random(n) < 0.5
    out[flipped] = out[flipped, :, ::-1]
    return out


class Batches:
    """batch(step) -> (inputs, labels): the same for the same step and seed, whatever was asked before."""

    def __init__(self, pictures: Pictures, recipe: Recipe) -> None:
        self.pictures, self.recipe = pictures, recipe
        self.per_epoch = len(pictures) // recipe.batch
        self.epoch, self.order = -1, np.empty(0, int)

    def pixels(self, step: int) -> tuple[np.ndarray, torch.Tensor]:
        """(N, side, side, 3) uint8 and labels (N,)"""
        epoch, position = divmod(step, self.per_epoch)
        if epoch != self.epoch:
            self.order = np.random.default_rng((self.recipe.seed, epoch)).permutation(len(self.pictures))
            self.epoch = epoch
        chosen = self.order[position * self.recipe.batch :][: self.recipe.batch]
        rng = np.random.default_rng((self.recipe.seed, epoch, position))
        pixels = augment(self.pictures.images[chosen], self.recipe.side(epoch), rng)
        return pixels, torch.from_numpy(self.pictures.labels[chosen])

    def __call__(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        pixels, labels = self.pixels(step)
        return tensor(pixels), labels


def validation(pictures: Pictures, most: int | None = None) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """(inputs, labels) pairs of 200 pictures, to measure accuracy on; with `most`, of about that many
    pictures of all classes.
    """
    chosen = np.arange(len(pictures))[:: max(1, len(pictures) // most) if most else 1]
    for part in np.split(chosen, range(200, len(chosen), 200)):
        yield tensor(pictures.images[part]), torch.from_numpy(pictures.labels[part])
