"""Score-CAM: masks made of channels."""

from collections import OrderedDict

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import vizlib as vz


def one_channel_model():
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, 1, 3, padding=1),
            relu=nn.ReLU(),
            pool=nn.MaxPool2d(2),
            avgpool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            fc=nn.Linear(1, 3),
        )
    )


def test_with_one_channel_the_map_is_that_channel(network, redrawn, pictures):
    net, x = network(redrawn(one_channel_model(), seed=1)), pictures(2, 16, seed=2)
    channel = vz.record(net, x, "pool")["pool"]
    assert channel.max() > 0
    # one channel has the weight softmax(one number) = 1
    torch.testing.assert_close(vz.score_cam(net, x, 0, layer="pool", upsample=False), channel)


def by_the_book(net, x, k, layer, background):
    """Score-CAM for one picture, channel by channel, as the paper tells it."""
    with torch.no_grad():
        A = vz.record(net, x, layer)[layer][0]
        base = net(torch.zeros_like(x) + background)[0, k]
        maps, increase = [], []
        for channel in A:
            if channel.max() - channel.min() < 1e-8:
                continue
            mask = F.interpolate(channel[None, None], x.shape[-2:], mode="bilinear", align_corners=False)
            mask = (mask - mask.min()) / (mask.max() - mask.min())
            increase.append(net(mask * x + (1 - mask) * background)[0, k] - base)
            maps.append(channel)
        weights = torch.stack(increase).softmax(0)
        return F.relu(sum(w * m for w, m in zip(weights, maps, strict=True)))[None, None]


@pytest.mark.parametrize("layer", ["conv1", "pool1", "relu2"])
def test_it_is_what_the_paper_tells_channel_by_channel(tiny, pictures, layer):
    net, x = tiny(seed=3), pictures(1, 16, seed=4)
    torch.testing.assert_close(
        vz.score_cam(net, x, 1, layer=layer, upsample=False),
        by_the_book(net, x, 1, layer, net.neutral),
        rtol=1e-4,
        atol=1e-6,
    )


def test_what_is_hidden_has_the_colour_of_the_background(tiny, pictures):
    net, x = tiny(seed=3), pictures(1, 16, seed=4)
    white = vz.score_cam(net, x, 1, fill=1.0, upsample=False)
    torch.testing.assert_close(white, by_the_book(net, x, 1, "relu2", torch.ones(1)), rtol=1e-4, atol=1e-6)
    assert (white - vz.score_cam(net, x, 1, upsample=False)).abs().max() > 1e-6


def test_the_background_can_be_a_colour_of_three_numbers(tiny, pictures):
    net, x = tiny(seed=3), pictures(1, 16, seed=4)
    colour = torch.tensor([1.0, 0.5, 0.0])
    expected = by_the_book(net, x, 1, "relu2", colour.view(1, 3, 1, 1))
    torch.testing.assert_close(
        vz.score_cam(net, x, 1, fill=colour.view(1, 3, 1, 1), upsample=False),
        expected,
        rtol=1e-4,
        atol=1e-6,
    )
    torch.testing.assert_close(
        vz.score_cam(net, x, 1, fill=(1.0, 0.5, 0.0), upsample=False), expected, rtol=1e-4, atol=1e-6
    )


def test_by_default_what_is_hidden_has_the_colour_that_the_network_sees_as_zero(network, redrawn, pictures):
    net, x = network(redrawn(one_channel_model()), mean=(0.2, 0.4, 0.6), std=(0.5, 0.5, 0.5)), pictures(1)
    assert net.neutral.flatten().tolist() == pytest.approx([0.2, 0.4, 0.6])
    seen = []
    net.model.conv.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    vz.score_cam(net, x, 0, layer="pool")
    masked = seen[-1]  # normalized: where the mask is 0, all three colours are 0
    channel = vz.record(net, x, "pool")["pool"]
    mask = F.interpolate(channel, (16, 16), mode="bilinear", align_corners=False)[0, 0]
    assert masked[0][:, mask == mask.min()].abs().max() < 1e-6


