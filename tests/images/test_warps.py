"""Warps: exact where the grid allows it, undone by their inverse, and the same for pictures and codes."""

import pytest
import torch

import vizlib as vz
from vizlib.images import H_FLIP, V_FLIP, Warp, rotation, scaling

EXACT = {
    "mirror": (H_FLIP, lambda x: x.flip(-1)),
    "upside down": (V_FLIP, lambda x: x.flip(-2)),
    "nothing": (rotation(0), lambda x: x),
    "90": (rotation(90), lambda x: torch.rot90(x, 1, (-2, -1))),
    "180": (rotation(180), lambda x: x.flip(-1, -2)),
    "-90": (rotation(-90), lambda x: torch.rot90(x, -1, (-2, -1))),
    "450": (rotation(450), lambda x: torch.rot90(x, 1, (-2, -1))),
}


@pytest.mark.parametrize("name", EXACT)
def test_flips_and_quarter_turns_are_exact_on_any_grid(name):
    g, expected = EXACT[name]
    for shape in ((2, 3, 5, 7), (1, 1, 4, 4), (3, 6, 5)):
        x = torch.rand(shape)
        assert torch.equal(g(x), expected(x))
        assert torch.equal(g.inverse(g(x)), x)


def test_interpolated_warps_agree_with_the_exact_ones_where_both_exist():
    x = torch.rand(2, 3, 6, 6)
    almost = Warp("a quarter turn, almost", ((1e-7, 1.0), (-1.0, 1e-7)))
    assert torch.allclose(almost(x), rotation(90)(x), atol=1e-5)


def test_a_ramp_is_turned_and_scaled_by_hand():
    rows = (torch.arange(9.0) - 4).view(1, 1, 9, 1).expand(1, 1, 9, 9)  # x(r, c) = r, counted from the centre
    assert torch.allclose(scaling(2)(rows)[0, 0, :, 4], (torch.arange(9.0) - 4) / 2, atol=1e-5)
    t = torch.tensor(30.0).deg2rad()
    expected = (
        rows[0, 0] * t.cos() + rows[0, 0].T * t.sin()
    )  # counterclockwise: what is at the right moves up
    assert torch.allclose(rotation(30)(rows)[0, 0, 3:6, 3:6], expected[3:6, 3:6], atol=1e-5)


def test_smaller_and_larger_undo_each_other_on_a_smooth_picture_away_from_the_border():
    p = torch.linspace(-1, 1, 41)
    smooth = torch.exp(-4 * (p[:, None] ** 2 + (p[None] - 0.1) ** 2))[None, None]
    g = scaling(2**0.5)
    assert torch.allclose(g(g.inverse(smooth))[..., 10:31, 10:31], smooth[..., 10:31, 10:31], atol=0.03)
    assert g(smooth)[0, 0, 20, 30] > smooth[0, 0, 20, 30]  # larger: a hill reaches farther


def test_what_flattens_or_has_no_size_is_refused():
    with pytest.raises(vz.VizlibError, match="nothing undoes it"):
        _ = Warp("flat", ((1, 0), (1, 0))).inverse
    with pytest.raises(vz.VizlibError, match="above 0"):
        scaling(0)
