"""Inversion: identities, the paper's constants and steps, restarts, errors with known values, and what ends
early.
"""

import sys
from collections import OrderedDict

import pytest
import torch
from torch import nn

import vizlib as vz
from vizlib import synthesis as sy
from vizlib.synthesis import priors

module = sys.modules["vizlib.synthesis.inversion"]  # the package's name of that kind is the function


@pytest.fixture(scope="module")
def pixels(network):
    """A network whose first layer is the picture itself, minus mid-grey."""
    model = nn.Sequential(
        OrderedDict(
            same=nn.Conv2d(3, 3, 1, bias=False), avgpool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten()
        )
    )
    with torch.no_grad():
        model.same.weight.copy_(torch.eye(3)[:, :, None, None])
    return network(model, mean=(0.5, 0.5, 0.5))


@pytest.fixture
def told(monkeypatch):
    """What `invert` hands to the one loop: (canvas, options) of each call."""
    calls = []

    def listen(net, goal, canvas, **options):
        calls.append((canvas, options))
        return sy.ascend(net, goal, canvas, **options)

    monkeypatch.setattr(module, "ascend", listen)
    return calls


def smooth(pictures, side=16):
    return vz.resize(pictures(2, 4, seed=3), (side, side))


@pytest.mark.parametrize("method", ["fourier", "paper"])
def test_a_code_that_is_the_picture_gives_the_picture_back(pixels, pictures, method):
    images = 0.25 + 0.5 * smooth(
        pictures
    )  # a sigmoid reaches no black and no white, and the alpha-norm pulls them towards grey
    result = sy.invert(pixels, images, layer="same", method=method, smoothness=0, steps=400)
    assert (result.image - images).abs().max() < 0.04 and result.history[-1] > -0.002 > -0.5 > result.history[
        0
    ]
    assert vz.pixel_error(result.image, images, pictures(6)).max() < 1e-3


def test_smoothness_smooths_and_nothing_else_is_gained_by_it(pixels, pictures):
    images = pictures(2)
    plain, smoothed = (sy.invert(pixels, images, layer="same", smoothness=w, steps=150) for w in (0, 5))
    assert (priors.total_variation(smoothed.image) < 0.5 * priors.total_variation(plain.image)).all()
    assert smoothed.history[-1] < plain.history[-1]


def test_the_weights_are_those_of_the_papers_code_in_pixels_of_0_to_255(told, network):
    """There: (8e-10 / 2) sum x^6 / sigma^2 and (1 / 2) TV / sigma^2 with sigma = 27098.1157, for mean-free
    227 x 227 x 3 pictures.
    """
    net = network(
        nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()), side=227
    )
    image = torch.rand(1, 3, 227, 227, generator=torch.Generator().manual_seed(0))
    sy.invert(net, image, layer=net.layers["name"][0], method="paper", smoothness=0.5, steps=1)
    (tv, tv_of), (alpha, alpha_of) = told[0][1]["penalties"]
    values = 255 * (image.double() - 0.5)
    squares = (values[..., 1:, :-1] - values[..., :-1, :-1]) ** 2 + (
        values[..., :-1, 1:] - values[..., :-1, :-1]
    ) ** 2
    assert float(tv * tv_of(image)) == pytest.approx(float(0.5 * squares.sum() / 27098.1157**2), rel=1e-4)
    assert float(alpha * alpha_of(image)) == pytest.approx(
        float(4e-10 * (values**6).sum() / 27098.1157**2), rel=1e-3
    )
    assert told[0][1]["rate"] == pytest.approx(0.004 * (27098.1157 / 255) ** 2, rel=1e-6)


def test_a_picture_made_of_four_copies_has_the_same_penalties(told, tiny, pictures):
    values = []
    for image in (pictures(1, 16), pictures(1, 16).repeat(1, 1, 2, 2)):
        told.clear()
        sy.invert(tiny(), image, layer="relu1", method="paper", smoothness=0.5, steps=3)
        values.append([float(weight * penalty(image)) for weight, penalty in told[0][1]["penalties"]])
    (tv, alpha), (tv4, alpha4) = values
    assert alpha4 == pytest.approx(alpha, rel=1e-4) and tv4 == pytest.approx(
        tv, rel=0.2
    )  # the border between the copies is new


