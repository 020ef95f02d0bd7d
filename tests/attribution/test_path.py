"""Integrated gradients: completeness, linear networks, baselines."""

import re

import numpy as np
import pytest
import torch
from torch import nn

import vizlib as vz
from vizlib.attribution import baseline_pictures
from vizlib.attribution.path import _tilt


def test_on_a_linear_network_it_is_gradient_times_difference_with_one_step(network, redrawn, pictures):
    net, x = network(redrawn(nn.Sequential(nn.Flatten(), nn.Linear(768, 4)))), pictures(2)
    expected = vz.gradient(net, x, 2) * (x - 0.3)
    torch.testing.assert_close(vz.integrated_gradients(net, x, 2, baseline=0.3, steps=1), expected)
    torch.testing.assert_close(vz.integrated_gradients(net, x, 2, baseline=0.3, steps=7, power=3), expected)


def test_a_square_is_integrated_exactly_by_the_midpoint_rule(network):
    """S = sum x^2: each pixel's share of S(x) - S(x') is x^2 - x'^2."""

    class Squares(nn.Module):
        def forward(self, x):
            return (x**2).sum((1, 2, 3))[:, None].repeat(1, 2)

    net, x = network(Squares()), torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        vz.integrated_gradients(net, x, 0, baseline=0.5, steps=3, power=1, complete=False), x**2 - 0.25
    )


@pytest.mark.parametrize("baseline", ["neutral", "black", "white", "blur", "noise", 0.25, (0.1, 0.5, 0.9)])
def test_it_adds_up_to_the_rise_of_the_score(tiny, pictures, baseline):
    net, x = tiny(seed=3), pictures(2, seed=5)
    maps = vz.integrated_gradients(net, x, 1, baseline=baseline, steps=300, complete=False)
    with torch.no_grad():
        rise = net(x)[:, 1] - net(baseline_pictures(net, x, baseline))[:, 1]
    torch.testing.assert_close(maps.sum((1, 2, 3)), rise, rtol=0.02, atol=0.002)
    error = vz.completeness_error(net, x, 1, maps, baseline=baseline)
    torch.testing.assert_close(error, (maps.sum((1, 2, 3)) - rise).abs() / rise.abs())


def test_more_steps_leave_a_smaller_error(tiny, pictures):
    net, x = tiny(seed=3), pictures(16, seed=5)
    maps = [vz.integrated_gradients(net, x, 1, steps=n, complete=False) for n in (4, 16, 64)]
    error = [vz.completeness_error(net, x, 1, m).median() for m in maps]
    assert error[0] > 2 * error[1] > 4 * error[2] and error[2] < 0.02


def test_few_steps_add_up_too(tiny, pictures):
    net, x = tiny(seed=3), pictures(16, seed=5)
    bare, tilted = (
        [vz.integrated_gradients(net, x, 1, steps=n, complete=c) for n in (6, 400)] for c in (False, True)
    )
    assert vz.completeness_error(net, x, 1, bare[0]).max() > 0.02
    assert vz.completeness_error(net, x, 1, tilted[0]).max() < 5e-4
    torch.testing.assert_close(tilted[1], bare[1], rtol=0.02, atol=0.02 * float(bare[1].abs().max()))


