"""Warps: exact where the grid allows it, undone by their inverse, and the same for pictures and codes."""

import numpy as np
import pytest
import torch
from torch._subclasses import FakeTensorMode

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


def test_beyond_its_border_a_picture_goes_on_as_in_a_mirror_that_stands_on_its_outermost_pixels():
    x = torch.tensor([[1.0, 2, 3, 5, 8]])
    # Half as large, the five positions look at -2, 0, 2, 4, 6; 0 and 4 are the outermost pixels.
    assert torch.equal(scaling(0.5)(x), torch.tensor([[3.0, 1, 3, 8, 3]]))
    assert torch.equal(scaling(0.5)(x.T), torch.tensor([[3.0, 1, 3, 8, 3]]).T)
    # A third as large they look at -4, -1, 2, 5, 8: mirrored once, and twice.
    torch.testing.assert_close(scaling(1 / 3)(x), torch.tensor([[8.0, 2, 3, 5, 1]]))
    # Turned by 45 degrees, a corner looks 2 * 2**0.5 to the left of the centre,
    # which is beyond the border: mirrored, between columns 0 and 1.
    grid = torch.zeros(5, 5)
    grid[2] = x
    place = 2 * 2**0.5 - 2
    torch.testing.assert_close(rotation(45)(grid)[4, 0].item(), (1 - place) * 1 + place * 2)


def test_between_pixels_the_nearest_four_are_mixed():
    x = torch.tensor([[0.0, 1.0], [10.0, 100.0]])  # twice as large: a quarter of the way from the corners
    weights = torch.tensor([0.75, 0.25])
    expected = torch.stack(
        [w @ x @ v for w in (weights, weights.flip(0)) for v in (weights, weights.flip(0))]
    ).view(2, 2)
    torch.testing.assert_close(scaling(2)(x), expected)


@pytest.mark.parametrize("g", [rotation(30), scaling(0.7), rotation(-20).inverse], ids=lambda g: g.name)
def test_every_grid_is_warped_alike_whatever_stands_before_its_rows_and_columns(g):
    x = torch.rand(2, 3, 4, 7, 6)
    expected = torch.stack([g(part) for part in x])
    torch.testing.assert_close(g(x), expected)
    torch.testing.assert_close(g(x[0, 0]), expected[0, 0])
    torch.testing.assert_close(g(x[0, 0, 0]), expected[0, 0, 0])


@pytest.mark.parametrize("shape", [(1, 3, 1, 9), (1, 3, 9, 1), (1, 1, 1, 1)])
def test_grids_of_a_single_row_or_column_are_warped_too(shape):
    x = torch.rand(shape)
    for g in (scaling(2), scaling(0.5), rotation(30)):
        assert g(x).isfinite().all() and g(x).min() >= x.min() and g(x).max() <= x.max()


@pytest.mark.parametrize("dtype, far", [(torch.float16, 1e-2), (torch.bfloat16, 5e-2), (torch.float64, 1e-5)])
def test_half_and_double_precision_come_back_as_they_came(dtype, far):
    x = torch.rand(1, 2, 33, 40)
    for g in (rotation(30), rotation(90), scaling(0.6), H_FLIP):
        assert g(x.to(dtype)).dtype == dtype
        assert (g(x.to(dtype)).float() - g(x)).abs().max() < far


def test_a_warp_stays_on_the_device_of_its_grid():
    with FakeTensorMode():
        for device in ("cpu", "cuda"):
            x = torch.empty(2, 3, 8, 9, device=device)
            for g in (rotation(30), rotation(90), scaling(0.6), scaling(0.6).inverse, V_FLIP):
                assert g(x).device.type == device and g(x).numel() == x.numel()


def test_a_warp_can_be_differentiated():
    x = torch.rand(1, 1, 6, 6, requires_grad=True)
    scaling(0.5)(x).sum().backward()
    assert x.grad is not None and x.grad.sum().item() == pytest.approx(36, rel=1e-5)


def test_numbers_of_numpy_and_torch_are_numbers():
    assert rotation(np.int64(90)).back == rotation(torch.tensor(90)).back == rotation(90).back
    assert scaling(np.float32(0.5)).back == scaling(torch.tensor(0.5)).back == scaling(0.5).back


@pytest.mark.parametrize("wrong", ["much", None, float("nan"), float("inf"), (1, 2)])
def test_what_is_no_angle_or_factor_is_refused(wrong):
    with pytest.raises(vz.VizlibError, match="An angle is a number of degrees; this is"):
        rotation(wrong)
    with pytest.raises(vz.VizlibError, match="A factor of scaling is a number above 0; this is"):
        scaling(wrong)


@pytest.mark.parametrize("g", [H_FLIP, rotation(30)], ids=lambda g: g.name)
@pytest.mark.parametrize("wrong", [np.zeros((1, 3, 8, 8)), torch.zeros(8), torch.zeros(1, 3, 0, 8), None])
def test_what_is_no_grid_is_refused(g, wrong):
    with pytest.raises(vz.VizlibError, match=r"A warp takes a grid or grids \(..., h, w\); this is"):
        g(wrong)


def test_whole_numbers_are_flipped_but_not_interpolated():
    x = torch.arange(6).view(2, 3)
    assert torch.equal(H_FLIP(x), x.flip(-1))
    with pytest.raises(
        vz.VizlibError, match="'turn by 30' interpolates and needs floats; this is torch.int64"
    ):
        rotation(30)(x)


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