def test_the_papers_steps_are_gradient_descent_with_a_momentum_that_is_forgotten(tiny, pictures):
    net, image, sigma = tiny(), pictures(1), module.SPREAD * (3 * 16 * 16) ** 0.5
    seen = sy.invert(net, image, layer="relu2", method="paper", smoothness=0.5, steps=8, seed=4, rate=3.0)
    x, goal = sy.noise(16, seed=4, spread=module.SPREAD), vz.record(net, image, "relu2")["relu2"]
    for factor, count in ((1, 2), (0.1, 4), (0.01, 2)):
        momentum = torch.zeros_like(x)
        for _ in range(count):
            x.requires_grad_()
            with vz.layers.tap(net, ["relu2"]) as taken:
                net(x)
            e = (taken["relu2"] - goal).pow(2).sum() / goal.pow(2).sum()
            r = 0.5 * 3 * priors.total_variation(x).sum() / sigma**2
            a = module.ALPHA * (3 * 16 * 16) ** 2 * ((x - 0.5) / sigma).pow(6).sum()
            (g,) = torch.autograd.grad(e + r + a, x)
            momentum = 0.9 * momentum - 3.0 * factor * g
            x = (x + momentum).detach()
    assert (
        torch.allclose(seen.image, x.clamp(0, 1), atol=1e-4) and len(seen.history) == 8 and not seen.stopped
    )


def test_a_restart_is_the_run_with_the_next_seed(tiny, pictures):
    net, images = tiny(), pictures(2)
    for method in ("fourier", "paper"):
        together = sy.invert(net, images, layer="relu2", method=method, restarts=3, steps=6, seed=5).image
        assert together.shape == (6, 3, 16, 16)
        alone = [
            sy.invert(net, images, layer="relu2", method=method, steps=6, seed=5 + r).image for r in range(3)
        ]
        for i in range(2):
            for r in range(3):
                assert torch.allclose(together[3 * i + r], alone[r][i], atol=1e-4)
        assert (together[0] - together[1]).abs().max() > 0.05


def test_it_leaves_the_network_and_all_randomness_as_it_was(tiny, pictures, left_as_found):
    net, images, state = tiny(), pictures(1), torch.get_rng_state()
    with left_as_found(net):
        runs = [sy.invert(net, images, layer="relu1", steps=5).image for _ in range(2)]
    assert torch.equal(*runs) and torch.equal(state, torch.get_rng_state())


def test_codes_without_positions_can_be_inverted_too(tiny, pictures):
    result = sy.invert(tiny(), pictures(1), layer="logits", steps=150, smoothness=0)
    assert result.history[-1] > -0.01 > result.history[0]


@pytest.mark.parametrize("method", ["fourier", "paper"])
def test_grey_pictures_for_networks_that_see_no_colours(method):
    net, image = vz.hog(16, cell=4), torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    result = sy.invert(net, image, layer="hog", method=method, grey=True, steps=60)
    assert (result.image - result.image.mean(1, keepdim=True)).abs().max() < 1e-5
    assert result.history[-1] > 0.5 * result.history[0]


def test_further_penalties_come_on_top(told, tiny, pictures):
    for method, usual in (("fourier", 1), ("paper", 2)):
        told.clear()
        sy.invert(
            tiny(), pictures(1), layer="relu1", method=method, steps=3, penalties=[(1.0, priors.outside)]
        )
        assert len(told[0][1]["penalties"]) == usual + 1 and told[0][1]["penalties"][-1] == (
            1.0,
            priors.outside,
        )


