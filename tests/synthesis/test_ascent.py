"""The loop: exact answers where they exist, and nothing lost when it ends early."""

import numpy as np
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


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "lbfgs", "normalized"])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_it_works_where_gradients_are_switched_off(tiny, mode, optimizer):
    net, start, options = tiny(), sy.noise(16), {"steps": 3, "optimizer": optimizer, "rate": 0.05}
    usual = sy.ascend(net, 1, sy.Pixels(start), **options)
    with mode():
        same = sy.ascend(net, 1, sy.Pixels(start.clone()), **options)
        sy.ascend(net, 1, sy.Fourier(16), **options)
    assert torch.equal(same.image, usual.image) and usual.history[-1] > usual.history[0]


def test_pictures_that_ask_for_a_gradient_are_only_looked_at(tiny):
    start = sy.noise(16).requires_grad_()
    result = sy.ascend(tiny(), 1, sy.Pixels(start), steps=2)
    assert start.grad is None and not result.image.requires_grad and not result.images.requires_grad


def test_numbers_of_numpy_and_torch_are_numbers(tiny):
    plain = sy.ascend(tiny(), 1, sy.Fourier(16), steps=3, rate=0.5, snapshots=2, seed=4, jitter={"roll": 2})
    same = sy.ascend(
        tiny(),
        np.int64(1),
        sy.Fourier((np.int32(16), np.int64(16)), seed=np.int64(0)),
        steps=np.int64(3),
        rate=torch.tensor(0.5),
        snapshots=np.int8(2),
        seed=np.int64(4),
        jitter={"roll": np.int64(2), "shift": np.float32(0)},
    )
    assert torch.equal(plain.image, same.image) and same.images.shape == (2, 3, 16, 16)


def test_a_refusal_at_the_last_step_leaves_nothing_to_stop(tiny):
    assert not sy.ascend(tiny(), 1, sy.Fourier(16), steps=3, progress=lambda i, n, image: i < 3).stopped


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


def test_a_change_gets_the_slope_of_the_score_before_the_step(tiny):
    net, start, heard = tiny(), sy.noise(16, 2), []

    def listen(image, gradient, step):
        heard.append((image.clone(), gradient.clone(), step))
        return image

    sy.ascend(net, 1, sy.Pixels(start), steps=2, optimizer="sgd", rate=0.01, after=[listen])
    assert [step for _, _, step in heard] == [0, 1]
    torch.testing.assert_close(heard[0][1], vz.gradient(net, start, 1))
    torch.testing.assert_close(heard[1][1], vz.gradient(net, heard[0][0], 1))
    torch.testing.assert_close(heard[0][0], (start + 0.01 * heard[0][1]).clamp(0, 1))  # uphill


def test_with_penalties_a_change_gets_the_slope_of_what_is_climbed(tiny):
    net, start, heard = tiny(), sy.noise(16), []
    listen = lambda image, gradient, step: (heard.append(gradient.clone()), image)[1]  # noqa: E731
    pull = (3.0, lambda x: (x - 0.5).square().sum((1, 2, 3)))
    sy.ascend(net, 1, sy.Pixels(start), steps=1, penalties=[pull], after=[listen])
    torch.testing.assert_close(heard[0], vz.gradient(net, start, 1) - 6 * (start - 0.5), atol=1e-6, rtol=1e-4)


def test_yosinskis_changes_are_those_of_the_paper_written_out(tiny):
    """A step up the slope g, clipped; then the 90 % of the pixels where |sum over colours of (x - 0.5) g| is
    smallest become grey.
    """
    net, x = tiny(), sy.noise(16, spread=0.3)
    small = lambda image, gradient, step: priors.clip_small_contribution(image, gradient, 90)  # noqa: E731
    image = sy.ascend(net, 1, sy.Pixels(x), steps=3, optimizer="sgd", rate=0.1, after=[small]).image
    velocity = torch.zeros_like(x)
    for _ in range(3):
        g = vz.gradient(net, x, 1)
        velocity = 0.9 * velocity + g
        x = (x + 0.1 * velocity).clamp(0, 1)
        share = ((x - 0.5) * g).sum(1).abs().flatten()
        kept = share.argsort(descending=True)[: round(0.1 * len(share))]
        mask = torch.zeros(256, dtype=torch.bool).index_fill(0, kept, True).view(1, 1, 16, 16)
        x = torch.where(mask, x, 0.5)
    torch.testing.assert_close(image, x, atol=1e-5, rtol=0)
    assert int((image != 0.5).any(1).sum()) == 26


def test_a_loss_that_is_no_number_says_what_to_lower(tiny, left_as_found):
    net = tiny()
    with (
        left_as_found(net),
        pytest.raises(vz.VizlibError, match=r"After \d steps the score is .*Lower rate .now 1e\+30"),
    ):
        canvas = sy.Pixels(sy.noise(16), clip=False)
        sy.ascend(net, 1, canvas, steps=9, rate=1e30, penalties=[(1.0, priors.outside)])


def test_a_start_whose_score_is_no_number_is_not_blamed_on_the_rate(tiny):
    with pytest.raises(
        vz.VizlibError, match="The score of the start is nan, before any step. Look for a div"
    ):
        sy.ascend(tiny(), lambda z: z[:, 0] * float("nan"), sy.Fourier(16), steps=3)


@pytest.mark.parametrize(
    ("options", "telling"),
    [
        ({"steps": 0}, "steps is a .*number, 1 or more"),
        ({"steps": True}, "steps is a .*number, 1 or more; this is True"),
        ({"optimizer": "rmsprop"}, "optimizer is one of adam, sgd, lbfgs"),
        ({"rate": -1}, "rate is the size of a step, 0 or more; this is -1"),
        ({"rate": "fast"}, "rate is the size of a step, 0 or more; this is 'fast'"),
        ({"seed": 0.5}, "seed is a whole number; this is 0.5"),
        ({"tile": 0}, "tile is a number of pixels, 1 or more"),
        ({"snapshots": -1}, "snapshots is a number of pictures, 0 or more"),
        ({"target": lambda z: z[:, :2]}, "returns one number per picture"),
        ({"target": sy.Objective(("conv1",), lambda a: a["conv1"].mean())}, "gives one number per picture"),
        ({"target": lambda z: z.argmax(1).float()}, "This score has no slope"),
        ({"after": [lambda image, gradient, step: image]}, "Changes after a step are made to pixels"),
        ({"jitter": {"scale": 2}}, "scale is in"),
    ],
)
def test_what_cannot_be_asked(tiny, options, telling):
    with pytest.raises(vz.VizlibError, match=telling):
        sy.ascend(tiny(), options.pop("target", 1), sy.Fourier(16), **options)
