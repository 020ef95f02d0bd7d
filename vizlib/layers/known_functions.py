"""What PyTorch's functions do to receptive fields: which pixels a result depends on, and where its positions
are.

Only functions that are known are followed: sliding windows, functions of single numbers, functions along the
channels, and rearrangements. Whatever else is met is taken to see the whole picture, so that nothing is ever
taken for local by mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from math import prod
from typing import Any

import torch

from .windows import EVERYTHING, ReceptiveField, pair, union, window

PICTURE = ("", "", "r", "c")


@dataclass(frozen=True)
class Trace:
    """What is known of a tensor: the field of its units, and where its positions are.

    axes: which of the grid's directions each dimension holds: "" (such as channels), "r" (rows), "c"
        (columns), or "rc" (positions row by row); None where that is not known any more. grid: numbers of
        rows and columns.
    """

    field: ReceptiveField
    axes: tuple[str, ...] | None
    grid: tuple[int, ...]

    def rearranged(self, axes: tuple[str, ...] | None) -> Trace:
        """The same numbers in another arrangement. What has lost its axes is not known to be local."""
        trace = replace(self, axes=axes)
        return trace if axes else trace.not_local()

    def not_local(self) -> Trace:
        return replace(self, field=replace(self.field, local=False))


class Call:
    """One call of a function: its plain name ("add" for `__iadd__`, `add_`), its arguments, its result."""

    def __init__(
        self, func: Callable, args: tuple, kwargs: dict, traces: Mapping[int, Trace], out: torch.Tensor
    ):
        self.func, self.name, self.args, self.kwargs, self.out = func, plain_name(func), args, kwargs, out
        self._traces = traces
        self.tensors = tensors_in([args, kwargs])
        self.traced = [t for t in self.tensors if id(t) in traces]

    def given(self, name: str, position: int, default: Any = None) -> Any:
        """The argument of this name, or at this position."""
        return self.args[position] if position < len(self.args) else self.kwargs.get(name, default)

    def trace(self, tensor: Any) -> Trace | None:
        return self._traces.get(id(tensor))

    @property
    def source(self) -> Trace | None:
        """The first argument, if everything else is constant."""
        first = self.trace(self.given("input", 0))
        return first if len({id(t) for t in self.traced}) == 1 else None

    @property
    def traces(self) -> list[Trace]:
        """What is known of the arguments that have traces, in their order."""
        return [self._traces[id(t)] for t in self.traced]

    def everything(self) -> Trace:
        """Every unit of the result may depend on every pixel. The grid's step is that of an input of the same
        shape.
        """
        strides = [self._traces[id(t)].field.stride for t in self.traced if t.shape == self.out.shape]
        stride = tuple(max(steps) for steps in zip((1, 1), *strides, strict=True))
        axes = PICTURE if self.out.dim() == 4 else None
        return Trace(replace(EVERYTHING, stride=stride), axes, tuple(self.out.shape[-2:]))

    def of_all(self, traces: list[Trace]) -> Trace:
        """Units that see what the units at the same place of all these traces see."""
        return replace(traces[0], field=reduce(union, (t.field for t in traces)))


def follow(call: Call) -> Trace:
    """What is known of the result of a call some of whose arguments have traces."""
    rule = RULES.get(call.name)
    try:
        trace = rule(call) if rule else None
    except Exception:  # called in a form that is not known, such as with names for dimensions
        trace = None
    return trace or call.everything()


def plain_name(func: Any) -> str:
    name = getattr(func, "__name__", "")
    if name == "__get__":  # a property such as x.mT
        return func.__self__.__name__
    plain = name.strip("_")
    if name.startswith("__") and plain not in RULES and plain[1:] in POINTWISE:
        return plain[1:]  # __iadd__, __radd__
    return plain


def tensors_in(tree: Any) -> list[torch.Tensor]:
    """All tensors in nested lists, tuples and dicts."""
    if isinstance(tree, torch.Tensor):
        return [tree]
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, (list, tuple)):
        return [t for item in tree for t in tensors_in(item)]
    return []


# ------------------------------------------------------------------------------------------------------------
# Rules: each takes a Call and returns a Trace, or None where the function mixes what it should not.


def _convolution(call: Call) -> Trace | None:
    kernel, dilation = call.given("weight", 1).shape[2:], pair(call.given("dilation", 5, 1))
    padding = call.given("padding", 4, 0)
    if padding == "same":
        padding = [d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True)]
    elif padding == "valid":
        padding = 0
    return _slid(call, kernel, call.given("stride", 3, 1), padding, dilation)


def _pooling(call: Call) -> Trace | None:
    kernel, padding = call.given("kernel_size", 1), call.given("padding", 3, 0)
    dilation = call.given("dilation", 4, 1) if call.name.startswith("max") else 1
    trace = _slid(call, kernel, call.given("stride", 2) or kernel, padding, dilation)
    counts_places = call.name.endswith("indices")  # and places are numbered from the picture's corner
    return trace.not_local() if trace and counts_places else trace


def _slid(call: Call, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Trace | None:
    source = call.source
    if source is None or source.axes is None or source.axes[-2:] != ("r", "c"):
        return None
    field = window(source.field, kernel, stride, padding, dilation)
    return replace(source, field=field, grid=tuple(call.out.shape[-2:]))


def _padding(call: Call) -> Trace | None:
    """Constants beyond the border are as good as those of a convolution. A mirrored or repeated border lies
    in the field all the same, but a cut-out window would mirror something else; one from the other side does
    not.
    """
    mode = call.given("mode", 2, "constant")
    if mode not in ("constant", "reflect", "replicate"):
        return None
    left, _, top, _ = (*call.given("pad", 1), 0, 0)[:4]
    trace = _slid(call, 1, 1, (top, left), 1)
    return trace if trace is None or mode == "constant" else trace.not_local()


def _adaptive_pooling(call: Call) -> Trace | None:
    """To the size that is there already, nothing happens; to any other, windows of changing sizes."""
    source = call.source
    if source is None or source.axes != PICTURE or tuple(call.out.shape[-2:]) != source.grid:
        return None
    return source.not_local()


def _pointwise(call: Call) -> Trace | None:
    """Each unit from those in the same place. A constant that changes from place to place, such as a code of
    positions, does not change fields, but ends locality.
    """
    traces = call.traces
    if len(traces) == 1 and call.traced[0].shape == call.out.shape:
        axes = traces[0].axes
    else:
        pairs = zip(traces, call.traced, strict=True)
        axes, *others = (_spread(trace.axes, tensor, call.out) for trace, tensor in pairs)
        if axes is None or any(other != axes for other in others):
            return None
    trace = call.of_all(traces).rearranged(axes)
    if axes is None:
        return trace
    constants = [t for t in call.tensors if call.trace(t) is None]
    return trace if all(_is_even(t, axes) for t in constants) else trace.not_local()


def _spread(axes: tuple[str, ...] | None, tensor: torch.Tensor, out: torch.Tensor) -> tuple[str, ...] | None:
    """The axes of a tensor that is broadcast to the shape of `out`; None if that repeats a position."""
    if axes is None:
        return None
    missing = out.dim() - tensor.dim()
    kept = tuple(out.shape)[missing:]
    repeated = any(tag and n != m for tag, n, m in zip(axes, tensor.shape, kept, strict=True))
    return None if missing < 0 or repeated else ("",) * missing + axes


def _is_even(constant: torch.Tensor, axes: tuple[str, ...]) -> bool:
    """Is this constant the same in all places of something with these axes?"""
    sides = zip(reversed(constant.shape), reversed(axes), strict=False)
    return constant.dim() <= len(axes) and all(n == 1 for n, tag in sides if tag)


def _along(call: Call) -> Trace | None:
    """Functions along some dimensions, which must be none of the grid's: softmax, mean, chunk, and so on."""
    source, dims = call.source, _dims(call)
    if call.name in ("max", "min") and isinstance(call.given("other", 1), torch.Tensor):
        return _pointwise(call)
    if source is None or source.axes is None or not dims or any(source.axes[d] for d in dims):
        return None
    gone = len(source.axes) > call.out.dim()
    return source.rearranged(tuple(a for d, a in enumerate(source.axes) if not (gone and d in dims)))