@pytest.mark.parametrize("method", ["fourier", "paper"])
@pytest.mark.parametrize("how", ["stop", "interrupt"])
def test_what_ends_early_keeps_its_picture(tiny, pictures, left_as_found, method, how):
    seen = []

    def end(i, n, image):
        seen.append((i, n, image))
        if i == 10 and how == "interrupt":
            raise KeyboardInterrupt
        return i < 10

    net = tiny()
    with left_as_found(net):
        result = sy.invert(net, pictures(1), layer="relu2", method=method, steps=20, progress=end)
    assert (
        result.stopped
        and len(result.history) == 10
        and [i for i, _, _ in seen] == list(range(1, 11))
        and seen[0][1] == 20
    )
    assert torch.equal(result.image, seen[-1][2])


@pytest.mark.parametrize("at", [1, 2, 5, 6])  # the stages of eight steps end at 2, 6 and 8
def test_stop_at_the_end_of_a_stage_ends_the_run(tiny, pictures, at):
    heard = []

    def stop(done, total, preview):
        heard.append((done, total))
        return done < at

    result = sy.invert(tiny(), pictures(1), layer="relu2", method="paper", steps=8, progress=stop)
    assert heard == [(i, 8) for i in range(1, at + 1)]
    assert result.stopped and len(result.history) == at


def test_a_refusal_at_the_last_step_leaves_nothing_to_stop(tiny, pictures):
    result = sy.invert(
        tiny(), pictures(1), layer="relu2", method="paper", steps=8, progress=lambda i, n, image: i < 8
    )
    assert not result.stopped and len(result.history) == 8


@pytest.mark.parametrize("method", ["fourier", "paper"])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_it_works_where_gradients_are_switched_off(tiny, pictures, mode, method):
    options = {"layer": "relu2", "method": method, "steps": 4}
    net = tiny()
    usual = sy.invert(net, pictures(1), **options).image
    with mode():
        assert torch.equal(sy.invert(net, pictures(1).clone(), **options).image, usual)


def test_snapshots_and_a_run_that_was_not_stopped(tiny, pictures):
    for method in ("fourier", "paper"):
        result = sy.invert(tiny(), pictures(1), layer="relu2", method=method, steps=20, snapshots=4)
        assert len(result.history) == 20 and not result.stopped and len(result.images) == 4
        assert torch.equal(result.images[-1:], result.image)


def test_the_papers_smoothness_grows_with_the_depth():
    net = vz.load("zfnet")
    found = [sy.paper_smoothness(net, name) for name in net.layers["name"]]
    assert found == [0.5] * 5 + [5] * 5 + [50] * 5
    assert [found[net.layers["name"].index(n)] for n in ("relu2", "pool2", "relu4", "conv5")] == [
        0.5,
        5,
        5,
        50,
    ]  # as in the paper
    with pytest.raises(vz.VizlibError, match="pass smoothness"):
        sy.paper_smoothness(vz.load("lite0"), "blocks.3.0")


def test_the_mean_code_scores_one_half(pictures):
    others = torch.randn(9, 4, 3, 3, generator=torch.Generator().manual_seed(0)) + 2
    guess = others.mean(0, keepdim=True).expand_as(others)
    assert sy.code_error(guess, others, others).mean().item() == pytest.approx(0.5, abs=1e-6)
    assert sy.code_error(others, others, others).abs().max() == 0
    pairs = torch.stack([(a - b).pow(2).sum() for a in others for b in others]).mean()
    assert torch.allclose(
        sy.code_error(others[:2], others[2:3], others), (others[:2] - others[2]).pow(2).sum((1, 2, 3)) / pairs
    )


def test_feature_and_pixel_errors_are_that_measure(tiny, pictures):
    net, images, others = tiny(), pictures(2), pictures(7, seed=1)
    codes = [vz.record(net, x, "conv2")["conv2"] for x in (images, others[:2], others)]
    assert torch.allclose(
        vz.feature_error(net, images, others[:2], others, layer="conv2"), sy.code_error(*codes)
    )
    assert torch.allclose(
        vz.pixel_error(images, others[:2], others), sy.code_error(images, others[:2], others)
    )
    with pytest.raises(vz.VizlibError, match="two or more other pictures"):
        vz.pixel_error(images, images, images[:1])
    with pytest.raises(vz.VizlibError, match="There are 2 codes, and 7 that were wanted"):
        vz.pixel_error(images, others, others)
    with pytest.raises(vz.VizlibError, match="all have the same code"):
        vz.pixel_error(images, images, images[:1].repeat(2, 1, 1, 1))


