"""SmoothGrad: limits, statistics, and the noise as a share of the picture's range."""

import numpy as np
import pytest
import torch
from torch import nn

import vizlib as vz


def test_without_noise_it_is_the_gradient(tiny, pictures):
    net, x = tiny(), pictures(2)
    torch.testing.assert_close(vz.smoothgrad(net, x, 1, samples=3, noise=0), vz.gradient(net, x, 1))


def test_on_a_linear_network_noise_changes_nothing(network, redrawn, pictures):
    net, x = network(redrawn(nn.Sequential(nn.Flatten(), nn.Linear(768, 4)))), pictures(2)
    torch.testing.assert_close(vz.smoothgrad(net, x, 2, samples=4, noise=0.5), vz.gradient(net, x, 2))


def test_it_is_the_mean_of_gradients_at_noisy_copies(tiny, pictures):
    """Written out for one picture, with the noise drawn as the docstring says."""
    net, x = tiny(), 0.25 + 0.5 * pictures(1)
    sigma = 0.2 * (x.max() - x.min())
    generator, total = torch.Generator().manual_seed(7), 0
    for _ in range(5):
        noisy = (x + sigma * torch.randn(x.shape[1:], generator=generator)).requires_grad_()
        total = total + torch.autograd.grad(net(noisy)[0, 3], noisy)[0]
    torch.testing.assert_close(vz.smoothgrad(net, x, 3, samples=5, noise=0.2, seed=7), total / 5)


def test_noise_follows_the_range_of_each_picture():
    """The noise that the network sees, for a picture of half the contrast, is half as strong."""
    seen = []

    class Listening(nn.Module):
        def forward(self, x):
            seen.append(x.detach())
            return x.flatten(1)[:, :3] ** 2

    net = vz.Network(Listening(), name="listening", mean=(0.0,) * 3, std=(1.0,) * 3, input_size=16)
    seen.clear()
    whole = torch.linspace(0, 1, 768).view(1, 3, 16, 16)
    vz.smoothgrad(net, torch.cat([whole, 0.5 * whole]), 0, samples=40, noise=0.1)
    passes = torch.cat(seen)
    strong, weak = passes[0::2] - whole, passes[1::2] - 0.5 * whole
    assert strong.std() == pytest.approx(0.1, rel=0.05) and weak.std() == pytest.approx(0.05, rel=0.05)


def test_the_variance_of_the_estimate_falls_as_one_over_n(tiny, pictures):
    net, x = tiny(), pictures(1)
    spread = [
        torch.stack([vz.smoothgrad(net, x, 0, samples=n, noise=0.3, seed=seed) for seed in range(40)])
        .var(0)
        .mean()
        for n in (2, 16)
    ]
    assert spread[0] / spread[1] == pytest.approx(8, rel=0.3)


def test_guided_backpropagation_can_be_smoothed_too(tiny, pictures):
    net, x = tiny(), pictures(2)
    torch.testing.assert_close(
        vz.smoothgrad(net, x, 1, samples=2, noise=0, rule="guided"), vz.guided_backprop(net, x, 1)
    )


def test_one_class_is_asked_of_all_noisy_copies(tiny, pictures):
    net, x = tiny(), pictures(3)
    with torch.no_grad():
        top = net(x).argmax(1)
    torch.testing.assert_close(
        vz.smoothgrad(net, x, samples=6, noise=0.6), vz.smoothgrad(net, x, top.tolist(), samples=6, noise=0.6)
    )


def test_a_mean_that_is_stopped_is_the_mean_so_far(tiny, pictures):
    net, x = tiny(), pictures(1)
    calls = []
    stopped = vz.smoothgrad(
        net,
        x,
        0,
        samples=20,
        batch_size=4,
        progress=lambda done, total, preview: calls.append((done, total)) or done < 8,
    )
    assert calls == [(4, 20), (8, 20)]
    torch.testing.assert_close(stopped, vz.smoothgrad(net, x, 0, samples=8))


def test_a_picture_of_which_there_is_nothing_yet_has_no_map(tiny, pictures):
    net, x = tiny(), pictures(3)
    stopped = vz.smoothgrad(net, x, 0, batch_size=2, progress=lambda done, total, preview: False)
    torch.testing.assert_close(stopped[:1], vz.smoothgrad(net, x[:1], 0, samples=1))
    assert (stopped[1] != 0).any() and (stopped[2] == 0).all()


def test_the_noise_does_not_depend_on_the_batch_size(tiny, pictures):
    net, x = tiny(), pictures(3)
    maps = [vz.smoothgrad(net, x, 0, samples=4, batch_size=n) for n in (1, 5, 100)]
    torch.testing.assert_close(maps[1], maps[0])
    torch.testing.assert_close(maps[2], maps[0])


def test_numbers_from_numpy_and_pictures_with_a_graph(tiny, pictures):
    net, x = tiny(), pictures(1)
    how = {"samples": np.int64(4), "noise": np.float32(0.25), "seed": np.int64(3), "batch_size": np.int64(3)}
    ours = vz.smoothgrad(net, x.clone().requires_grad_(), 0, **how)
    assert not ours.requires_grad
    torch.testing.assert_close(ours, vz.smoothgrad(net, x, 0, samples=4, noise=0.25, seed=3))
    torch.testing.assert_close(vz.smoothgrad(net, x, 0, samples=4, noise=torch.tensor(0.25), seed=3), ours)


def test_the_caller_s_random_numbers_are_left_alone(tiny, pictures):
    net = tiny()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    vz.smoothgrad(net, pictures(1), 0, samples=2)
    assert torch.rand(3).equal(expected)


def test_it_stays_on_the_network_s_device(tiny, pictures):
    """On the device "meta" tensors have a shape and no values, and a second device is an error."""
    net = tiny()
    net.layer("conv2")  # looked for with pictures that have values
    net = net.to("meta")
    for target in (1, [0, 1], vz.unit("conv2", 3), None, lambda logits: logits[:, 0]):
        assert vz.smoothgrad(net, pictures(2), target, samples=3).device.type == "meta"


@pytest.mark.parametrize(
    "arguments",
    [
        {"samples": 0},
        {"samples": 1.5},
        {"noise": -0.1},
        {"noise": float("nan")},
        {"noise": "much"},
        {"batch_size": 0},
        {"seed": "seven"},
    ],
)
def test_what_makes_no_sense_is_refused(tiny, pictures, arguments):
    with pytest.raises(vz.VizlibError, match=f"{next(iter(arguments))} is a"):
        vz.smoothgrad(tiny(), pictures(1), 0, **arguments)
