"""Figures: what is drawn, with which scale, and what is said of it."""

import base64
import contextlib
import io
import re
import warnings

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.text import Text
from PIL import Image

import vizlib as vz
from vizlib.display import fonts
from vizlib.display.figures import Picture, drawing
from vizlib.display.grids import _number, limits


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
    assert limits(np.array([-1.0, 4.0]), None, 100) == (-4, 4)
    assert limits(np.array([-4.0, 1.0]), None, 100) == (-4, 4)
    assert limits(np.array([1.0, 4.0]), None, 100) == (0, 4)
    assert limits(np.array([0.0, 4.0]), 10, 100) == (0, 10)
    assert limits(np.array([-1e-6, 4.0]), None, 100) == (0, 4), "a rounding error is no sign"
    assert limits(np.zeros(3), None, 99.5) == (0, 1)


def test_a_single_extreme_pixel_does_not_set_the_scale_but_a_map_with_one_pixel_has_one():
    values = np.ones(1000)
    values[0] = 1e6
    assert limits(values, None, 99.5)[1] == pytest.approx(1)
    values = np.zeros(1000)
    values[0] = 5
    assert limits(values, None, 99.5) == (0, 5)


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
        (torch.full((1, 3, 8, 8), 255.0), "run from 255 to 255, so they are no picture. Divide by 255"),
        (torch.full((1, 3, 8, 8), 200, dtype=torch.uint8), "run from 200 to 200.*Divide by 255"),
        (torch.full((1, 3, 8, 8), 1.5), "run from 1.5 to 1.5.*vz.centre.values"),
        (torch.zeros(1, 1, 8, 8, dtype=torch.complex64), "holds torch.complex64. Show its size"),
        (torch.zeros(1, 1, 0, 8), "There is nothing to show"),
        (vz.overlay(torch.full((3, 8, 8), 255), torch.zeros(1, 8, 8)), "run from 255 to 255.*Divide by 255"),
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
    data = drawn._repr_mimebundle_()
    source = re.fullmatch(r'<img src="data:image/jpeg;base64,([^"]*)" alt="noise" [^>]*>', data["text/html"])
    assert base64.b64decode(source[1]) == drawn.data
    assert data["text/plain"] == repr(drawn) == "Figure: noise" and len(data) == 2


def test_a_figure_of_full_width_has_twice_the_pixels_and_fills_the_page(pictures):
    plain, large = (vz.show(pictures(1), alt="noise", full_width=full) for full in (False, True))
    assert plain.size[0] == round(3.4 * 96) and large.size[0] == round(9.2 * 96 * 2)
    assert f'width="{plain.size[0]}"' in plain.html() and "max-width: 100%" in plain.html()
    assert f'width="{large.size[0] // 2}"' in large.html() and "; width: 100%" in large.html()
    assert "; width: 100%" in plain.html(full_width=True)
    pair = vz.show(pictures(2), alt="noise", full_width=True)
    assert pair.size[0] == large.size[0] and pair.size[1] < large.size[1]


def test_a_figure_can_be_saved(pictures, tmp_path):
    drawn = vz.show(pictures(1), alt="noise")
    assert drawn.save(tmp_path / "noise.jpg") == tmp_path / "noise.jpg"
    assert (tmp_path / "noise.jpg").read_bytes() == drawn.data
    fig, _ = vz.figure()
    lines = vz.picture(fig, "an empty plot")
    lines.save(str(tmp_path / "lines.PNG"))
    assert (tmp_path / "lines.PNG").read_bytes() == lines.data


