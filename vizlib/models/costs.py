"""The anatomy of a network: what each layer computes, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from ..layers.receptive import tensors_in
from ..layers.recording import hooked
from ..layers.target import with_slopes
from ..table import Table

if TYPE_CHECKING:
    from .network import Network


def anatomy(net: Network) -> Table:
    """The model summary of a network: a Table with name, what a layer is made of, shape, parameters,
    multiply-adds (MACs, half of the FLOPs) and receptive field.

    A row for every layer of `net.layers`. It stands for everything that runs after the row before it, and
    the last for all that is left, so that the columns add up to the network's totals.
    parameters: those in use, each where it is first met, also those that belong to no layer, such as position
        embeddings. Batch-norm has been folded into the convolutions.
    multiply-adds: for one picture of `net.input_size`: h w K (C / groups) k_h k_w for a convolution, C K
        for a linear layer, at every position where it runs, and T T C for each of the two products of
        attention among T tokens. ReLUs, sums, norms and pooling are not counted.

        >>> vz.anatomy(vz.load("zfnet"))[0]["multiply-adds"]  # 48 filters of 7 x 7 x 3 at 32 x 32 positions
        7225344
    """
    rows, pages = Table(), _pages(net)
    for layer in net.layers:
        page = pages.get(layer["name"], _Page())
        rows.append(
            {
                "name": layer["name"],
                "made of": ", ".join(dict.fromkeys(page.kinds)),
                "shape": layer["shape"],
                "parameters": page.parameters,
                "multiply-adds": page.multiply_adds,
                "receptive field": layer["receptive field"],
            }
        )
    return rows


@dataclass
class _Page:
    """What ran since the last layer that has a name."""

    kinds: list[str] = field(default_factory=list)
    parameters: int = 0
    multiply_adds: int = 0

    def __iadd__(self, other: _Page) -> _Page:
        self.kinds += other.kinds
        self.parameters += other.parameters
        self.multiply_adds += other.multiply_adds
        return self


class _Ledger(TorchDispatchMode):
    """While open, counts the multiply-adds of what is computed and the parameters that are met, on a page
    that is filed under the name of the layer that ends it.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]):
        super().__init__()
        self.unmet = {id(p): p for p in parameters}
        self.page = _Page()
        self.pages: dict = {}

    def file(self, name: str) -> None:
        self.pages.setdefault(name, _Page())
        self.pages[name] += self.page
        self.page = _Page()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.page.multiply_adds += _multiply_adds(func.overloadpacket.__name__, args, out)
        self.meet(tensors_in([args, kwargs]))
        return out

    def meet(self, tensors: Iterable[torch.Tensor]) -> None:
        for tensor in tensors:
            parameter = self.unmet.pop(id(tensor), None)
            self.page.parameters += 0 if parameter is None else parameter.numel()


def _pages(net):
    """{name of a layer: _Page}, from one forward pass."""
    *ends, last = net.layers["name"]
    ledger = _Ledger(net.model.parameters())
    # With slopes: without them PyTorch computes whole blocks of attention in one step that cannot be looked
    # into.
    with with_slopes():
        image = torch.full((1, 3, *net.input_shape), 0.5, device=net.device)
        with _filing(net, ledger, {id(net.layer(name).module): name for name in ends}), ledger:
            net(image.requires_grad_())
    ledger.file(last)
    return ledger.pages


def _filing(net, ledger, ends):
    """While open, every module notes its kind in the ledger; those in `ends`, {id: name}, close the page."""

    def note(module, output):
        ledger.meet(module.parameters(recurse=False))  # some keep what they have computed from them once
        if not any(True for _ in module.children()):
            ledger.page.kinds += filter(None, [_kind(module)])
        if id(module) in ends:
            ledger.file(ends[id(module)])

    return hooked([(module, note) for module in net.model.modules()])


def _multiply_adds(name, args, out):
    """Of one of PyTorch's basic operations, into which every layer falls apart."""
    if name == "convolution":
        (x, w), transposed = args[:2], args[6]
        return (x if transposed else out).numel() * math.prod(w.shape[1:])
    if name in _PRODUCTS:
        a, b = args[_PRODUCTS[name] :][:2]
        return a.numel() * b.shape[-1]
    if name == "linear":
        return args[0].numel() * args[1].shape[0]
    if name.startswith("_scaled_dot_product"):
        q, k, v = args[:3]
        return math.prod(q.shape[:-1]) * k.shape[-2] * (k.shape[-1] + v.shape[-1])
    return 0


_PRODUCTS = {
    "mm": 0,
    "bmm": 0,
    "addmm": 1,
    "baddbmm": 1,
}  # and where their two matrices are among the arguments


def _kind(m):
    if isinstance(m, nn.Conv2d):
        depthwise = "depthwise " if m.groups == m.in_channels > 1 else ""
        return f"{m.kernel_size[0]}x{m.kernel_size[1]} {depthwise}conv"
    if isinstance(m, nn.Linear):
        return "linear"
    if isinstance(m, (nn.ReLU, nn.ReLU6)):
        return type(m).__name__
    if isinstance(m, nn.MaxPool2d):
        return "max-pool"
    if isinstance(m, (nn.AdaptiveAvgPool2d, nn.AvgPool2d)):
        return "average pool"
    return None