def _dims(call: Call) -> set[int] | None:
    """The dimensions along which a function works, counted from 0; None if that is all of them."""
    position, default = ALONG[call.name]
    dims = next((call.kwargs[name] for name in ("dims", "axis") if name in call.kwargs), None)
    dims = call.given("dim", position, default) if dims is None else dims
    if dims is None or isinstance(dims, (bool, torch.Tensor)):
        return None
    n = call.tensors[0].dim() + (call.name == "stack")
    return {d % n for d in (dims if isinstance(dims, (list, tuple)) else [dims])}


def _joined(call: Call) -> Trace | None:
    """cat and stack along the channels. A constant map among them may change from place to place."""
    parts, dims, traces = call.given("tensors", 0), _dims(call), call.traces
    axes = traces[0].axes
    if axes is None or dims is None or any(trace.axes != axes for trace in traces):
        return None
    (at,) = dims
    if call.name == "stack":
        axes = (*axes[:at], "", *axes[at:])
    if axes[at]:
        return None
    trace = call.of_all(traces).rearranged(axes)
    return trace if len(traces) == len(parts) else trace.not_local()


def _over_last(call: Call) -> Trace | None:
    """A linear layer or a norm over the last dimensions, of something that has its channels last."""
    source = call.source
    count = len(call.given("normalized_shape", 1)) if call.name.endswith("norm") else 1
    if source is None or source.axes is None or any(source.axes[-count:]):
        return None
    return source


