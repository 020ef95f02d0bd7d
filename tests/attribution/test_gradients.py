"""Gradient, deconvnet and guided backpropagation: worked by hand, and held against what must be true of
them.
"""

from collections import OrderedDict

import pytest
import torch
from torch import nn

import vizlib as vz

# What reaches the convolution of `one_relu` (top left, top right, bottom left, bottom right), for class 0: 5,
# -2, -3, 4 come from above, and the lower two rectifiers are closed.
ARRIVES = {
    vz.gradient: (5, -2, 0, 0),  # where the ReLU was open
    vz.deconvnet: (5, 0, 0, 4),  # where the signal is positive
    vz.guided_backprop: (5, 0, 0, 0),  # where both hold
}


def spread_by_the_filter(signal):
    """The signal at the four positions, multiplied into the 2 x 2 patches of red and green that they came
    from.
    """
    red, green = torch.tensor([[1.0, -2], [3, 1]]), torch.full((2, 2), -1.0)
    pixels = torch.zeros(1, 3, 4, 4)
    for s, (i, j) in zip(signal, [(0, 0), (0, 2), (2, 0), (2, 2)], strict=True):
        pixels[0, 0, i : i + 2, j : j + 2] = s * red
        pixels[0, 1, i : i + 2, j : j + 2] = s * green
    return pixels


def assert_same(a, b, atol=1e-5):
    torch.testing.assert_close(a, b, rtol=0, atol=atol)


@pytest.mark.parametrize("method", ARRIVES, ids=lambda m: m.__name__)
def test_each_rule_gives_what_was_worked_out_by_hand(one_relu, hand_worked_picture, method):
    assert_same(method(one_relu, hand_worked_picture, 0), spread_by_the_filter(ARRIVES[method]))


def test_the_gradient_written_out_in_full(one_relu, hand_worked_picture):
    red = [[5, -10, -2, 4], [15, 5, -6, -2], [0, 0, 0, 0], [0, 0, 0, 0]]
    green = [[-5, -5, 2, 2], [-5, -5, 2, 2], [0, 0, 0, 0], [0, 0, 0, 0]]
    blue = [[0] * 4] * 4
    assert_same(
        vz.gradient(one_relu, hand_worked_picture, 0), torch.tensor([[red, green, blue]], dtype=torch.float32)
    )


def test_the_other_class_has_the_opposite_signs_from_above(one_relu, hand_worked_picture):
    # -5, 2, 3, -4 from above: the gradient keeps -5 and 2, the deconvnet 2 and 3, guided backpropagation only
    # 2
    assert_same(vz.gradient(one_relu, hand_worked_picture, 1), spread_by_the_filter((-5, 2, 0, 0)))
    assert_same(vz.deconvnet(one_relu, hand_worked_picture, 1), spread_by_the_filter((0, 2, 3, 0)))
    assert_same(vz.guided_backprop(one_relu, hand_worked_picture, 1), spread_by_the_filter((0, 2, 0, 0)))


