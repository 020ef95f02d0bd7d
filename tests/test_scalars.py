"""Numbers that people give: of Python, NumPy and torch; and what is none."""

import math

import numpy as np
import pytest
import torch

import vizlib as vz
from vizlib.scalars import real, seeded, sides


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.int8(2), np.array(2.0), torch.tensor(2.0)])
def test_a_real_number_of_any_library_is_a_float(value):
    number = real(value, "x is a number")
    assert number == 2 and type(number) is float


@pytest.mark.parametrize(
    "value", ["2", None, True, math.nan, math.inf, [1, 2], np.ones(2), torch.ones(2), 2j]
)
def test_what_is_no_number_is_refused_with_the_rule(value):
    with pytest.raises(vz.VizlibError, match="^x is a number; this is "):
        real(value, "x is a number")


def test_what_is_not_allowed_is_refused():
    assert real(math.inf, "x is above 0", lambda v: v > 0) == math.inf
    for value in (0, -1, math.nan):
        with pytest.raises(vz.VizlibError, match="x is above 0; this is"):
            real(value, "x is above 0", lambda v: v > 0)


def test_a_seed_of_any_library_draws_the_same_numbers_on_the_cpu():
    drawn = [torch.rand(3, generator=seeded(seed)) for seed in (7, np.int64(7), torch.tensor(7))]
    assert all(torch.equal(drawn[0], other) for other in drawn) and seeded(7).device.type == "cpu"
    assert not torch.equal(drawn[0], torch.rand(3, generator=seeded(8)))
    for seed in (0.5, "7", None):
        with pytest.raises(vz.VizlibError, match="seed is a whole number; this is"):
            seeded(seed)


@pytest.mark.parametrize(
    ("size", "expected"),
    [(5, (5, 5)), ((5, 7), (5, 7)), ([np.int64(5), 7], (5, 7)), (torch.Size([5, 7]), (5, 7))],
)
def test_a_size_is_a_side_or_two(size, expected):
    assert sides(size) == expected


@pytest.mark.parametrize("size", [0, 1.5, (5,), (5, 6, 7), (5, 0), "5", None])
def test_what_is_no_size(size):
    with pytest.raises(vz.VizlibError, match=r"size is a number of pixels, or two, \(height, width\)"):
        sides(size)