def test_weights_are_tilted_as_worked_out_by_hand():
    """Slopes 1, 2, 3, a third each: mean 2, variance 2/3. A mean of 2.2 takes c = 0.2 / (2/3) = 0.3: weights
        0.7, 1, 1.3 thirds.
    A mean of 2.9 would take 1.35; the limit is 1: weights 0, 1, 2 thirds, and 2.67 is all that can be had."""
    slopes = torch.tensor([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    tilt = _tilt(torch.full_like(slopes, 1 / 3), slopes, torch.tensor([2.2, 2.9]))
    torch.testing.assert_close(tilt, torch.tensor([0.3, 1.0]), rtol=1e-3, atol=0)


@pytest.mark.parametrize("power", [1.5, 2, 3])
def test_where_the_steps_lie_does_not_change_what_is_integrated(tiny, pictures, power):
    net, x = tiny(seed=3), pictures(2, seed=5)
    maps = [vz.integrated_gradients(net, x, 1, steps=400, power=p) for p in (1, power)]
    torch.testing.assert_close(maps[1], maps[0], rtol=0.02, atol=0.02 * float(maps[0].abs().max()))


def test_pixels_equal_to_the_baseline_get_nothing(tiny):
    x = torch.zeros(1, 3, 16, 16)
    x[:, :, 4:8, 4:8] = 0.7
    maps = vz.integrated_gradients(tiny(), x, 0, baseline="black", steps=10)
    assert (maps[x == 0] == 0).all() and (maps[x > 0] != 0).any()


def _stopped_after(passes, net, x, **arguments):
    calls = []

    def progress(done, total, preview):
        calls.append((done, total))
        return len(calls) < passes

    return vz.integrated_gradients(net, x, 0, progress=progress, **arguments), calls


def _mean_over(steps, taken, net, x, power=2):
    """(x - x') times the mean gradient over the first `taken` of `steps` steps, written out; x' is black."""
    t = (torch.arange(taken) + 0.5) / steps
    weights = t ** (power - 1)
    gradients = torch.cat([vz.gradient(net, a * x, 0) for a in t**power])
    return x * (weights.view(-1, 1, 1, 1) * gradients).sum(0, keepdim=True) / weights.sum()


@pytest.mark.parametrize("complete", [False, True])
def test_a_path_that_is_stopped_is_the_mean_so_far(tiny, pictures, complete):
    """Four passes of three: the first picture has been asked at six points of its way, the second too;
    after one more pass at eight and seven.
    """
    net, x = tiny(), pictures(2)
    how = {"baseline": "black", "batch_size": 3, "complete": complete, "power": 3}
    maps, calls = _stopped_after(4, net, x, **how)
    assert calls == [(3, 100), (6, 100), (9, 100), (12, 100)]
    torch.testing.assert_close(maps, torch.cat([_mean_over(50, 6, net, one, 3) for one in x.split(1)]))
    maps, _ = _stopped_after(5, net, x, **how)
    expected = [_mean_over(50, n, net, one, 3) for n, one in zip((8, 7), x.split(1), strict=True)]
    torch.testing.assert_close(maps, torch.cat(expected))


def test_a_picture_whose_way_has_not_begun_has_no_map(tiny, pictures):
    net, x = tiny(), pictures(2)
    maps, _ = _stopped_after(1, net, x, baseline="black", batch_size=1)
    torch.testing.assert_close(maps[:1], _mean_over(50, 1, net, x[:1]))
    assert (maps[1] == 0).all()


def test_a_no_after_the_last_step_comes_too_late(tiny, pictures):
    net, x = tiny(), pictures(2)
    maps, calls = _stopped_after(2, net, x, steps=8, batch_size=8)
    assert calls == [(8, 16), (16, 16)]
    assert vz.completeness_error(net, x, 0, maps).max() < 1e-4


def test_a_way_of_which_the_first_steps_weigh_nothing_adds_up_too(tiny, pictures):
    """The weight of the first step, 0.01^29, is below the smallest number there is."""
    net, x = tiny(seed=3), pictures(4, seed=5)
    rough, maps = (vz.integrated_gradients(net, x, 1, power=30, complete=c) for c in (False, True))
    assert vz.completeness_error(net, x, 1, rough).min() > 2e-3
    assert vz.completeness_error(net, x, 1, maps).max() < 1e-4


def test_where_only_the_last_step_weighs_anything_it_is_the_gradient_there(tiny, pictures):
    net, x = tiny(seed=3), pictures(1, seed=5)
    maps = vz.integrated_gradients(net, x, 1, baseline="black", steps=10, power=1e4)
    torch.testing.assert_close(maps, x * vz.gradient(net, 0.95**1e4 * x, 1))


class Flat(nn.Module):
    """A score that is the same for every picture, and yet has slopes."""

    def forward(self, x):
        return torch.stack([x.mean((1, 2, 3)) * 0, x.mean((1, 2, 3))], 1)


def test_where_the_score_does_not_rise_the_error_is_nothing_or_infinite(network, pictures):
    net, x = network(Flat()), pictures(2)
    maps = torch.zeros_like(x)
    maps[1, 0, 3, 4] = 0.25
    assert vz.completeness_error(net, x, 0, maps).tolist() == [0, float("inf")]
    assert vz.completeness_error(net, x, 1, vz.integrated_gradients(net, x, 1)).max() < 1e-5
    with pytest.raises(vz.VizlibError, match=r"a map for each of the 2 pictures; this is \(1, 3, 16, 16\)"):
        vz.completeness_error(net, x, 0, maps[:1])
    with pytest.raises(vz.VizlibError, match="a map for each of the 2 pictures; this is list"):
        vz.completeness_error(net, x, 0, [0, 1])


def test_a_blurred_baseline_keeps_a_seventh_of_the_picture_and_nothing_finer(tiny):
    """Fields of 4 x 4 pixels: stripes inside of a field are averaged away, one field beside another is
    seen.
    """
    net, side = tiny(), torch.arange(28)
    stripes = (side % 2).float().expand(1, 3, 28, 28)
    torch.testing.assert_close(baseline_pictures(net, stripes, "blur"), torch.full((1, 3, 28, 28), 0.5))
    fields = (side // 4 % 2).float().expand(1, 3, 28, 28)
    across = baseline_pictures(net, fields, "blur")[0, 0, 14]
    assert across[[5, 6, 13, 14, 21, 22]].min() > 0.8 and across[[9, 10, 17, 18]].max() < 0.2


def test_baselines_of_every_kind(tiny, pictures):
    net, x = tiny(), pictures(2)
    for black in ("black", 0, 0.0, np.float32(0), (0, 0, 0), np.zeros(3), torch.zeros(1, 3, 16, 16)):
        assert baseline_pictures(net, x, black).equal(torch.zeros_like(x))
    one = np.random.default_rng(0).random((1, 3, 16, 16))
    assert baseline_pictures(net, x, one).equal(torch.from_numpy(one).float().expand(2, -1, -1, -1))
    own = x.clone()
    baseline_pictures(net, x, own).zero_()
    assert own.equal(x)


def test_numbers_from_numpy_and_pictures_with_a_graph(tiny, pictures):
    net, x = tiny(), pictures(1)
    expected = vz.integrated_gradients(net, x, 0, steps=4, power=2)
    ours = vz.integrated_gradients(
        net, x.clone().requires_grad_(), 0, steps=np.int64(4), power=np.float32(2), batch_size=np.int64(3)
    )
    assert not ours.requires_grad
    torch.testing.assert_close(ours, expected)


def test_it_stays_on_the_network_s_device(tiny, pictures):
    """On the device "meta" tensors have a shape and no values, and a second device is an error."""
    net, x = tiny().to("meta"), pictures(2)
    for baseline in ("neutral", "black", "noise", 0.5, x):
        maps = vz.integrated_gradients(net, x, [0, 1], baseline=baseline, steps=3)
        assert maps.device.type == "meta"
    assert vz.completeness_error(net, x, 0, torch.zeros_like(x)).device.type == "meta"


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (
            {"baseline": "grey"},
            "A baseline is neutral, black, white, blur, noise, a colour or a picture; this is 'grey'",
        ),
        ({"baseline": 1.5}, "A baseline is a"),
        ({"baseline": torch.full((1, 3, 16, 16), 1.5)}, "Pictures lie in [0, 1]"),
        (
            {"baseline": torch.zeros(1, 3, 8, 8)},
            "This baseline, (1, 3, 8, 8), fits no pictures (1, 3, 16, 16)",
        ),
        ({"power": 0}, "power is a number, 1 or more; this is 0"),
        ({"power": float("nan")}, "power is a number, 1 or more; this is nan"),
        ({"power": float("inf")}, "power is a number, 1 or more; this is infinite"),
        ({"steps": 0}, "steps is a number of points on the way, 1 or more; this is 0"),
        ({"steps": 2.0}, "steps is a number of points on the way, 1 or more; this is 2.0"),
    ],
)
def test_what_makes_no_sense_is_refused(tiny, pictures, arguments, sentence):
    with pytest.raises(vz.VizlibError, match=re.escape(sentence)):
        vz.integrated_gradients(tiny(), pictures(1), 0, **arguments)


@pytest.mark.parametrize("name", ["goldfish", "giant_panda", "orange_kitten", "koala"])
def test_fifty_steps_add_up_on_a_trained_network(name):
    net = vz.load("lite0")
    x = vz.photo(name, net.input_size)
    assert float(vz.completeness_error(net, x, None, vz.integrated_gradients(net, x, steps=50))) < 0.01
