"""Average pooling in the place of max-pooling, for as long as one likes; the network is not touched."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode


class _Average(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        change = _mean_of_window if func in (F.max_pool2d, torch.max_pool2d) else func
        return change(*args, **(kwargs or {}))


def _mean_of_window(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    if dilation not in (1, (1, 1)):  # there is no mean over a window with holes
        return F.max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode)
    return F.avg_pool2d(input, kernel_size, stride, padding, ceil_mode, count_include_pad=False)


@contextmanager
def average_pooling(on: bool = True) -> Iterator[None]:
    """While open, every 2-D max-pooling that a forward pass of this thread meets takes the mean of its
    window, not the largest value.

    No module is replaced and no hook is set, so there is nothing to restore: the block may end in any way.
    on: False changes nothing. The slope of a mean reaches every pixel of a window, that of a maximum only
    one. Max-pooling with holes (dilation) stays as it is. Gatys, Ecker & Bethge 2016, "Image Style Transfer
    Using Convolutional Neural Networks", section 2.
    """
    if not on:
        yield
        return
    with _Average():
        yield
