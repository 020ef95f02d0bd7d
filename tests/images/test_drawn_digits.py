"""Digits: seeded, labelled rightly, drawn from many fonts."""

import numpy as np
import pytest
import torch

import vizlib as vz
from vizlib.images.drawn_digits import FONTS, HELD_OUT, _glyphs


def test_pictures_are_in_pixel_space_and_grey():
    images, labels = vz.digits(50, 1)
    assert images.shape == (50, 3, 28, 28) and images.dtype == torch.float32 and labels.shape == (50,)
    assert images.min() >= 0 and images.max() <= 1
    assert torch.equal(images[:, 0], images[:, 1]) and torch.equal(images[:, 0], images[:, 2])


def test_the_seed_decides_and_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    assert torch.equal(vz.digits(8, 3)[0], vz.digits(8, 3)[0])
    assert not torch.equal(vz.digits(8, 3)[0], vz.digits(8, 4)[0])
    assert torch.equal(before, torch.get_rng_state())


def test_all_ten_digits_come_about_equally_often():
    counts = torch.bincount(vz.digits(2000)[1], minlength=10)
    assert len(counts) == 10 and counts.min() > 150


def test_no_two_fonts_draw_all_digits_alike_and_no_font_draws_a_digit_twice():
    glyphs = _glyphs(FONTS + HELD_OUT)
    assert not set(FONTS) & set(HELD_OUT)
    for i in range(len(glyphs)):
        for j in range(i):
            assert (glyphs[i] - glyphs[j]).abs().mean() > 0.005, (i, j)
        for digit in range(10):
            assert (glyphs[i, digit] - glyphs[i, :digit]).abs().flatten(1).mean(1).gt(0.01).all()
            assert glyphs[i, digit].max() > 0.9, (i, digit)


def test_an_upright_glyph_carries_its_label():
    """The mean picture of a label looks most like that digit's own glyphs."""
    images, labels = vz.digits(3000, 5)
    means = torch.stack([images[labels == k, 0].mean(0) for k in range(10)])
    glyphs = torch.nn.functional.interpolate(_glyphs(FONTS).mean(0), (28, 28), mode="area")[:, 0]

    def unit(x):
        x = x.flatten(1) - x.flatten(1).mean(0)  # what sets a digit apart from the others
        return x / x.norm(dim=1, keepdim=True)

    assert (unit(means) @ unit(glyphs).T).argmax(1).tolist() == list(range(10))


@pytest.mark.parametrize("wrong", [0, -1, 2.5, "many", True, None])
def test_a_wrong_count_is_refused(wrong):
    with pytest.raises(vz.VizlibError, match="count is a number of pictures, 1 or more; this is"):
        vz.digits(wrong)


def test_counts_and_seeds_may_be_numbers_of_numpy_and_torch():
    expected = vz.digits(4, 3)
    for four, three in ((np.int64(4), np.int32(3)), (torch.tensor(4), torch.tensor(3))):
        images, labels = vz.digits(four, three)
        assert torch.equal(images, expected[0]) and torch.equal(labels, expected[1])


@pytest.mark.parametrize("wrong", [1.5, "one", None, (1, 2)])
def test_a_seed_that_is_no_whole_number_is_refused(wrong):
    with pytest.raises(vz.VizlibError, match="seed is a whole number; this is"):
        vz.digits(1, wrong)


def test_what_comes_back_is_not_what_is_kept_for_the_next_time():
    expected = vz.digits(2, 0)[0].clone()
    vz.digits(2, 0)[0].zero_()
    assert torch.equal(vz.digits(2, 0)[0], expected)
