"""FRAME: Gaussians whose answer is known, weights that can be computed, moments that agree, and nothing lost
when it ends early.
"""

import math

import pytest
import torch

import vizlib as vz
from vizlib.layers import tap
from vizlib.layers.pooling import average_pooling
from vizlib.synthesis import Frame, Model, langevin, moment_error
from vizlib.synthesis.frame_models import Chains

GREY = torch.full((1, 3, 1, 1), 0.5)


def model(weights, sigma=0.1, reference="white"):
    return Model({name: torch.tensor(w) for name, w in weights.items()}, GREY, sigma, reference)


@pytest.fixture
def red(colour_averages):
    """A network whose layer conv answers with the red of each pixel, the green, and nothing."""
    return colour_averages


def test_a_linear_filter_shifts_the_gaussian_and_leaves_its_width(red):
    """q = N(mu, s^2), U = w sum of red: p = N(mu + s^2 w, s^2); the finite step makes the variance 1 / (1 -
    step / 2) times as large.
    """
    sample = langevin(red, model({"conv": [10.0, 0.0, 0.0]}), size=48, chains=2, steps=120, step=0.2)
    shift = 0.1 * 10.0  # in units of s: s w
    assert sample.state[:, 0].mean() == pytest.approx(shift, abs=0.08) and sample.state[
        :, 1
    ].mean() == pytest.approx(0, abs=0.08)
    for colour in (0, 1):
        assert sample.state[:, colour].var() == pytest.approx(1 / (1 - 0.1), rel=0.1)


def test_without_noise_it_stands_on_the_mode(red):
    sample = langevin(red, model({"conv": [2.0, -1.0, 0.0]}), size=16, steps=150, temperature=0)
    expected = 0.5 + 0.01 * torch.tensor([2.0, -1.0, 0.0]).view(1, 3, 1, 1)
    assert torch.allclose(sample.image, expected.expand_as(sample.image), atol=1e-4)


def test_temperature_scales_the_variance(red):
    hot, cool = (
        langevin(red, model({"conv": [0.0] * 3}, 0.01), size=48, steps=100, temperature=t).state.var()
        for t in (2.0, 0.5)
    )
    assert float(hot / cool) == pytest.approx(4, rel=0.1)


def test_the_weight_of_a_rectifier_is_the_one_that_can_be_computed(red):
    """F = relu(red - 1/2), one Gaussian pixel at a time: the mean of F under exp(w F) q rises with w;
    bisection finds the right one.
    """
    with torch.no_grad():
        red.model.conv.bias[0] = -0.5
    try:
        texture = torch.full((1, 3, 16, 16), 0.5)
        texture[:, 0, ::2], texture[:, 0, 1::2] = 0.4, 0.6  # the mean of F is 0.05
        result = vz.frame(
            red, texture, layers="relu", size=64, steps=400, sigma=0.1, reference="white", rate=0.15
        )
    finally:
        with torch.no_grad():
            red.model.conv.bias[0] = 0
    x = torch.linspace(-1, 2, 20001, dtype=torch.float64)

    def mean(w):
        p = (w * x.clamp(min=0) - x**2 / 0.02).exp()
        return float((p * x.clamp(min=0)).sum() / p.sum())

    low, high = 0.0, 50.0
    for _ in range(60):
        low, high = ((low + high) / 2, high) if mean((low + high) / 2) < 0.05 else (low, (low + high) / 2)
    assert float(result.model.weights["relu"][0]) == pytest.approx(low, abs=0.5)


@pytest.mark.parametrize("reference", ["white", "pink"])
def test_without_weights_it_draws_from_the_reference(red, reference):
    m = model({"conv": [0.0] * 3}, 0.05, reference)
    pictures = Chains(m, (64, 48), 8).image().detach()
    assert (pictures - 0.5).square().mean() == pytest.approx(0.05**2, rel=0.1)
    moved = Chains(m, 64, 1)
    before = moved.image().detach()
    with torch.no_grad():
        moved.knobs.copy_(moved.knobs.roll((5, 7), (2, 3)))
    assert torch.allclose(moved.image(), before.roll((5, 7), (2, 3)), atol=1e-5)  # a torus


def test_its_steps_are_those_of_its_docstring(tiny, pictures):
    net, texture, sigma, step = tiny(), pictures(2, tinted=True), 0.1, 0.2
    tremble, moves = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
    mean, w = texture.mean((0, 2, 3)).view(1, 3, 1, 1), [torch.zeros(6), torch.zeros(8)]
    names = ["relu1", "relu2"]

    def answers(x):
        with average_pooling(), tap(net, names, stop=True) as taken:
            net(x)
        return [taken[n] for n in names]

    wanted = [a.mean((0, 2, 3)) for a in answers(texture)]
    adam = torch.optim.Adam(w, 0.05, betas=(0.9, 0.99))
    n = torch.randn(2, 3, 16, 20, generator=tremble)
    for i in range(4):
        adam.param_groups[0]["lr"] = 0.05 * 0.05 ** (i / 4)
        n.requires_grad_()
        seen = answers(vz.synthesis.jitter(mean + sigma * n, moves, roll=20))
        slope = torch.autograd.grad(
            sum((k.view(1, -1, 1, 1) * a).sum() for k, a in zip(w, seen, strict=True)), n
        )[0]
        n = (
            n.detach()
            + step * (slope - n.detach())
            + math.sqrt(2 * step) * torch.randn(n.shape, generator=tremble)
        )
        for k, a, h in zip(w, seen, wanted, strict=True):
            k.grad = a.detach().mean((0, 2, 3)) - h
        adam.step()
    result = vz.frame(
        net,
        texture,
        layers=names,
        size=(16, 20),
        chains=2,
        steps=4,
        rate=0.05,
        sigma=sigma,
        reference="white",
        step=step,
        seed=3,
    )
    assert torch.allclose(result.state, n, atol=1e-4)
    assert all(
        torch.allclose(result.model.weights[name], k, atol=1e-5) for name, k in zip(names, w, strict=True)
    )


