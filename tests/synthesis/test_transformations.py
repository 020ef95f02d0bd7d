"""Shaking: nothing, whole pixels, a quarter turn, a zoom; and every picture by its own amount."""

import pytest
import torch

import vizlib as vz
from vizlib.synthesis import jitter
from vizlib.synthesis.transformations import enlarged


class Fixed:
    """torch.rand that gives what it is told, as drawn from [0, 1]: (dx, dy, scale, rotation)."""

    def __init__(self, monkeypatch, *values):
        monkeypatch.setattr(
            torch, "rand", lambda rows, n, generator: torch.tensor(values).view(4, 1).expand(4, n)
        )


@pytest.fixture
def ramp():
    return (torch.arange(48.0) / 48).view(1, 3, 4, 4)


def test_nothing_asked_nothing_done(ramp):
    assert jitter(ramp, None) is ramp


def test_a_shift_by_whole_pixels(monkeypatch, ramp):
    Fixed(monkeypatch, 1.0, 0.5, 0.5, 0.5)  # the grid moves right by all of the shift: the picture left
    moved = jitter(ramp, None, shift=1)
    assert torch.allclose(moved[..., :3], ramp[..., 1:], atol=1e-6)
    assert torch.allclose(moved[..., 3], torch.full((1, 3, 4), 0.5), atol=1e-6)


def test_a_quarter_turn(monkeypatch, ramp):
    Fixed(monkeypatch, 0.5, 0.5, 0.5, 1.0)
    assert torch.allclose(jitter(ramp, None, rotate=90), torch.rot90(ramp, 1, (2, 3)), atol=1e-5)


def test_a_zoom_by_two(monkeypatch):
    Fixed(monkeypatch, 0.5, 0.5, 0.0, 0.5)  # the smallest factor
    white = torch.ones(1, 3, 8, 8)
    small = jitter(white, None, scale=0.5)
    assert torch.allclose(small[0, 0, 3:5, 3:5], torch.ones(2, 2)) and torch.allclose(
        small[0, 0, 0], torch.full((8,), 0.5)
    )


def test_every_picture_is_shaken_by_its_own_amount_evenly_to_all_sides():
    spots = torch.full((400, 3, 33, 33), 0.5)
    spots[:, :, 16, 16] = 1
    generator = torch.Generator().manual_seed(0)
    moved = jitter(spots, generator, shift=8)[:, 0].flatten(1).argmax(1)
    rows, columns = moved // 33 - 16.0, moved % 33 - 16.0
    for where in (rows, columns):
        assert where.abs().max() <= 8 and where.std() > 4 and abs(where.mean()) < 1


def test_a_margin_of_grey(ramp):
    wide = jitter(ramp, None, pad=2)
    assert (
        wide.shape == (1, 3, 8, 8)
        and torch.equal(wide[..., 2:6, 2:6], ramp)
        and (wide[..., :2, :] == 0.5).all()
    )
    with pytest.raises(vz.VizlibError, match="pad is a whole number of pixels, 0 or more; this is 1.5"):
        jitter(ramp, None, pad=1.5)


@pytest.mark.parametrize("asked", [{"shift": -1}, {"scale": 1.0}, {"rotate": -5}])
def test_what_cannot_be_asked(asked, ramp):
    with pytest.raises(vz.VizlibError, match="shift and rotate are 0 or more"):
        jitter(ramp, None, **asked)


def test_enlarged_last_whatever_moves(ramp):
    assert enlarged(ramp, 1) is ramp
    twice = jitter(ramp, None, enlarge=2)
    assert twice.shape == (1, 3, 8, 8) and torch.equal(twice, enlarged(ramp, 2))
    # each new pixel lies a quarter of a step beside an old one
    assert torch.allclose(twice[0, 0, 0, :3], ramp[0, 0, 0, 0] + torch.tensor([0, 0.25, 0.75]) / 48)
    moved = jitter(ramp, torch.Generator().manual_seed(0), shift=1, roll=2)
    nearer = jitter(ramp, torch.Generator().manual_seed(0), shift=1, roll=2, enlarge=2)
    assert torch.equal(nearer, enlarged(moved, 2))


@pytest.mark.parametrize("factor", [0.5, float("inf"), "2"])
def test_pictures_are_not_made_smaller(ramp, factor):
    with pytest.raises(vz.VizlibError, match="enlarge is a factor, 1 or more"):
        jitter(ramp, None, enlarge=factor)
