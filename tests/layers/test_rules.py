"""The rules of rectifiers reach every ReLU, however it is written, and nothing else."""

from collections import OrderedDict

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import vizlib as vz
from vizlib.layers import RULES, relu_rule

X = torch.tensor([-2.0, -1.0, 1.0, 2.0])
G = torch.tensor(
    [3.0, -3.0, 3.0, -3.0]
)  # what arrives from above: each sign at closed and at open rectifiers
HANDED_ON = {"gradient": [0, 0, 3, -3], "deconvnet": [3, 0, 3, 0], "guided": [0, 0, 3, 0]}


def in_place_without_taking_the_result(x):
    x = x + 0
    F.relu(x, inplace=True)
    return x


WAYS = {
    "nn.ReLU": lambda x: nn.ReLU()(x),
    "nn.ReLU in place": lambda x: nn.ReLU(inplace=True)(x + 0),
    "F.relu": F.relu,
    "F.relu by keyword": lambda x: F.relu(input=x),
    "F.relu in place": lambda x: F.relu(x + 0, inplace=True),
    "F.relu_": lambda x: F.relu_(x + 0),
    "torch.relu": torch.relu,
    "torch.relu by keyword": lambda x: torch.relu(input=x),
    "torch.relu_": lambda x: torch.relu_(x + 0),
    "x.relu()": lambda x: x.relu(),
    "x.relu_()": lambda x: (x + 0).relu_(),
    "in place, result not taken": in_place_without_taking_the_result,
}
WAYS_OF_6 = {
    "nn.ReLU6": lambda x: nn.ReLU6()(x),
    "nn.ReLU6 in place": lambda x: nn.ReLU6(inplace=True)(x + 0),
    "F.relu6": F.relu6,
    "F.relu6 in place": lambda x: F.relu6(x + 0, inplace=True),
    "F.hardtanh": lambda x: F.hardtanh(x, 0, 6),
    "F.hardtanh by keyword": lambda x: F.hardtanh(x, min_val=0.0, max_val=6.0),
    "F.hardtanh_": lambda x: F.hardtanh_(x + 0, 0.0, 6.0),
}


def handed_on(function, x, g, rule):
    x = x.clone().requires_grad_()
    with relu_rule(rule):
        y = function(x)
    return torch.autograd.grad(y, x, g)[0].tolist(), y.detach()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("way", [*WAYS, *WAYS_OF_6])
def test_each_rule_is_followed_however_the_relu_is_written(way, rule):
    gradient, y = handed_on((WAYS | WAYS_OF_6)[way], X, G, rule)
    assert gradient == HANDED_ON[rule]
    assert y.tolist() == [0, 0, 1, 2]


@pytest.mark.parametrize("way", WAYS_OF_6)
def test_a_relu6_is_closed_above_6_too(way):
    x, g = torch.tensor([-1.0, 3.0, 7.0, 7.0]), torch.tensor([1.0, 1.0, 1.0, -1.0])
    for rule, expected in {
        "gradient": [0, 1, 0, 0],
        "deconvnet": [1, 1, 1, 0],
        "guided": [0, 1, 0, 0],
    }.items():
        gradient, y = handed_on(WAYS_OF_6[way], x, g, rule)
        assert gradient == expected and y.tolist() == [0, 3, 6, 6]


@pytest.mark.parametrize(
    "function",
    [F.leaky_relu, F.elu, F.gelu, F.silu, torch.tanh, F.hardtanh, torch.sigmoid, F.hardswish],
    ids=lambda f: f.__name__,
)
@pytest.mark.parametrize("rule", ["deconvnet", "guided"])
def test_other_nonlinearities_follow_the_chain_rule_and_count_as_no_relu(function, rule):
    x = X.clone().requires_grad_()
    (expected,) = torch.autograd.grad(function(x), x, G)
    with pytest.raises(vz.VizlibError, match="no ReLU"):
        with relu_rule(rule):
            y = function(x)
    torch.testing.assert_close(torch.autograd.grad(y, x, G)[0], expected)


class Rectified(nn.Module):
    """One convolution, one rectifier in a form of one's choice, one linear layer."""

    def __init__(self, rectify, twice=False):
        super().__init__()
        self.conv, self.rectify, self.fc, self.twice = (
            nn.Conv2d(3, 3, 3, padding=1),
            rectify,
            nn.Linear(3, 4),
            twice,
        )

    def forward(self, x):
        x = self.rectify(self.conv(x))
        if self.twice:
            x = self.rectify(self.conv(x))
        return self.fc(x.mean((2, 3)))


@pytest.mark.parametrize("method", [vz.guided_backprop, vz.deconvnet], ids=lambda m: m.__name__)
@pytest.mark.parametrize("way", WAYS)
def test_a_network_gives_the_same_signal_however_its_relus_are_written(
    network, redrawn, pictures, way, method
):
    x = pictures(2)
    module = {"nn.ReLU": nn.ReLU(), "nn.ReLU in place": nn.ReLU(inplace=True)}.get(way, WAYS[way])
    expected = method(network(redrawn(Rectified(nn.ReLU()), seed=4)), x, 1)
    assert expected.abs().max() > 0
    torch.testing.assert_close(method(network(redrawn(Rectified(module), seed=4)), x, 1), expected)