def test_the_moments_converge_and_a_fresh_chain_has_them_too():
    net, texture = vz.load("zfnet"), vz.background("gravel_grey", 96)
    result = vz.frame(net, texture, layers=["relu1", "relu2"], size=64, steps=150)
    late = sum(result.history[-10:]) / 10
    assert late < 0.5 * result.history[0]
    drawn = langevin(net, result.model, size=64, steps=60, seed=9).image
    with average_pooling():
        means, wanted = (
            {n: a.mean((0, 2, 3)) for n, a in vz.record(net, x, ["relu1", "relu2"]).items()}
            for x in (drawn, texture)
        )
    assert moment_error(means, wanted) < 0.6 * result.history[0]
    assert abs(float(torch.corrcoef(torch.stack([drawn.flatten(), result.image.flatten()]))[0, 1])) < 0.3


def test_the_moment_error_by_hand():
    wanted = {"a": torch.tensor([3.0, 4.0]), "b": torch.tensor([1.0])}
    assert moment_error(wanted, wanted) == 0
    assert moment_error({"a": torch.zeros(2), "b": torch.zeros(1)}, wanted) == 1
    assert moment_error({"a": torch.tensor([3.0, 4.0]), "b": torch.tensor([1.6])}, wanted) == pytest.approx(
        (0.36 / 2) ** 0.5
    )


def test_a_seed_fixes_it_and_the_global_generator_is_left_alone(tiny, pictures):
    net, before = tiny(), torch.get_rng_state()
    one, again, other = (vz.frame(net, pictures(1), size=16, steps=5, seed=s) for s in (0, 0, 1))
    assert torch.equal(one.image, again.image) and not torch.allclose(one.image, other.image, atol=0.01)
    assert torch.equal(torch.get_rng_state(), before)


def test_it_goes_on_from_a_state_and_does_not_change_it(tiny, pictures):
    net, made = tiny(), vz.frame(tiny(), pictures(1), size=(16, 24), chains=2, steps=3)
    state = made.state.clone()
    sample = langevin(net, made.model, start=made.state, steps=1, temperature=0, step=1e-6)
    assert torch.allclose(sample.image, made.image, atol=1e-4) and torch.equal(made.state, state)
    assert (
        isinstance(made, Frame)
        and made.image.shape == (2, 3, 16, 24)
        and 0 <= made.image.min() <= made.image.max() <= 1
    )


def test_progress_false_and_an_interrupt_keep_what_there_is(tiny, pictures):
    def interrupt(done, total, preview):
        assert (total, preview.shape) == (20, (1, 3, 16, 16))
        if done == 3:
            raise KeyboardInterrupt

    for progress in (lambda done, total, preview: done < 3, interrupt):
        result = vz.frame(tiny(), pictures(1), size=16, steps=20, progress=progress)
        assert result.stopped and len(result.history) == 3 and result.model.weights["relu1"].abs().max() > 0
    assert not vz.frame(tiny(), pictures(1), size=16, steps=2).stopped


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_it_works_where_gradients_are_switched_off(tiny, pictures, mode):
    net = tiny()
    usual = vz.frame(net, pictures(1), size=16, steps=3)
    drawn = langevin(net, usual.model, size=16, steps=2, seed=1)
    with mode():
        same = vz.frame(net, pictures(1).clone(), size=16, steps=3)
        assert torch.equal(same.image, usual.image)
        assert torch.equal(langevin(net, same.model, size=16, steps=2, seed=1).image, drawn.image)


def test_the_network_is_left_as_found(tiny, pictures, left_as_found):
    net = tiny()
    with left_as_found(net):
        made = vz.frame(net, pictures(1), size=16, steps=2)
        langevin(net, made.model, size=16, steps=2)
        with pytest.raises(vz.VizlibError):
            vz.frame(net, pictures(1), size=16, layers="logits", steps=2)


@pytest.mark.parametrize(
    "options, telling",
    [
        ({"layers": "relu9"}, "relu9"),
        ({"layers": "logits"}, "a grid of positions"),
        ({"size": 8}, "16 pixels a side"),
        ({"chains": 0}, "There is one chain or more"),
        ({"sigma": 0}, "sigma is positive"),
        ({"rate": -1}, "rate is positive"),
        ({"step": 2}, "between 0 and 2"),
        ({"steps": 0}, "steps is a .*number, 1 or more"),
        ({"reference": "brown"}, "pink, white"),
        (
            {"optimizer": "adam"},
            "The option 'optimizer' is settled here. Options of the loop are: steps, snap",
        ),
        ({"sigma": "small"}, "sigma is positive; this is 'small'"),
        ({"rate": 1e30, "steps": 9}, "Lower rate"),
    ],
)
def test_bad_input_is_refused_in_words(tiny, pictures, options, telling):
    with pytest.raises(vz.VizlibError, match=telling):
        vz.frame(tiny(), pictures(1), **{"size": 16, "steps": 2} | options)


def test_bad_textures_and_temperatures_are_refused_in_words(tiny, pictures):
    with pytest.raises(vz.VizlibError, match="Pictures lie in"):
        vz.frame(tiny(), 255 * pictures(1))
    with pytest.raises(vz.VizlibError, match="temperature is 0 or more"):
        langevin(tiny(), model({"relu1": [0.0] * 6}), temperature=-1)
