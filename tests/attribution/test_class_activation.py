"""CAM, Grad-CAM, Layer-CAM and guided Grad-CAM."""

from collections import OrderedDict

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import vizlib as vz

RED = [[1.0, 0.0], [0.5, 0.25]]
GREEN = [[0.0, 1.0], [0.5, 0.0]]


@pytest.fixture
def two_by_two():
    """Red 1 0 / 0.5 0.25 with mean 0.4375, green 0 1 / 0.5 0 with mean 0.375, no blue."""
    return torch.tensor([[RED, GREEN, [[0.0, 0.0], [0.0, 0.0]]]])


def assert_same(a, b, atol=1e-6):
    torch.testing.assert_close(a, b, rtol=0, atol=atol)


def test_cam_is_the_weighted_sum_worked_out_by_hand(colour_averages, two_by_two):
    # class 0: 2 red - 3 green = 2 -3 / -0.5 0.5; the mean is -0.25, and with the bias 1 the logit is 0.75
    expected = torch.tensor([[[[2.0, -3.0], [-0.5, 0.5]]]])
    maps = vz.cam(colour_averages, two_by_two, 0, upsample=False)
    assert_same(maps, expected)
    assert colour_averages(two_by_two)[0, 0].item() == pytest.approx(0.75)


def test_grad_cam_by_hand_is_cam_over_the_number_of_positions_and_keeps_what_is_positive(
    colour_averages, two_by_two
):
    # a_k = w_k / 4, so the sum is 0.5 -0.75 / -0.125 0.125
    signed = vz.grad_cam(colour_averages, two_by_two, 0, relu=False, upsample=False)
    assert_same(signed, torch.tensor([[[[0.5, -0.75], [-0.125, 0.125]]]]))
    assert_same(
        vz.grad_cam(colour_averages, two_by_two, 0, upsample=False),
        torch.tensor([[[[0.5, 0.0], [0.0, 0.125]]]]),
    )


@pytest.fixture
def weighs_positions():
    """Feature maps red and green, and a class that weighs each position: red 4 -2 / 0 8, green -4 1 / 2 0."""
    model = nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, 2, 1, bias=False),
            relu=nn.ReLU(),
            flatten=nn.Flatten(),
            fc=nn.Linear(8, 2, bias=False),
        )
    )
    with torch.no_grad():
        model.conv.weight.copy_(torch.eye(2, 3)[:, :, None, None])
        model.fc.weight.copy_(torch.tensor([[4, -2, 0, 8, -4, 1, 2, 0], [0] * 8]))  # class 1 says nothing
    return vz.Network(model, name="weighs_positions", mean=(0.0,) * 3, std=(1.0,) * 3, input_size=2)


def test_layer_cam_weighs_each_position_by_hand(weighs_positions, two_by_two):
    # max(0, gradient): red 4 0 / 0 8, green 0 1 / 2 0; times red 1 0 / 0.5 0.25 and green 0 1 / 0.5 0: 4 1 /
    # 1 2
    maps = vz.layer_cam(weighs_positions, two_by_two, 0, layer="relu", upsample=False)
    assert_same(maps, torch.tensor([[[[4.0, 1.0], [1.0, 2.0]]]]))


def test_grad_cam_averages_the_weights_of_the_positions_by_hand(weighs_positions, two_by_two):
    # mean weights: red (4 - 2 + 0 + 8) / 4 = 2.5, green (-4 + 1 + 2 + 0) / 4 = -0.25
    maps = vz.grad_cam(weighs_positions, two_by_two, 0, layer="relu", relu=False, upsample=False)
    assert_same(maps, 2.5 * torch.tensor([[RED]]) - 0.25 * torch.tensor([[GREEN]]))


