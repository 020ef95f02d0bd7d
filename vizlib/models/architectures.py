"""The small networks of this course: convolution, ReLU and pooling only, so that every step can be followed
by hand.
"""

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Conv:
    """One line of an architecture: `channels` filters of kernel x kernel pixels, a ReLU, and 2 x 2
    max-pooling where `pool` says so.
    """

    channels: int
    kernel: int
    stride: int = 1
    pool: bool = False


# Zeiler & Fergus (2014) at a quarter of the resolution: 7 x 7 filters at stride 2 first, three 3 x 3 layers
# in a row at the end.
ZFNET = (
    Conv(48, 7, stride=2, pool=True),
    Conv(128, 5, pool=True),
    Conv(192, 3),
    Conv(192, 3),
    Conv(256, 3, pool=True),
)
# What they changed it from (their section 4.1): 11 x 11 filters at stride 4. The second pooling is dropped,
# so that conv3 to conv5 see the same 8 x 8 grid in both networks and the first layer alone makes the
# difference.
ZFNET_COARSE = (
    Conv(48, 11, stride=4, pool=True),
    Conv(128, 5),
    Conv(192, 3),
    Conv(192, 3),
    Conv(256, 3, pool=True),
)
# For collages of 96 x 96 pixels; the last layer sees about half of the picture, enough for an object.
SCENENET = (
    Conv(32, 5, stride=2, pool=True),
    Conv(64, 3, pool=True),
    Conv(128, 3),
    Conv(128, 3),
    Conv(192, 3),
)

PLAIN = {
    "zfnet": ZFNET,
    "zfnet-b": ZFNET,
    "zfnet-coarse": ZFNET_COARSE,
    "zfnet-robust": ZFNET,
    "scenenet": SCENENET,
    "objectnet": SCENENET,
}


class PlainNet(nn.Sequential):
    """Convolutions with ReLU and max-pooling, the average over all positions, and one linear layer: (N, 3, H,
    W) -> logits (N, classes).

    The modules are called conv1, relu1, pool1, ..., gap, flatten, fc. norm=True puts a batch-norm after every
        convolution, for training;
    afterwards it is folded into the convolution's weights and bias, and the network is the same without it.
    """

    def __init__(self, convs, classes, *, norm=False):
        layers, inputs = OrderedDict(), 3
        for i, c in enumerate(convs, 1):
            layers[f"conv{i}"] = nn.Conv2d(
                inputs, c.channels, c.kernel, c.stride, padding=c.kernel // 2, bias=not norm
            )
            if norm:
                layers[f"norm{i}"] = nn.BatchNorm2d(c.channels)
            layers[f"relu{i}"] = nn.ReLU()
            if c.pool:
                layers[f"pool{i}"] = nn.MaxPool2d(2)
            inputs = c.channels
        layers["gap"] = nn.AdaptiveAvgPool2d(1)
        layers["flatten"] = nn.Flatten()
        layers["fc"] = nn.Linear(inputs, classes)
        super().__init__(layers)


class Grey(nn.Module):
    """The mean of the three colours: (N, 3, H, W) -> (N, 1, H, W)."""

    def forward(self, images):
        return images.mean(1, keepdim=True)


class LeNet(nn.Sequential):
    """Two convolutions and two linear layers for pictures of 28 x 28 pixels (after LeCun et al., 1998): (N,
    3, 28, 28) -> (N, classes).
    """

    def __init__(self, classes=10):
        super().__init__(
            OrderedDict(
                grey=Grey(),
                conv1=nn.Conv2d(1, 16, 5, padding=2),
                relu1=nn.ReLU(),
                pool1=nn.MaxPool2d(2),
                conv2=nn.Conv2d(16, 32, 5, padding=2),
                relu2=nn.ReLU(),
                pool2=nn.MaxPool2d(2),
                flatten=nn.Flatten(),
                fc1=nn.Linear(32 * 7 * 7, 128),
                relu3=nn.ReLU(),
                fc2=nn.Linear(128, classes),
            )
        )


class Fire(nn.Module):
    """SqueezeNet's module: 1 x 1 filters squeeze the channels into a few, then 1 x 1 and 3 x 3 filters expand
    them, side by side: (N, inputs, h, w) -> (N, 2 * expanded, h, w).

    Iandola et al. 2016, section 3.2.
    """

    def __init__(self, inputs, squeezed, expanded):
        super().__init__()
        self.squeeze, self.squeeze_activation = nn.Conv2d(inputs, squeezed, 1), nn.ReLU()
        self.expand1x1, self.expand1x1_activation = nn.Conv2d(squeezed, expanded, 1), nn.ReLU()
        self.expand3x3, self.expand3x3_activation = nn.Conv2d(squeezed, expanded, 3, padding=1), nn.ReLU()

    def forward(self, x):
        x = self.squeeze_activation(self.squeeze(x))
        one, three = self.expand1x1(x), self.expand3x3(x)
        return torch.cat([self.expand1x1_activation(one), self.expand3x3_activation(three)], 1)


class SqueezeNet(nn.Sequential):
    """SqueezeNet 1.1: (N, 3, H, W) -> logits (N, classes). Its head is a convolution: one map for each class,
    rectified, whose mean is the logit.

    Iandola, Han, Moskewicz, Ashraf, Dally & Keutzer 2016, "SqueezeNet: AlexNet-level accuracy with 50x fewer
    parameters and < 0.5 MB model size"; 1.1 is their later version, with an earlier pooling. Each pooling
    carries the number of the layer that it follows, as in the paper. torchvision's `squeezenet1_1` is the
    same network under other names.
    """

    def __init__(self, classes=1000):
        def pool():  # overlapping windows; at the right and the lower edge they may reach over it
            return nn.MaxPool2d(3, 2, ceil_mode=True)

        super().__init__(
            OrderedDict(
                conv1=nn.Conv2d(3, 64, 3, stride=2),
                relu1=nn.ReLU(),
                pool1=pool(),
                fire2=Fire(64, 16, 64),
                fire3=Fire(128, 16, 64),
                pool3=pool(),
                fire4=Fire(128, 32, 128),
                fire5=Fire(256, 32, 128),
                pool5=pool(),
                fire6=Fire(256, 48, 192),
                fire7=Fire(384, 48, 192),
                fire8=Fire(384, 64, 256),
                fire9=Fire(512, 64, 256),
                conv10=nn.Conv2d(512, classes, 1),
                relu10=nn.ReLU(),
                gap=nn.AdaptiveAvgPool2d(1),
                flatten=nn.Flatten(),
            )
        )
