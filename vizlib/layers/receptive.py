"""Which pixels can a unit see?  Receptive fields, by following them through one forward pass."""

from dataclasses import dataclass
from functools import reduce

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode


@dataclass(frozen=True)
class ReceptiveField:
    """The square of pixels that a layer's unit depends on, each entry as (rows, columns).

    The unit at position i sees the pixels start + i * stride up to start + i * stride + size (not included).
        A start below 0
    reaches into the padding. `size` is infinite for units that see the whole picture.
    """

    size: tuple
    stride: tuple
    start: tuple

    def __str__(self):
        if any(s == float("inf") for s in self.size):
            return "all"
        return "x".join(str(round(s)) for s in dict.fromkeys(self.size))


PIXEL = ReceptiveField((1, 1), (1, 1), (0, 0))
EVERYTHING = ReceptiveField((float("inf"),) * 2, (1, 1), (0, 0))


def window(field, kernel, stride=1, padding=0, dilation=1):
    """The field after a sliding window: r' = r + (k - 1) d j,  j' = j s,  start' = start - p j  (j: stride so
    far).
    """
    k, s, p, d = map(_pair, (kernel, stride, padding, dilation))
    return ReceptiveField(
        tuple(r + (ki - 1) * di * j for r, ki, di, j in zip(field.size, k, d, field.stride, strict=True)),
        tuple(j * si for j, si in zip(field.stride, s, strict=True)),
        tuple(a - pi * j for a, pi, j in zip(field.start, p, field.stride, strict=True)),
    )


def union(a, b):
    """The field of a sum or a concatenation of two branches."""
    start = tuple(map(min, a.start, b.start))
    ends = tuple(max(s + r, t + q) for s, r, t, q in zip(a.start, a.size, b.start, b.size, strict=True))
    return ReceptiveField(
        tuple(e - s for e, s in zip(ends, start, strict=True)), tuple(map(max, a.stride, b.stride)), start
    )


class FieldTracer(TorchFunctionMode):
    """While open, follows the receptive field of every tensor computed from `images`, by modules or by plain
    functions.

    Convolutions, pooling, padding, sums and concatenations are followed exactly. A function that is not known
        to keep positions
    apart, or that changes the grid in a way not known here, is taken to see the whole picture.
    """

    def __init__(self, images):
        super().__init__()
        self._fields = {id(images): PIXEL}
        self._alive = [images]  # so that no id is given out twice

    def field_of(self, tensor):
        return self._fields.get(id(tensor))

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        fields = [self._fields[id(t)] for t in tensors_in([args, kwargs]) if id(t) in self._fields]
        outputs = tensors_in(out)
        if fields and outputs:
            field = _after(func, reduce(union, fields), args, kwargs, outputs[0])
            for tensor in outputs:
                self._fields[id(tensor)] = field
                self._alive.append(tensor)
        return out


def _after(func, field, args, kwargs, out):
    name = getattr(func, "__name__", "")
    given = dict(zip(_ARGUMENTS.get(name, ()), args, strict=False)) | kwargs
    if name == "conv2d":
        kernel, dilation = given["weight"].shape[-2:], _pair(given.get("dilation", 1))
        padding = given.get("padding", 0)
        if isinstance(padding, str):
            padding = tuple(
                d * (k - 1) // 2 if padding == "same" else 0 for k, d in zip(kernel, dilation, strict=True)
            )
        return window(field, kernel, given.get("stride", 1), padding, dilation)
    if "pool2d" in name and "adaptive" not in name:
        kernel = given["kernel_size"]
        return window(
            field, kernel, given.get("stride") or kernel, given.get("padding", 0), given.get("dilation", 1)
        )
    if func is F.pad and args[0].dim() == 4:
        left, _, top, _ = (*given["pad"], 0, 0)[:4]
        return window(field, 1, 1, (top, left))
    source = given["input"] if "input" in given else args[0]
    if _mixes_positions(name, source, out, given.get("normalized_shape", ())):
        return EVERYTHING
    return field


_ARGUMENTS = {
    "conv2d": ("input", "weight", "bias", "stride", "padding", "dilation", "groups"),
    "max_pool2d": ("input", "kernel_size", "stride", "padding", "dilation"),
    "max_pool2d_with_indices": ("input", "kernel_size", "stride", "padding", "dilation"),
    "avg_pool2d": ("input", "kernel_size", "stride", "padding"),
    "pad": ("input", "pad"),
    "layer_norm": ("input", "normalized_shape"),
}
_MIXERS = {
    "scaled_dot_product_attention",
    "group_norm",
    "instance_norm",
    "matmul",
    "bmm",
    "einsum",
    "roll",
    "flip",
    "conv_transpose2d",
}


def _mixes_positions(name, source, out, normalized):
    """Does a unit of `out` depend on every position of `source`?"""
    if name in _MIXERS:
        return True
    if name == "linear":
        return source.dim() == 2  # after flattening; on (N, H, W, C) a linear layer stays in its place
    if name == "softmax":
        return source.dim() != 4
    if name == "layer_norm":
        return source.dim() == 4 and out.dim() == 4 and len(normalized) > 1
    if name in (
        "flatten",
        "reshape",
        "view",
        "permute",
        "transpose",
        "movedim",
        "squeeze",
        "unsqueeze",
        "contiguous",
    ):
        return False  # the same numbers, arranged differently
    return (
        isinstance(source, torch.Tensor)
        and source.dim() == 4
        and (out.dim() < 4 or out.shape[-2:] != source.shape[-2:])
    )


def _pair(value):
    return (value, value) if isinstance(value, int) else tuple(value) * (2 if len(tuple(value)) == 1 else 1)


def tensors_in(tree):
    if isinstance(tree, torch.Tensor):
        return [tree]
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, (list, tuple)):
        return [t for item in tree for t in tensors_in(item)]
    return []


def receptive_field(net, layer):
    """The receptive field of a unit of `layer`, in pixels: a ReceptiveField with size, stride and start.

    Theoretical: every pixel that could matter. How few of them do is the empirical field (Zhou et al. 2015,
    section 3.2).
    """
    return net.layer(layer).receptive_field
