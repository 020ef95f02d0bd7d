"""What `show` is made of: colours, contour lines, words and colour bars as pixels."""

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from vizlib.display.raster import Box, colour_bar, coloured, line_at, resized, table, write

BLANK = (120, 200)


def dark(canvas):
    return np.asarray(canvas).max(2) < 120


@pytest.mark.parametrize("name", ["inferno", "PuOr_r"])
def test_colours_are_those_of_matplotlib(name):
    values = np.linspace(-2, 6, 1000).reshape(20, 50)
    expected = colormaps[name]((values + 1) / 4, bytes=True)[..., :3]
    assert np.abs(coloured(values, -1, 3, name).astype(int) - expected).max() <= 3  # a step at most
    assert table(name).shape == (256, 3)


def test_a_box_in_the_middle_keeps_the_height_by_width():
    assert Box(0, 0, 100, 50).middle(1) == (25, 0, 50, 50)
    assert Box(10, 10, 50, 100).middle(0.5) == (10, 48, 50, 25)
    assert Box(0, 0, 10, 10).middle(400) == (5, 0, 1, 10), "never without a pixel"


def test_a_contour_line_lies_where_the_values_cross_the_level_and_is_as_thick_as_said():
    ramp = np.tile(np.arange(20.0) * 3, (8, 1))
    line = line_at(ramp, 30, 2)[..., 0]
    assert line[0].tolist() == pytest.approx([0] * 9 + [0.5, 1, 0.5] + [0] * 8)
    steep = line_at(np.tile(np.arange(20.0), (8, 1)), 10, 2)[..., 0]
    assert steep.sum() == pytest.approx(line.sum()), "on a slope of another steepness, too"
    assert line_at(np.full((4, 4), 3.0), 2, 2).max() == 0 and line_at(np.ones((1, 9)), 1, 2).shape == (
        1,
        9,
        1,
    )


def test_maps_are_enlarged_in_squares_and_reduced_to_means():
    values = np.array([[0.0, 1], [2, 3]])
    large = resized(values, Box(0, 0, 4, 4), Image.Resampling.NEAREST)
    assert large.tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]
    assert resized(values, Box(0, 0, 1, 1), Image.Resampling.BOX).tolist() == [[1.5]]


def test_words_stand_at_their_anchor_line_by_line():
    rows = {}
    for words in ("one", "one\none"):
        canvas = Image.new("RGB", BLANK[::-1], "white")
        write(canvas, words, 100, 80, 14, "md")
        y, x = dark(canvas).nonzero()
        assert y.max() <= 80 and abs((x.min() + x.max()) / 2 - 100) < 2
        rows[words] = np.ptp(y)
    assert rows["one\none"] - rows["one"] == pytest.approx(1.2 * 14, abs=1)


def test_a_colour_bar_runs_from_its_start_to_its_end_with_three_labels_beneath():
    canvas = Image.new("RGB", (200, 60), "white")
    colour_bar(canvas, Box(20, 10, 160, 9), ["0", "1", "2"], "inferno", 13)
    middle = np.asarray(canvas)[14].astype(int)
    assert np.abs(middle[22] - (0, 0, 4)).max() < 12 and np.abs(middle[177] - (252, 255, 164)).max() < 16
    below = dark(canvas)[24:].any(0).nonzero()[0]
    assert below.min() < 24 and below.max() > 170 and any(90 < x < 110 for x in below)
