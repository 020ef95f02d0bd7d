"""How layers hand relevance back: each input of a sum gets the share of the sum that it contributed.

    R_j = sum_k  z_jk / (sum_j z_jk + b_k) R_k,   z_jk = a_j rho(w_jk)         Bach et al. 2015; Montavon et
    al. 2019, section 10.2

A function mode catches every call of a network's forward pass and puts this rule in the place of its
derivative, so that an ordinary backward pass carries relevance: through convolutions (depthwise ones too),
linear layers, batch-norm, average pooling and sums of two branches. Max-pooling hands everything to the
winner, which is what its derivative does anyway. Rectifiers and normalization pass it on.
"""

import math
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from ..errors import VizlibError
from .receptive import tensors_in
from .rules import _ceiling


@dataclass(frozen=True)
class Rule:
    """rho(w) = w + gamma max(0, w), and `epsilon` times the layer's typical |sum| added to every sum. Both 0:
    LRP-0.

    box: (low, high), what the inputs can be: the z-box rule z_jk = a_j w_jk - low_j max(0, w_jk) - high_j
        min(0, w_jk), for pixels.
    bias: whether the bias takes part, and keeps its share; without, a layer hands on all that it gets.
    """

    gamma: float = 0.0
    epsilon: float = 0.0
    box: tuple | None = None
    bias: bool = True


def shares(a, op, w, b, R, rule):
    """One layer: inputs a, output op(a, w, b), relevance R of the output -> (relevance of a, relevance that
    the bias keeps).
    """
    a, bias = a.detach(), b if rule.bias else None
    if rule.box:
        terms = [
            (a, w),
            (-rule.box[0].expand_as(a), w.clamp(min=0)),
            (-rule.box[1].expand_as(a), w.clamp(max=0)),
        ]
        return _share(terms, op, bias, R, rule.epsilon)
    if rule.gamma == 0:
        return _share([(a, w)], op, bias, R, rule.epsilon)

    def favour(side, x):
        if x is None:
            return x
        return x.clamp(**side) if math.isinf(rule.gamma) else x + rule.gamma * x.clamp(**side)

    # Favour what pushes a sum the way it went, bias and all, so that a positive and a negative sum are
    # treated alike.
    up, down = {"min": 0}, {"max": 0}
    went_up = op(a, w, b) >= 0
    relevance, kept = torch.zeros_like(a), torch.zeros(len(R))
    for agree, against, part in ((up, down, R * went_up), (down, up, R * ~went_up)):
        if part.any():
            terms = [(a.clamp(min=0), favour(agree, w))]
            if (a < 0).any():
                terms.append((a.clamp(max=0), favour(against, w)))
            more, more_kept = _share(terms, op, favour(agree, bias), part, rule.epsilon)
            relevance, kept = relevance + more, kept + more_kept
    return relevance, kept


def _share(terms, op, b, R, epsilon):
    """terms: pairs (inputs, weights) whose contributions are added up."""
    inputs = [a.clone().requires_grad_() for a, _ in terms]
    with torch.enable_grad():
        z = sum(op(a, w, None) for a, (_, w) in zip(inputs, terms, strict=True))
        if b is not None:
            z = z + b.view(-1, *[1] * (z.dim() - 2))
    s = R / _stabilised(z.detach(), epsilon)
    c = torch.autograd.grad(z, inputs, s)
    kept = torch.zeros(len(R)) if b is None else (s * b.view(-1, *[1] * (z.dim() - 2))).flatten(1).sum(1)
    return sum(a.detach() * g for a, g in zip(inputs, c, strict=True)), kept


def _stabilised(z, epsilon):
    """z moved away from zero by epsilon times its root mean square, and never exactly zero."""
    size = z.reshape(len(z), -1).square().mean(1).sqrt().view(-1, *[1] * (z.dim() - 1))
    return z + torch.where(z >= 0, 1.0, -1.0) * (epsilon * size + 1e-12)


class _Hand(torch.autograd.Function):
    """A layer whose backward pass hands relevance on."""

    @staticmethod
    def forward(ctx, a, b_input, op, w, b, rule, note):
        ctx.save_for_backward(a, *([] if b_input is None else [b_input]))
        ctx.op, ctx.w, ctx.b, ctx.rule, ctx.note = op, w, b, rule, note
        return op(a, w, b) if b_input is None else a + b_input

    @staticmethod
    def backward(ctx, R):
        a, *other = ctx.saved_tensors
        if other:  # a sum of two branches
            relevance, kept = shares(torch.stack([a, other[0]], 1), _added, torch.ones(2), None, R, ctx.rule)
            ctx.note(R, relevance, kept)
            return *relevance.unbind(1), None, None, None, None, None
        relevance, kept = shares(a, ctx.op, ctx.w, ctx.b, R, ctx.rule)
        ctx.note(R, relevance, kept)
        return relevance, None, None, None, None, None, None