@pytest.mark.parametrize("beta", [1.0, 1.5, 2.0, 6.0])
def test_the_slope_of_total_variation_is_that_of_differences(beta):
    x = torch.rand(1, 3, 5, 6, generator=torch.Generator().manual_seed(0)).double().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: priors.total_variation(x, beta), x
    )  # the authors ship this test for beta = 6


def test_total_variation_sees_both_axes_and_the_one_on_wrong_axes_does_not():
    """pytorch-cnn-visualizations slices channels and rows of (1, C, H, W): differences between colours count,
    those along a row do not.
    """

    def wrong_axes(x):
        return ((x[:, :-1, :-1] - x[:, 1:, :-1]) ** 2 + (x[:, :-1, :-1] - x[:, :-1, 1:]) ** 2).sum()

    stripes = torch.tensor([0.0, 1, 0, 1]).expand(1, 3, 4, 4)
    red = torch.zeros(1, 3, 4, 4)
    red[:, 0] = 1
    for image in (stripes, stripes.mT, torch.rand(1, 3, 4, 4)):
        assert torch.allclose(priors.total_variation(image), priors.total_variation(image.mT))
    assert priors.total_variation(stripes).item() == 9 and priors.total_variation(red).item() == 0
    assert wrong_axes(stripes) == 0 and wrong_axes(stripes.mT) == 24 and wrong_axes(red) == 12


@pytest.mark.parametrize(
    ("options", "telling"),
    [
        ({"layer": "conv9"}, "no layer 'conv9'. Nearest: conv"),
        ({"layer": "conv1", "method": "magic"}, "method is one of fourier, paper; this is 'magic'"),
        ({"layer": "conv1", "restarts": 0}, "restarts is a whole number, 1 or more; this is 0"),
        ({"layer": "conv1", "smoothness": -1}, "smoothness is a weight, 0 or more"),
        ({"layer": "conv1", "smoothness": float("nan")}, "smoothness is a weight, 0 or more"),
        ({"layer": "conv1", "beta": 0}, "beta is positive"),
        ({"layer": "conv1", "steps": -3}, "steps is a .*number, 1 or more"),
        ({"layer": "conv1", "method": "paper", "steps": 2.5}, "steps is a .*number, 1 or more"),
        ({"layer": "conv1", "optimizer": "none"}, "optimizer is one of"),
        (
            {"layer": "conv1", "method": "paper", "optimizer": "adam"},
            "The option 'optimizer' is settled here. Options of the loop are: steps, rate",
        ),
    ],
)
def test_what_cannot_be_asked(tiny, pictures, options, telling):
    with pytest.raises(vz.VizlibError, match=telling):
        sy.invert(tiny(), pictures(1), **options)


def test_pictures_that_are_none_and_codes_of_zeros(tiny, pictures):
    with pytest.raises(vz.VizlibError, match="NaN"):
        sy.invert(tiny(), pictures(1) * float("nan"), layer="conv1")
    with pytest.raises(vz.VizlibError, match="0, 1"):
        sy.invert(tiny(), 255 * pictures(1), layer="conv1")
    with pytest.raises(vz.VizlibError, match="The code of hog is zero"):
        sy.invert(vz.hog(16), torch.full((1, 3, 16, 16), 0.3), layer="hog")


def test_steps_that_are_too_long_say_what_to_lower(tiny, pictures):
    with pytest.raises(vz.VizlibError, match="Lower rate"):
        sy.invert(tiny(), pictures(1), layer="conv2", method="paper", rate=1e9, steps=40)
