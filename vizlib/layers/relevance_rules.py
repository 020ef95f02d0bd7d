"""How layers hand relevance back: each input of a sum gets the share of the sum that it contributed.

    R_j = sum_k  z_jk / (sum_j z_jk + b_k) R_k,   z_jk = a_j rho(w_jk)

(Bach et al. 2015; Montavon et al. 2019, section 10.2.) A function mode catches every call of a network's
forward pass and puts this rule in the place of its derivative, so that an ordinary backward pass carries
relevance: through convolutions (depthwise ones too), linear layers, batch-norm, averages and sums of two
branches. Max-pooling hands everything to the winner, which is what its derivative does anyway. Rectifiers,
and adding or multiplying by what is no signal (normalization), pass it on.

The forward pass stays what it is, to the last digit: the network's own functions compute it, and what the
network writes into a tensor is written there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from ..errors import VizlibError
from .receptive import tensors_in
from .rules import _ceiling, _in_place


@dataclass(frozen=True)
class Rule:
    """How one layer shares relevance out. All at their defaults: LRP-0.

    gamma: rho(w) = w + gamma max(0, w), LRP-gamma; infinite: only max(0, w), LRP-z-plus.
    epsilon: so many times the layer's root mean square is added to every sum, LRP-epsilon.
    box: (low, high), what the inputs can be: the z-box rule (z^B, deep Taylor decomposition) for pixels,
        z_jk = a_j w_jk - low_j max(0, w_jk) - high_j min(0, w_jk).
    bias: whether the bias takes part, and keeps its share; without, a layer hands on all that it gets.
    """

    gamma: float = 0.0
    epsilon: float = 0.0
    box: tuple[torch.Tensor, torch.Tensor] | None = None
    bias: bool = True


# (inputs, weights, bias) -> outputs, of one layer
Op = Callable[[torch.Tensor, Any, Any], torch.Tensor]


def shares(
    a: torch.Tensor, op: Op, w: Any, b: torch.Tensor | None, R: torch.Tensor, rule: Rule
) -> tuple[torch.Tensor, torch.Tensor]:
    """The relevance that the inputs of one layer get, and what its bias keeps: the shape of `a`, and (N,).

    a: the inputs. op(a, w, b): the layer; linear in w and b. R: the relevance of its outputs.
    """
    a, bias = a.detach(), b if rule.bias else None
    if rule.box:
        low, high = (bound.expand_as(a) for bound in rule.box)
        return _share([(a, w), (-low, w.clamp(min=0)), (-high, w.clamp(max=0))], op, bias, R, rule.epsilon)
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
    relevance, kept = torch.zeros_like(a), R.new_zeros(len(R))
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
            b = _along_channels(b, terms[0][1], z)
            z = z + b
    s = R / _stabilised(z.detach(), epsilon)
    c = torch.autograd.grad(z, inputs, s)
    kept = R.new_zeros(len(R)) if b is None else (s * b).flatten(1).sum(1)
    return sum(a.detach() * g for a, g in zip(inputs, c, strict=True)), kept


def _along_channels(b, w, z):
    """The bias, shaped to be added to z: the channels of a linear layer (a matrix w) come last, others
    second.
    """
    return b if w.dim() == 2 else b.view(-1, *[1] * (z.dim() - 2))


def _stabilised(z, epsilon):
    """z moved away from zero by epsilon times its root mean square, and never exactly zero."""
    size = z.reshape(len(z), -1).square().mean(1).sqrt().view(-1, *[1] * (z.dim() - 1))
    return z + torch.where(z >= 0, 1.0, -1.0) * (epsilon * size + 1e-12)


class _Hand(torch.autograd.Function):
    """A step of the forward pass, with a backward pass of our own: back(R, *inputs) -> relevance of each
    input.
    """

    @staticmethod
    def forward(ctx, run, back, *inputs):
        ctx.back = back
        ctx.save_for_backward(*(a.clone() for a in inputs))  # the network may write over them later
        return run()

    @staticmethod
    def backward(ctx, R):
        return None, None, *ctx.back(R, *ctx.saved_tensors)


class _Pass(torch.autograd.Function):
    """A step of the forward pass that hands relevance on as it comes."""

    @staticmethod
    def forward(ctx, run, a):
        return run()

    @staticmethod
    def backward(ctx, R):
        return None, R  # of a signal that was spread out, autograd adds up the parts


# What these do to a signal on its way back is what they should do to relevance. "fn": max-pooling; "__get__":
# x.T.
_NAMES = """
    flatten unflatten view view_as reshape permute transpose movedim swapaxes contiguous clone copy_ to float
    squeeze unsqueeze expand expand_as chunk split unbind narrow select index_select cat concat concatenate
    stack pad roll flip gather pixel_shuffle channel_shuffle max_pool2d max_pool2d_with_indices
    boolean_dispatch fn dropout dropout2d feature_dropout __getitem__ __get__
