"""Batches of Tiny ImageNet, each a function of its number, so that a stopped training sees what an unbroken
one sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from .fitting import autocast
from .tiny_imagenet import Pictures

if TYPE_CHECKING:
    from .classifier import Recipe

MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
SHIFT = 6  # pixels


def normalized(images: torch.Tensor) -> torch.Tensor:
    """Pictures (N, 3, H, W) in [0, 1] as a network's first convolution takes them: channels last."""
    return ((images - MEAN[0]) / STD[0]).contiguous(memory_format=torch.channels_last)


def in_unit_range(pixels: np.ndarray | torch.Tensor) -> torch.Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) in [0, 1], where the pixels are."""
    return torch.as_tensor(pixels).permute(0, 3, 1, 2).float().div(255)


def augment(pixels: torch.Tensor, side: int, rng: np.random.Generator) -> torch.Tensor:
    """From each picture (N, H, W, 3) uint8, widened by 6 mirrored pixels, a random square of side x side
    pixels, flipped half of the time: (N, side, side, 3). Chosen on the CPU, cut out where the pixels are.
    """
    n, height, width, _ = pixels.shape
    margin = SHIFT if side == height else 0  # a smaller square has room to move without it
    tops = rng.integers(0, height + 2 * margin - side + 1, n) - margin
    lefts = rng.integers(0, width + 2 * margin - side + 1, n) - margin
    rows = mirrored(tops[:, None] + np.arange(side), height)
    columns = mirrored(lefts[:, None] + np.arange(side), width)
    flipped = rng.random(n) < 0.5
    columns[flipped] = columns[flipped, ::-1]
    which, y, x = (torch.from_numpy(a).to(pixels.device) for a in (np.arange(n), rows, columns))
    return pixels[which[:, None, None], y[:, :, None], x[:, None, :]]


def mirrored(places: np.ndarray, size: int) -> np.ndarray:
    """Places beyond an edge, reflected at the pixel on the edge: -1 is 1, and `size` is size - 2."""
    return (size - 1) - np.abs((size - 1) - np.abs(places))


class Batches:
    """batch(step) -> (inputs, labels): the same for the same step and seed, whatever was asked before.

    device: where the pictures are kept and cut out, and where the batches come from.
    """

    def __init__(self, pictures: Pictures, recipe: Recipe, device: torch.device | None = None) -> None:
        self.recipe = recipe
        self.images = torch.from_numpy(pictures.images).to(device or "cpu")
        self.labels = torch.from_numpy(pictures.labels).to(device or "cpu")
        self.per_epoch = len(pictures) // recipe.batch
        self.epoch, self.order = -1, np.empty(0, int)

    def pixels(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, side, side, 3) uint8 and labels (N,)"""
        epoch, position = divmod(step, self.per_epoch)
        if epoch != self.epoch:
            self.order = np.random.default_rng((self.recipe.seed, epoch)).permutation(len(self.labels))
            self.epoch = epoch
        chosen = torch.from_numpy(self.order[position * self.recipe.batch :][: self.recipe.batch])
        chosen = chosen.to(self.images.device)
        rng = np.random.default_rng((self.recipe.seed, epoch, position))
        return augment(self.images[chosen], self.recipe.side(epoch), rng), self.labels[chosen]

    def __call__(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        pixels, labels = self.pixels(step)
        return normalized(in_unit_range(pixels)), labels


class Attacked(Batches):
    """Batches whose pictures lead the model astray as it stands now: the inner maximum of adversarial
    training,

        min over the weights of the mean of  max over |r| <= epsilon of J(x + r, y),

    by projected gradient ascent from a random point of the ball, r <- clip(r + rate sign(dJ/dr)) with
    rate = 2.5 epsilon / steps. The outer minimum is the training's.
    Madry, Makelov, Schmidt, Tsipras & Vladu 2018, "Towards Deep Learning Models Resistant to Adversarial
    Attacks", equation 2.1.
    """

    def __init__(
        self, pictures: Pictures, recipe: Recipe, model: torch.nn.Module, device: torch.device | None = None
    ) -> None:
        super().__init__(pictures, recipe, device)
        self.model = model

    def __call__(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        pixels, labels = self.pixels(step)
        x, training = in_unit_range(pixels), self.model.training
        self.model.eval()
        with autocast(x.device):
            x = attacked(self.model, x, labels, self.recipe.epsilon, self.recipe.attack_steps, step)
        self.model.train(training)
        return normalized(x), labels


@torch.enable_grad()
def attacked(
    model: torch.nn.Module, x: torch.Tensor, labels: torch.Tensor, epsilon: float, steps: int, seed: int
) -> torch.Tensor:
    """Pictures (N, 3, H, W) in [0, 1] that differ from `x` by at most `epsilon` and on which the model's loss
    is high. The random start is drawn on the model's device: here speed is worth more than equal numbers.
    """
    generator = torch.Generator(x.device).manual_seed(seed)
    rate = 2.5 * epsilon / steps
    low, high = (x - epsilon).clamp(min=0), (x + epsilon).clamp(max=1)
    start = low + (high - low) * torch.rand(x.shape, generator=generator, device=x.device)
    for _ in range(steps):
        start.requires_grad_()
        loss = F.cross_entropy(model(normalized(start)), labels, reduction="sum")
        (g,) = torch.autograd.grad(loss, start)
        start = (start.detach() + rate * g.sign()).clamp(low, high)
    return start


def validation(pictures: Pictures, most: int | None = None) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """(inputs, labels) pairs of 200 pictures, to measure accuracy on; with `most`, of about that many
    pictures of all classes.
    """
    chosen = np.arange(len(pictures))[:: max(1, len(pictures) // most) if most else 1]
    for part in np.split(chosen, range(200, len(chosen), 200)):
        yield normalized(in_unit_range(pictures.images[part])), torch.from_numpy(pictures.labels[part])
