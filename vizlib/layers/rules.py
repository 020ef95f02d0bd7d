"""What a rectifier does to the signal on its way back: three methods that differ in one line.

On the way forward every ReLU computes max(0, x). On the way back it receives a signal g and hands on

    gradient    g * 1[x > 0]                      the chain rule (Simonyan et al. 2013, section 3)
    deconvnet   g * 1[g > 0]                      Zeiler & Fergus 2014, section 2.1
    guided      g * 1[g > 0] * 1[x > 0]           Springenberg et al. 2015, section 3.4

No module is replaced and no hook is set: a function mode catches every call of a rectifier while it is open,
as a module or as a plain function, in place or not, so there is nothing to restore afterwards.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from ..errors import VizlibError

RULES = {  # gate(g) is the chain rule: g where the ReLU was active on the way forward, 0 elsewhere
    "gradient": lambda g, gate: gate(g),
    "deconvnet": lambda g, gate: g.clamp(min=0),
    "guided": lambda g, gate: gate(g).clamp_(min=0),  # in place: gate(g) is a fresh tensor
}

_RELUS = {F.relu, torch.relu, torch.Tensor.relu, torch.relu_, torch.Tensor.relu_}


class _Rectifier(torch.autograd.Function):
    """clamp(x, 0, top) with a backward rule of our choice."""

    @staticmethod
    def forward(ctx, x, top, rule):
        ctx.save_for_backward(x)
        ctx.top, ctx.rule = top, rule
        return x.clamp(0, top)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors

        def gate(signal):  # PyTorch's own backward pass of clamp(x, 0, top), in one sweep over memory
            return torch.ops.aten.hardtanh_backward(signal, x, 0, ctx.top)

        return ctx.rule(g, gate), None, None


class _Catch(TorchFunctionMode):
    def __init__(self, rule):
        super().__init__()
        self.rule, self.caught = rule, 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        top = _ceiling(func, args, kwargs)
        if top is None:
            return func(*args, **kwargs)
        self.caught += 1
        x = args[0] if args else kwargs["input"]
        if _in_place(func, args, kwargs):
            return x.copy_(_Rectifier.apply(x.clone(), top, self.rule))
        return _Rectifier.apply(x, top, self.rule)


def _ceiling(func, args, kwargs):
    """Where this call flattens out: infinity for a ReLU, 6 for a ReLU6, None if it is no rectifier."""
    if func in _RELUS:
        return float("inf")
    if func is F.relu6:
        return 6.0
    if func in (F.hardtanh, F.hardtanh_):
        low = args[1] if len(args) > 1 else kwargs.get("min_val", -1.0)
        high = args[2] if len(args) > 2 else kwargs.get("max_val", 1.0)
        return high if low == 0 else None
    return None


def _in_place(func, args, kwargs):
    """Does the caller expect its tensor to be overwritten?"""
    flag = {F.relu: 1, F.relu6: 1, F.hardtanh: 3}.get(func)
    positional = flag is not None and len(args) > flag and args[flag]
    return func.__name__.endswith("_") or positional or kwargs.get("inplace", False)


@contextmanager
def relu_rule(rule: str | Callable) -> Iterator[None]:
    """While open, every ReLU that a forward pass meets will hand its gradient back by `rule`.

    rule: a name in RULES, or a function (g, gate) -> signal of your own; gate(g) is what the chain rule would
        pass.

    Raises VizlibError for an unknown rule, or if the passes in the block met no ReLU at all: deconvnet and
    guided backpropagation are defined by what happens there.
    """
    if not callable(rule) and rule not in RULES:
        raise VizlibError(
            f"There is no rule {rule!r} for rectifiers; there are {', '.join(RULES)}, or a function (g, "
            "gate)."
        )
    if rule == "gradient":  # what autograd does already
        yield
        return
    with _Catch(rule if callable(rule) else RULES[rule]) as catch:
        yield
    if catch.caught == 0:
        raise VizlibError(
            f"This network has no ReLU, and the rule {rule!r} changes nothing but ReLUs. "
            "Use vz.gradient or vz.saliency, or another network."
        )