def _by_channel(call: Call) -> Trace | None:
    """Functions with numbers of their own for each channel: prelu, and batch-norm that does not look at the
    batch.
    """
    source, looks = call.source, call.name == "batch_norm" and call.given("training", 5, False)
    if source is None or source.axes is None or looks or "" not in source.axes[1:2]:
        return None
    return source


def _over_channels(call: Call) -> Trace | None:
    """Functions that mix the channels, dimension 1, in each place."""
    return call.source if call.source and call.source.axes == PICTURE else None


def _dropout(call: Call) -> Trace | None:
    return call.source and (call.source.not_local() if call.given("training", 2, True) else call.source)


def _sliced(call: Call) -> Trace | None:
    """Channels may be picked by numbers and slices; of the grid all must stay, and rows stay rows."""
    source, tensor = call.source, call.args[0]
    if source is None or source.axes is None:
        return None
    index = call.args[1] if isinstance(call.args[1], tuple) else (call.args[1],)
    if not all(i is None or i is Ellipsis or type(i) in (int, slice) for i in index):
        return None
    if Ellipsis not in index:
        index = (*index, Ellipsis)
    skipped = tensor.dim() - sum(type(i) in (int, slice) for i in index)
    at = index.index(Ellipsis)
    whole = slice(None)
    index = (*index[:at], *[whole] * skipped, *index[at + 1 :])
    axes, dim, cut = [], 0, False
    for i in index:
        if i is None:
            axes.append("")
            continue
        if source.axes[dim] and i != whole:
            if type(i) is int or len(range(*i.indices(tensor.shape[dim]))) != tensor.shape[dim]:
                return None
            cut = True  # all of this grid, but not of a larger one
        if type(i) is slice:
            axes.append(source.axes[dim])
        dim += 1
    trace = source.rearranged(tuple(axes))
    return trace.not_local() if cut else trace


def _permuted(call: Call) -> Trace | None:
    """Where the dimensions go is read off a probe whose sides are all different."""
    source = call.source
    if source is None or source.axes is None:
        return None
    sides = list(range(2, 2 + len(source.axes)))
    probe = torch.empty(sides, device="meta")
    moved = call.func(probe, *call.args[1:], **{k: v for k, v in call.kwargs.items() if k != "input"})
    return source.rearranged(tuple(source.axes[sides.index(side)] for side in moved.shape))


def _reshaped(call: Call) -> Trace | None:
    """The same numbers in the same order, counted in other dimensions: flatten, view, squeeze, and so on."""
    source = call.source
    if source is None or source.axes is None:
        return source
    before = [
        part
        for tag, n in zip(source.axes, call.given("input", 0).shape, strict=True)
        for part in _parts(tag, n, source.grid)
    ]
    return source.rearranged(_regrouped(before, tuple(call.out.shape)))


def _parts(tag: str, side: int, grid: tuple[int, ...]) -> list[tuple[str, int]]:
    return [(axis, grid["rc".index(axis)]) for axis in tag] if len(tag) > 1 else [(tag, side)]


