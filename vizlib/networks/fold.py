"""Getting a network ready to be looked at: batch-norm folded away, nothing in place, nothing to train."""

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights


def prepare_model(model, example):
    """Freeze `model`, put it in eval mode, make its activations out-of-place and fold its batch-norm, all in place.

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


def _convolutions_before_batchnorm(model, example):
    """Pairs (convolution, path of the batch-norm) where the batch-norm reads what the convolution wrote, and nobody else does."""
    wrote, read, alive, pairs = {}, {}, [], []

    def after_convolution(module, inputs, output):
        wrote[id(output)] = module
        alive.append(output)  # or its id would be given out again

    def before_any(module, inputs):
        for tensor in inputs:
            if isinstance(tensor, torch.Tensor):
                alive.append(tensor)
                read.setdefault(id(tensor), set()).add(module)

    leaves = [m for m in model.modules() if not list(m.children()) or isinstance(m, nn.BatchNorm2d)]
    handles = [m.register_forward_hook(after_convolution) for m in leaves if isinstance(m, nn.Conv2d)]
    handles += [m.register_forward_pre_hook(before_any) for m in leaves]
    try:
        with torch.no_grad():
            model(example)
    finally:
        for handle in handles:
            handle.remove()
    paths = {module: path for path, module in model.named_modules()}
    uses = list(wrote.values())
    for tensor, conv in wrote.items():
        readers = read.get(tensor, set())
        if len(readers) == 1 and uses.count(conv) == 1:
            (norm,) = readers
            if isinstance(norm, nn.BatchNorm2d) and norm.track_running_stats:
                pairs.append((conv, paths[norm]))
    return pairs


def _fold(model, conv, path):
    norm = model.get_submodule(path)
    weight, bias = fuse_conv_bn_weights(conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias)
    conv.weight, conv.bias = nn.Parameter(weight.detach(), False), nn.Parameter(bias.detach(), False)
    parent, _, name = path.rpartition(".")
    # timm's batch-norm layers carry the activation that follows
    setattr(model.get_submodule(parent), name, getattr(norm, "act", nn.Identity()))
