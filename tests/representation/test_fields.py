"""Empirical receptive fields: exact where the answer is known, inside the theoretical ones everywhere."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

import vizlib as vz
from vizlib.representation.fields import _window


@pytest.fixture(scope="module")
def scenenet():
    return vz.load("scenenet")


@pytest.fixture(scope="module")
def few():
    return vz.collages(6, seed=3).images


def one_filter(network, weight):
    """A network of one convolution without padding, one ReLU, and an average, which goes to two classes."""
    model = nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, 1, tuple(weight.shape[2:])),
            relu=nn.ReLU(),
            pool=nn.AdaptiveAvgPool2d(1),
            flat=nn.Flatten(),
            fc=nn.Linear(1, 2),
        )
    )
    with torch.no_grad():
        model.conv.weight.copy_(weight)
        model.conv.bias.fill_(1)
    return network(model, side=16, labels=["one", "two"])


def test_a_filter_that_looks_at_the_middle_uses_the_middle(network, pictures):
    weight = torch.zeros(1, 3, 7, 7)
    weight[..., 3, 3] = 1
    found = vz.empirical_receptive_field(
        one_filter(network, weight), pictures(5, seed=2), vz.unit("relu", 0), top=3, patch=1, stride=1
    )
    assert found.theoretical == 7 and found.map.shape == (1, 1, 7, 7) and found.side() == 1
    assert (found.map > 0).sum() == 1 and found.map[0, 0, 3, 3] > 0
    wide = vz.empirical_receptive_field(
        one_filter(network, weight), pictures(5, seed=2), vz.unit("relu", 0), top=3, patch=3, stride=1
    )
    assert (wide.map > 0).sum() == 9 and wide.side(
        0.0
    ) == 3  # a square of 3 pixels covers the middle from 9 places


def test_a_field_that_is_no_square_has_rows_and_columns(network, pictures):
    weight = torch.zeros(1, 3, 3, 7)
    weight[..., 2, 5] = 1
    net, x = one_filter(network, weight), pictures(5, seed=2)
    found = vz.empirical_receptive_field(net, x, vz.unit("relu", 0), top=3, patch=1, stride=1)
    assert found.size == found.theoretical == (3, 7) and found.map.shape == (1, 1, 3, 7)
    assert (found.map > 0).nonzero().tolist() == [[0, 0, 2, 5]]
    coarse = vz.empirical_receptive_field(net, x, vz.unit("relu", 0), top=3, patch=3, stride=3)
    assert coarse.map.shape == (1, 1, 1, 2)  # centres in row 1 and in columns 1 and 4
    assert coarse.map[0, 0, 0, 0] == 0 < coarse.map[0, 0, 0, 1]


class Spotlight(nn.Module):
    """A 3 x 3 filter that sees its middle pixel, made brighter in one place of the grid; then `after`."""

    def __init__(self, factor, at=(5, 9), after=nn.Identity, bias=1.0):
        super().__init__()
        self.conv, self.after, self.asked, self.fc = nn.Conv2d(3, 1, 3), after(), nn.ReLU(), nn.Linear(1, 2)
        with torch.no_grad():
            self.conv.weight.zero_()[..., 1, 1] = 1
            self.conv.bias.fill_(bias)
        self.light = torch.ones(14, 14)
        self.light[at] = factor

    def forward(self, x):
        y = self.conv(x)
        y = self.after(y * self.light[: y.shape[-2], : y.shape[-1]])
        return self.fc(self.asked(y).mean((2, 3)))


def test_a_unit_that_knows_its_place_is_asked_in_the_whole_picture(network):
    x = torch.zeros(1, 3, 16, 16)
    x[..., 6, 10] = 1  # what the unit at (5, 9) has in its middle
    plain, lit = (
        vz.empirical_receptive_field(network(Spotlight(f)), x, vz.unit("asked", 0), patch=1, stride=1)
        for f in (1, 3)
    )
    assert plain.places == lit.places == [(5, 9)] and plain.map[0, 0, 1, 1] > 0
    torch.testing.assert_close(lit.map, 3 * plain.map)


class Sized(Spotlight):
    """Its answers grow with the grid: known functions only, and yet a piece of the picture is not enough."""

    def forward(self, x):
        return self.fc(self.asked(self.conv(x) * (x.shape[-1] / 16)).mean((2, 3)))


def test_a_unit_that_knows_the_size_of_the_picture_is_asked_in_the_whole_picture(network, pictures):
    x = pictures(1)
    plain, sized = (
        vz.empirical_receptive_field(network(kind(1)), x, vz.unit("asked", 0), patch=1, stride=1)
        for kind in (Spotlight, Sized)
    )
    torch.testing.assert_close(sized.map, plain.map)


def test_also_if_its_answer_would_be_the_same_without(network):
    """The unit (3, 7) of 3 x 3 averages has the bright pixel in its last corner, and the light in its middle,
    where the picture is black: only what is put there shows the light.
    """
    x = torch.zeros(1, 3, 16, 16)
    x[..., 6, 10] = 1
    plain, lit = (
        vz.empirical_receptive_field(
            network(Spotlight(factor, (4, 8), lambda: nn.AvgPool2d(3, 1), bias=0.0)),
            x,
            vz.unit("asked", 0),
            top=1,
            patch=1,
            stride=1,
        )
        for factor in (1, 5)
    )
    assert plain.places == lit.places == [(3, 7)] and plain.theoretical == 5
    factors = torch.ones(1, 1, 5, 5)
    factors[..., 2, 2] = 5
    torch.testing.assert_close(lit.map, factors * plain.map)


def test_the_caller_s_modes_and_kinds_of_numbers_make_no_difference(scenenet, few):
    def ask(images, **more):
        options = {"top": 2, "patch": 5, "stride": 9, "seed": 3, **more}
        return vz.empirical_receptive_field(scenenet, images, vz.unit("relu2", 3), **options).map

    right = ask(few)
    numbers = {"top": np.int64(2), "patch": np.int32(5), "stride": torch.tensor(9), "seed": np.int64(3)}
    found = [ask(few.clone().requires_grad_()), ask(few, **numbers)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found.append(ask(few))
    with torch.inference_mode():
        found.append(ask(few.clone()))
    assert all(torch.allclose(right, map) and not map.requires_grad for map in found)
    for name in ("top", "patch", "stride"):
        with pytest.raises(vz.VizlibError, match=f"{name} is a number of .*this is 0"):
            ask(few, **{name: 0})


def test_a_filter_that_looks_everywhere_uses_all(network, pictures):
    found = vz.empirical_receptive_field(
        one_filter(network, torch.full((1, 3, 5, 5), 0.2)),
        pictures(20, seed=1),
        vz.unit("relu", 0),
        top=20,
        patch=1,
        stride=1,
    )
    assert found.side(0.2) == 5 == found.theoretical


def test_the_window_alone_gives_the_units_value(scenenet, few):
    for layer in ("relu1", "pool2", "relu3", "relu5"):
        field = vz.receptive_field(scenenet, layer)
        found = vz.empirical_receptive_field(scenenet, few, vz.unit(layer, 5), top=2, patch=5, stride=30)
        for i, place in zip(found.pictures, found.places, strict=True):
            window, corner, at = _window(few[i], place, field)
            inside = vz.record(scenenet, window, layer)[layer][0, 5][at]
            assert torch.allclose(
                inside, vz.record(scenenet, few[i : i + 1], layer)[layer][0, 5][place], rtol=1e-4, atol=1e-5
            )
            assert all(
                c >= 0 and c + field.size[0] <= n for c, n in zip(corner, window.shape[-2:], strict=True)
            )


def test_it_is_smaller_than_the_theoretical_field_and_brightest_inside(scenenet, few):
    found = vz.empirical_receptive_field(scenenet, few, vz.unit("relu3", 3), top=3, patch=3, stride=3)
    assert 0 < found.side(0.5) <= found.side(0.2) < found.theoretical == 35
    n = found.map.shape[-1]
    rim = found.map.clone()
    rim[..., 1 : n - 1, 1 : n - 1] = 0
    assert found.map.max() > 2 * rim.max()


def test_pixels_outside_of_the_field_change_nothing(scenenet, few):
    found = vz.empirical_receptive_field(scenenet, few, vz.unit("relu3", 3), top=1, patch=3, stride=30)
    (i,), (place,) = found.pictures, found.places
    field = vz.receptive_field(scenenet, "relu3")
    first = [round(s + p * j) for s, p, j in zip(field.start, place, field.stride, strict=True)]
    outside = torch.rand(few[i : i + 1].shape, generator=torch.Generator().manual_seed(0))
    rows, columns = (slice(f, f + 35) for f in first)
    outside[..., rows, columns] = few[i : i + 1, :, rows, columns]
    both = vz.record(scenenet, torch.cat([few[i : i + 1], outside]), "relu3")["relu3"][
        :, 3, place[0], place[1]
    ]
    assert torch.allclose(both[0], both[1], rtol=1e-4)


def test_the_same_seed_gives_the_same_and_progress_ends_it(scenenet, few):
    def ask(**more):
        return vz.empirical_receptive_field(
            scenenet, few, vz.unit("relu2", 3), top=3, patch=3, stride=3, **more
        )

    assert torch.equal(ask(seed=1).map, ask(seed=1).map) and not torch.equal(ask(seed=1).map, ask(seed=5).map)
    seen = []
    stopped = ask(progress=lambda done, total, preview: seen.append((done, total)) or done < 2)
    assert seen == [(1, 3), (2, 3)] and len(stopped.pictures) == 2


def test_what_cannot_be_used(scenenet, few, colour_averages):
    for target in ("farm", vz.unit("relu3", 3, at=(2, 2)), vz.unit("logits", 1)):
        with pytest.raises(vz.VizlibError, match=r"vz.unit\(layer, channel\)"):
            vz.empirical_receptive_field(scenenet, few, target)
    with pytest.raises(vz.VizlibError, match="fits into no picture"):
        vz.empirical_receptive_field(scenenet, few[..., :64, :64], vz.unit("relu5", 3))
    with pytest.raises(vz.VizlibError, match="channels 0 to 127; 500 is not"):
        vz.empirical_receptive_field(scenenet, few, vz.unit("relu3", 500))
    with pytest.raises(vz.VizlibError, match="answers to none"):
        vz.empirical_receptive_field(colour_averages, torch.ones(1, 3, 4, 4), vz.unit("relu", 2))
