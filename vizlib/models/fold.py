"""Getting a network ready to be looked at: batch-norm folded away, nothing in place, nothing to train."""

from collections import Counter

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torch.overrides import TorchFunctionMode

from ..layers.receptive import tensors_in


def prepare_model(model, example):
    """Freeze `model`, put it in eval mode, make its activations out-of-place and fold its batch-norm, all in
    place.

    example: (1, 3, H, W), run through the model to see which batch-norm reads which convolution.
    The logits stay what they were, up to rounding; a backward pass becomes several times cheaper.
    """
    model.eval().requires_grad_(False)
    for module in model.modules():
        if getattr(module, "inplace", False):  # an in-place ReLU would overwrite what a hook has recorded
            module.inplace = False
    for conv, path in _convolutions_before_batchnorm(model, example):
        _fold(model, conv, path)
    return model


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
        elif func is F.batch_norm:
            self.normed_with.setdefault(id(inputs[1]), []).append(id(inputs[0]))
        return out


def _convolutions_before_batchnorm(model, example):
    """Pairs (convolution, path of the batch-norm) where the batch-norm reads what the convolution wrote, and
    nothing else does.

    Both have to run exactly once: a module used twice, or a tensor with a second reader, is left alone.
    """
    with torch.no_grad(), _Ledger() as ledger:
        model(example)
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    owners = Counter(id(conv.weight) for conv in convolutions)
    wrote = {}
    for conv in convolutions:
        outputs = ledger.written_with.get(id(conv.weight), ())
        if owners[id(conv.weight)] == len(outputs) == 1:
            wrote[outputs[0]] = conv
    pairs = []
    for path, norm in model.named_modules():
        if isinstance(norm, nn.BatchNorm2d) and norm.track_running_stats:
            reads = ledger.normed_with.get(id(norm.running_mean), ())
            if len(reads) == 1 and reads[0] in wrote and ledger.readers[reads[0]] == 1:
                pairs.append((wrote[reads[0]], path))
    return pairs


def _fold(model, conv, path):
    norm = model.get_submodule(path)
    weight, bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    conv.weight, conv.bias = nn.Parameter(weight.detach(), False), nn.Parameter(bias.detach(), False)
    parent, _, name = path.rpartition(".")
    # timm's batch-norm layers carry the activation that follows
    setattr(model.get_submodule(parent), name, getattr(norm, "act", nn.Identity()))
