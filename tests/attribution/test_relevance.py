"""Layer-wise relevance propagation: by hand, as identities, and with every share accounted for."""

import math
import operator
import re
from collections import OrderedDict

import pytest
import torch
from torch import nn

import vizlib as vz
from vizlib.layers.relevance_rules import Rule, relevance_rules, shares

linear = torch.nn.functional.linear


def _hand(w, a, R, rule, b=None):
    w, a, R = torch.tensor([w]), torch.tensor([a]), torch.tensor([R])
    relevance, kept = shares(a, linear, w, None if b is None else torch.tensor(b), R, rule)
    return relevance[0].tolist(), kept.tolist()


def test_lrp_zero_by_hand():
    """Contributions 2 * 3 = 6 and 1 * -2 = -2, sum 4: of 8 the inputs get 12 and -4."""
    relevance, kept = _hand([3.0, -2.0], [2.0, 1.0], [8.0], Rule())
    assert relevance == pytest.approx([12, -4]) and kept == pytest.approx([0])


def test_a_bias_keeps_its_share():
    """With a bias of 4 the sum is 8: of 8 the inputs get 6 and -2, the bias 4; left out of the rule, it gets
    nothing.
    """
    relevance, kept = _hand([3.0, -2.0], [2.0, 1.0], [8.0], Rule(), [4.0])
    assert relevance == pytest.approx([6, -2]) and kept == pytest.approx([4])
    relevance, kept = _hand([3.0, -2.0], [2.0, 1.0], [8.0], Rule(bias=False), [4.0])
    assert relevance == pytest.approx([12, -4]) and kept == pytest.approx([0])


def test_epsilon_by_hand():
    """The sum is 4, its root mean square too; with half of that added it is 6: of 9 the inputs get 9
    and -3.
    """
    relevance, _ = _hand([3.0, -2.0], [2.0, 1.0], [9.0], Rule(epsilon=0.5))
    assert relevance == pytest.approx([9, -3])


def test_gamma_by_hand():
    """With gamma 1 the positive weight counts double: contributions 12 and -2, sum 10. Without limit: 6
    alone.
    """
    relevance, _ = _hand([3.0, -2.0], [2.0, 1.0], [10.0], Rule(gamma=1))
    assert relevance == pytest.approx([12, -2])
    relevance, _ = _hand([3.0, -2.0], [2.0, 1.0], [10.0], Rule(gamma=math.inf))
    assert relevance == pytest.approx([10, 0])


def test_gamma_treats_a_sum_below_zero_like_its_mirror_image():
    up, _ = _hand([3.0, -2.0], [2.0, -1.0], [5.0], Rule(gamma=0.5))
    down, _ = _hand([-3.0, 2.0], [2.0, -1.0], [5.0], Rule(gamma=0.5))
    assert up == pytest.approx(down) and sum(up) == pytest.approx(5)


def test_the_box_rule_by_hand():
    """Pixels 0.5 and 1 in [0, 1], weights 2 and -4. Contributions above the worst case: 0.5 * 2 - 0 = 1 and 1
    * -4 - 1 * -4 = 0.
    """
    box = (torch.zeros(1, 1), torch.ones(1, 1))
    relevance, _ = _hand([2.0, -4.0], [0.5, 1.0], [3.0], Rule(box=box))
    assert relevance == pytest.approx([3, 0])


RULES = ("zero", "epsilon", "gamma", "composite")


@pytest.fixture
def plain(network, redrawn):
    """Convolutions with ReLU, max-pooling, a branch that is added, average pooling, two linear layers."""

    class Net(nn.Module):
        def __init__(self, bias):
            super().__init__()
            self.conv1, self.conv2 = (
                nn.Conv2d(3, 6, 3, padding=1, bias=bias),
                nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=bias),
            )
            self.relu, self.pool = nn.ReLU(), nn.MaxPool2d(2)
            self.fc1, self.fc2 = nn.Linear(6 * 16, 7, bias=bias), nn.Linear(7, 4, bias=bias)

        def forward(self, x):
            x = self.pool(self.relu(self.conv1(x)))
            x = nn.functional.avg_pool2d(self.relu(self.conv2(x) + x), 2)
            return self.fc2(self.relu(self.fc1(x.flatten(1))))

    return lambda bias=True, seed=0: network(redrawn(Net(bias), seed))


