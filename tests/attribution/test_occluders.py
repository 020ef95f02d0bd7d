"""Occlusion: by hand, on linear networks, and computed locally as well as whole."""

import re

import pytest
import torch
from torch import nn

import vizlib as vz
from vizlib.attribution.occluders import patches
from vizlib.layers import local


def by_the_book(net, x, target, patch, stride, fill):
    """One pass per position, one position after the other."""
    rows = [list(range(0, n - p + s, s)) for n, p, s in zip(x.shape[-2:], patch, stride, strict=True)]
    maps = torch.zeros(len(x), 1, len(rows[0]), len(rows[1]))
    with torch.no_grad():
        for i, top in enumerate(rows[0]):
            for j, left in enumerate(rows[1]):
                covered = x.clone()
                covered[:, :, top : top + patch[0], left : left + patch[1]] = fill
                maps[:, 0, i, j] = (net(x) - net(covered))[:, target]
    return maps


def test_by_hand(one_relu, hand_worked_picture):
    """Class 0 has 8 = 5 * 2 - 2 * 1. Covering a quarter with black silences its unit: 5 * 2 at the top left,
        -2 * 1 at the top right;
    the lower units were silent before, -1 and -4 after the ReLU, and black leaves them at 0."""
    maps = vz.occlusion(one_relu, hand_worked_picture, 0, patch=2, stride=2, fill=0, upsample=False)
    assert maps.tolist() == [[[[10, -2], [0, 0]]]]


@pytest.mark.parametrize("patch, stride", [(4, 4), (5, 3), ((3, 7), (2, 4)), (16, 1), (1, 5)])
def test_it_is_what_one_pass_per_position_gives(tiny, pictures, patch, stride):
    net, x = tiny(seed=2), pictures(2, seed=3)
    pairs = [p if isinstance(p, tuple) else (p, p) for p in (patch, stride)]
    maps = vz.occlusion(net, x, 2, patch=patch, stride=stride, fill=0.3, upsample=False)
    torch.testing.assert_close(maps, by_the_book(net, x, 2, *pairs, 0.3), rtol=1e-4, atol=1e-5)


def test_on_a_linear_network_the_drops_of_a_tiling_add_up(network, redrawn, pictures):
    net, x = network(redrawn(nn.Sequential(nn.Flatten(), nn.Linear(768, 4)))), pictures(2)
    maps = vz.occlusion(net, x, 1, patch=4, stride=4, fill=0.5, upsample=False)
    with torch.no_grad():
        torch.testing.assert_close(maps.sum((1, 2, 3)), (net(x) - net(torch.full_like(x, 0.5)))[:, 1])


def test_a_patch_of_the_colour_that_is_there_changes_nothing(tiny):
    x = torch.full((1, 3, 16, 16), 0.4)
    assert vz.occlusion(tiny(), x, 0, patch=4, stride=4, fill=0.4).abs().max() < 1e-6


def test_upsampled_each_pixel_has_the_mean_over_the_patches_that_covered_it(tiny, pictures):
    net, x = tiny(), pictures(1)
    coarse, fine = (vz.occlusion(net, x, 0, patch=6, stride=4, upsample=u) for u in (False, True))
    boxes, grid = patches(x, 6, 4)
    assert grid == (4, 4) == coarse.shape[-2:] and boxes[-1] == (
        slice(12, 16),
        slice(12, 16),
    )  # the last ones are cut
    for row, column in ((0, 0), (5, 9), (15, 3)):
        over = [
            coarse.flatten()[b]
            for b, (r, c) in enumerate(boxes)
            if r.start <= row < r.stop and c.start <= column < c.stop
        ]
        assert fine[0, 0, row, column] == pytest.approx(float(sum(over) / len(over)), abs=1e-6)


def test_a_target_may_be_a_unit_or_a_probability(tiny, pictures):
    net, x = tiny(), pictures(1)
    probability = vz.occlusion(
        net, x, lambda logits: logits.softmax(1)[:, 2], patch=8, stride=8, fill=0, upsample=False
    )
    covered = x.clone()
    covered[..., :8, :8] = 0
    with torch.no_grad():
        assert probability[0, 0, 0, 0] == pytest.approx(
            float(net(x).softmax(1)[0, 2] - net(covered).softmax(1)[0, 2]), abs=1e-6
        )
    mean = vz.occlusion(net, x, vz.unit("relu2", 3), patch=8, stride=8, fill=0, upsample=False)
    expected = (
        vz.record(net, x, "relu2")["relu2"][0, 3].mean()
        - vz.record(net, covered, "relu2")["relu2"][0, 3].mean()
    )
    assert mean[0, 0, 0, 0] == pytest.approx(float(expected), abs=1e-6)


def test_occluded_gives_everything_that_a_layer_says(tiny, pictures):
    net, x = tiny(), pictures(2)
    logits = vz.occluded(net, x, patch=8, stride=4, fill=0.1)
    assert logits.shape == (2, 3, 3, 5)
    drops = vz.occlusion(net, x, 4, patch=8, stride=4, fill=0.1, upsample=False)
    with torch.no_grad():
        torch.testing.assert_close(net(x)[:, 4, None, None] - logits[..., 4], drops[:, 0])
    assert vz.occluded(net, x, layer="relu1", patch=8, stride=4).shape == (2, 3, 3, 6)


def test_when_progress_says_no_the_rest_counts_as_no_fall(tiny, pictures):
    calls = []
    maps = vz.occlusion(
        tiny(),
        pictures(1),
        0,
        patch=4,
        stride=4,
        batch_size=5,
        progress=lambda d, t, _: calls.append((d, t)) or d < 10,
        upsample=False,
    )
    assert (
        calls == [(5, 16), (10, 16)] and (maps.flatten()[10:] == 0).all() and (maps.flatten()[:10] != 0).any()
    )