def _added(pair, w, b):
    return (pair * w.view(1, 2, *[1] * (pair.dim() - 2))).sum(1)


class _Pass(torch.autograd.Function):
    """Any output, with the relevance handed on unchanged."""

    @staticmethod
    def forward(ctx, a, out):
        return out.clone()

    @staticmethod
    def backward(ctx, R):
        return R, None


# What these do to a signal on its way back is what they should do to relevance.
_REARRANGE = {
    "flatten",
    "view",
    "reshape",
    "permute",
    "transpose",
    "contiguous",
    "clone",
    "to",
    "float",
    "squeeze",
    "unsqueeze",
    "expand",
    "chunk",
    "split",
    "cat",
    "concat",
    "pad",
    "gather",
    "__getitem__",
    "max_pool2d",
    "max_pool2d_with_indices",
    "boolean_dispatch",
    "fn",
    "dropout",
    "dropout2d",
    "feature_dropout",
}
_AVERAGES = {"avg_pool2d", "adaptive_avg_pool2d", "mean"}
_SHIFTS = {
    "add",
    "__add__",
    "__radd__",
    "add_",
    "__iadd__",
    "sub",
    "__sub__",
    "__rsub__",
    "mul",
    "__mul__",
    "__rmul__",
    "div",
    "__truediv__",
}
_SUMS = {"add", "__add__", "__radd__", "add_", "__iadd__"}


class _Relevance(TorchFunctionMode):
    def __init__(self, choose, note):
        super().__init__()
        self.choose, self.note, self.layers = choose, note, 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        signals = [t for t in tensors_in([args, kwargs]) if t.requires_grad]
        if not signals:
            return func(*args, **kwargs)
        if name in ("conv2d", "linear", "batch_norm"):
            return self._weighted(name, func, args, kwargs)
        if name in _AVERAGES:
            return _Hand.apply(
                args[0],
                None,
                lambda a, w, b: func(a, *args[1:], **kwargs),
                None,
                None,
                Rule(),
                self.note(name, None),
            )
        if name in _SUMS and len(signals) == 2:
            return _Hand.apply(
                *signals,
                None,
                None,
                None,
                self.choose("sum", self.layers, signals[0]),
                self.note("sum", None),
            )
        out = func(
            *(a.detach() if _is_signal(a) else a for a in args),
            **{k: v.detach() if _is_signal(v) else v for k, v in kwargs.items()},
        )
        if name in _SHIFTS and len(signals) == 1 or _ceiling(func, args, kwargs) is not None:
            return _Pass.apply(signals[0], out)
        if name in _REARRANGE or not tensors_in(out) or not tensors_in(out)[0].is_floating_point():
            return func(*args, **kwargs)
        raise VizlibError(
            f"There is no relevance rule for {name!r}, which this network uses. "
            "LRP here goes through convolutions, linear layers, batch-norm, pooling, sums, ReLU and ReLU6."
        )

    def _weighted(self, name, func, args, kwargs):
        given = dict(zip(_PARAMETERS[name], args, strict=False)) | kwargs
        a, w, b = given.pop("input"), given.pop("weight"), given.pop("bias", None)
        if name == "conv2d":
            op = lambda a, w, b: F.conv2d(a, w, b, **given)  # noqa: E731
        elif name == "linear":
            op = F.linear
        else:
            scale = (given["running_var"] + given.get("eps", 1e-5)).rsqrt() * (1 if w is None else w)
            b, w = (0 if b is None else b) - given["running_mean"] * scale, scale

            def op(a, w, b):
                shape = (-1, *[1] * (a.dim() - 2))
                return a * w.view(shape) + (0 if b is None else b.view(shape))

        rule = self.choose(name, self.layers, a)
        self.layers += 1
        return _Hand.apply(
            a,
            None,
            op,
            w.detach(),
            None if b is None else b.detach(),
            rule,
            self.note(name, given.get("weight", w)),
        )


def _is_signal(x):
    return isinstance(x, torch.Tensor) and x.requires_grad


_PARAMETERS = {
    "conv2d": ("input", "weight", "bias", "stride", "padding", "dilation", "groups"),
    "linear": ("input", "weight", "bias"),
    "batch_norm": ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps"),
}


@contextmanager
def relevance_rules(choose, note=lambda name, weight: lambda *sums: None):
    """While open, the backward pass of what is computed carries relevance instead of slopes.

    choose: (kind, number, inputs) -> Rule for the weighted layers, which are counted from 0 at the pixels,
        and for sums of two branches;
    kind is "conv2d", "linear", "batch_norm" or "sum". note: (kind, weight) -> a function (R of the output, R
        of the input, R kept by
    the bias), called on the way back.
    Raises VizlibError for functions without a rule.
    """
    with _Relevance(choose, note):
        yield
