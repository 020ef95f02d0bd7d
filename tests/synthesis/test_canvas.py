"""Canvases: pixels that stay in [0, 1], and waves whose sum is a picture."""

import pytest
import torch

from vizlib.synthesis import Fourier, Pixels, noise


def test_a_canvas_without_waves_is_mid_grey():
    canvas = Fourier((20, 30), 2, spread=0)
    assert torch.equal(canvas.image(), torch.full((2, 3, 20, 30), 0.5))


@pytest.mark.parametrize("size", [(16, 24), (15, 17)])
def test_one_knob_is_one_wave_of_one_colour(size):
    canvas = Fourier(size, spread=0, power=1)
    with torch.no_grad():
        canvas.knobs[0, 1, 0, 3, 0] = 8.0  # three waves across, in the second colour: red against blue
    image = canvas.image()[0]
    assert torch.allclose(image, image[:, :1].expand_as(image), atol=1e-6)  # all rows alike
    waves = torch.fft.rfft(image[0, 0].logit()).abs()
    assert int(waves[1:].argmax()) + 1 == 3 and waves[3] > 100 * waves[[1, 2, 4, 5]].max()
    assert image[0].std() > 0.01 and image[1].std() < 1e-6  # red swings, green (0.00) does not ...
    assert torch.allclose(image[0].logit(), -image[2].logit(), atol=1e-5)  # ... and blue swings against red


@pytest.mark.parametrize("size", [(16, 40), (40, 16)])
def test_waves_that_fit_into_the_longest_side_are_weighed_by_their_frequency(size):
    """w = 1 / f down to the longest wave that fits: one along 40 pixels is twice as heavy as two."""

    def swing(waves):
        canvas = Fourier(size, spread=0, power=1, colours=False)
        with torch.no_grad():
            canvas.knobs[(0, 0, 0, waves, 0) if size[1] > size[0] else (0, 0, waves, 0, 0)] = 0.1
        return canvas.image().detach()[0, 0].logit().abs().max()

    assert float(swing(1) / swing(2)) == pytest.approx(2, rel=1e-3)
    assert float(swing(2) / swing(3)) == pytest.approx(1.5, rel=1e-3)


@pytest.mark.parametrize("power, slope", [(1, -2), (1.5, -3)])
def test_the_spectrum_of_a_start_falls_with_the_frequency(power, slope):
    image = Fourier(128, 4, colours=False, power=power, spread=0.05).image().detach().double().logit()
    energy = torch.fft.rfft2(image).abs().pow(2).mean((0, 1))
    fy, fx = torch.fft.fftfreq(128)[:, None], torch.fft.rfftfreq(128)[None]
    f = (fy**2 + fx**2).sqrt()
    chosen = (f > 0.02) & (f < 0.4)
    x, y = f[chosen].log().double(), energy[chosen].log()
    measured = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    assert measured == pytest.approx(slope, abs=0.2)


def test_pictures_lie_in_0_1_and_repeat_themselves():
    wild = Fourier(32, spread=30)
    assert wild.image().min() >= 0 and wild.image().max() <= 1
    assert torch.equal(Fourier(32, seed=4).image(), Fourier(32, seed=4).image())
    assert not torch.equal(Fourier(32, seed=4).image(), Fourier(32, seed=5).image())
    assert torch.equal(noise(16, seed=1), noise(16, seed=1)) and noise(16, 3).shape == (3, 3, 16, 16)


def test_pixels_are_a_copy_and_are_clipped_after_a_step():
    start = noise(8)
    canvas = Pixels(start)
    with torch.no_grad():
        canvas.knobs += 0.8
    canvas.settle()
    assert canvas.image().max() == 1 and start.max() < 1
    loose = Pixels(start, clip=False)
    with torch.no_grad():
        loose.knobs += 0.8
    loose.settle()
    assert loose.image().max() > 1


def test_a_grey_canvas_has_one_brightness():
    canvas = Fourier(16, 2, colours="grey", spread=0.5)
    image = canvas.image()
    assert canvas.knobs.shape == (2, 1, 16, 9, 2) and image.shape == (2, 3, 16, 16)
    assert torch.equal(image, image[:, :1].expand_as(image)) and image.std() > 0.1
    assert not torch.equal(image[0], image[1])