@pytest.mark.parametrize(
    "ending, format",
    [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP"), ("gif", "GIF"), ("bmp", "BMP"), ("tiff", "TIFF")],
)
def test_a_file_holds_what_its_ending_says(pictures, tmp_path, ending, format):
    fig, ax = vz.figure()
    ax.bar([0, 1], [1, 2])
    for drawn in (vz.show(pictures(1), alt="noise"), vz.picture(fig, "two bars")):
        path = drawn.save(tmp_path / f"it.{ending}")
        with Image.open(path) as saved:
            assert saved.format == format and saved.size == drawn.size
            assert (
                np.abs(np.asarray(saved.convert("RGB")).astype(int) - pixels(drawn)).mean() < 16
            )  # a GIF has 256 colours
    assert list(tmp_path.iterdir()) == [path]


def test_a_figure_can_be_saved_for_print(pictures, tmp_path):
    assert vz.show(pictures(1), alt="noise").save(tmp_path / "it.pdf").read_bytes()[:5] == b"%PDF-"


@pytest.mark.parametrize(
    "name, telling",
    [
        ("noise", "saved as .png, .jpg.*this is 'noise'"),
        ("noise.exe", "this is 'noise.exe'"),
        ("no/a.png", "no folder"),
    ],
)
def test_a_figure_that_cannot_be_saved_says_so(pictures, tmp_path, name, telling):
    with pytest.raises(vz.VizlibError, match=telling):
        vz.show(pictures(1), alt="noise").save(tmp_path / name)
    assert not list(tmp_path.iterdir())


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


def test_whoever_draws_holds_the_lock_from_the_first_axes_to_the_last_byte(pictures, monkeypatch, tiny):
    """matplotlib is not made for two threads; every artist is made by who holds the lock."""
    seen = []

    def watched(name, method):
        def call(*args, **kwargs):
            seen.append(name)
            assert drawing._is_owned(), name
            return method(*args, **kwargs)

        return call

    for kind, names in (
        (Figure, ("__init__", "add_axes", "colorbar", "savefig", "subplots", "clear")),
        (Axes, ("imshow", "contour", "set_title", "add_artist", "add_patch", "bar", "legend", "text", "set")),
    ):
        for name in names:
            monkeypatch.setattr(kind, name, watched(name, getattr(kind, name)))
    x = pictures(2)
    vz.show([x, x[:, :1], vz.overlay(x[:1], x[:1, :1])], list("abcde"), alt="noise")
    vz.thumbnails(torch.rand(2, 2), x, alt="noise")
    vz.draw_anatomy(vz.anatomy(tiny()), alt="boxes")
    vz.picture(vz.figure()[0], "nothing")
    assert {"subplots", "add_artist", "add_patch", "bar", "savefig"} <= set(seen)
    assert not {"add_axes", "imshow", "contour", "colorbar"} & set(seen), "show draws without matplotlib"
    assert not drawing._is_owned()


def test_after_a_drawing_that_failed_others_may_draw(pictures, in_thread, monkeypatch):
    x = pictures(1)
    with monkeypatch.context() as broken:
        broken.setattr(Axes, "add_artist", lambda *args, **kwargs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            vz.thumbnails(torch.rand(1, 2), x, alt="noise")
    assert in_thread(vz.thumbnails, torch.rand(1, 2), x, alt="noise").result().alt == "noise"


def test_two_threads_may_draw_at_once(pictures, in_thread):
    x = pictures(2)
    expected = pixels(vz.show([x, x[:, :1]], list("abcd"), alt="noise"))
    jobs = [in_thread(vz.show, [x, x[:, :1]], list("abcd"), alt="noise") for _ in range(4)]
    assert all(np.abs(pixels(job.result()) - expected).max() == 0 for job in jobs)


# ------------------------------------------------------------------- other devices, precisions, numbers


def test_pictures_maps_and_overlays_from_another_device_are_drawn(pictures, elsewhere):
    x = pictures(1)
    signed = x[:, :1] - 0.5
    expected = vz.show([x, signed, vz.overlay(x, signed)], alt="noise").data
    a, b = elsewhere(x), elsewhere(signed)
    for items in ([a, b, vz.overlay(a, b)], [x, b, vz.overlay(x, b)], [a, signed, vz.overlay(a, signed)]):
        assert vz.show(items, alt="noise").data == expected


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_pictures_and_maps_of_any_precision_are_drawn(pictures, dtype):
    x = pictures(1).to(dtype)
    expected = vz.show(
        [x.float(), x[:, :1].float(), vz.overlay(x.float(), x[:, :1].float())], alt="noise"
    ).data
    assert vz.show([x, x[:, :1], vz.overlay(x, x[:, :1])], alt="noise").data == expected


def test_masks_are_drawn_as_they_are(pictures):
    mask = pictures(1)[:, :1] > 0.5
    assert vz.show(mask, alt="a mask").data == vz.show(mask.float(), alt="a mask").data


def test_what_requires_a_gradient_is_drawn_also_where_no_gradient_is_kept(pictures):
    x = pictures(1)
    expected = vz.show([x, x[:, :1], vz.overlay(x, x[:, :1])], alt="noise").data
    for mode in (contextlib.nullcontext, torch.no_grad, torch.inference_mode):
        with mode():
            y = pictures(1).requires_grad_(not torch.is_inference_mode_enabled())
            assert vz.show([y, y[:, :1], vz.overlay(y, y[:, :1])], alt="noise").data == expected


def test_centre_stays_where_its_values_are_and_needs_no_double_precision(pictures, elsewhere):
    values = pictures(2) - 0.3
    scaled = vz.centre(elsewhere(values).requires_grad_())
    assert type(scaled) is type(elsewhere(values)) and not scaled.requires_grad
    torch.testing.assert_close(scaled.cpu(), vz.centre(values))
    for dtype in (torch.float16, torch.bfloat16):
        half = vz.centre(values.to(dtype))
        assert half.dtype == torch.float32 and (half - vz.centre(values)).abs().max() < 0.01
    assert vz.centre(torch.empty(2, 3, 4, 4, device="meta")).device.type == "meta"


@pytest.mark.parametrize("wrong", [np.zeros((1, 3, 4, 4)), torch.zeros(4), torch.zeros(0, 3, 4, 4), None])
def test_what_cannot_be_centred_is_refused(wrong):
    with pytest.raises(vz.VizlibError, match="centre scales values"):
        vz.centre(wrong)


@pytest.mark.parametrize(
    "options, telling",
    [
        ({"columns": -1}, "columns is a number of cells side by side, 1 or more; this is -1"),
        ({"columns": 0}, "columns is a number .* this is 0"),
        ({"columns": 1.5}, "columns is a number .* this is 1.5"),
        ({"limit": -1}, "limit is the value at the end of the scale, above 0; this is -1"),
        ({"limit": float("nan")}, "limit is the value"),
        ({"limit": "high"}, "limit is the value"),
        ({"clip": 101}, "clip is a percentile, from 0 to 100; this is 101"),
        ({"clip": None}, "clip is a percentile"),
        ({"width": 0}, "width is a number of inches above 0; this is 0"),
        ({"width": "wide"}, "width is a number of inches"),
        ({"titles": ["a", "b"]}, "There are 1 things to show and 2 titles"),
    ],
)
def test_options_that_make_no_figure_are_refused(pictures, options, telling):
    with pytest.raises(vz.VizlibError, match=telling):
        vz.show(pictures(1)[:, :1], alt="noise", **options)


def test_numbers_of_numpy_and_torch_are_numbers_for_figures_too(pictures):
    x = pictures(4)[:, :1]
    expected = vz.show(x, alt="noise", columns=2, limit=0.5, clip=99, width=6).data
    for kind in (np.array, torch.tensor):
        options = {"columns": kind(2), "limit": kind(0.5), "clip": kind(99), "width": kind(6)}
        assert vz.show(x, alt="noise", **options).data == expected
    assert vz.figure(np.float32(4), torch.tensor(3), np.int64(2))[1].shape == (2,)


def test_titles_may_be_anything_that_has_words_and_are_taken_literally(pictures):
    x = pictures(1)
    expected = vz.show(x, ["1"], alt="noise").data
    assert vz.show(x, [1], alt="noise").data == vz.show(x, "1", alt="noise").data == expected
    assert vz.show(x, [None], alt="noise").data == vz.show(x, alt="noise").data
    vz.show(x, [r"from $1 to $\broken{2"], alt="noise")  # which is no formula


@pytest.mark.parametrize("size", [(0, 3), (7, -1), (float("nan"), 3), ("wide", 3)])
def test_a_figure_without_a_size_is_refused(size):
    with pytest.raises(vz.VizlibError, match="is a number of inches above 0"):
        vz.figure(*size)


def test_what_is_no_figure_or_too_large_is_refused(pictures):
    with pytest.raises(vz.VizlibError, match="picture encodes a figure of matplotlib; this is a Tensor"):
        vz.picture(pictures(1), "noise")
    with pytest.raises(vz.VizlibError, match="format is one of png, jpeg; this is 'svg'"):
        vz.picture(vz.figure()[0], "nothing", "svg")
    with pytest.raises(vz.VizlibError, match="would be 672 x 96000 pixels large, and 65500 is the most"):
        vz.picture(vz.figure(7, 1000)[0], "nothing")


# ------------------------------------------------------------------- unusual shapes and scripts


def test_a_very_long_picture_is_drawn_narrow_and_not_in_a_figure_of_ten_thousand_pixels():
    long = torch.zeros(1, 3, 400, 10)
    width, height = vz.show(long, alt="a black strip").size
    assert height < 2000 and width < 400
    black = (pixels(vz.show(long, alt="a black strip")).max(2) < 60).nonzero()
    assert np.ptp(black[0]) / np.ptp(black[1]) == pytest.approx(40, rel=0.15)
    assert vz.show(long.mT, alt="a black strip").size[1] < 60


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)])
def test_maps_of_a_single_row_or_column_can_be_laid_over_pictures(shape):
    map = torch.linspace(0, 1, shape[0] * shape[1]).view(1, 1, *shape)
    assert vz.show(vz.overlay(map.expand(-1, 3, -1, -1), map), alt="a ramp").format == "jpeg"