def _regrouped(parts: list[tuple[str, int]], shape: tuple[int, ...]) -> tuple[str, ...] | None:
    """The axes of the dimensions of `shape`, which count the same numbers as `parts`, (axis, side), do.

    None if rows or columns are split, or lie in one dimension with channels.
    """
    axes = ["" for _ in shape]
    first = 0  # rows come before columns in a shape if they do so in the parts
    for k, (tag, side) in enumerate(parts):
        if not tag:
            continue
        before = prod(n for _, n in parts[:k])  # how many blocks of this axis there are
        holder = next((d for d in range(first, len(shape)) if _holds(shape, d, before, side)), None)
        if holder is None:
            return None
        axes[holder], first = axes[holder] + tag, holder + (side == shape[holder])
    sides = {tag: side for tag, side in parts if tag}
    pure = all(prod(sides[t] for t in tag) == n for tag, n in zip(axes, shape, strict=True) if tag)
    return tuple(axes) if pure else None


def _holds(shape: tuple[int, ...], d: int, before: int, side: int) -> bool:
    """Does dimension d hold all of an axis of this side, with `before` numbers of other axes before it?"""
    outer = prod(shape[:d])
    return (
        before % outer == 0 and outer * shape[d] % (before * side) == 0 and before * side <= outer * shape[d]
    )


POINTWISE = set(
    """
    abs acos add addcdiv addcmul alias asin atan atan2 bitwise_and bitwise_not bitwise_or bool ceil celu
    clamp clamp_max clamp_min clip clone contiguous copy cos cosh cpu cuda data detach div divide double elu
    eq erf erfc exp exp2 expand expand_as expm1 fill fix float float_power floor floor_divide fmax fmin fmod
    frac full_like ge gelu greater greater_equal gt half bfloat16 hardshrink hardsigmoid hardswish hardtanh
    heaviside hypot int invert isfinite isinf isnan le leaky_relu lerp less less_equal lgamma log log10
    log1p log2 logaddexp logical_and logical_not logical_or logical_xor logit logsigmoid long lt masked_fill
    maximum minimum mish mul multiply nan_to_num ne neg negative not_equal ones_like positive pow real
    reciprocal relu relu6 remainder requires_grad round rrelu rsqrt rsub selu sgn sigmoid sign silu sin sinh
    softplus softshrink softsign sqrt square sub subtract tan tanh tanhshrink threshold to true_divide
    truediv trunc type type_as where xlogy zero zeros_like
    """.split()
)
# functions along a dimension: where in the arguments that is, and which it is if nothing is said
ALONG = {
    **dict.fromkeys(("softmax", "log_softmax", "softmin", "cumsum", "cumprod", "flip", "narrow"), (1, None)),
    **dict.fromkeys(("mean", "sum", "prod", "amax", "amin", "aminmax", "max", "min", "median"), (1, None)),
    **dict.fromkeys(
        ("argmax", "argmin", "any", "all", "logsumexp", "std", "var", "std_mean", "var_mean"), (1, None)
    ),
    **dict.fromkeys(("index_select", "select"), (1, None)),
    **dict.fromkeys(("norm", "linalg_vector_norm", "roll"), (2, None)),
    **dict.fromkeys(("chunk", "split", "tensor_split"), (2, 0)),
    **dict.fromkeys(("unbind", "cat", "concat", "concatenate", "stack"), (1, 0)),
    **dict.fromkeys(("sort", "argsort", "glu"), (1, -1)),
    "topk": (2, -1),
    "normalize": (2, 1),
}
RULES: dict[str, Callable[[Call], Trace | None]] = {
    "conv2d": _convolution,
    **dict.fromkeys(("max_pool2d", "max_pool2d_with_indices", "avg_pool2d"), _pooling),
    **dict.fromkeys(("adaptive_avg_pool2d", "adaptive_max_pool2d"), _adaptive_pooling),
    "pad": _padding,
    **dict.fromkeys(POINTWISE, _pointwise),
    **dict.fromkeys(ALONG, _along),
    **dict.fromkeys(("cat", "concat", "concatenate", "stack"), _joined),
    **dict.fromkeys(("linear", "layer_norm", "rms_norm"), _over_last),
    **dict.fromkeys(("batch_norm", "prelu"), _by_channel),
    **dict.fromkeys(("local_response_norm", "channel_shuffle"), _over_channels),
    **dict.fromkeys(("dropout", "dropout2d", "alpha_dropout", "feature_alpha_dropout"), _dropout),
    "getitem": _sliced,
    **dict.fromkeys(
        ("permute", "transpose", "movedim", "moveaxis", "swapaxes", "swapdims", "mT", "T"), _permuted
    ),
    **dict.fromkeys(("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze"), _reshaped),
    **dict.fromkeys(("view_as", "reshape_as"), _reshaped),
}
