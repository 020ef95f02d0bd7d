"""The anatomy of a network: what each layer computes, and what it costs."""

from torch import nn

from ..table import Table


def anatomy(net):
    """A Table with a row for every layer of `net.layers`: name, what it is made of, shape, parameters,
    multiply-adds, receptive field.

    A row stands for everything that runs after the row before it, so that the columns add up to the network's
        totals. parameters are
    those in use: batch-norm has been folded into the convolutions. multiply-adds are for one picture of
        `net.input_size`:
    h w K (C / groups) k_h k_w for a convolution, C K for a linear layer; ReLUs, sums and pooling are not
        counted.
    """
    net._trace()
    named, rows, leaves = {path: name for name, path in net._names.items()}, Table(), []
    for path, info in net._layers.items():  # in the order in which they ran; a block comes after its parts
        if not any(True for _ in info.module.children()):
            leaves.append(info)
        if path in named:
            rows.append(_row(named[path], info, leaves))
            leaves = []
    return rows


def _row(name, info, leaves):
    return {
        "name": name,
        "made of": _kinds(leaves),
        "shape": "x".join(map(str, info.shape)),
        "parameters": sum(p.numel() for leaf in leaves for p in leaf.module.parameters()),
        "multiply-adds": sum(_multiply_adds(leaf) for leaf in leaves),
        "receptive field": str(info.receptive_field),
    }


def _multiply_adds(leaf):
    m = leaf.module
    if isinstance(m, nn.Conv2d):
        K, h, w = leaf.shape
        return leaf.calls * h * w * K * (m.in_channels // m.groups) * m.kernel_size[0] * m.kernel_size[1]
    if isinstance(m, nn.Linear):
        return leaf.calls * m.in_features * m.out_features
    return 0


def _kinds(leaves):
    """ "3x3 conv, ReLU": the kinds of modules in their order, each once."""
    return ", ".join(dict.fromkeys(filter(None, map(_kind, (leaf.module for leaf in leaves)))))


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
