"""Boxes and windows, by hand: which units see these pixels, and which units below do these need."""

import torch

from vizlib.layers.boxes import (
    cut_out,
    paste,
    shrunk,
    sides,
    units_looking_at,
    units_needed_for,
    windows_around,
)
from vizlib.layers.windows import PIXEL, window


def box(top, bottom, left, right):
    return slice(top, bottom), slice(left, right)


def test_the_units_that_see_a_pixel():
    padded = window(PIXEL, 3, 2, 1)  # unit i sees the pixels 2 i - 1, 2 i, 2 i + 1
    assert units_looking_at(box(4, 5, 7, 8), padded, (8, 8)) == box(2, 3, 3, 5)
    assert units_looking_at(box(0, 16, 15, 16), padded, (8, 8)) == box(0, 8, 7, 8)
    wide = window(PIXEL, (1, 5), 1, (0, 2))
    assert units_looking_at(box(4, 6, 4, 6), wide, (16, 16)) == box(4, 6, 2, 8)


def test_a_pixel_that_no_unit_sees_has_a_nearest_unit():
    sparse = window(PIXEL, 1, 2)  # unit i sees the pixel 2 i
    assert units_looking_at(box(3, 4, 15, 16), sparse, (8, 8)) == box(2, 3, 7, 8)


def test_the_units_below_that_a_unit_is_computed_from():
    below = window(PIXEL, 3, 2, 1)
    above = window(below, 3, 2, 1)  # unit i of it is computed from 2 i - 1, 2 i, 2 i + 1
    assert units_needed_for(box(1, 2, 2, 4), above, below, (8, 8)) == box(1, 4, 3, 8)
    assert units_needed_for(box(0, 1, 3, 4), above, below, (8, 8)) == box(0, 2, 5, 8)
    assert units_needed_for(box(0, 1, 1, 2), above, PIXEL, (16, 16)) == box(0, 4, 1, 8)


def test_windows_have_one_size_and_corners_on_the_coarser_grid():
    windows = windows_around([box(3, 6, 0, 1), box(1, 2, 14, 16)], (2, 2), (16, 16))
    assert windows == [box(2, 6, 0, 2), box(0, 4, 14, 16)]
    assert windows_around([box(13, 16, 0, 16), box(0, 1, 0, 2)], (2, 4), (16, 16)) == [
        box(12, 16, 0, 16),
        box(0, 4, 0, 16),
    ]
    assert [shrunk(w, (2, 2)) for w in windows] == [box(1, 3, 0, 1), box(0, 2, 7, 8)]


def test_only_the_part_inside_the_window_is_pasted():
    values = torch.zeros(1, 4, 4)
    paste(values, box(2, 6, 2, 6), torch.arange(1.0, 10).view(1, 3, 3), box(0, 3, 4, 7))
    assert values.tolist() == [[[0, 0, 7, 8], [0] * 4, [0] * 4, [0] * 4]]
    paste(values, box(2, 6, 2, 6), torch.ones(1, 2, 2), box(7, 9, 0, 2))  # beside it
    assert values.sum() == 15
    assert cut_out(values, box(2, 3, 4, 6), box(2, 6, 2, 6)).tolist() == [[[7, 8]]]
    assert sides(box(2, 3, 4, 9)) == (1, 5)
