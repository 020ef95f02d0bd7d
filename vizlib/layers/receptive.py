"""Which pixels can a unit see?  Receptive fields, by following them through one forward pass."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode

from .known_functions import PICTURE, Call, Trace, follow, tensors_in
from .windows import EVERYTHING, PIXEL, ReceptiveField, union, window

if TYPE_CHECKING:
    from ..models.network import Network

__all__ = [
    "EVERYTHING",
    "PIXEL",
    "FieldTracer",
    "ReceptiveField",
    "receptive_field",
    "tensors_in",
    "union",
    "window",
]

# What may be asked of a tensor without learning its numbers.
HARMLESS = set(
    """
    dim element_size get_device is_complex is_contiguous is_floating_point is_same_size ndimension nelement
    numel size storage_offset stride type data_ptr __get__ __len__ __hash__ __repr__
    """.split()
)


class FieldTracer(TorchFunctionMode):
    """While open, follows the receptive field of every tensor computed from `images`, by modules or by plain
    functions.

    Convolutions, pooling, padding, sums, concatenations, functions of single numbers and along channels are
    followed exactly. Any other function is taken to see the whole picture.
    leaked: has the program read numbers out of a tensor? From then on nothing is known to be local.
    """

    def __init__(self, images: torch.Tensor) -> None:
        super().__init__()
        self.leaked = False
        self._images = images
        self._traces: dict[int, Trace] = {}
        self._parents: dict[int, set[int]] = defaultdict(set)  # the tensors that a tensor was computed from
        self._alive: list[torch.Tensor] = []  # so that no id is given out twice
        self._sharing: dict[int, list[torch.Tensor]] = defaultdict(list)  # the tensors that share a storage
        self._written: set[int] = set()  # storages in which something was overwritten
        self._note(images, Trace(PIXEL, PICTURE, tuple(images.shape[-2:])), [])

    def field_of(self, tensor: torch.Tensor) -> ReceptiveField | None:
        """The field of the units of a tensor, None if it was not computed from the images."""
        trace = self._traces.get(id(tensor))
        return trace.field if trace else None

    def all_through(self, tensor: torch.Tensor, gate: torch.Tensor) -> bool:
        """Has all that `tensor` knows of the images gone through `gate`, a tensor computed on the way?"""
        if self.leaked or id(tensor) not in self._traces or id(gate) not in self._traces:
            return False
        seen, waiting = {id(gate)}, [id(tensor)]
        while waiting:
            one = waiting.pop()
            if one == id(self._images):
                return False
            if one not in seen:
                seen.add(one)
                waiting += self._parents[one]
        return True

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        inputs = tensors_in([args, kwargs])
        versions = [_version(t) for t in inputs]
        out = func(*args, **kwargs)
        self._recognize(inputs)
        parents = [t for t in inputs if id(t) in self._traces]
        if not parents:
            return out
        outputs = tensors_in(out)
        changed = [t for t, version in zip(inputs, versions, strict=True) if _version(t) != version]
        if not outputs and not changed and getattr(func, "__name__", "") not in HARMLESS:
            self.leaked = True
        traces = [follow(Call(func, args, kwargs, self._traces, t)) for t in outputs[:1]] * len(outputs)
        for tensor in changed:
            self._overwritten(tensor, parents)
        for tensor, trace in zip(outputs, traces, strict=True):
            self._note(tensor, trace.not_local() if self.leaked else trace, parents)
        return out

    def _note(self, tensor: torch.Tensor, trace: Trace, parents: list[torch.Tensor]) -> None:
        self._traces[id(tensor)] = trace
        self._parents[id(tensor)].update(map(id, parents))
        self._alive.append(tensor)
        self._sharing[_storage(tensor)].append(tensor)

    def _overwritten(self, tensor: torch.Tensor, parents: list[torch.Tensor]) -> None:
        """Of tensors that share these numbers, views of one another, nothing is known any more."""
        self._written.add(_storage(tensor))
        for other in [tensor, *self._sharing[_storage(tensor)]]:
            self._note(other, _unknown(other), parents)

    def _recognize(self, inputs: list[torch.Tensor]) -> None:
        """A tensor that was not seen before may be a view of one in which something was overwritten."""
        for tensor in inputs if self._written else ():
            if id(tensor) not in self._traces and _storage(tensor) in self._written:
                self._note(tensor, _unknown(tensor), [self._images])


def _unknown(tensor: torch.Tensor) -> Trace:
    return Trace(EVERYTHING, PICTURE if tensor.dim() == 4 else None, tuple(tensor.shape[-2:]))


def _version(tensor: torch.Tensor) -> int | None:
    """Grows whenever something is written into the tensor; inference tensors do not count."""
    return None if tensor.is_inference() else tensor._version


def _storage(tensor: torch.Tensor) -> int:
    """The same number for tensors that share their memory."""
    try:
        return tensor.untyped_storage()._cdata
    except (NotImplementedError, RuntimeError):  # sparse tensors and the like have none
        return id(tensor)


def receptive_field(net: Network, layer: str) -> ReceptiveField:
    """The theoretical receptive field of a unit of `layer`, in pixels: a ReceptiveField with size, stride and
    start.

    Theoretical: every pixel that could matter. How few of them do is the empirical field (Zhou et al. 2015,
        section 3.2), `vz.empirical_receptive_field`. Where units may see the whole picture, its size is
        infinite.
    layer: a name from `net.layers` or a module path. Raises VizlibError for a layer that does not exist.

        >>> vz.receptive_field(vz.load("zfnet"), "conv2").size
        (25, 25)
    """
    return net.layer(layer).receptive_field