def test_a_map_that_nowhere_reaches_half_its_height_has_no_line(pictures):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns where there is no line to draw
        for map in (torch.linspace(-4, 1, 256), torch.full((256,), 3.0), torch.zeros(256)):
            vz.show(vz.overlay(pictures(1), map.view(1, 1, 16, 16)), alt="a map")


def test_a_crowd_of_cells_still_has_room(pictures):
    assert vz.show(pictures(62, 8), alt="a crowd", columns=62).size[0] > 800


CHINESE = "\u5927\u718a\u732b"  # giant panda


@pytest.fixture
def no_fonts_known():
    for kept in (fonts._font_with, fonts._no_font):
        kept.cache_clear()
    yield
    for kept in (fonts._font_with, fonts._no_font):
        kept.cache_clear()


def chinese_figure():
    fig, ax = vz.figure()
    ax.bar([CHINESE, "cat"], [1, 2], label=CHINESE)
    ax.set_title(CHINESE)
    ax.set_ylabel(CHINESE)
    ax.set_yticks([0, 1], [CHINESE, "one"])
    ax.annotate(CHINESE, (0, 0))
    ax.legend()
    return fig


def test_names_in_a_script_without_a_font_are_boxes_and_one_warning_says_what_to_do(
    pictures, no_fonts_known, monkeypatch
):
    monkeypatch.setattr(fontManager, "ttflist", [f for f in fontManager.ttflist if "CJK" not in f.name])
    fonts._font_with.cache_clear()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        vz.show(pictures(2), [CHINESE, CHINESE], alt="noise")
        vz.picture(chinese_figure(), "bars")
    assert len(said) == 1 and "No font of this machine can draw" in str(said[0].message)
    assert "Noto Sans CJK" in str(said[0].message)


def test_names_in_another_script_are_drawn_in_a_font_that_has_it(pictures, no_fonts_known, monkeypatch):
    """One font of this machine, here STIX, is said to know Chinese: every text that needs it gets it."""
    known = fonts._characters
    monkeypatch.setattr(
        fonts,
        "_characters",
        lambda path: known(path) | ({*map(ord, CHINESE)} if "STIXGeneral.ttf" in path else set()),
    )
    fig = chinese_figure()
    fonts.make_legible(fig)
    chosen = {t.get_text(): t.get_fontfamily()[-1] for t in fig.findobj(Text) if t.get_text()}
    assert chosen[CHINESE] == "STIXGeneral" and chosen["cat"] != "STIXGeneral"
    texts = [t for t in fig.findobj(Text) if t.get_text() == CHINESE]
    assert len(texts) >= 6 and all(
        t.get_fontfamily()[-1] == "STIXGeneral" for t in texts
    )  # title, ticks, label, note, legend


def test_letters_that_the_usual_font_has_stay_in_it(pictures):
    fig, ax = vz.figure()
    ax.set_title("Ångström, λ, Привет, x\n− 3")
    before = ax.title.get_fontfamily()
    fonts.make_legible(fig)
    assert ax.title.get_fontfamily() == before
