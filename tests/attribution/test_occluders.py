"""Occlusion: by hand, on linear networks, and computed locally as well as whole."""

import copy
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import vizlib as vz
from vizlib.attribution.occluders import patches
from vizlib.layers import local


def by_the_book(net, x, target, patch, stride, fill):
    """One pass per position, one position after the other."""
    rows = [
        [start for start in range(0, n - p + s, s) if start < n]
        for n, p, s in zip(x.shape[-2:], patch, stride, strict=True)
    ]
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


def test_steps_wider_than_the_patch_do_not_leave_the_picture():
    boxes, grid = patches(torch.zeros(1, 3, 64, 64), (3, 9), 14)
    assert grid == (5, 5) and boxes[0] == (slice(0, 3), slice(0, 9))
    assert boxes[-1] == (slice(56, 59), slice(56, 64))  # the next row would begin at 70


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


class Layers(nn.Module):
    """Three convolutions, with something between the first two, a mean over positions and a linear layer."""

    def __init__(self, between=lambda m, y: y, **conv):
        super().__init__()
        self.between = between
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.conv2, self.conv3 = nn.Conv2d(6, 6, 5, padding=2, **conv), nn.Conv2d(6, 6, 3, 2, 1, **conv)
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        self.seen = y = self.conv1(x)
        y = self.conv2(self.between(self, y)).relu()
        return self.fc(self.conv3(y).relu().mean((2, 3)))


def offset(model):
    with torch.no_grad():
        model.fc.bias.fill_(100)
    return model


def code(sides):
    """A code of positions as transformers have it, for a grid of this size."""
    rows, columns = (torch.arange(float(n)) for n in sides)
    return (rows / 3).sin()[:, None] + (columns / 5).cos()


def through_a_buffer(m, y):
    buffer = torch.zeros(y.shape)
    buffer[:, 2:] = y[:, 2:]
    return buffer + y.flip(2)


ODD_ONES_OUT = {
    "a code of positions": lambda: Layers(lambda m, y: y + code(y.shape[-2:])),
    "a factor for each position": lambda: Layers(lambda m, y: y * (1 + code(y.shape[-2:]))),
    "a border from the other side": lambda: Layers(padding_mode="circular"),
    "a mirrored border": lambda: Layers(padding_mode="reflect"),
    "a repeated border": lambda: Layers(padding_mode="replicate"),
    "a mean over the picture": lambda: Layers(lambda m, y: y - y.mean((2, 3), keepdim=True)),
    "a running sum": lambda: Layers(lambda m, y: y.cumsum(3) / 64),
    "a softmax over columns": lambda: Layers(lambda m, y: y.softmax(3)),
    "a written-over buffer": lambda: Layers(through_a_buffer),
    "the size as a factor": lambda: Layers(lambda m, y: y * (1 + y.shape[-1] / 64)),
    "the size as a small offset": lambda: Layers(lambda m, y: y + y.shape[-1] / 640),
    "the number of rows": lambda: Layers(lambda m, y: y if y.shape[-2] > 40 else 1.01 * y),
    "an early mean beside the last layer": lambda: Layers(lambda m, y: y + m.seen.mean((2, 3), keepdim=True)),
    "no padding, then too much": lambda: Layers(lambda m, y: F.pad(F.avg_pool2d(y, 9, 1), (4, 4, 4, 4))),
}


@pytest.mark.parametrize("patch", [8, 3])
@pytest.mark.parametrize("name", ODD_ONES_OUT)
def test_whatever_a_network_does_the_falls_are_those_of_full_passes(network, redrawn, pictures, name, patch):
    net, x = network(offset(redrawn(ODD_ONES_OUT[name]())), side=64), pictures(2, 64)
    falls = vz.occlusion(net, x, 1, patch=patch, stride=14, fill=0, upsample=False)
    right = by_the_book(net, x, 1, (patch, patch), (14, 14), 0)
    assert (falls - right).abs().max() < 0.01 * right.abs().max() + 1e-4


def test_falls_count_not_logits_when_the_short_way_is_tried(network, redrawn, pictures):
    """All looks right before: known functions only, nothing leads around. But the size of the grid is a
    factor, and the logits hardly change, as their bias is 100.
    """
    for factor in (1, 1.001, 1.1):
        net = network(offset(redrawn(Layers(lambda m, y, f=factor: y * f ** (y.shape[-1] < 64)))), side=64)
        x = pictures(1, 64)
        candidates = local._candidates(net, x, "logits", 8, 8)
        assert candidates == ["conv2", "conv3"]
        assert len(local._clean_passes(net, x, candidates, "logits", 8)[0]) == 2
        assert len(local.LocalChange(net, x, "logits", 8, 8).cuts) == (2 if factor == 1 else 0)


def test_a_layer_with_a_way_around_it_is_not_cut_even_if_shapes_fit(network, redrawn, pictures):
    class Around(Layers):
        def forward(self, x):
            y = self.conv3(self.conv2(self.conv1(x)).relu()).relu()
            return self.fc(y.mean((2, 3)) + 3 * x.mean((1, 2, 3))[:, None])

    net, x = network(redrawn(Around()), side=64), pictures(1, 64)
    assert local.LocalChange(net, x, "conv3", 8, 8).cuts
    assert not local._clean_passes(net, x, ["conv2"], "logits", 8)[0]  # seen without any trial
    maps = vz.occlusion(net, x, 1, patch=8, stride=8, fill=0, upsample=False)
    torch.testing.assert_close(maps, by_the_book(net, x, 1, (8, 8), (8, 8), 0), rtol=1e-3, atol=1e-5)