def test_upsampling_is_bilinear_to_the_size_of_the_picture(tiny, pictures):
    net, x = tiny(seed=1), pictures(2, 16, seed=2)
    for method in (vz.cam, vz.grad_cam, vz.layer_cam, vz.score_cam):
        small, large = method(net, x, 1, upsample=False), method(net, x, 1)
        assert small.shape == (2, 1, 8, 8) and large.shape == (2, 1, 16, 16)
        assert_same(large, F.interpolate(small, (16, 16), mode="bilinear", align_corners=False))


@pytest.mark.parametrize("k", range(5))
def test_grad_cam_is_cam_over_the_number_of_positions(tiny, pictures, k):
    net, x = tiny(seed=3), pictures(3, 16, seed=4)
    signed = vz.grad_cam(net, x, k, layer="relu2", relu=False, upsample=False)
    torch.testing.assert_close(signed, vz.cam(net, x, k, upsample=False) / 64, rtol=1e-4, atol=1e-6)


def test_the_mean_of_cam_and_the_bias_are_the_logit(tiny, pictures):
    net, x = tiny(seed=3), pictures(3, 16, seed=4)
    with torch.no_grad():
        logits = net(x)
    for k in range(5):
        rebuilt = vz.cam(net, x, k, upsample=False).mean((1, 2, 3)) + net.layer("logits").module.bias[k]
        torch.testing.assert_close(rebuilt, logits[:, k], rtol=1e-4, atol=1e-5)


def test_the_sum_of_grad_cam_and_the_bias_are_the_logit(tiny, pictures):
    net, x = tiny(seed=3), pictures(3, 16, seed=4)
    with torch.no_grad():
        logits = net(x)
    summed = vz.grad_cam(net, x, 2, layer="relu2", relu=False, upsample=False).sum((1, 2, 3))
    torch.testing.assert_close(
        summed + net.layer("logits").module.bias[2], logits[:, 2], rtol=1e-4, atol=1e-5
    )


def test_on_lite0_grad_cam_is_cam_over_49_and_cam_adds_up_to_the_logit(lite0):
    x = torch.cat([vz.photo("tabby_cat_chelsea", 224), vz.photo("goldfish", 224)])
    for target in (281, "goldfish", [281, 1]):
        c = vz.cam(lite0, x, target, upsample=False)
        g = vz.grad_cam(lite0, x, target, relu=False, upsample=False)
        assert c.shape == (2, 1, 7, 7)
        torch.testing.assert_close(g, c / 49, rtol=1e-3, atol=1e-5)
        k = [lite0.index(t) for t in (target if isinstance(target, list) else [target] * 2)]
        with torch.no_grad():
            logits = lite0(x)[range(2), k]
        torch.testing.assert_close(
            c.mean((1, 2, 3)) + lite0.layer("logits").module.bias[k], logits, rtol=1e-3, atol=1e-3
        )


def test_grad_cam_scales_with_the_score_and_ignores_an_added_constant(tiny, pictures):
    net, x = tiny(seed=5), pictures(2, 16, seed=6)
    plain = vz.grad_cam(net, x, lambda logits: logits[:, 1])
    assert plain.max() > 0
    torch.testing.assert_close(
        vz.grad_cam(net, x, lambda logits: 3 * logits[:, 1]), 3 * plain, rtol=1e-4, atol=1e-6
    )
    torch.testing.assert_close(
        vz.grad_cam(net, x, lambda logits: logits[:, 1] + 100), plain, rtol=1e-4, atol=1e-6
    )


