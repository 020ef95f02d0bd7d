"""Priors, by hand."""

import math

import pytest
import torch

import vizlib as vz
from vizlib.synthesis import priors


@pytest.fixture
def step():
    """Grey 0.5, in the lower right corner of 4 x 4 a square of 2 x 2 that is brighter by 0.3."""
    image = torch.full((1, 3, 4, 4), 0.5)
    image[..., 2:, 2:] = 0.8
    return image


def test_total_variation(step):
    assert priors.total_variation(torch.full((2, 3, 5, 5), 0.3)).tolist() == [0, 0]
    assert priors.total_variation(step).item() == pytest.approx(
        2 * 0.09
    )  # at (1, 2) down and at (2, 1) to the right
    assert priors.total_variation(step, 1).item() == pytest.approx(2 * 0.3, abs=1e-2)
    ramp = torch.arange(5.0).view(1, 1, 1, 5).expand(1, 3, 5, 5) / 10
    assert priors.total_variation(ramp).item() == pytest.approx(16 * 0.01)
    assert priors.total_variation(ramp.transpose(2, 3)).item() == pytest.approx(16 * 0.01)  # both axes count
    with pytest.raises(vz.VizlibError, match="beta is positive"):
        priors.total_variation(step, 0)


def test_its_slope_is_finite_where_nothing_varies(step):
    x = step.clone().requires_grad_()
    priors.total_variation(x, 1.5).sum().backward()
    assert torch.isfinite(x.grad).all()


def test_norms_and_bounds(step):
    assert priors.alpha_norm(step, 2).item() == pytest.approx(12 * 0.09)
    assert priors.outside(torch.tensor([-0.1, 0.5, 1.2]).view(1, 3, 1, 1)).item() == pytest.approx(
        0.01 + 0.04
    )


def test_changes_after_a_step(step):
    assert torch.allclose(priors.decay(step, 0.5), 0.5 + (step - 0.5) / 2)
    blurred = priors.blur(step, 1.0)
    assert blurred.mean().item() == pytest.approx(step.mean().item(), abs=0.05) and blurred.max() < step.max()
    kept = priors.clip_small_norm(step + 0.01, 80)
    assert torch.allclose(kept[..., 2:, 2:], torch.tensor(0.81)) and kept[..., 0, 0].unique().tolist() == [
        0.5
    ]
    gradient = torch.zeros_like(step)
    gradient[..., 3, 3], gradient[0, 0, 2, 2], gradient[0, 1, 2, 2] = (
        -1,
        5,
        -5,
    )  # contributions that cancel do not count
    kept = priors.clip_small_contribution(step, gradient, 95)
    assert torch.allclose(kept[..., 3, 3], torch.tensor(0.8)) and kept[0, 0, 2, 2] == 0.5


def test_the_share_of_fine_waves():
    x = torch.arange(64.0)
    coarse, fine = (
        0.5 + 0.2 * torch.sin(2 * math.pi * f * x).view(1, 1, 1, 64).expand(1, 3, 64, 64)
        for f in (4 / 64, 24 / 64)
    )
    assert priors.high_share(coarse).item() == pytest.approx(0, abs=1e-5)
    assert priors.high_share(fine).item() == pytest.approx(1, abs=1e-5)
    assert priors.high_share(coarse + fine - 0.5).item() == pytest.approx(0.5, abs=1e-4)
    odd = torch.rand(1, 3, 9, 11)
    everything = torch.fft.fft2(odd - odd.mean((2, 3), keepdim=True)).abs() ** 2
    fy, fx = torch.fft.fftfreq(9)[:, None], torch.fft.fftfreq(11)[None]
    share = (everything * ((fy**2 + fx**2).sqrt() > 0.25)).sum() / everything.sum()
    assert priors.high_share(odd).item() == pytest.approx(share.item(), rel=1e-4)


def test_a_ball_keeps_what_is_inside_and_pulls_in_what_is_not():
    """Around mid-grey: 3-4-0 is 5 long, and becomes 1 long in the same direction; what is 0.5 long stays."""
    far, near = torch.zeros(2, 1, 1, 3)
    far[0, 0], near[0, 0, 0] = torch.tensor([3.0, 4, 0]), 0.5
    pulled = priors.in_ball(torch.stack([far, near]) + 0.5, 1.0) - 0.5
    torch.testing.assert_close(pulled[0, 0, 0], torch.tensor([0.6, 0.8, 0]))
    torch.testing.assert_close(pulled[1], near)


def test_every_third_step():
    change = priors.every(3, lambda images, gradient, step: images + 1)
    assert [change(0, None, step) for step in range(6)] == [1, 0, 0, 1, 0, 0]
