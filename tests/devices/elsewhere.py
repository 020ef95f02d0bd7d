"""An accelerator for machines without one: tensors that say they are elsewhere, and are strict about it.

`Elsewhere` is a tensor whose numbers lie in an ordinary CPU tensor, and which says that its device is "meta"
(autograd runs there without a driver). While `strict()` is open, operations on such tensors compute the same
numbers as on the CPU, and refuse what a CUDA or MPS device refuses: tensors of two devices in one operation,
a CPU generator for numbers drawn elsewhere, NumPy; and, as MPS does, anything in double precision. What works
here mixes no devices; what it computes is the CPU's answer, bit by bit.
"""

import contextlib
import threading
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

import vizlib as vz

DEVICE, DOUBLE = torch.device("meta"), (torch.float64, torch.complex128)
aten = torch.ops.aten
# A CPU tensor may be copied over, and may say which elements are meant.
CROSSING = {aten.copy_.default, aten._to_copy.default, aten.to.dtype_layout, aten._copy_from.default}
INDEXING = {aten.index.Tensor, aten.index_put_.default, aten.index_put.default, aten._index_put_impl_.default}


class Elsewhere(torch.Tensor):
    """A tensor on another device: computed on the CPU, refused beside CPU tensors."""

    @staticmethod
    def __new__(cls, inner):
        self = torch.Tensor._make_wrapper_subclass(
            cls, inner.size(), inner.stride(), inner.storage_offset(), dtype=inner.dtype, device=DEVICE
        )
        self.inner = inner
        return self

    def tolist(self):
        return self.inner.tolist()

    def __format__(self, spec):
        return format(self.inner.detach(), spec)

    def numpy(self, **_):
        raise TypeError("a tensor elsewhere has no NumPy array: .cpu() first")

    def __deepcopy__(self, memo):
        if id(self) not in memo:
            copied = Elsewhere(self.inner.clone())
            memo[id(self)] = (
                torch.nn.Parameter(copied, False) if isinstance(self, torch.nn.Parameter) else copied
            )
        return memo[id(self)]

    def __repr__(self, **_):
        return f"Elsewhere({self.inner!r})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


class _Strict(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


_allowed = threading.local()


@contextlib.contextmanager
def _doubles():
    _allowed.doubles = True
    try:
        yield
    finally:
        _allowed.doubles = False


class _Lists(TorchFunctionMode):
    """Lists of numbers become tensors of their device without any dispatch: here they go by the CPU."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func in (torch.tensor, torch.as_tensor) and torch.device(kwargs.get("device") or "cpu") == DEVICE:
            return func(*args, **kwargs | {"device": "cpu"}).to(DEVICE)
        if func in (
            torch.quantile,
            torch.Tensor.quantile,
        ):  # ranks in double precision are PyTorch's own choice
            with _doubles():
                return func(*args, **kwargs)
        if func is torch.Tensor.new_tensor and isinstance(args[0], Elsewhere):
            return torch.tensor(*args[1:], **{"dtype": args[0].dtype, **kwargs}).to(DEVICE)
        if func in (torch.Tensor.__getitem__, torch.Tensor.__setitem__):
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            index = tuple(torch.tensor(list(i)) if isinstance(i, list | range) else i for i in index)
            args = (args[0], index, *args[2:])
        return func(*args, **kwargs)


@contextlib.contextmanager
def strict():
    """with strict(): tensors made with device="meta", or moved there, are `Elsewhere`."""
    plain = torch.nn.Module.to

    def to(module, *args, **kwargs):
        there = any(isinstance(a, (str, torch.device)) and torch.device(a) == DEVICE for a in args)
        return move(module) if there else plain(module, *args, **kwargs)

    with mock.patch.object(torch.nn.Module, "to", to), _Lists(), _Strict():
        yield


_for_good = contextlib.ExitStack()


def pretend():
    """From now on, in this thread, `vz.load` gives networks that are elsewhere: for whole notebooks."""
    load = vz.load

    def load_elsewhere(*args, **kwargs):
        net = load(*args, **kwargs)
        net.layers  # noqa: B018  (the table of layers is made on the first question)
        return move(net)

    vz.load = load_elsewhere
    _for_good.enter_context(strict())


def home(value):
    """The same with every tensor on the CPU: tensors, and what lies in lists, tuples, dicts and objects of
    ours.
    """
    if isinstance(value, Elsewhere):
        return value.inner.detach().clone()
    if isinstance(value, torch.Tensor):
        return value.detach()
    return value


def move(net):
    """Move a network elsewhere, in place: `Module.to` cannot change the class of a parameter."""
    for module in net.modules():
        for name, p in list(module._parameters.items()):
            if p is not None:
                module._parameters[name] = torch.nn.Parameter(Elsewhere(p.detach()), requires_grad=False)
        for name, b in list(module._buffers.items()):
            if b is not None:
                module._buffers[name] = Elsewhere(b.detach())
    return net


def _run(func, args, kwargs):
    tensors = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, torch.Tensor)]
    moved = [t for t in tensors if isinstance(t, Elsewhere)]
    goes_to = kwargs.get("device")
    goes_to = None if goes_to is None else torch.device(goes_to)
    if moved and func not in CROSSING:
        plain = [t for t in tensors if not isinstance(t, Elsewhere) and t.dim() > 0]
        if func in INDEXING and isinstance(args[0], Elsewhere):
            values = args[2:3] if func is not aten.index.Tensor else ()
            plain = [t for t in plain if any(t is v for v in values)]
        if plain:
            raise RuntimeError(f"{func}: tensors of two devices, {[tuple(t.shape) for t in tensors]}")
    there = goes_to == DEVICE or goes_to is None and bool(moved)
    if func in CROSSING and goes_to is None:
        there = isinstance(args[0], Elsewhere)
    if there and isinstance(kwargs.get("generator"), torch.Generator):
        raise RuntimeError(f"{func}: a CPU generator cannot draw elsewhere")
    wrappers = {id(t.inner): t for t in moved}
    args, kwargs = tree_map(lambda t: t.inner if isinstance(t, Elsewhere) else t, (args, kwargs))
    if goes_to is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
        if func is aten._to_copy.default and goes_to != DEVICE and not moved:
            kwargs["device"] = goes_to
    out = func(*args, **kwargs)

    def back(value):
        if not isinstance(value, torch.Tensor):
            return value
        if id(value) in wrappers:
            return wrappers[id(value)]
        if not there:
            return value
        if value.dtype in DOUBLE and not getattr(_allowed, "doubles", False):
            raise RuntimeError(f"{func}: double precision, which MPS does not have")
        return Elsewhere(value)

    return tree_map(back, out)
