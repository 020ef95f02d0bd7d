"""Getting a network ready to be looked at: batch-norm folded away, nothing in place, nothing to train."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torch.overrides import TorchFunctionMode

from ..layers.receptive import tensors_in


def make_plain(model: nn.Module) -> nn.Module:
    """Make the activations of `model` out-of-place: an in-place ReLU would overwrite what a hook has
    recorded.
    """
    for module in model.modules():
        if getattr(module, "inplace", False):
            setattr(module, "inplace", False)  # noqa: B010  (which type checkers do not know)
    return model


def fold_batchnorm(model: nn.Module, example: torch.Tensor) -> nn.Module:
    """`model` with the batch-norm that follows a convolution folded into its weights: a copy, or the model if
    there is nothing to fold.

    example: (1, C, H, W), run through the model to see which batch-norm reads which convolution. The logits
        stay what they were, up to rounding; a backward pass becomes several times cheaper.
    """
    pairs = _convolutions_before_batchnorm(model, example)
    folded = copy.deepcopy(model) if pairs else model
    for conv, norm in pairs:
        _fold(folded, conv, norm)
    return folded


class _Ledger(TorchFunctionMode):
    """While open, notes what convolutions wrote, what batch-norms read, and how many functions read each
    tensor.
    """

    def __init__(self):
        super().__init__()
        self.written_with, self.normed_with, self.readers, self._alive = {}, {}, Counter(), []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        outputs = tensors_in(out)
        if not outputs:  # asked for a shape or the like
            return out
        inputs = tensors_in([args, kwargs])
        self._alive += [*inputs, *outputs]  # or an id would be given out again
        self.readers.update({id(t) for t in inputs})
        if getattr(func, "__name__", "") == "conv2d":
            self.written_with.setdefault(id(inputs[1]), []).append(id(out))
        elif func is F.batch_norm and len(inputs) > 1:
            self.normed_with.setdefault(id(inputs[1]), []).append(id(inputs[0]))
        return out


def _convolutions_before_batchnorm(model: nn.Module, example: torch.Tensor) -> list[tuple[str, str]]:
    """Paths (convolution, batch-norm) where the batch-norm reads what the convolution wrote, and nothing else
    does.

    Both have to run exactly once: a module used twice, or a tensor with a second reader, is left alone; so is
    a convolution whose weights are made anew at each pass (weight_norm, pruning).
    """
    with torch.no_grad(), _Ledger() as ledger:
        model(example)
    modules = dict(model.named_modules())
    convolutions = {p: m for p, m in modules.items() if isinstance(m, nn.Conv2d) and not m._forward_pre_hooks}
    owners = Counter(id(conv.weight) for conv in convolutions.values())
    wrote = {}
    for path, conv in convolutions.items():
        outputs = ledger.written_with.get(id(conv.weight), ())
        if owners[id(conv.weight)] == len(outputs) == 1:
            wrote[outputs[0]] = path
    pairs = []
    for path, norm in modules.items():
        if isinstance(norm, nn.BatchNorm2d) and norm.track_running_stats:
            reads = ledger.normed_with.get(id(norm.running_mean), ())
            if len(reads) == 1 and reads[0] in wrote and ledger.readers[reads[0]] == 1:
                pairs.append((wrote[reads[0]], path))
    return pairs


def _fold(model: nn.Module, conv_path: str, norm_path: str) -> None:
    conv: Any = model.get_submodule(conv_path)
    norm: Any = model.get_submodule(norm_path)
    weight, bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    conv.weight, conv.bias = nn.Parameter(weight.detach(), False), nn.Parameter(bias.detach(), False)
    parent, _, name = norm_path.rpartition(".")
    # timm's batch-norm layers carry the activation that follows
    setattr(model.get_submodule(parent), name, getattr(norm, "act", nn.Identity()))