def test_gradient_times_input_counts_lit_pixels_only_and_adds_up_to_the_logit(one_relu, hand_worked_picture):
    shares = vz.gradient_times_input(one_relu, hand_worked_picture, 0)
    red = [[5, 0, 0, 4], [0, 5, -6, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert_same(shares[0, 0], torch.tensor(red, dtype=torch.float32))
    assert shares[0, 1:].abs().max() == 0
    assert shares.sum().item() == pytest.approx(8)


def test_saliency_takes_the_strongest_colour_and_its_parts_the_strongest_of_one_sign(
    one_relu, hand_worked_picture
):
    # gradient of class 0, red 5 -10 -2 4 / 15 5 -6 -2 and green -5 -5 2 2 / -5 -5 2 2, blue 0, lower half 0
    dark = [[0] * 4, [0] * 4]
    expected = {
        "absolute": [[5, 10, 2, 4], [15, 5, 6, 2], *dark],
        "positive": [[5, 0, 2, 4], [15, 5, 2, 2], *dark],
        "negative": [[5, 10, 2, 0], [5, 5, 6, 2], *dark],
    }
    for part, values in expected.items():
        assert_same(
            vz.saliency(one_relu, hand_worked_picture, 0, part=part),
            torch.tensor([[values]], dtype=torch.float32),
        )


def test_saliency_is_absolute_unless_told_otherwise_and_names_its_parts(one_relu, hand_worked_picture):
    absolute = vz.saliency(one_relu, hand_worked_picture, 0, part="absolute")
    assert_same(vz.saliency(one_relu, hand_worked_picture, 0), absolute)
    with pytest.raises(vz.VizlibError, match="part is one of absolute, positive, negative; this is 'both'"):
        vz.saliency(one_relu, hand_worked_picture, 0, part="both")


def test_the_gradient_agrees_with_finite_differences(tiny, pictures):
    net = tiny(seed=1).double()
    x = 0.1 + 0.8 * pictures(1, 16, seed=2).double()
    g = vz.gradient(net, x.float(), 3)
    scale, step = g.abs().max().item(), 1e-5
    generator = torch.Generator().manual_seed(3)
    for c, i, j in zip(
        *(torch.randint(n, (20,), generator=generator).tolist() for n in (3, 16, 16)), strict=True
    ):
        nudge = torch.zeros_like(x)
        nudge[0, c, i, j] = step
        with torch.no_grad():
            slope = (net(x + nudge)[0, 3] - net(x - nudge)[0, 3]) / (2 * step)
        assert g[0, c, i, j].item() == pytest.approx(slope.item(), rel=1e-3, abs=1e-3 * scale)


def test_the_gradient_is_in_score_per_unit_of_brightness_whatever_the_normalization(
    network, redrawn, pictures
):
    model = redrawn(
        nn.Sequential(
            OrderedDict(conv=nn.Conv2d(3, 4, 3), flatten=nn.Flatten(), fc=nn.Linear(4 * 14 * 14, 3))
        )
    )
    x = pictures(1, 16)
    plain = network(model)
    stretched = network(model, mean=(0.3, 0.4, 0.5), std=(0.1, 0.2, 0.4))
    factor = torch.tensor([0.1, 0.2, 0.4]).view(1, 3, 1, 1)  # d((x - mean) / std) = dx / std
    assert_same(vz.gradient(stretched, x, 1) * factor, vz.gradient(plain, x, 1), atol=1e-4)


def test_pixels_times_gradient_add_up_to_the_logit_of_a_network_without_biases(tiny, pictures):
    net, x = tiny(seed=4, bias=False), pictures(3, 16, seed=5)
    with torch.no_grad():
        logits = net(x)
    for k in range(5):
        torch.testing.assert_close(
            vz.gradient_times_input(net, x, k).sum((1, 2, 3)), logits[:, k], rtol=1e-4, atol=1e-5
        )


def test_with_biases_the_same_sum_misses_the_logit(tiny, pictures):
    net, x = tiny(seed=4, bias=True), pictures(3, 16, seed=5)
    with torch.no_grad():
        logits = net(x)
    assert (vz.gradient_times_input(net, x, 0).sum((1, 2, 3)) - logits[:, 0]).abs().min() > 1e-3


def with_positive_weights(net):
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.abs_()
    return net


def test_all_three_are_one_where_every_signal_is_positive(tiny, pictures):
    net, x = with_positive_weights(tiny(seed=6)), pictures(2, 16, seed=7)
    g = vz.gradient(net, x, 2)
    assert g.abs().max() > 0
    torch.testing.assert_close(vz.guided_backprop(net, x, 2), g)
    torch.testing.assert_close(vz.deconvnet(net, x, 2), g)


def test_all_three_differ_on_an_ordinary_network(tiny, pictures):
    net, x = tiny(seed=8), pictures(2, 16, seed=9)
    maps = [m(net, x, 1) for m in ARRIVES]
    for i in range(3):
        for other in maps[:i]:
            assert (maps[i] - other).abs().max() > 0.01 * other.abs().max()


def test_at_a_single_layer_of_relus_guided_is_the_gradient_where_positive_and_the_deconvnet_where_open(
    network, redrawn, pictures, relu_signals
):
    model = nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, 5, 3), relu=nn.ReLU(), flatten=nn.Flatten(), fc=nn.Linear(5 * 14 * 14, 4)
        )
    )
    net, x = network(redrawn(model, seed=10)), pictures(2, 16, seed=11)
    (g,), (d,), (guided,) = (relu_signals(net, x, 2, rule) for rule in ("gradient", "deconvnet", "guided"))
    open_ = vz.record(net, x, "conv")["conv"] > 0
    assert 0 < open_.float().mean() < 1 and (g > 0).any() and (g < 0).any()
    torch.testing.assert_close(guided, g * (g > 0))
    torch.testing.assert_close(guided, d * open_)


def test_guided_backpropagation_hands_nothing_negative_to_the_input_of_any_relu(tiny, pictures, relu_signals):
    net, x = tiny(seed=12), pictures(4, 16, seed=13)
    guided, plain = (relu_signals(net, x, 0, rule) for rule in ("guided", "gradient"))
    assert len(guided) == 2
    for signal, ordinary in zip(guided, plain, strict=True):
        assert signal.min() >= 0 and signal.max() > 0
        assert ordinary.min() < 0  # so it is the rule that does it


def test_the_deconvnet_too_hands_nothing_negative_to_the_input_of_any_relu_but_ignores_which_were_open(
    tiny, pictures, relu_signals
):
    net, x = tiny(seed=12), pictures(4, 16, seed=13)
    for signal in relu_signals(net, x, 0, "deconvnet"):
        assert signal.min() >= 0
    closed = vz.record(net, x, "conv2")["conv2"] <= 0
    last = relu_signals(net, x, 0, "deconvnet")[-1]
    assert last[closed].max() > 0


def test_the_pixels_of_guided_backpropagation_can_be_negative(tiny, pictures):
    assert vz.guided_backprop(tiny(seed=12), pictures(1, 16, seed=13), 0).min() < 0


