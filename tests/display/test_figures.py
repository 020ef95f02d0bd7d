"""Figures: what is drawn, with which scale, and what is said of it."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

import vizlib as vz
from vizlib.display.figures import Picture, _limits, _number


def pixels(picture):
    return np.asarray(Image.open(io.BytesIO(picture.data)).convert("RGB")).astype(int)


def has_colour(picture, colour, tolerance=12, least=50):
    """Whether at least so many pixels have about this colour."""
    return (np.abs(pixels(picture) - np.array(colour)).max(-1) <= tolerance).sum() >= least


def test_center_puts_zero_at_mid_grey_and_the_largest_values_at_black_and_white():
    values = torch.tensor([-4.0, -2, 0, 2, 4, 1]).view(1, 1, 1, 6).expand(1, 3, 1, 6)
    expected = torch.tensor([0.0, 0.25, 0.5, 0.75, 1, 0.625]).view(1, 1, 1, 6).expand(1, 3, 1, 6)
    torch.testing.assert_close(vz.centre(values, percentile=100), expected)


def test_center_cuts_at_a_percentile_of_each_picture_so_that_single_pixels_do_not_hide_the_rest():
    values = torch.ones(2, 3, 20, 20)
    values[1] *= 100
    values[:, 0, 0, 0] = 1e6
    scaled = vz.centre(values, percentile=99)
    torch.testing.assert_close(
        scaled, torch.ones_like(scaled)
    )  # 1 in the first and 100 in the second are the percentile
    assert vz.centre(values, percentile=100)[0, 1].max() < 0.501


def test_center_of_a_map_and_of_its_negative_are_mirrored_around_mid_grey(pictures):
    values = pictures(2) - 0.3
    torch.testing.assert_close(vz.centre(values) + vz.centre(-values), torch.ones_like(values))


def test_center_does_not_depend_on_the_size_of_the_values_and_zeros_are_grey(pictures):
    values = pictures(2) - 0.3
    torch.testing.assert_close(vz.centre(values * 1e-4), vz.centre(values), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(vz.centre(torch.zeros(1, 3, 4, 4)), torch.full((1, 3, 4, 4), 0.5))


def test_center_gives_a_picture_that_can_be_shown(pictures):
    scaled = vz.centre((pictures(2) - 0.5) * 100)
    assert scaled.dtype == torch.float32 and scaled.min() >= 0 and scaled.max() <= 1
    assert isinstance(vz.show(scaled, alt="two signed pictures"), Picture)


def test_a_picture_is_drawn_in_its_own_colours():
    red = torch.tensor([1.0, 0.2, 0]).view(1, 3, 1, 1).expand(1, 3, 20, 20)
    drawn = vz.show(red, alt="an orange red square")
    assert drawn.format == "jpeg" and drawn.data[:2] == b"\xff\xd8"
    assert has_colour(drawn, (255, 51, 0), least=5000)


def test_a_map_without_negative_values_runs_from_black_to_yellow_and_a_signed_one_through_white():
    ramp = torch.linspace(0, 1, 32).expand(1, 1, 32, 32)
    unsigned, signed = vz.show(ramp, alt="a ramp"), vz.show(ramp * 2 - 1, alt="a signed ramp")
    assert has_colour(unsigned, (0, 0, 4), least=1500) and not has_colour(signed, (0, 0, 4), least=1500)
    orange, purple = (127, 59, 8), (45, 0, 75)
    assert has_colour(signed, orange, 25) and has_colour(signed, purple, 25)
    assert not has_colour(unsigned, purple, 5, least=500)


def test_zero_is_the_middle_of_a_signed_scale_and_the_start_of_an_unsigned_one():
    assert _limits(np.array([-1.0, 4.0]), None, 100) == (-4, 4)
    assert _limits(np.array([-4.0, 1.0]), None, 100) == (-4, 4)
    assert _limits(np.array([1.0, 4.0]), None, 100) == (0, 4)
    assert _limits(np.array([0.0, 4.0]), 10, 100) == (0, 10)
    assert _limits(np.array([-1e-6, 4.0]), None, 100) == (0, 4), "a rounding error is no sign"
    assert _limits(np.zeros(3), None, 99.5) == (0, 1)


def test_a_single_extreme_pixel_does_not_set_the_scale_but_a_map_with_one_pixel_has_one():
    values = np.ones(1000)
    values[0] = 1e6
    assert _limits(values, None, 99.5)[1] == pytest.approx(1)
    values = np.zeros(1000)
    values[0] = 5
    assert _limits(values, None, 99.5) == (0, 5)


@pytest.mark.parametrize(
    "value, text",
    [(0, "0"), (1, "1"), (-0.25, "-0.25"), (12.3456, "12"), (0.00012, "1e-04"), (54321, "5e+04")],
)
def test_numbers_at_the_scale_are_short(value, text):
    assert _number(value) == text


def test_more_cells_make_more_rows_and_titles_make_room(pictures):
    one = pixels(vz.show(pictures(1), alt="one")).shape
    four = pixels(vz.show(pictures(4), alt="four")).shape
    eight = pixels(vz.show(pictures(8), alt="eight")).shape
    stacked = pixels(vz.show(pictures(4), alt="a column", columns=1)).shape
    titled = pixels(vz.show(pictures(4), ["a", "b", "c", "d"], alt="four")).shape
    assert four[1] > one[1] and eight[0] > four[0] * 1.7 and abs(eight[1] - four[1]) <= 2
    assert stacked[0] > stacked[1] * 3 and titled[0] > four[0]


def test_pictures_maps_and_overlays_stand_side_by_side(pictures):
    x = pictures(1)
    drawn = vz.show([x, x[:, :1], x[0], vz.overlay(x, x[:, :1]), x[0, :1]], list("abcde"), alt="a mixture")
    assert pixels(drawn).shape[1] > 500


def test_an_overlay_shows_colour_over_grey(pictures):
    map = torch.zeros(1, 1, 32, 32)
    map[..., 8:24, 8:24] = 1
    drawn = pixels(vz.show(vz.overlay(torch.full((1, 3, 32, 32), 0.5), map), alt="a square on grey"))
    middle, corner = drawn[drawn.shape[1] // 2 - 20, drawn.shape[1] // 2], drawn[25, 25]
    assert middle[0] > middle[2] + 40  # yellow over grey
    assert np.ptp(corner) < 30 and corner.max() < 120  # black over grey


def test_an_overlay_takes_pictures_with_and_without_a_batch_dimension(pictures):
    x = pictures(1)
    a, b = vz.overlay(x, x[:, :1]), vz.overlay(x[0], x[0, :1])
    assert a.image.shape == b.image.shape == (3, 16, 16) and a.map.shape == b.map.shape == (1, 16, 16)


@pytest.mark.parametrize(
    "map",
    [torch.zeros(1, 1, 7, 7), torch.zeros(1, 3, 16, 16), torch.zeros(16, 16)],
    ids=["small", "coloured", "flat"],
)
def test_an_overlay_needs_a_map_of_the_pictures_size(pictures, map):
    with pytest.raises(vz.VizlibError, match="An overlay needs a map of the picture's size"):
        vz.overlay(pictures(1), map)


def test_an_overlay_is_of_one_picture(pictures):
    with pytest.raises(vz.VizlibError):
        vz.overlay(pictures(2), pictures(2)[:, :1])


@pytest.mark.parametrize(
    "items, telling",
    [
        ([], "There is nothing to show"),
        (torch.zeros(0, 3, 8, 8), "There is nothing to show"),
        (torch.zeros(1, 2, 8, 8), r"this is \(1, 2, 8, 8\)"),
        (torch.zeros(8, 8), r"this is \(8, 8\)"),
        (np.zeros((1, 3, 8, 8)), "this is ndarray"),
        ("cat.jpg", "this is str"),
        ([torch.zeros(1, 3, 8, 8), None], "this is NoneType"),
        (torch.full((1, 1, 8, 8), float("nan")), "NaN or infinite"),
        (torch.full((1, 3, 8, 8), float("inf")), "NaN or infinite"),
        (torch.full((1, 3, 8, 8), -1.0), "so they are no picture. vz.centre.values."),
        (torch.full((1, 3, 8, 8), 255.0), "run from 255 to 255"),
    ],
    ids=str,
)
def test_what_cannot_be_drawn_is_refused_with_what_was_seen(items, telling):
    with pytest.raises(vz.VizlibError, match=telling):
        vz.show(items, alt="nothing")


def test_an_overlay_with_nan_cannot_be_drawn_either(pictures):
    with pytest.raises(vz.VizlibError, match="NaN or infinite"):
        vz.show(vz.overlay(pictures(1), torch.full((1, 1, 16, 16), float("nan"))), alt="nothing")


def test_there_is_one_title_for_each_cell(pictures):
    with pytest.raises(vz.VizlibError, match="There are 3 things to show and 2 titles"):
        vz.show(pictures(3), ["a", "b"], alt="three")


@pytest.mark.parametrize("alt", ["", None])
def test_a_figure_without_a_description_is_refused(pictures, alt):
    with pytest.raises(vz.VizlibError, match="A figure needs alt=..., a sentence"):
        vz.show(pictures(1), alt=alt)
    with pytest.raises(TypeError):
        vz.show(pictures(1))


def test_a_notebook_gets_the_picture_and_its_description(pictures):
    drawn = vz.show(pictures(1), alt="noise")
    data, metadata = drawn._repr_mimebundle_()
    assert base64.b64decode(data["image/jpeg"]) == drawn.data
    assert metadata["image/jpeg"]["alt"] == "noise"
    assert data["text/plain"] == repr(drawn) == "Figure: noise"


def test_a_figure_can_be_saved(pictures, tmp_path):
    drawn = vz.show(pictures(1), alt="noise")
    drawn.save(tmp_path / "noise.jpg")
    assert (tmp_path / "noise.jpg").read_bytes() == drawn.data


def test_the_same_figure_is_drawn_the_same_way_twice(pictures):
    a, b = (vz.show([pictures(1), pictures(1)[:, :1]], ["a", "b"], alt="noise") for _ in range(2))
    assert np.abs(pixels(a) - pixels(b)).max() == 0


def test_a_tensor_that_requires_a_gradient_can_be_shown_and_is_not_changed(pictures):
    x = pictures(1).requires_grad_()
    before = x.detach().clone()
    vz.show([x, x[:, :1]], alt="noise")
    assert torch.equal(x.detach(), before)


def test_a_figure_of_ones_own_is_finished_with_picture():
    fig, ax = vz.figure()
    ax.plot([0, 1, 4, 9])
    drawn = vz.picture(fig, "a parabola")
    assert drawn.format == "png" and drawn.data[:4] == b"\x89PNG" and drawn.alt == "a parabola"
    assert pixels(drawn).min() < 150
    fig, axes = vz.figure(columns=3)
    assert len(axes) == 3


def test_drawing_needs_no_screen_and_opens_no_window():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    vz.show(torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0)), alt="noise")
    assert plt.get_fignums() == before


def test_two_threads_may_draw_at_once(pictures, in_thread):
    x = pictures(2)
    expected = pixels(vz.show([x, x[:, :1]], list("abcd"), alt="noise"))
    jobs = [in_thread(vz.show, [x, x[:, :1]], list("abcd"), alt="noise") for _ in range(4)]
    assert all(np.abs(pixels(job.result()) - expected).max() == 0 for job in jobs)