def test_a_layer_in_a_branch_does_not_keep_the_others_from_being_cut(network, redrawn, pictures):
    class Branches(Layers):
        def __init__(self):
            super().__init__()
            self.conv4 = nn.Conv2d(6, 6, 3, 1, 1)

        def forward(self, x):
            y = self.conv3(self.conv2(self.conv1(x)).relu()).relu()
            return self.fc((self.conv4(y).relu() + y).mean((2, 3)))

    net, x = network(redrawn(Branches()), side=64), pictures(1, 64)
    assert local._candidates(net, x, "logits", 8, 8) == ["conv2", "conv4"]
    assert [cut.name for cut in local.LocalChange(net, x, "logits", 8, 8).cuts] == ["conv2"]
    maps = vz.occlusion(net, x, 1, patch=8, stride=8, fill=0, upsample=False)
    torch.testing.assert_close(maps, by_the_book(net, x, 1, (8, 8), (8, 8), 0), rtol=1e-3, atol=1e-5)


def test_pixels_that_no_unit_sees_change_nothing(network, redrawn, pictures):
    class Sparse(Layers):
        def __init__(self):
            super().__init__()
            self.conv2 = nn.Conv2d(6, 6, 1, stride=2)
            self.conv1 = nn.Conv2d(3, 6, 1)

    net, x = network(redrawn(Sparse()), side=64), pictures(1, 64)
    assert local.LocalChange(net, x, "logits", 3, 3).cuts
    maps = vz.occlusion(net, x, 1, patch=3, stride=4, fill=0, upsample=False)
    torch.testing.assert_close(maps, by_the_book(net, x, 1, (3, 3), (4, 4), 0), rtol=1e-3, atol=1e-5)
    assert vz.occlusion(net, x, 1, patch=1, stride=21, fill=0, upsample=False)[0, 0, -1, -1] == 0


def test_a_layer_inside_a_block_may_be_asked(pictures):
    net, x = NETWORKS["resnet18"](), pictures(1, 224)
    for layer in ("layer2.0.conv1", "layer1", "layer3"):
        found = vz.occluded(net, x, layer=layer, patch=32, stride=96, fill=0)
        covered = x.clone()
        covered[..., 96:128, 96:128] = 0
        right = vz.record(net, covered, layer)[layer].mean((2, 3))
        torch.testing.assert_close(found[0, 1, 1], right[0], rtol=1e-4, atol=1e-5)


def test_in_small_batches_it_is_the_same(lite0):
    x = torch.cat([vz.photo("goldfish", 224), vz.photo("cheetah", 224), vz.photo("goldfish", 224).flip(3)])
    one, many = (
        vz.occlusion(lite0, x, 1, patch=32, stride=90, batch_size=size, upsample=False) for size in (1, 8)
    )
    torch.testing.assert_close(one, many, rtol=1e-3, atol=1e-3 * float(many.abs().max()))


def test_a_function_that_is_no_score_is_refused(tiny, pictures):
    for score in (lambda logits: logits[:, :1], lambda logits: logits.max()):
        with pytest.raises(vz.VizlibError, match="returns one number per picture"):
            vz.occlusion(tiny(), pictures(1), score, patch=8, stride=8)


def test_names_without_logits_are_no_hindrance(network, redrawn, pictures):
    net = network(redrawn(Layers()), side=64, names={"first": "conv1"})
    maps = vz.occlusion(net, pictures(1, 64), 1, patch=32, stride=32, fill=0, upsample=False)
    right = by_the_book(net, pictures(1, 64), 1, (32, 32), (32, 32), 0)
    torch.testing.assert_close(maps, right, rtol=1e-3, atol=1e-5)


def test_the_caller_s_modes_and_kinds_of_numbers_make_no_difference(tiny, pictures):
    net, x = tiny(), pictures(1)

    def ask(images, **more):
        options = {"patch": 4, "stride": 4, "fill": 0.2, "upsample": False, **more}
        falls = vz.occlusion(net, images, 1, **options)
        options.pop("upsample")
        return falls, vz.occluded(net, images, **options)

    right = ask(x)
    numbers = {"patch": np.int64(4), "stride": (np.int32(4), torch.tensor(4)), "batch_size": np.int64(5)}
    found = [ask(x.clone().requires_grad_()), ask(x, fill=np.float32(0.2)), ask(x, **numbers)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found.append(ask(x))
    with torch.inference_mode():
        found.append(ask(x))
        found.append(ask(x.clone()))
    for falls, seen in found:
        assert not falls.requires_grad and not seen.requires_grad
        torch.testing.assert_close(falls, right[0])
        torch.testing.assert_close(seen, right[1])


def test_nothing_mixes_devices(lite0, monkeypatch):
    """On a device without numbers, everything that would meet a tensor of the CPU fails."""
    meta = copy.deepcopy(lite0).to("meta")
    monkeypatch.setattr(local, "_same", lambda *three: True)
    x = torch.zeros(2, 3, 224, 224, device="meta")
    change = local.LocalChange(meta, x, "logits", 32, 24)
    assert len(change.cuts) == 3
    boxes, colour = patches(x[:1], (32, 24), 96)[0][:2], meta.neutral.view(3, 1, 1)
    answer = change(torch.tensor([1, 0]), boxes, colour)
    assert answer.shape == (2, 1000) and answer.device.type == "meta" and change.cuts
    change.cuts = []
    assert change(torch.tensor([1, 0]), boxes, colour).device.type == "meta"


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