def test_the_deconvnet_is_the_gradient_where_the_relus_change_nothing_on_the_way_back(
    network, redrawn, pictures
):
    # all weights above the ReLU are positive, and a large bias keeps every ReLU open
    model = nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, 5, 3), relu=nn.ReLU(), flatten=nn.Flatten(), fc=nn.Linear(5 * 14 * 14, 4)
        )
    )
    redrawn(model, seed=14)
    with torch.no_grad():
        model.conv.bias.fill_(100)
        model.fc.weight.abs_()
    net, x = network(model), pictures(2, 16, seed=15)
    g = vz.gradient(net, x, 0)
    assert g.min() < 0 < g.max()
    torch.testing.assert_close(vz.deconvnet(net, x, 0), g)
    torch.testing.assert_close(vz.guided_backprop(net, x, 0), g)


class CommonTerm(nn.Module):
    """Adds one and the same function of the picture to all logits of another model."""

    def __init__(self, model, template):
        super().__init__()
        self.model = model
        self.register_buffer("template", template)

    def forward(self, x):
        return self.model(x) + (self.template * x).sum((1, 2, 3))[:, None]


def log_probability(k):
    return lambda logits: logits.log_softmax(1)[:, k]


def test_a_term_common_to_all_logits_changes_the_gradient_of_a_logit_but_not_of_the_log_probability(
    tiny, network, pictures
):
    plain, x = tiny(seed=16), pictures(2, 16, seed=17)
    template = pictures(1, 16, seed=18) - 0.5
    shifted = network(CommonTerm(plain.model, template))
    torch.testing.assert_close(shifted(x).softmax(1), plain(x).softmax(1), rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(
        vz.gradient(shifted, x, log_probability(1)),
        vz.gradient(plain, x, log_probability(1)),
        rtol=1e-3,
        atol=1e-5,
    )
    torch.testing.assert_close(
        vz.gradient(shifted, x, 1) - vz.gradient(plain, x, 1), template.expand_as(x), rtol=1e-4, atol=1e-5
    )


def test_the_score_of_a_class_is_its_logit_and_not_its_probability(tiny, pictures):
    net, x = tiny(seed=19), pictures(1, 16, seed=20)
    of_the_logit = vz.gradient(net, x, lambda logits: logits[:, 2])
    of_the_probability = vz.gradient(net, x, lambda logits: logits.softmax(1)[:, 2])
    torch.testing.assert_close(vz.gradient(net, x, 2), of_the_logit)
    assert (vz.gradient(net, x, 2) - of_the_probability).abs().max() > 1e-3


def test_without_a_target_each_picture_is_asked_for_its_own_top_class(tiny, pictures):
    net, x = tiny(seed=21), pictures(12, 16, seed=22, tinted=True)
    with torch.no_grad():
        top = net(x).argmax(1)
    assert len(set(top.tolist())) > 1
    torch.testing.assert_close(vz.gradient(net, x), vz.gradient(net, x, top))


def test_one_target_per_picture_gives_each_its_own(tiny, pictures):
    net, x = tiny(seed=21), pictures(3, 16, seed=23)
    together = vz.gradient(net, x, [4, "class 0", torch.tensor(2)])
    for i, k in enumerate((4, 0, 2)):
        torch.testing.assert_close(together[i : i + 1], vz.gradient(net, x[i : i + 1], k))


@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_the_batch_size_does_not_show(tiny, pictures, method, batch_size):
    net, x = tiny(seed=24), pictures(5, 16, seed=25)
    torch.testing.assert_close(
        method(net, x, [0, 1, 2, 3, 4], batch_size=batch_size),
        method(net, x, [0, 1, 2, 3, 4], batch_size=5),
        rtol=1e-4,
        atol=1e-6,
    )


def test_a_unit_pulls_on_no_pixel_outside_its_receptive_field(tiny, pictures):
    net, x = tiny(seed=26), pictures(1, 16, seed=27)
    field = vz.receptive_field(net, "conv2")
    g = vz.gradient(net, x, vz.unit("conv2", 3, at=(4, 5)))[0].abs().amax(0)
    rows, columns = (
        slice(a + i * s, a + i * s + r)
        for a, s, r, i in zip(field.start, field.stride, field.size, (4, 5), strict=True)
    )
    inside = torch.zeros(16, 16, dtype=torch.bool)
    inside[rows, columns] = True
    assert g[inside].max() > 0
    assert g[~inside].max() == 0


def test_the_gradient_of_lite0_points_uphill(lite0):
    x = vz.photo("tabby_cat_chelsea", 224)
    g = vz.gradient(lite0, x, 281)
    assert g.shape == x.shape and g.dtype == torch.float32
    step = 1e-3 * g.sign()
    with torch.no_grad():
        before, after = lite0(x)[0, 281], lite0((x + step).clamp(0, 1))[0, 281]
    assert after > before + 0.5e-3 * g.abs().sum() * 0.5


def test_lite0_has_relu6_so_guided_backpropagation_works_on_it(lite0, pictures):
    x = pictures(1, 224, seed=28)
    guided, plain = vz.guided_backprop(lite0, x, 281), vz.gradient(lite0, x, 281)
    assert torch.isfinite(guided).all() and guided.abs().max() > 0
    assert (guided - plain).abs().max() > 0.1 * plain.abs().max()