"""
_REARRANGE = set(_NAMES.split())
_AVERAGES = {"avg_pool2d", "adaptive_avg_pool2d", "mean", "sum"}
_ARITHMETIC = {
    name: kind
    for kind, names in {
        "add": "add add_ __add__ __radd__ __iadd__",
        "sub": "sub sub_ subtract subtract_ __sub__ __isub__",
        "rsub": "rsub __rsub__",
        "mul": "mul mul_ multiply multiply_ __mul__ __rmul__ __imul__",
        "div": "div div_ divide divide_ true_divide true_divide_ __truediv__ __itruediv__",
        "neg": "neg neg_ negative negative_ __neg__",
    }.items()
    for name in names.split()
}
_PARAMETERS = {
    F.conv2d: "input weight bias stride padding dilation groups",
    F.linear: "input weight bias",
    F.batch_norm: "input running_mean running_var weight bias training momentum eps",
    torch.batch_norm: "input weight bias running_mean running_var training momentum eps",
}


class _Relevance(TorchFunctionMode):
    def __init__(self, choose, note):
        super().__init__()
        self.choose, self.note, self.layers = choose, note, 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs, name = dict(kwargs or {}), getattr(func, "__name__", "")
        if not _signals(args, kwargs):
            return func(*args, **kwargs)
        if isinstance(kwargs.get("out"), torch.Tensor):
            out = kwargs.pop("out")
            return _write(out, self.__torch_function__(func, types, args, kwargs))
        if func in _PARAMETERS:
            return self._weighted(name, func, args, kwargs)
        if name in _AVERAGES:
            return self._average(name, *_first(func, args, kwargs))
        if name in _ARITHMETIC:
            return self._arithmetic(name, func, args, kwargs)
        if _ceiling(func, args, kwargs) is not None:
            x, call = _first(func, args, kwargs)
            if _in_place(func, args, kwargs):
                return _write(x, _Pass.apply(lambda: call(x.clone()), x))
            return _Pass.apply(lambda: call(x), x)
        out = func(*args, **kwargs)
        if name not in _REARRANGE and any(t.requires_grad for t in tensors_in(out)):
            _refuse(name)
        return out

    def _weighted(self, name, func, args, kwargs):
        given = dict(zip(_PARAMETERS[func].split(), args, strict=False)) | kwargs
        a, w = given["input"], given.get("weight")
        if _signals([], {**given, "input": None}):
            _refuse(name, " with weights that depend on the picture")
        rule, note = self.choose(name, self.layers, a), self.note(name, w)
        self.layers += 1
        back = _back(*_op(name, given), rule, note)
        return _Hand.apply(lambda: func(*args, **kwargs), back, a)

    def _average(self, name, a, call):
        back = _back(lambda a, w, b: call(a), None, None, Rule(), self.note(name, None))
        return _Hand.apply(lambda: call(a), back, a)

    def _arithmetic(self, name, func, args, kwargs):
        """What adds up two signals, or shifts or scales one; in place if the network does so."""
        kind = _ARITHMETIC[name]
        if len(args) == 3:  # torch.add(a, alpha, b), as one wrote it once
            args, kwargs = (args[0], args[2]), {**kwargs, "alpha": args[1]}
        a, call = _first(func, args, kwargs)
        b = kwargs.get("other", args[1] if len(args) > 1 else None)
        in_place = name.startswith("__i") or (name.endswith("_") and not name.startswith("__"))
        run = lambda: call(a.clone() if in_place else a)  # noqa: E731
        if _is_signal(a) and _is_signal(b):
            alpha = kwargs.get("alpha", 1)
            weights = {"add": (1, alpha), "sub": (1, -alpha), "rsub": (-alpha, 1)}.get(kind)
            if weights is None:
                _refuse(name, " of two signals, as in gates and attention")
            out = _Hand.apply(run, self._sum(weights, a), a, b)
        elif kind == "div" and _is_signal(b):
            _refuse(name, " by a signal")
        else:
            out = _Pass.apply(run, a if _is_signal(a) else b)
        return _write(a, out) if in_place else out

    def _sum(self, weights, a):
        """How a sum of two signals with these weights hands relevance back."""
        rule, note = self.choose("sum", self.layers, a), self.note("sum", None)

        def added(pair, w, b):
            return (pair * w.view(1, 2, *[1] * (pair.dim() - 2))).sum(1)

        def back(R, a, b):
            pair, w = torch.stack([a.expand_as(R), b.expand_as(R)], 1), R.new_tensor(weights)
            relevance, kept = shares(pair, added, w, None, R, rule)
            note(R, relevance, kept)
            return relevance.unbind(1)  # of a signal that was spread out, autograd adds up the parts

        return back


def _back(op, w, b, rule, note):
    """How one layer hands relevance back."""

    def back(R, a):
        relevance, kept = shares(a, op, w, b, R, rule)
        note(R, relevance, kept)
        return (relevance,)

    return back


def _op(name, given):
    """The layer as a function of inputs, weights and bias, with its weights and its bias."""
    w, b = given.get("weight"), given.get("bias")
    if name == "conv2d":
        how = {key: given[key] for key in ("stride", "padding", "dilation", "groups") if key in given}
        return lambda a, w, b: F.conv2d(a, w, b, **how), w, b
    if name == "linear":
        return F.linear, w, b
    if given.get("training") or given["running_var"] is None:
        _refuse(name, " by the statistics of the batch")
    scale = (given["running_var"] + given.get("eps", 1e-5)).rsqrt() * (1 if w is None else w)
    b = (0 if b is None else b) - given["running_mean"] * scale

    def op(a, w, b):
        shape = (-1, *[1] * (a.dim() - 2))
        return a * w.view(shape) + (0 if b is None else b.view(shape))

    return op, scale, b


def _first(func, args, kwargs):
    """The first argument, and the call as a function of it."""
    if args:
        return args[0], lambda x: func(x, *args[1:], **kwargs)
    return kwargs["input"], lambda x: func(**{**kwargs, "input": x})


def _is_signal(x):
    return isinstance(x, torch.Tensor) and x.requires_grad and not isinstance(x, torch.nn.Parameter)


def _signals(args, kwargs):
    return [t for t in tensors_in([args, kwargs]) if _is_signal(t)]


def _write(target, values):
    """Into `target`, for whoever holds it, together with the way back of `values`."""
    if target.shape != values.shape:
        target.resize_(values.shape)
    try:
        return target.copy_(values)
    except RuntimeError as problem:
        raise VizlibError(
            "This network writes into a piece of a tensor that it has split, which LRP cannot follow: "
            f"write b = b + a instead of b += a there. ({str(problem).splitlines()[0]})"
        ) from problem


def _refuse(name, how=""):
    raise VizlibError(
        f"There is no relevance rule for {name!r}{how}, which this network uses. "
        "LRP here goes through convolutions, linear layers, batch-norm, pooling, sums, ReLU and ReLU6."
    )


def _nothing(kind: str, weight: torch.Tensor | None) -> Callable[..., None]:
    return lambda R, relevance, kept: None


@contextmanager
def relevance_rules(
    choose: Callable[[str, int, torch.Tensor], Rule],
    note: Callable[[str, torch.Tensor | None], Callable[..., None]] = _nothing,
) -> Iterator[None]:
    """Layer-wise relevance propagation: while open, the backward pass of what is computed carries relevance.

    choose: (kind, number, inputs) -> the Rule of a layer. kind: "conv2d", "linear", "batch_norm" or "sum",
        a sum of two branches. number: how many layers with weights came before, 0 at the pixels.
    note: (kind, weight) -> a function (R of the output, R of the inputs, R kept by the bias) that is called
        on the way back.
    Raises VizlibError for functions without a rule.
    """
    with _Relevance(choose, note):
        yield
