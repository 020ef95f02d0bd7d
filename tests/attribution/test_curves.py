"""Deletion, insertion, the pointing game: by hand, and at their limits."""

import numpy as np
import pytest
import torch
from torch import nn

import vizlib as vz
from vizlib.attribution.path import baseline_pictures


@pytest.fixture
def brightness(network):
    """Class 0 is the picture's mean brightness, class 1 its negative."""

    class Mean(nn.Module):
        def forward(self, x):
            mean = x.mean((1, 2, 3))
            return torch.stack([mean, -mean], 1)

    return network(Mean())


def test_deletion_by_hand(brightness):
    """One row of the picture is white. Removed first, all brightness is gone after a sixteenth; removed last,
    nothing is before the end.
    """
    x = torch.zeros(1, 3, 16, 16)
    x[:, :, 5] = 1
    first, last = x[:, :1], 1 - x[:, :1]
    curve = vz.deletion(brightness, x, 0, first, steps=16, fill="black")
    torch.testing.assert_close(curve, torch.tensor([[1 / 16, *[0.0] * 16]]))
    curve = vz.deletion(brightness, x, 0, last, steps=16, fill="black")
    torch.testing.assert_close(curve, torch.tensor([[*[1 / 16] * 16, 0.0]]))


def test_insertion_by_hand(brightness):
    x = torch.zeros(1, 3, 16, 16)
    x[:, :, 5] = 1
    curve = vz.insertion(brightness, x, 0, x[:, :1], steps=16, fill="black")
    torch.testing.assert_close(curve, torch.tensor([[0.0, *[1 / 16] * 16]]))


def test_both_run_from_picture_to_fill(tiny, pictures):
    net, x = tiny(), pictures(3)
    maps = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ends = net(x)[:, 2], net(torch.full_like(x, 0.3))[:, 2]
    falling, rising = (method(net, x, 2, maps, steps=5, fill=0.3) for method in (vz.deletion, vz.insertion))
    torch.testing.assert_close(falling[:, [0, -1]], torch.stack(ends, 1))
    torch.testing.assert_close(rising[:, [0, -1]], torch.stack(ends[::-1], 1))
    torch.testing.assert_close(
        rising, vz.deletion(net, x, 2, -maps, steps=5, fill=0.3).flip(1)
    )  # the least important first, backwards


def test_a_share_of_pixels_is_removed_whatever_the_map_s_values(network):
    seen = []

    class Listening(nn.Module):
        def forward(self, x):
            seen.append((x == 0.5).all(1).float().mean((1, 2)))
            return x.flatten(1)[:, :2]

    net = network(Listening())
    seen.clear()
    x = torch.full((1, 3, 16, 16), 0.9)
    vz.deletion(
        net, x, 0, torch.zeros(1, 1, 16, 16), steps=4, fill=0.5
    )  # a constant map: any order, but the right number
    assert torch.cat(seen)[-5:].tolist() == [0, 0.25, 0.5, 0.75, 1]


def test_the_pointing_game_by_hand():
    maps, masks = torch.zeros(3, 1, 8, 8), torch.zeros(3, 1, 8, 8)
    maps[0, 0, 2, 3] = maps[1, 0, 2, 3] = maps[2, 0, 7, 7] = 1
    masks[0, 0, 2:4, 3:5], masks[1, 0, 4:6, 3:5], masks[2, 0, 0:2, 0:2] = 1, 1, 1
    assert vz.pointing_game(maps, masks).tolist() == [True, False, False]
    assert vz.pointing_game(maps, masks, tolerance=2).tolist() == [True, True, False]


def test_energy_by_hand():
    maps, masks = torch.zeros(3, 1, 4, 4), torch.zeros(3, 1, 4, 4)
    maps[0, 0, 0, :4] = torch.tensor([3.0, 1.0, 0.0, -5.0])
    masks[:, :, 0, 0] = 1
    maps[1] = 1
    assert vz.energy_inside(maps, masks).tolist() == pytest.approx([0.75, 1 / 16, 0])


@pytest.mark.parametrize("game", [vz.pointing_game, vz.energy_inside])
def test_maps_and_masks_have_one_shape(game):
    with pytest.raises(vz.VizlibError, match="Maps and masks are"):
        game(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4))


def test_maps_that_do_not_fit_are_refused(tiny, pictures):
    with pytest.raises(vz.VizlibError, match="need maps .2, 1, 16, 16.; these are .2, 3, 16, 16."):
        vz.deletion(tiny(), pictures(2), 0, pictures(2))
    with pytest.raises(vz.VizlibError, match="steps is a number of shares of the picture, 1 or more"):
        vz.deletion(tiny(), pictures(2), 0, pictures(2)[:, :1], steps=0)


def test_insertion_begins_with_a_blur_and_deletion_ends_in_what_is_neutral(tiny, pictures):
    net, x = tiny(), pictures(2)
    maps = x[:, :1]
    begin, end = (baseline_pictures(net, x, fill) for fill in ("blur", "neutral"))
    torch.testing.assert_close(vz.insertion(net, x, 1, maps, steps=3)[:, 0], net(begin)[:, 1])
    torch.testing.assert_close(vz.deletion(net, x, 1, maps, steps=3)[:, -1], net(end)[:, 1])
    assert not torch.allclose(net(begin)[:, 1], net(end)[:, 1], atol=1e-3)


def test_a_map_that_is_the_same_everywhere_points_at_nothing():
    maps, masks = torch.zeros(3, 1, 4, 4), torch.ones(3, 1, 4, 4)
    maps[1], maps[2, 0, 1, 1] = -2.5, 1e-9
    assert vz.pointing_game(maps, masks).tolist() == [False, False, True]


@pytest.mark.parametrize("batch_size", [1, 3, 8, 100])
def test_curves_are_the_same_in_any_batches(tiny, pictures, batch_size):
    net, x = tiny(), pictures(5)
    maps, targets = x[:, 1:2] + x[:, :1], [0, 1, 2, 3, 4]
    expected = torch.cat(
        [vz.deletion(net, x[i : i + 1], i, maps[i : i + 1], steps=6, batch_size=7) for i in targets]
    )
    found = vz.deletion(net, x, targets, maps, steps=6, batch_size=batch_size)
    torch.testing.assert_close(found, expected)


def test_numbers_may_be_numpys_and_maps_may_have_slopes(tiny, pictures):
    net, x = tiny(), pictures(2)
    maps = x[:, :1].clone().requires_grad_()
    found = vz.deletion(net, x, 1, maps, steps=np.int64(3), batch_size=np.int64(4))
    assert not found.requires_grad
    assert torch.equal(found, vz.deletion(net, x, 1, maps.detach(), steps=3, batch_size=4))
    assert vz.pointing_game(maps, maps.detach().round(), tolerance=np.int64(1)).shape == (2,)


def test_masks_go_where_the_maps_are():
    maps, masks = torch.zeros(2, 1, 4, 4, device="meta"), torch.ones(2, 1, 4, 4)
    assert vz.energy_inside(maps, masks).device.type == "meta"
    assert vz.pointing_game(maps, masks, tolerance=1).device.type == "meta"
