"""Layer-wise relevance propagation against zennit: rule by rule, with inputs and sums of both signs, and
through a whole network.
"""

import math

import pytest
import torch
from torch import nn
from zennit.composites import LayerMapComposite, SpecialFirstLayerMapComposite
from zennit.layer import Sum
from zennit.rules import Epsilon, Gamma, Norm, Pass, ZBox, ZPlus
from zennit.torchvision import ResNetCanonizer
from zennit.types import Activation, AvgPool, Convolution, Linear

import vizlib as vz
from vizlib.layers.relevance_rules import Rule, shares

LAYERS = {
    "convolution": lambda: (nn.Conv2d(4, 6, 3, padding=1, stride=2), (3, 4, 9, 9)),
    "depthwise convolution": lambda: (nn.Conv2d(4, 8, 3, padding=1, groups=4), (3, 4, 9, 9)),
    "linear layer": lambda: (nn.Linear(20, 7), (5, 20)),
}


RULES = {
    "zero": (Rule(), Epsilon(epsilon=1e-12), "both"),
    "zero, no bias": (Rule(bias=False), Epsilon(epsilon=1e-12, zero_params="bias"), "both"),
    "gamma": (Rule(gamma=0.25), Gamma(gamma=0.25, stabilizer=1e-12), "both"),
    "strong gamma": (Rule(gamma=20.0), Gamma(gamma=20.0, stabilizer=1e-12), "both"),
    "gamma, inputs above zero": (Rule(gamma=0.25), Gamma(gamma=0.25, stabilizer=1e-12), "positive"),
    "plus": (Rule(gamma=math.inf, bias=False), ZPlus(stabilizer=1e-12, zero_params="bias"), "positive"),
    "box": (
        Rule(
            box=(torch.tensor(-3.0, dtype=torch.float64), torch.tensor(3.0, dtype=torch.float64)), bias=False
        ),
        ZBox(-3.0, 3.0, stabilizer=1e-12, zero_params="bias"),
        "both",
    ),
}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", RULES)
def test_each_rule_on_each_kind_of_layer(layer, name):
    ours, theirs, signs = RULES[name]
    torch.manual_seed(0)
    module, shape = LAYERS[layer]()
    module = module.double().requires_grad_(False)
    generator = torch.Generator().manual_seed(1)
    a = torch.randn(shape, generator=generator, dtype=torch.float64)
    a = a.abs() if signs == "positive" else a

    def op(a, w, b):
        if isinstance(module, nn.Linear):
            return nn.functional.linear(a, w, b)
        return nn.functional.conv2d(a, w, b, module.stride, module.padding, module.dilation, module.groups)

    given = a.clone().requires_grad_()
    handles = theirs.copy().register(module)
    out = module(given)
    R = torch.randn(out.shape, generator=generator, dtype=torch.float64)
    if (
        name == "plus"
        # theirs gives what speaks for a sum the credit also where the sum came out negative; ours what speaks
        # against it
    ):
        R = R * (out.detach() > 0)
    (expected,) = torch.autograd.grad(out, given, R)
    handles.remove()

    relevance, _ = shares(a, op, module.weight, module.bias, R, ours)
    torch.testing.assert_close(relevance, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("net", ["vgg11"], indirect=True)
@pytest.mark.parametrize("rule", ["composite", "gamma"])
def test_a_whole_network(net, images, classes, agree, rule):
    """From the logits to the pixels, through max-pooling and averages; only the linear layers' stabiliser is
    set to nothing.
    """
    low, high = ((bound - net.mean) / net.std for bound in (0.0, 1.0))
    tiny, no_bias = {"stabilizer": 1e-12}, {"zero_params": "bias"}
    first, convolution, linear = {
        "composite": (ZBox(low, high, **tiny, **no_bias), ZPlus(**tiny, **no_bias), Epsilon(epsilon=1e-12)),
        "gamma": (Gamma(gamma=0.25, **tiny),) * 3,
    }[rule]
    kinds = [(AvgPool, Norm(**tiny)), (Activation, Pass()), (Convolution, convolution), (Linear, linear)]
    composite = SpecialFirstLayerMapComposite(layer_map=kinds, first_map=[(Convolution, first)])
    pixels = ((images - net.mean) / net.std).requires_grad_()
    with composite.context(net.model) as model:
        logits = model(pixels)
        chosen = torch.zeros_like(logits).scatter_(1, torch.tensor(classes)[:, None], 1.0) * logits.detach()
        (expected,) = torch.autograd.grad(logits, pixels, chosen)
    agree(vz.lrp(net, images, classes, rule=rule, epsilon=0), expected)


@pytest.mark.parametrize("net", ["resnet18"], indirect=True)
def test_a_whole_network_with_sums_of_branches(net, images, classes, agree):
    """LRP-0 everywhere; at a sum each branch gets the share that it contributed."""
    kinds = [(Activation, Pass()), (Sum, Norm(stabilizer=1e-12)), (AvgPool, Norm(stabilizer=1e-12))]
    kinds += [(Convolution, Epsilon(epsilon=1e-12)), (Linear, Epsilon(epsilon=1e-12))]
    pixels = ((images - net.mean) / net.std).requires_grad_()
    with LayerMapComposite(layer_map=kinds, canonizers=[ResNetCanonizer()]).context(net.model) as model:
        logits = model(pixels)
        chosen = torch.zeros_like(logits).scatter_(1, torch.tensor(classes)[:, None], 1.0) * logits.detach()
        (expected,) = torch.autograd.grad(logits, pixels, chosen)
    agree(vz.lrp(net, images, classes, rule="zero"), expected, tolerance=1e-3)