def test_the_negative_score_shows_what_speaks_against_the_class(tiny, pictures):
    net, x = tiny(seed=5), pictures(2, 16, seed=6)
    signed = vz.grad_cam(net, x, 1, relu=False, upsample=False)
    against = vz.grad_cam(net, x, lambda logits: -logits[:, 1], upsample=False)
    torch.testing.assert_close(against, (-signed).clamp(min=0), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", [vz.grad_cam, vz.layer_cam, vz.score_cam], ids=lambda m: m.__name__)
def test_no_map_of_what_speaks_for_a_class_is_negative(tiny, pictures, method):
    for seed in range(3):
        assert method(tiny(seed=seed), pictures(2, 16, seed=seed), 0).min() >= 0


def test_layer_cam_keeps_only_positions_that_pull_upwards(tiny, pictures):
    net, x = tiny(seed=7), pictures(2, 16, seed=8)
    A = vz.record(net, x, "relu1")["relu1"]
    dead = (A == 0).all(1, keepdim=True)
    maps = vz.layer_cam(net, x, 0, layer="relu1", upsample=False)
    assert maps.max() > 0
    assert not dead.any() or maps[dead].max() == 0
    # with a constant weight everywhere it is the same as Grad-CAM of the positive channels: relu2 is followed
    # by the average
    w = net.layer("logits").module.weight[0].clamp(min=0) / 64
    by_hand = torch.einsum("k,nkij->nij", w, vz.record(net, x, "relu2")["relu2"])[:, None]
    torch.testing.assert_close(
        vz.layer_cam(net, x, 0, layer="relu2", upsample=False), by_hand, rtol=1e-4, atol=1e-6
    )


def test_by_default_the_map_is_of_the_last_layer_with_positions(tiny, pictures):
    net, x = tiny(seed=9), pictures(1, 16, seed=10)
    assert net.last_spatial_layer == "relu2"
    for method in (vz.grad_cam, vz.layer_cam, vz.score_cam):
        torch.testing.assert_close(method(net, x, 1), method(net, x, 1, layer="relu2"))


def test_a_raw_module_path_names_a_layer_too(lite0, pictures):
    x = pictures(1, 224, seed=11)
    torch.testing.assert_close(
        vz.grad_cam(lite0, x, 3, layer="blocks.4"), vz.grad_cam(lite0, x, 3, layer="stage5")
    )


def test_guided_grad_cam_is_the_product_of_its_two_parts(tiny, pictures):
    net, x = tiny(seed=12), pictures(2, 16, seed=13)
    product = vz.grad_cam(net, x, 1) * vz.guided_backprop(net, x, 1)
    result = vz.guided_grad_cam(net, x, 1)
    assert result.shape == (2, 3, 16, 16) and result.abs().max() > 0
    torch.testing.assert_close(result, product)


def test_grad_cam_of_a_channel_of_its_own_layer_is_that_channel_over_the_number_of_positions(tiny, pictures):
    net, x = tiny(seed=14), pictures(2, 16, seed=15)
    channel = vz.record(net, x, "relu2")["relu2"][:, 3:4]
    maps = vz.grad_cam(net, x, vz.unit("relu2", 3), layer="relu2", upsample=False)
    assert maps.max() > 0
    # the unit is the mean of the channel: dS/dA = 1/64 at each position, and its mean is 1/64 again
    torch.testing.assert_close(maps, channel / 64)


def test_cam_refuses_a_network_that_ends_in_several_linear_layers(network, redrawn, pictures):
    model = nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, 4, 3, padding=1),
            relu=nn.ReLU(),
            avgpool=nn.AdaptiveAvgPool2d(2),
            flatten=nn.Flatten(),
            fc1=nn.Linear(16, 8),
            relu_fc=nn.ReLU(),
            fc2=nn.Linear(8, 5),
        )
    )
    with pytest.raises(
        vz.VizlibError,
        match="does not end in global average pooling of 'relu' and one linear layer.*vz.grad_cam",
    ):
        vz.cam(network(redrawn(model), name="vgg_like"), pictures(1), 0)


def test_cam_refuses_a_vgg(pictures):
    net = vz.load("torchvision/vgg11", pretrained=False)
    with pytest.raises(vz.VizlibError, match="vgg11 does not end in global average pooling"):
        vz.cam(net, pictures(1, 64), 0)


def test_cam_refuses_a_linear_layer_that_does_not_read_the_average(network, redrawn, pictures):
    class MaxPooled(nn.Module):  # the widths fit, but the maximum is no average
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4, 5)

        def forward(self, x):
            return self.fc(self.conv(x).amax((2, 3)))

    with pytest.raises(vz.VizlibError, match="does not end in global average pooling"):
        vz.cam(network(redrawn(MaxPooled())), pictures(1), 0)


