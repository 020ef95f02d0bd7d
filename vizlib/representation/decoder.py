"""Pictures from codes by an up-convolutional network (Dosovitskiy & Brox, 2016): what do pictures with this code look like on average?"""

from collections import OrderedDict

import torch
from torch import nn

CHANNELS = {4: 128, 8: 96, 16: 64, 32: 32, 64: 16}  # of the decoder's grid of 4 x 4, 8 x 8, ...
SIDE = 64


class Standardize(nn.Module):
    """(code - mean) / std per channel, with the mean and standard deviation of the codes it was measured on."""

    def __init__(self, channels):
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))

    def measure(self, codes):
        """codes (N, C) or (N, C, h, w). A channel that never changes keeps std 1."""
        rows = codes.transpose(0, 1).flatten(1)
        self.mean.copy_(rows.mean(1))
        self.std.copy_(torch.where(rows.std(1) > 1e-6, rows.std(1), 1.0))

    def forward(self, codes):
        shape = (1, -1, *[1] * (codes.dim() - 2))
        return (codes - self.mean.view(shape)) / self.std.view(shape)


class Decoder(nn.Sequential):
    """codes (N, C, h, w) with h = w a power of two from 4 to 32, or (N, K) -> pictures (N, 3, 64, 64), not yet clipped to [0, 1].

    A convolution (for flat codes a linear layer to a 4 x 4 grid), then up-convolutions that double the grid until it is 64 x 64, each
    followed by a leaky ReLU with slope 0.2. ConvTranspose2d with a 4 x 4 kernel and stride 2 is the paper's unpooling (a value and three
    zeros) and convolution in one; four is a multiple of the stride, so that every pixel gets as many terms as its neighbours.
    """

    def __init__(self, shape):
        channels, grid = shape[0], shape[1] if len(shape) == 3 else 4
        if len(shape) == 3:
            first = nn.Conv2d(channels, CHANNELS[grid], 3, padding=1)
        else:
            first = nn.Sequential(nn.Linear(channels, CHANNELS[grid] * grid * grid), nn.Unflatten(1, (CHANNELS[grid], grid, grid)))
        layers = OrderedDict(standardize=Standardize(channels), first=first, leaky=nn.LeakyReLU(0.2))
        while grid < SIDE:
            layers[f"up{2 * grid}"] = nn.ConvTranspose2d(CHANNELS[grid], CHANNELS[2 * grid], 4, stride=2, padding=1)
            layers[f"leaky{2 * grid}"] = nn.LeakyReLU(0.2)
            grid *= 2
        layers["picture"] = nn.Conv2d(CHANNELS[SIDE], 3, 3, padding=1)
        super().__init__(layers)