def test_without_biases_lrp_zero_is_gradient_times_input(plain, pictures):
    net, x = plain(bias=False), pictures(3)
    relevance = vz.lrp(net, x, 1, rule="zero")
    torch.testing.assert_close(relevance, vz.gradient_times_input(net, x, 1), rtol=1e-3, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(relevance.sum((1, 2, 3)), net(x)[:, 1], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", ["plain", "lite0"])
def test_every_share_is_accounted_for(rule, name, plain, lite0, pictures):
    net, x = (plain(), pictures(1)) if name == "plain" else (lite0, vz.photo("goldfish", 96))
    table = vz.relevance_table(net, x, 1, rule=rule)
    with torch.no_grad():
        assert table[0]["arriving"] == pytest.approx(float(net(x)[0, 1]), rel=1e-4)
    for row in table:
        assert row["arriving"] == pytest.approx(
            row["passed on"] + row["kept by its bias"] + row["lost"], rel=1e-4, abs=1e-4
        )
        if rule in ("zero", "gamma"):
            assert abs(row["lost"]) <= 0.01 * max(
                abs(row["arriving"]), abs(row["passed on"]), abs(row["kept by its bias"])
            )
    total = float(vz.lrp(net, x, 1, rule=rule).sum())
    assert total == pytest.approx(
        table[-1]["passed on"], rel=0.02, abs=1e-5
    )  # lite0 pads: what falls on the padding is cut off
    elsewhere = sum(table["kept by its bias"]) + sum(
        table["lost"]
    )  # through sums of branches too nothing comes in and nothing goes
    assert table[0]["arriving"] == pytest.approx(total + elsewhere, rel=0.01, abs=0.01)


@pytest.mark.parametrize("rule", ["gamma", "composite"])
def test_without_biases_all_of_the_score_reaches_the_pixels(plain, pictures, rule):
    net, x = plain(bias=False), pictures(3)
    relevance = vz.lrp(net, x, 2, rule=rule, epsilon=0)
    with torch.no_grad():
        torch.testing.assert_close(relevance.sum((1, 2, 3)), net(x)[:, 2], rtol=0.01, atol=1e-4)


def test_in_the_composite_nothing_but_the_linear_layers_changes_a_sign(network, redrawn, pictures):
    """With one linear layer and a class whose weights are all positive, no relevance is negative."""
    model = redrawn(
        nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(3, 5, 3, padding=1),
                relu1=nn.ReLU(),
                conv2=nn.Conv2d(5, 6, 3, padding=1),
                relu2=nn.ReLU(),
                pool=nn.AdaptiveAvgPool2d(1),
                flatten=nn.Flatten(),
                fc=nn.Linear(6, 2),
            )
        )
    )
    with torch.no_grad():
        model.fc.weight.abs_()
        model.fc.bias.zero_()
    relevance = vz.lrp(network(model), pictures(2), 0)
    assert relevance.min() >= -1e-7 and relevance.max() > 0


@pytest.mark.parametrize(
    "name",
    [
        "torchvision/resnet18",
        "torchvision/vgg11",
        "torchvision/googlenet",
        "torchvision/densenet121",
        "lite0",
    ],
)
@pytest.mark.parametrize("rule", RULES)
def test_it_goes_through_the_usual_networks(name, rule):
    net = vz.load(name) if name == "lite0" else vz.load(name, pretrained=False)
    relevance = vz.lrp(net, vz.photo("goldfish", 96), 1, rule=rule)
    assert relevance.shape == (1, 3, 96, 96) and torch.isfinite(relevance).all() and relevance.abs().max() > 0


def test_another_class_gets_another_map(lite0):
    x = vz.photo("drum_kit_and_guitar", 224)
    maps = [vz.lrp(lite0, x, target).sum(1, keepdim=True) for target in ("drum", "acoustic guitar")]
    assert vz.rank_correlation(*maps) < 0.8