@pytest.mark.parametrize("rule, method", [("guided", vz.guided_backprop), ("deconvnet", vz.deconvnet)])
def test_a_relu_module_used_twice_follows_the_rule_both_times(network, redrawn, pictures, rule, method):
    net, x = network(redrawn(Rectified(nn.ReLU(), twice=True), seed=4)), pictures(1, seed=5)
    m = net.model
    conv1 = m.conv(x)
    conv2 = m.conv(conv1.relu())
    signal = (m.fc.weight[1] / 256).view(1, 3, 1, 1).expand_as(conv2)
    for active in (conv2 > 0, conv1 > 0):
        signal = RULES[rule](signal, active.mul)
        signal = F.conv_transpose2d(signal, m.conv.weight, padding=1)
    torch.testing.assert_close(method(net, x, 1), signal, rtol=1e-4, atol=1e-7)


def test_the_forward_pass_is_the_same_under_every_rule(tiny, pictures, lite0):
    for net, x in ((tiny(), pictures(2)), (lite0, pictures(1, 224))):
        expected = net(x)
        for rule in RULES:
            with relu_rule(rule):
                torch.testing.assert_close(net(x), expected)


def is_the_chain_rule():
    """Whether a ReLU, here and now, follows the chain rule."""
    x = X.clone().requires_grad_()
    return torch.autograd.grad(torch.relu(x), x, G)[0].tolist() == HANDED_ON["gradient"]


def test_an_inner_rule_wins_and_the_outer_one_is_back_afterwards():
    with relu_rule("deconvnet"):
        inner, _ = handed_on(torch.relu, X, G, "guided")
        x = X.clone().requires_grad_()
        outer = torch.autograd.grad(torch.relu(x), x, G)[0].tolist()
    assert inner == HANDED_ON["guided"] and outer == HANDED_ON["deconvnet"]
    assert is_the_chain_rule()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, vz.VizlibError])
def test_the_rule_is_gone_after_an_exception_and_the_exception_is_the_one_that_comes_out(error):
    for rule in RULES:
        with pytest.raises(error, match="in the middle"):
            with relu_rule(rule):
                raise error("in the middle")
        assert is_the_chain_rule()


def test_a_nested_exception_leaves_the_outer_rule_in_force():
    with relu_rule("guided"):
        with pytest.raises(RuntimeError):
            with relu_rule("deconvnet"):
                raise RuntimeError
        x = X.clone().requires_grad_()
        assert torch.autograd.grad(torch.relu(x), x, G)[0].tolist() == HANDED_ON["guided"]
    assert is_the_chain_rule()


def test_the_rule_that_a_relu_met_going_forward_holds_going_back_after_the_block():
    gradient, _ = handed_on(torch.relu, X, G, "guided")  # autograd.grad runs outside the block
    assert gradient == HANDED_ON["guided"]


def test_an_unknown_rule_is_refused_with_those_there_are():
    with pytest.raises(
        vz.VizlibError, match="There is no rule 'guide' for rectifiers; there are gradient, deconvnet, guided"
    ):
        with relu_rule("guide"):
            pass


@pytest.mark.parametrize(
    "method", [vz.guided_backprop, vz.deconvnet, vz.guided_grad_cam], ids=lambda m: m.__name__
)
def test_a_network_without_relus_is_refused_in_words(tiny, pictures, method):
    net = tiny(activation=nn.SiLU)
    with pytest.raises(vz.VizlibError, match="This network has no ReLU.*Use vz.gradient or vz.saliency"):
        method(net, pictures(1), 0)
    assert vz.gradient(net, pictures(1), 0).abs().max() > 0


def test_the_plain_gradient_does_not_need_a_relu(tiny, pictures):
    with relu_rule("gradient"):
        tiny(activation=nn.SiLU)(pictures(1))


def test_a_network_of_relu6_follows_the_rules_layer_by_layer(network, redrawn, pictures):
    model = nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, 5, 3), relu=nn.ReLU6(), flatten=nn.Flatten(), fc=nn.Linear(5 * 14 * 14, 4)
        )
    )
    redrawn(model, seed=6)
    with torch.no_grad():
        model.conv.weight.mul_(8)
    net, x = network(model), pictures(1, seed=7)
    z = net.model.conv(x)
    active = (z > 0) & (z < 6)
    assert (z > 6).any() and (z < 0).any() and active.any()
    arriving = net.model.fc.weight[2].view_as(z)
    for method, rule in (
        (vz.gradient, "gradient"),
        (vz.deconvnet, "deconvnet"),
        (vz.guided_backprop, "guided"),
    ):
        expected = F.conv_transpose2d(RULES[rule](arriving, active.mul), net.model.conv.weight)
        torch.testing.assert_close(method(net, x, 2), expected, rtol=1e-4, atol=1e-5)