def test_cam_works_where_the_linear_layer_has_no_bias(tiny, pictures):
    net, x = tiny(seed=16, bias=False), pictures(2, 16, seed=17)
    with torch.no_grad():
        logits = net(x)
    torch.testing.assert_close(
        vz.cam(net, x, 1, upsample=False).mean((1, 2, 3)), logits[:, 1], rtol=1e-4, atol=1e-5
    )


def test_cam_needs_a_class(tiny, pictures):
    for target in (vz.unit("relu2", 0), lambda logits: logits[:, 0]):
        with pytest.raises(vz.VizlibError, match="CAM reads its weights from the row of a class"):
            vz.cam(tiny(), pictures(1), target)


def test_a_layer_without_positions_is_refused_with_one_that_has_some(tiny, pictures):
    for method in (vz.grad_cam, vz.layer_cam, vz.score_cam, vz.guided_grad_cam):
        with pytest.raises(
            vz.VizlibError,
            match="Layer 'logits' of toy has no positions to make a map of. Those that have: .*relu2",
        ):
            method(tiny(), pictures(1), 0, layer="logits")


def test_an_unknown_layer_is_refused_with_the_nearest(lite0, pictures):
    for method in (vz.grad_cam, vz.layer_cam, vz.score_cam, vz.guided_grad_cam):
        with pytest.raises(vz.VizlibError, match="lite0 has no layer 'stage9'. Nearest: stage"):
            method(lite0, pictures(1, 224), 0, layer="stage9")


def test_a_unit_below_the_layer_of_the_map_is_refused_in_words(tiny, pictures):
    # the score of conv1 does not depend on relu2, so there is no such map
    for method in (vz.grad_cam, vz.layer_cam):
        with pytest.raises(vz.VizlibError, match="relu2"):
            method(tiny(), pictures(1), vz.unit("conv1", 0), layer="relu2")


def test_a_residual_sum_in_place_does_not_stop_grad_cam(network, redrawn, pictures):
    class AddsInPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2, self.fc = (
                nn.Conv2d(3, 4, 3, padding=1),
                nn.Conv2d(4, 4, 3, padding=1),
                nn.Linear(4, 5),
            )

        def forward(self, x):
            x = self.conv1(x)
            y = self.conv2(x)
            y += x
            return self.fc(F.relu(y, inplace=True).mean((2, 3)))

    net, x = network(redrawn(AddsInPlace())), pictures(1)
    for layer in ("conv1", "conv2"):
        maps = vz.grad_cam(net, x, 0, layer=layer, relu=False, upsample=False)
        A = vz.record(net, x, layer)[layer].requires_grad_()
        rest = net.model.conv2(A) + A if layer == "conv1" else A + vz.record(net, x, "conv1")["conv1"]
        (g,) = torch.autograd.grad(net.model.fc(rest.relu().mean((2, 3)))[:, 0].sum(), A)
        torch.testing.assert_close(
            maps, (g.mean((2, 3), keepdim=True) * A).sum(1, keepdim=True).detach(), rtol=1e-4, atol=1e-6
        )


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "googlenet", "densenet121", "squeezenet1_1"])
def test_every_named_layer_with_positions_of_a_torchvision_network_gives_a_grad_cam(name, network, pictures):
    from torchvision import models

    with torch.random.fork_rng():
        torch.manual_seed(0)
        extra = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
        net = network(models.get_model(name, num_classes=10, **extra), side=64, name=name)
    x, refused = pictures(1, 64), {}
    for layer in net.layers["name"]:
        if len(net.layer(layer).shape) == 3:
            try:
                assert vz.grad_cam(net, x, 0, layer=layer).shape == (1, 1, 64, 64)
            except RuntimeError as problem:
                refused[layer] = str(problem)
    assert not refused
