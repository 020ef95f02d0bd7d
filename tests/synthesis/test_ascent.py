"""The loop: exact answers where they exist, and nothing lost when it ends early."""

import pytest
import torch
import torch.nn.functional as F

import vizlib as vz
from vizlib import synthesis as sy
from vizlib.synthesis import priors


def test_a_first_layer_unit_gets_its_filter(tiny):
    """Erhan et al. (2009): on a sphere around grey, a linear unit is happiest with its own weights."""
    net = tiny()
    weight = net.model.conv1.weight[2]

    def on_the_sphere(image, gradient, step):
        away = image - 0.5
        return 0.5 + 0.3 * away / away.norm()

    canvas = sy.Pixels(sy.noise(16, seed=1), clip=False)
    result = sy.ascend(
        net,
        vz.unit("conv1", 2, at=(8, 8)),
        canvas,
        steps=200,
        optimizer="sgd",
        rate=0.02,
        after=[on_the_sphere],
    )
    patch = result.image[0, :, 7:10, 7:10] - 0.5
    assert F.cosine_similarity(patch.flatten(), weight.flatten(), dim=0) > 0.999
    outside = result.image - 0.5
    outside[0, :, 7:10, 7:10] = 0
    assert outside.abs().max() < 0.01
    expected = net.model.conv1(torch.full((1, 3, 16, 16), 0.5))[0, 2, 8, 8] + 0.3 * weight.norm()
    assert result.history[-1] == pytest.approx(float(expected), abs=1e-3)


@pytest.mark.parametrize("optimizer, rate", [("adam", 0.02), ("sgd", 0.05), ("lbfgs", 0.5)])
def test_every_optimizer_climbs(tiny, optimizer, rate):
    net = tiny()
    result = sy.ascend(net, 1, sy.Pixels(sy.noise(16)), steps=30, optimizer=optimizer, rate=rate)
    with torch.no_grad():
        assert result.history[-1] > result.history[0] + 0.1
        assert net(result.image)[0, 1] >= result.history[-1] - 0.05
    assert len(result.history) == 30 and result.image.min() >= 0 and result.image.max() <= 1


def test_at_the_optimum_the_penalty_balances_the_slope(colour_averages):
    """Simonyan et al. (2013): where S - lambda ||x - grey||^2 is highest, its slope is 2 lambda (x -
    grey).
    """
    penalty = (2.0, lambda x: (x - 0.5).pow(2).sum((1, 2, 3)))
    image = sy.ascend(
        colour_averages, 0, sy.Pixels(sy.noise(2)), steps=100, optimizer="sgd", rate=0.05, penalties=[penalty]
    ).image
    slope = (
        torch.tensor([2.0, -3.0, 0.0]).view(3, 1, 1) / 4
    )  # class 0 has 2 mean(red) - 3 mean(green) + 1, over four pixels
    assert torch.allclose(image[0], 0.5 + slope / (2 * 2.0) * torch.ones(3, 2, 2), atol=1e-3)


def test_it_works_where_gradients_are_switched_off(tiny):
    with torch.no_grad():
        assert sy.ascend(tiny(), 1, sy.Fourier(16), steps=3).history[-1] != 0


def test_it_repeats_itself_and_touches_no_other_randomness(tiny):
    net, state = tiny(), torch.get_rng_state()
    runs = [sy.visualize(net, 2, canvas=sy.Fourier(16, seed=3), steps=6, seed=5).image for _ in range(2)]
    assert torch.equal(*runs) and torch.equal(state, torch.get_rng_state())
    assert not torch.equal(
        runs[0], sy.visualize(net, 2, canvas=sy.Fourier(16, seed=3), steps=6, seed=6).image
    )


def test_snapshots_and_progress(tiny):
    seen = []
    result = sy.ascend(
        tiny(),
        1,
        sy.Fourier(16),
        steps=10,
        snapshots=5,
        progress=lambda i, n, image: seen.append((i, n, image)),
    )
    assert result.images.shape == (5, 3, 16, 16) and torch.equal(result.images[-1:], result.image)
    assert [(i, n) for i, n, _ in seen] == [(i, 10) for i in range(1, 11)]
    assert torch.equal(seen[-1][2], result.image) and not result.stopped


@pytest.mark.parametrize("how", ["stop", "interrupt"])
def test_what_ends_early_keeps_its_picture(tiny, left_as_found, how):
    def end(i, n, image):
        if i == 4 and how == "interrupt":
            raise KeyboardInterrupt
        return i < 4

    net = tiny()
    with left_as_found(net):
        result = sy.ascend(net, 1, sy.Fourier(16), steps=50, progress=end)
    assert result.stopped and len(result.history) == 4
    assert torch.equal(result.image, sy.ascend(net, 1, sy.Fourier(16), steps=4).image)


def test_yosinskis_changes_are_applied_after_each_step(tiny):
    small = lambda image, gradient, step: priors.clip_small_contribution(image, gradient, 90)  # noqa: E731
    image = sy.ascend(tiny(), 1, sy.Pixels(sy.noise(16)), steps=5, after=[small]).image
    assert (image == 0.5).all(1).float().mean() >= 0.85


def test_a_loss_that_is_no_number_says_what_to_lower(tiny, left_as_found):
    net = tiny()
    with (
        left_as_found(net),
        pytest.raises(vz.VizlibError, match="After 0 steps the score is nan. Lower rate"),
    ):
        sy.ascend(net, lambda z: z[:, 0] * float("nan"), sy.Fourier(16), steps=3)


@pytest.mark.parametrize(
    ("options", "telling"),
    [
        ({"steps": 0}, "steps is a positive number"),
        ({"optimizer": "rmsprop"}, "optimizer is one of adam, sgd, lbfgs"),
        ({"after": [lambda image, gradient, step: image]}, "Changes after a step are made to pixels"),
        ({"jitter": {"scale": 2}}, "scale is in"),
    ],
)
def test_what_cannot_be_asked(tiny, options, telling):
    with pytest.raises(vz.VizlibError, match=telling):
        sy.ascend(tiny(), 1, sy.Fourier(16), **options)