def test_occluded_gives_what_the_whole_picture_gives_where_progress_said_no(tiny, pictures):
    net, x = tiny(), pictures(2)
    seen = vz.occluded(
        net, x, patch=8, stride=8, fill=0, batch_size=3, progress=lambda done, total, preview: done < 6
    )
    with torch.no_grad():
        torch.testing.assert_close(seen.view(8, 5)[6:], net(x)[1:].expand(2, 5))
        assert (seen.view(8, 5)[:6] - net(x).repeat_interleave(4, 0)[:6]).abs().amax(1).min() > 0


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ({"patch": 0}, "patch is a number of pixels or (rows, columns); this is 0"),
        ({"patch": 2.5}, "patch is a number of pixels or (rows, columns); this is 2.5"),
        ({"stride": -1}, "stride is a number of pixels or (rows, columns); this is -1"),
        ({"patch": 17}, "A patch of 17 rows does not fit a picture of 16"),
        ({"fill": 2}, "fill is a colour, a number or three in [0, 1]; this is 2"),
        ({"fill": (0, 0)}, "fill is a colour, a number or three in [0, 1]; this is (0, 0)"),
    ],
)
def test_what_makes_no_sense_is_refused(tiny, pictures, arguments, sentence):
    with pytest.raises(vz.VizlibError, match=re.escape(sentence)):
        vz.occlusion(tiny(), pictures(1), 0, **{"patch": 4, "stride": 4, **arguments})


NETWORKS = {
    "lite0": lambda: vz.load(),
    "resnet18": lambda: vz.load("torchvision/resnet18", pretrained=False),
    "squeezenet1_1": lambda: vz.load("torchvision/squeezenet1_1", pretrained=False),
    "mobilenet_v3_small": lambda: vz.load("torchvision/mobilenet_v3_small", pretrained=False),
    "densenet121": lambda: vz.load("torchvision/densenet121", pretrained=False),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_computed_locally_it_is_the_same(name, monkeypatch):
    net, x = NETWORKS[name](), torch.cat([vz.photo("goldfish", 224), vz.photo("drum_kit_and_guitar", 224)])
    options = {"patch": (24, 31), "stride": (50, 67), "fill": (0.9, 0.1, 0.3), "upsample": False}
    here = vz.occlusion(net, x, [3, 5], **options)
    monkeypatch.setattr(local, "WORTH_IT", 0)
    whole = vz.occlusion(net, x, [3, 5], **options)
    assert whole.abs().max() > 0
    torch.testing.assert_close(here, whole, rtol=1e-3, atol=1e-4 * float(whole.abs().max()))


def test_lite0_is_cut_at_three_layers_and_looks_at_a_fraction_of_the_early_units(lite0):
    change = local.LocalChange(lite0, vz.photo("goldfish", 224), "logits", 32, 32)
    assert [cut.name for cut in change.cuts] == ["stage1", "stage2", "stage3"]
    seen = []
    hook = lite0.layer("stage2").module.register_forward_hook(
        lambda module, inputs, output: seen.append(inputs[0].shape[-1])
    )
    try:
        vz.occlusion(lite0, vz.photo("goldfish", 224), 1, patch=32, stride=96)
    finally:
        hook.remove()
    assert (
        min(seen[2:]) < 40 and sum(side > 100 for side in seen) <= 3
    )  # whole: the clean passes and the check


def test_a_network_with_a_way_around_the_cut_is_computed_whole(network, redrawn, pictures):
    """The middle layer looks local, but the picture itself is added back after it."""

    class Around(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 4, 3, padding=1)
            self.fc = nn.Linear(4, 3)

        def forward(self, x):
            return self.fc(self.conv2(self.conv1(x).relu() + x).relu().mean((2, 3)))

    net, x = network(redrawn(Around()), side=64), pictures(1, 64)
    maps = vz.occlusion(net, x, 1, patch=8, stride=8, fill=0, upsample=False)
    torch.testing.assert_close(maps, by_the_book(net, x, 1, (8, 8), (8, 8), 0), rtol=1e-4, atol=1e-5)


def test_no_pass_is_made_over_no_pictures(network, pictures):
    """A transformer's view(N, -1, K) fails there."""

    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 4, 4, stride=4), nn.Linear(4, 3)

        def forward(self, x):
            return self.fc(self.conv(x).permute(0, 2, 3, 1).reshape(len(x), -1, 4).relu().mean(1))

    net, x = network(Tokens(), side=32), pictures(1, 32)
    maps = vz.occlusion(net, x, 1, patch=8, stride=8, fill=0, upsample=False)
    torch.testing.assert_close(maps, by_the_book(net, x, 1, (8, 8), (8, 8), 0), rtol=1e-4, atol=1e-5)


def test_pictures_of_another_size_than_the_network_s_own(lite0):
    x = vz.open_image(vz.to_pil(vz.photo("goldfish", 224)[:, :, :160, :192]))
    maps = vz.occlusion(lite0, x, 1, patch=(32, 48), stride=64, upsample=False)
    torch.testing.assert_close(maps, by_the_book(lite0, x, 1, (32, 48), (64, 64), 0.5), rtol=1e-3, atol=1e-3)


def test_the_network_is_left_as_it_was_found_also_when_progress_fails(lite0, left_as_found):
    def fails(done, total, preview):
        raise RuntimeError("the caller's own")

    with left_as_found(lite0):
        vz.occlusion(lite0, vz.photo("goldfish", 224), 1, patch=112, stride=112)
        with pytest.raises(RuntimeError, match="the caller's own"):
            vz.occlusion(lite0, vz.photo("goldfish", 224), 1, patch=32, stride=32, progress=fails)