def test_a_network_without_any_lively_channel_gives_a_dark_map(network, redrawn, pictures):
    model = redrawn(one_channel_model())
    with torch.no_grad():
        model.conv.bias.fill_(-100)
    maps = vz.score_cam(network(model), pictures(2), 0, layer="pool")
    assert maps.shape == (2, 1, 16, 16) and maps.abs().max() == 0


def test_a_constant_channel_gets_no_weight(network, redrawn, pictures):
    """A second channel that is 7 everywhere would light up the whole map if it took part in the softmax."""
    model = nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, 2, 1),
            relu=nn.ReLU(),
            avgpool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            fc=nn.Linear(2, 3),
        )
    )
    redrawn(model)
    with torch.no_grad():
        model.conv.weight.copy_(torch.tensor([[1.0, 0, 0], [0, 0, 0]])[:, :, None, None])
        model.conv.bias.copy_(torch.tensor([0.0, 7]))
    x = pictures(1, 16, seed=5)
    torch.testing.assert_close(vz.score_cam(network(model), x, 0, upsample=False), x[:, :1])


def test_without_a_target_the_top_class_of_the_whole_picture_is_meant(tiny, pictures):
    net, x = tiny(seed=21), pictures(6, 16, seed=22, tinted=True)
    with torch.no_grad():
        top = net(x).argmax(1)
    assert len(set(top.tolist())) > 1
    torch.testing.assert_close(vz.score_cam(net, x), vz.score_cam(net, x, top))


def test_a_unit_and_a_score_are_targets_too(tiny, pictures):
    net, x = tiny(seed=6), pictures(2, 16, seed=7)
    torch.testing.assert_close(vz.score_cam(net, x, lambda logits: logits[:, 3]), vz.score_cam(net, x, 3))
    torch.testing.assert_close(vz.score_cam(net, x, vz.unit("logits", 3)), vz.score_cam(net, x, 3))
    assert vz.score_cam(net, x, vz.unit("relu2", 3)).shape == (2, 1, 16, 16)


def test_progress_counts_up_to_the_number_of_channels_of_all_pictures(tiny, pictures):
    net, seen = tiny(seed=8), []
    vz.score_cam(
        net,
        pictures(2, 16, seed=9),
        1,
        layer="conv2",
        batch_size=3,
        progress=lambda done, total, preview: seen.append((done, total)),
    )
    assert {total for _, total in seen} == {16}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (16, 16)


def test_when_progress_says_no_the_map_of_the_channels_so_far_comes_back(tiny, pictures):
    net, x, calls = tiny(seed=8), pictures(1, 16, seed=9), []

    def after_three(done, total, preview):
        calls.append(done)
        return False

    stopped = vz.score_cam(net, x, 1, layer="conv2", batch_size=3, progress=after_three, upsample=False)
    A = vz.record(net, x, "conv2")["conv2"][:, :3]
    assert calls == [3]
    full = vz.score_cam(net, x, 1, layer="conv2", upsample=False)
    assert torch.isfinite(stopped).all() and (stopped - full).abs().max() > 1e-6
    assert (
        stopped <= A.amax(1, keepdim=True).clamp(min=0) + 1e-6
    ).all()  # a weighted mean of three channels exceeds none of them


def test_when_progress_says_no_no_further_picture_is_begun(tiny, pictures):
    calls = []
    maps = vz.score_cam(
        tiny(),
        pictures(3),
        1,
        layer="conv2",
        batch_size=2,
        progress=lambda done, total, preview: calls.append(done) or False,
    )
    assert len(maps) == 3
    assert len(calls) == 1


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, "8"])
def test_a_batch_size_that_is_no_positive_number_is_refused_by_every_method(
    tiny, pictures, method, batch_size
):
    with pytest.raises(vz.VizlibError, match="batch_size is a whole number of pictures"):
        method(tiny(), pictures(1), 0, batch_size=batch_size)
