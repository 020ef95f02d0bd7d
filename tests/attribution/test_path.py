"""Integrated gradients: completeness, linear networks, baselines."""

import re

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


@pytest.mark.parametrize("power", [1, 2, 3])
def test_where_the_steps_lie_does_not_change_what_is_integrated(tiny, pictures, power):
    net, x = tiny(seed=3), pictures(2, seed=5)
    maps = [vz.integrated_gradients(net, x, 1, steps=400, power=p) for p in (1, power)]
    torch.testing.assert_close(maps[1], maps[0], rtol=0.02, atol=0.02 * float(maps[0].abs().max()))


def test_pixels_equal_to_the_baseline_get_nothing(tiny):
    x = torch.zeros(1, 3, 16, 16)
    x[:, :, 4:8, 4:8] = 0.7
    maps = vz.integrated_gradients(tiny(), x, 0, baseline="black", steps=10)
    assert (maps[x == 0] == 0).all() and (maps[x > 0] != 0).any()


def test_a_path_that_is_stopped_is_the_mean_so_far(tiny, pictures):
    calls = []
    maps = vz.integrated_gradients(
        tiny(),
        pictures(2),
        0,
        batch_size=4,
        progress=lambda done, total, preview: calls.append((done, total)) or done < 8,
    )
    assert calls == [(4, 100), (8, 100)] and torch.isfinite(maps).all()


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (
            {"baseline": "grey"},
            "A baseline is neutral, black, white, blur, noise, a colour or a picture; this is 'grey'",
        ),
        ({"baseline": 1.5}, "A baseline is a picture in [0, 1]; this one has values outside"),
        (
            {"baseline": torch.zeros(1, 3, 8, 8)},
            "This baseline, (1, 3, 8, 8), fits no pictures (1, 3, 16, 16)",
        ),
        ({"power": 0}, "power is 1 or more; this is 0"),
        ({"steps": 0}, "steps is a positive number of points on the way; this is 0"),
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