def test_a_unit_and_a_sum_of_logits_are_targets_too(plain, pictures):
    net, x = plain(bias=False), pictures(2)
    unit = vz.lrp(net, x, vz.unit("conv2", 3), rule="zero")
    torch.testing.assert_close(unit, vz.gradient(net, x, vz.unit("conv2", 3)) * x, rtol=1e-3, atol=1e-6)
    both = vz.lrp(net, x, lambda logits: logits[:, 0] + logits[:, 1], rule="zero")
    one_by_one = sum(vz.lrp(net, x, k, rule="zero") for k in (0, 1))
    torch.testing.assert_close(both, one_by_one, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("rule", RULES)
def test_the_difference_of_two_logits_has_the_difference_of_their_maps(rule, plain, pictures):
    net, x = plain(), pictures(2)
    first, second = (vz.lrp(net, x, k, rule=rule) for k in (2, 0))
    contrast = vz.lrp(net, x, lambda logits: logits[:, 2] - logits[:, 0], rule=rule)
    torch.testing.assert_close(contrast, first - second, rtol=1e-3, atol=1e-5)


def test_a_score_without_slope_is_refused(plain, pictures):
    with pytest.raises(vz.VizlibError, match="This score has no slope"):
        vz.lrp(plain(), pictures(1), lambda logits: logits.argmax(1).float())


def _then(statement):
    def join(a, b):
        statement(a, b)
        return b

    return join


# How a network may add what two branches made: (a, b) -> the sum. Beside each the same sum in plain words.
JOINS = {
    "a statement": (_then(lambda a, b: b.add_(a)), lambda a, b: b + a),
    "+=": (lambda a, b: operator.iadd(b, a), lambda a, b: b + a),
    "+= to what a layer has read": (lambda a, b: operator.iadd(a, b), lambda a, b: a + b),
    "into another tensor": (lambda a, b: torch.add(a, b, out=torch.empty(0)), lambda a, b: a + b),
    "into one of the two": (_then(lambda a, b: torch.add(a, b, out=b)), lambda a, b: a + b),
    "into a view": (_then(lambda a, b: b.flatten(2).add_(a.flatten(2))), lambda a, b: b + a),
    "into zeros": (lambda a, b: torch.zeros_like(b).add_(b).add_(a), lambda a, b: b + a),
    "with alpha": (lambda a, b: torch.add(b, a, alpha=0.3), lambda a, b: b + 0.3 * a),
    "with alpha, the old way": (lambda a, b: torch.add(b, 0.3, a), lambda a, b: b + 0.3 * a),
    "with alpha, a statement": (_then(lambda a, b: b.add_(a, alpha=0.3)), lambda a, b: b + 0.3 * a),
    "a difference": (lambda a, b: b - a, lambda a, b: b + -1 * a),
    "a difference with alpha": (lambda a, b: torch.sub(b, a, alpha=0.3), lambda a, b: b + -0.3 * a),
    "a difference the other way": (lambda a, b: torch.rsub(a, b, alpha=0.3), lambda a, b: b + -0.3 * a),
    "a difference in place": (_then(lambda a, b: b.sub_(a)), lambda a, b: b + -1 * a),
    "means spread out": (
        lambda a, b: b + a.mean((2, 3), keepdim=True),
        lambda a, b: b + a.mean((2, 3), keepdim=True).expand_as(b),
    ),
    "a mean over constants": (
        lambda a, b: a.mean((2, 3), keepdim=True) * torch.ones(b.shape[2:]) + b,
        lambda a, b: a.mean((2, 3), keepdim=True).expand_as(b) + b,
    ),
    "scaled in place": (_then(lambda a, b: b.mul_(2).div_(4)), lambda a, b: b * 0.5),
    "normalized": (
        lambda a, b: torch.batch_norm(b, None, None, torch.ones(6), torch.ones(6), False, 0, 0, False) + a,
        lambda a, b: nn.functional.batch_norm(b, torch.ones(6), torch.ones(6), eps=0) + a,
    ),
    "rectified in place": (_then(lambda a, b: torch.relu_(b)), lambda a, b: torch.relu(b)),
    "into some channels": (
        _then(lambda a, b: b[:, :3].add_(a[:, :3])),
        lambda a, b: torch.cat([b[:, :3] + a[:, :3], b[:, 3:]], 1),
    ),
}


class Branches(nn.Module):
    def __init__(self, join):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.fc, self.join = nn.Linear(6, 4), join

    def forward(self, x):
        a = torch.relu(self.conv1(x))
        return self.fc(torch.relu(self.join(a, self.conv2(a))).mean((2, 3)))


@pytest.fixture
def branches(network, redrawn):
    return lambda join: network(redrawn(Branches(join)))


@pytest.mark.parametrize("name", JOINS)
def test_however_branches_are_added_relevance_is_conserved(name, branches, pictures):
    """Written into a tensor or not, with a weight, or spread out: relevance and what the biases keep are the
    score, and the network computes what it computes without LRP.
    """
    net, x = branches(JOINS[name][0]), pictures(1)
    with torch.no_grad():
        score = float(net(x)[0, 1])
    table = vz.relevance_table(net, x, 1, rule="zero")
    assert table[0]["arriving"] == score
    kept = sum(table["kept by its bias"])
    assert float(vz.lrp(net, x, 1, rule="zero").sum()) + kept == pytest.approx(score, rel=1e-3)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", JOINS)
def test_however_branches_are_added_the_map_is_that_of_the_plain_sum(name, rule, branches, pictures):
    ours, plain = (vz.lrp(branches(join), pictures(2), 1, rule=rule) for join in JOINS[name])
    torch.testing.assert_close(ours, plain, rtol=1e-3, atol=1e-4 * float(plain.abs().max()))


@pytest.mark.parametrize(
    "join, sentence",
    [
        (lambda a, b: a * b, "no relevance rule for 'mul' of two signals, as in gates and attention"),
        (lambda a, b: b.mul_(a), "no relevance rule for 'mul_' of two signals"),
        (lambda a, b: b / (1 + a), "no relevance rule for 'div' of two signals"),
        (lambda a, b: torch.div(1, 1 + a), "no relevance rule for 'div' by a signal"),
        (
            lambda a, b: nn.functional.conv2d(
                b.reshape(1, -1, *b.shape[2:]), a.mean((2, 3)).view(-1, 1, 1, 1), groups=6 * len(b)
            ).view_as(b),
            "no relevance rule for 'conv2d' with weights that depend on the picture",
        ),
        (lambda a, b: b.sigmoid_(), "no relevance rule for 'sigmoid_'"),
        (lambda a, b: b.chunk(2, 1)[0].add_(a[:, :3]).repeat(1, 2, 1, 1), "writes into a piece of a tensor"),
    ],
)
def test_products_of_signals_and_the_like_are_refused(join, sentence, branches, pictures):
    with pytest.raises(vz.VizlibError, match=re.escape(sentence)):
        vz.lrp(branches(join), pictures(1), 0, rule="zero")


def test_a_norm_by_the_statistics_of_the_batch_is_refused():
    x = torch.ones(2, 3, 4, 4, requires_grad=True)
    with relevance_rules(lambda kind, number, inputs: Rule()):
        with pytest.raises(vz.VizlibError, match="'batch_norm' by the statistics of the batch"):
            nn.functional.batch_norm(x, None, None, training=True)


def test_what_does_not_depend_on_the_picture_needs_no_rule(branches, pictures):
    """A mask that is cut off from the picture, and zeros of its size, are constants."""
    masked = branches(lambda a, b: b * (b > 0) + torch.zeros_like(a).exp() - a.detach().sigmoid())
    assert torch.isfinite(vz.lrp(masked, pictures(1), 0)).all()


class LessHalfANeighbour(nn.Module):
    """The mean colour, from which half of that of the pixel to the left is taken, before or after the
    convolution.
    """

    def __init__(self, before):
        super().__init__()
        self.conv, self.fc, self.before = nn.Conv2d(3, 1, 1, bias=False), nn.Linear(1, 2, bias=False), before
        with torch.no_grad():
            self.conv.weight.fill_(1 / 3)
            self.fc.weight.copy_(torch.tensor([[1.0], [-1.0]]))

    def forward(self, x):
        x = x + -0.5 * x.roll(1, 3) if self.before else x
        x = torch.relu(self.conv(x))
        x = x if self.before else x + -0.5 * x.roll(1, 3)
        return self.fc(torch.relu(x).mean((2, 3)))


@pytest.mark.parametrize("before", [True, False])
def test_in_the_composite_a_sum_hands_on_only_what_agrees_with_it(before, network, pictures):
    """All of a position's relevance stays where it is, none goes to the neighbour that was against it:
    z-plus, for sums before the first layer and after; neither the box of the pixels nor the epsilon of
    linear layers.
    """
    x = 0.5 + 0.5 * pictures(2)
    grey = x.mean(1, keepdim=True)
    relevance = vz.lrp(network(LessHalfANeighbour(before)), x, 0, epsilon=0).sum(1, keepdim=True)
    torch.testing.assert_close(relevance, (grey - 0.5 * grey.roll(1, 3)) / 256, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("rule", ["zero", "epsilon", "gamma"])
def test_a_linear_layer_on_a_grid_is_a_convolution_of_one_pixel(rule, network, redrawn, pictures):
    class Last(nn.Module):
        def __init__(self, conv):
            super().__init__()
            self.linear = nn.Linear(6, 5).requires_grad_(False)
            self.linear.weight.copy_(conv.weight[..., 0, 0])
            self.linear.bias.copy_(conv.bias)

        def forward(self, x):
            return self.linear(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    model = redrawn(
        nn.Sequential(
            nn.Conv2d(3, 6, 3),
            nn.ReLU(),
            nn.Conv2d(6, 5, 1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(5, 3),
        )
    ).requires_grad_(False)
    first = network(model)
    model[2] = Last(model[2])
    second, x = network(model), pictures(2)
    torch.testing.assert_close(
        vz.lrp(second, x, 1, rule=rule), vz.lrp(first, x, 1, rule=rule), rtol=1e-3, atol=1e-5
    )


def test_the_box_of_a_first_layer_that_is_flat(network, redrawn, pictures):
    """A linear layer on all pixels is a convolution as large as the picture."""
    flat = redrawn(nn.Sequential(nn.Flatten(), nn.Linear(768, 4))).requires_grad_(False)
    large = nn.Sequential(nn.Conv2d(3, 4, 16), nn.Flatten()).requires_grad_(False)
    large[0].weight.copy_(flat[1].weight.view(4, 3, 16, 16))
    large[0].bias.copy_(flat[1].bias)
    x = pictures(2)
    ours, expected = (vz.lrp(network(model, mean=(0.4, 0.5, 0.6)), x, 1) for model in (flat, large))
    torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-5)
    assert ours.abs().max() > 0


def test_the_box_is_empty_where_a_picture_has_been_padded(network, redrawn, pictures):
    """Padded by a layer of its own, as in networks that come from TensorFlow, or by the convolution."""
    conv = redrawn(nn.Conv2d(3, 6, 3, padding=1)).requires_grad_(False)
    bare = nn.Conv2d(3, 6, 3).requires_grad_(False)
    bare.weight.copy_(conv.weight)
    bare.bias.copy_(conv.bias)
    end = [nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    models = nn.Sequential(nn.ZeroPad2d(1), bare, *end), nn.Sequential(conv, *end)
    ours, expected = (vz.lrp(network(m, mean=(0.4, 0.5, 0.6)), pictures(2), 1) for m in models)
    torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-6)


def test_a_picture_turned_negative_has_its_bounds_the_other_way_round(network, redrawn, pictures):
    """1 - x in the place of x, and a first layer made for it: the same network, the same map."""

    class Negative(nn.Module):
        def __init__(self, conv):
            super().__init__()
            self.conv = conv

        def forward(self, x):
            return torch.relu(self.conv(1 - x)).mean((2, 3))

    conv = redrawn(nn.Conv2d(3, 6, 3))
    relevance = vz.lrp(network(Negative(conv)), pictures(2), 1)
    assert relevance.min() >= 0 and relevance.max() > 0


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_it_works_whatever_the_caller_does_with_gradients(mode, plain, pictures):
    net, x = plain(), pictures(2)
    expected = vz.lrp(net, x, 1)
    with mode():
        torch.testing.assert_close(vz.lrp(net, x, 1), expected)
    ours = vz.lrp(net, x.clone().requires_grad_(), 1)
    assert not ours.requires_grad
    torch.testing.assert_close(ours, expected)


def test_it_stays_on_the_network_s_device(plain, pictures):
    """On the device "meta" tensors have a shape and no values, and a second device is an error."""
    net = plain().to("meta")
    for rule in ("zero", "epsilon"):
        assert vz.lrp(net, pictures(2), [1, 2], rule=rule).device.type == "meta"
    from vizlib.attribution.relevance import _bounds

    assert [bound.device.type for bound in _bounds(net, (16, 16))] == ["meta"] * 2


@pytest.mark.parametrize("rule", ["zero", "composite"])
@pytest.mark.parametrize("name", ["torchvision/mobilenet_v3_small", "torchvision/vit_b_16"])
def test_a_network_with_functions_that_have_no_rule_is_refused(name, rule, left_as_found):
    net = vz.load(name, pretrained=False)
    with (
        left_as_found(net),
        pytest.raises(
            vz.VizlibError, match="There is no relevance rule for '.*LRP here goes through convolutions"
        ),
    ):
        vz.lrp(net, vz.photo("goldfish", 224), 1, rule=rule)


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ({"rule": "alpha"}, "rule is one of composite, zero, epsilon, gamma; this is 'alpha'"),
        ({"gamma": -1}, "gamma and epsilon are numbers, 0 or more; this is -1"),
    ],
)
def test_what_makes_no_sense_is_refused(plain, pictures, arguments, sentence):
    with pytest.raises(vz.VizlibError, match=re.escape(sentence)):
        vz.lrp(plain(), pictures(1), 0, **arguments)


def test_the_network_is_left_as_it_was_found(lite0, left_as_found):
    with left_as_found(lite0):
        vz.lrp(lite0, vz.photo("goldfish", 96), 1)
