"""Minimal images: the class holds, one more removal would cost it, and holes are filled without edges."""

import pytest
import torch

import vizlib as vz
from vizlib.representation import smooth_fill
from vizlib.representation.minimal import cut_up

QUARTERS = (2 * (torch.arange(8) // 4)[:, None] + torch.arange(8) // 4).long()


def quarters(colours):
    """A picture of 8 x 8 with four quarters of the colours given."""
    return (
        torch.tensor(colours)
        .view(2, 2, 3)
        .permute(2, 0, 1)
        .repeat_interleave(4, 1)
        .repeat_interleave(4, 2)[None]
    )


def test_by_hand_the_green_goes_first_and_red_enough_for_the_class_stays(colour_averages):
    # class 0 = 2 red - 3 green + 1, class 1 = -2 red + green - 1, means over the picture; black fills
    picture = quarters([[1.0, 0, 0], [0, 1, 0], [0, 0, 0], [0.4, 0, 0]])
    found = vz.minimal_image(colour_averages, picture, 0, segments=QUARTERS, fill=0)
    # without green the score rises by 3/4, the black quarter costs nothing, the faint red 0.2; the last piece
    # stays
    assert found.order == [1, 2, 3]
    assert found.history == pytest.approx([1 + 0.7 - 0.75, 1.7, 1.7, 1.5])
    assert found.share == 0.25 and found.kept[..., :4, :4].all() and not found.stopped


def test_it_stops_before_the_class_would_change(network):
    class Blue(torch.nn.Module):
        def forward(self, x):
            blue = x[:, 2].mean((1, 2))
            return torch.stack([blue - 0.4, 0 * blue], 1)

    net = network(Blue(), side=8)
    picture = quarters([[0, 0, 1.0], [0, 0, 0.8], [0, 0, 0.1], [0, 0, 0]])
    found = vz.minimal_image(net, picture, segments=QUARTERS, fill=0)
    assert (
        found.order == [3, 2] and found.label == net.labels[0]
    )  # 0.45 is left; without the 0.8 it would be 0.25
    assert float(net(found.image)[0, 0]) == pytest.approx(0.05)


def test_on_a_trained_network_the_class_holds_and_no_single_removal_is_left():
    net, made = vz.load("scenenet"), vz.collages(1, seed=8)
    third = torch.arange(96) // 32
    found = vz.minimal_image(net, made.images, segments=3 * third[:, None] + third)
    k = net.index(found.label)
    assert int(net(found.image).argmax()) == k and float(net(found.image)[0, k]) == pytest.approx(
        found.history[-1], rel=1e-4
    )
    assert found.share == pytest.approx(1 - len(found.order) / 9) and found.share < 1
    if len(found.order) < 8:
        left = [s for s in range(9) if s not in found.order]
        fewer = [found.kept * (found.segments != s) for s in left]
        after = torch.cat([net(smooth_fill(made.images, m)) for m in fewer])
        assert int(after[after[:, k].argmax()].argmax()) != k
    assert torch.equal(found.image * found.kept, made.images * found.kept)


def test_a_smooth_fill_keeps_what_is_known_and_adds_no_new_colour(pictures):
    x = pictures(2, side=20)
    known = (torch.rand(2, 1, 20, 20, generator=torch.Generator().manual_seed(1)) > 0.6).float()
    filled = smooth_fill(x, known)
    assert torch.equal(filled * known, x * known)
    assert filled.min() >= (x + 9 * (1 - known)).min() - 1e-5 and filled.max() <= (x * known).max() + 1e-5


def test_a_hole_in_one_colour_disappears_and_a_ramp_goes_on():
    x = torch.full((1, 3, 33, 21), 0.3)
    known = torch.ones(1, 1, 33, 21)
    known[..., 5:25, 4:15] = 0
    assert torch.allclose(smooth_fill(x * known, known), x, atol=1e-5)
    ramp = torch.linspace(0, 1, 32).expand(1, 3, 32, 32).contiguous()
    known = torch.ones(1, 1, 32, 32)
    known[..., 12:20, 12:20] = 0
    assert (smooth_fill(ramp, known) - ramp).abs().max() < 0.12
    assert (smooth_fill(ramp, known)[0, 0, 15].diff() >= -1e-5).all()


def test_nothing_known_gives_black_and_no_error():
    assert torch.equal(smooth_fill(torch.ones(1, 3, 8, 8), torch.zeros(1, 1, 8, 8)), torch.zeros(1, 3, 8, 8))


def test_pieces_are_numbered_without_gaps():
    assert cut_up(torch.zeros(1, 3, 2, 2), torch.tensor([[7, -1], [7, 3]])).tolist() == [[2, 0], [2, 1]]
    pieces = cut_up(vz.photo("goldfish", 64), 20)
    assert (
        pieces.shape == (64, 64)
        and torch.equal(pieces.unique(), torch.arange(int(pieces.max()) + 1))
        and 5 < pieces.max() < 30
    )


def test_progress_ends_it_early(colour_averages):
    picture = quarters([[1.0, 0, 0], [0, 1, 0], [0, 0, 0], [0.4, 0, 0]])
    seen = []
    found = vz.minimal_image(
        colour_averages,
        picture,
        segments=QUARTERS,
        fill=0,
        progress=lambda done, total, preview: seen.append((done, total)) or done < 2,
    )
    assert seen == [(1, 3), (2, 3)] and found.order == [1, 2] and found.stopped


def test_what_cannot_be_used(colour_averages):
    red = quarters([[1.0, 0, 0]] * 4)
    for words, given, more in (
        ("made of one picture; these are 2", torch.cat([red, red]), {}),
        ("there is no class to hold on to", red, {"target": 1}),
        ("a number of pieces or a map", red, {"segments": 1}),
        ("of the picture's size", red, {"segments": torch.zeros(3, 3, dtype=torch.long)}),
        ("fill is 'smooth', or it is a colour, .* this is 'poisson'", red, {"fill": "poisson"}),
        ("fill is 'smooth', or it is a colour, .* this is 2.0", red, {"fill": 2.0}),
    ):
        with pytest.raises(vz.VizlibError, match=words):
            vz.minimal_image(colour_averages, given, **more)
