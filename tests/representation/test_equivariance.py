"""Equivariant maps: known in hand-made banks, the laws of the group, the transposed score, and what is
refused.
"""

from collections import OrderedDict

import pytest
import torch
from torch import nn

import vizlib as vz
from vizlib.images import H_FLIP, V_FLIP, rotation, scaling
from vizlib.representation import filters
from vizlib.representation.equivariance import EquivariantMap, places

LINES = torch.zeros(4, 3, 3)  # | - / \
LINES[0, :, 1] = LINES[1, 1] = 1
LINES[2], LINES[3] = torch.eye(3).flip(1), torch.eye(3)
FLIP = torch.eye(4)[[0, 1, 3, 2]]
TURN = torch.eye(4)[[1, 0, 3, 2]]


@pytest.fixture(scope="module")
def lines():
    """Four line detectors, closed under flips and quarter turns; then a ReLU, the mean over places, and a
    linear layer.
    """
    model = nn.Sequential(
        OrderedDict(
            bank=nn.Conv2d(3, 4, 3, padding=1, bias=False),
            relu=nn.ReLU(),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            fc=nn.Linear(4, 3),
        )
    )
    with torch.no_grad():
        model.bank.weight.copy_(LINES[:, None].expand(4, 3, 3, 3) / 3)
        model.fc.weight.copy_(torch.tensor([[1.0, -1, 0, 0], [0, 0, 1, -1], [0, 1, 1, 0]]))
        model.fc.bias.zero_()
    return vz.Network(model, name="lines", mean=(0.0,) * 3, std=(1.0,) * 3, input_size=9)


def drawn_map(lines, g, size=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    weight, bias = torch.randn(4, 4, size, size, generator=generator), torch.randn(4, generator=generator)
    return EquivariantMap(g, "bank", weight, bias)


@pytest.mark.parametrize(
    "g, expected", [(H_FLIP, FLIP), (V_FLIP, FLIP), (rotation(90), TURN), (rotation(180), torch.eye(4))]
)
@pytest.mark.parametrize(
    "options",
    [{"method": "least squares"}, {"method": "ridge", "ridge": 0.0}, {"method": "selection", "k": 2}],
)
def test_a_bank_that_is_closed_has_a_permutation(lines, pictures, g, expected, options):
    M = vz.fit_equivariance(lines, pictures(30, 9), g, layer="bank", size=1, **options)
    assert torch.allclose(M.weight[:, :, 0, 0], expected, atol=1e-5) and M.bias.abs().max() < 1e-5


def test_neighbours_are_not_needed_and_not_used(lines, pictures):
    M = vz.fit_equivariance(lines, pictures(30, 9), H_FLIP, layer="bank", size=3, k=4)
    expected = torch.zeros(4, 4, 3, 3)
    expected[:, :, 1, 1] = FLIP
    assert torch.allclose(M.weight, expected, atol=1e-5)


def test_nothing_done_is_the_identity_and_the_laws_of_the_group_hold(lines, pictures):
    x = pictures(30, 9)
    f = vz.record(lines, x[:3], "bank")["bank"]
    fit = {
        g.name: vz.fit_equivariance(lines, x, g, layer="bank", method="least squares")
        for g in (rotation(0), H_FLIP, rotation(90), rotation(270))
    }
    nothing, flip, turn, back = fit.values()
    for seen in (nothing(f), flip(flip(f)), turn(turn(turn(turn(f)))), back(turn(f))):
        assert torch.allclose(seen, f, atol=1e-4)


def test_a_learned_layer_can_be_undone_only_in_part_and_places_alone_do_not_do_it():
    net = vz.load("zfnet")
    x = torch.cat([vz.photo(name, 64)[..., :63, :63] for name in vz.photos()["name"][:24]])
    f, upside_down = (vz.record(net, p, "conv1")["conv1"] for p in (x, V_FLIP(x)))
    M = vz.fit_equivariance(net, x, V_FLIP, layer="conv1", method="ridge", size=1)
    still = vz.fit_equivariance(net, x, V_FLIP, layer="conv1", method="places")
    assert vz.map_error(M, upside_down, f) < 0.3 < 0.8 < vz.map_error(still, upside_down, f)


def test_the_map_is_the_formula_written_out(lines):
    M = drawn_map(lines, V_FLIP)
    f = torch.randn(1, 4, 5, 6, generator=torch.Generator().manual_seed(1))
    moved = f.flip(2)
    for k, r, c in ((0, 2, 3), (3, 1, 4)):
        expected = M.bias[k] + sum(
            M.weight[k, j, a, b] * moved[0, j, r + a - 1, c + b - 1]
            for j in range(4)
            for a in range(3)
            for b in range(3)
        )
        assert float(M(f)[0, k, r, c]) == pytest.approx(float(expected), abs=1e-4)


@pytest.mark.parametrize("row, column", [(0, 0), (0, 3), (4, 5), (2, 0)])
def test_beyond_the_border_the_code_goes_on_as_at_the_border(lines, row, column):
    M = drawn_map(lines, V_FLIP)
    f = torch.randn(1, 4, 5, 6, generator=torch.Generator().manual_seed(1))
    moved = f.flip(2)
    expected = M.bias[2] + sum(
        M.weight[2, j, a, b] * moved[0, j, min(max(row + a - 1, 0), 4), min(max(column + b - 1, 0), 5)]
        for j in range(4)
        for a in range(3)
        for b in range(3)
    )
    assert M(f).shape == f.shape
    assert float(M(f)[0, 2, row, column]) == pytest.approx(float(expected), abs=1e-4)


@pytest.mark.parametrize("g", [H_FLIP, rotation(90), rotation(20), scaling(1.4)])
def test_a_score_of_the_mapped_code_is_the_transposed_score_of_the_code(lines, g):
    M = drawn_map(lines, g)
    generator = torch.Generator().manual_seed(2)
    w, f = torch.randn(4, 7, 7, generator=generator), torch.randn(5, 4, 7, 7, generator=generator)
    v, constant = M.transposed(w)
    assert torch.allclose((w * M(f)).sum((1, 2, 3)), (v * f).sum((1, 2, 3)) + constant, atol=1e-3)
    assert not v.requires_grad


def test_channels_that_stay_are_counted_as_not_moved_and_left_as_they_are(lines):
    M = vz.EquivariantMap(H_FLIP, "bank", FLIP[:, :, None, None].clone(), torch.zeros(4))
    assert M.moved().tolist() == [0, 0, 1, 1]
    left = M.leaving(torch.tensor([2]))
    assert torch.equal(left.weight[2, :, 0, 0], torch.eye(4)[2]) and torch.equal(left.weight[3], M.weight[3])
    assert torch.equal(M.weight[2, :, 0, 0], FLIP[2])  # the first map is unharmed
    assert torch.equal(M.leaving(torch.arange(4)).weight, places(H_FLIP, "bank", 4, 1).weight)
    half = vz.EquivariantMap(
        H_FLIP, "bank", torch.tensor([[3.0, 4], [0, 2]])[:, :, None, None], torch.zeros(2)
    )
    assert half.moved().tolist() == pytest.approx([0.8, 0])


def test_the_logits_through_a_map_are_those_of_the_mirrored_picture(lines, pictures):
    x = pictures(30, 9)
    M = vz.fit_equivariance(lines, x, H_FLIP, layer="bank", method="least squares", size=1)
    assert torch.allclose(vz.logits_through(lines, H_FLIP(x[:5]), M, batch_size=2), lines(x[:5]), atol=1e-5)
    still = places(H_FLIP, "bank", 4, 1)
    assert not torch.allclose(vz.logits_through(lines, H_FLIP(x[:5]), still), lines(x[:5]), atol=1e-3)


def test_the_task_improves_a_map_and_leaves_the_network_alone(lines, pictures, left_as_found):
    x = pictures(64, 9, tinted=True)
    labels = lines(x).argmax(1)
    start = places(H_FLIP, "bank", 4, 1)
    start.weight.mul_(0.1)

    def loss(M):
        return float(nn.functional.cross_entropy(vz.logits_through(lines, H_FLIP(x), M), labels))

    with left_as_found(lines):
        M = vz.train_equivariance(lines, x, labels, start, steps=30, batch=32, rate=0.05)
    assert loss(M) < loss(start) and not M.weight.requires_grad
    again = vz.train_equivariance(lines, x, labels, start, steps=30, batch=32, rate=0.05)
    assert torch.equal(M.weight, again.weight)


def test_the_error_is_zero_for_an_exact_map_and_one_for_the_mean(lines, pictures):
    f = vz.record(lines, pictures(4, 9), "bank")["bank"]
    mean = f.mean((0, 2, 3), keepdim=True)
    assert vz.map_error(lambda z: z, f, f) == 0
    assert vz.map_error(lambda z: mean.expand_as(z), f, f) == pytest.approx(1)


def test_the_same_seed_draws_the_same_places_and_another_others(lines, pictures):
    def fit(seed):
        return vz.fit_equivariance(
            lines, pictures(10, 9), rotation(30), layer="bank", method="ridge", samples=60, seed=seed
        ).weight

    assert torch.equal(fit(0), fit(0)) and not torch.equal(fit(0), fit(1))


@pytest.mark.parametrize(
    "change, words",
    [
        ({"layer": "fc"}, "no grid of places"),
        ({"layer": "bnk"}, "bank"),
        ({"method": "magic"}, "method is one of"),
        ({"g": "flip"}, "g is a warp"),
        ({"size": 2}, "odd number"),
        ({"size": 11}, "odd number"),
        ({"k": 0}, "from 1 to all"),
    ],
)
def test_what_cannot_be_fitted_is_refused(lines, pictures, change, words):
    given = {"g": H_FLIP, "layer": "bank"} | change
    with pytest.raises(vz.VizlibError, match=words):
        vz.fit_equivariance(lines, pictures(4, 9), given.pop("g"), **given)


def test_labels_that_do_not_fit_are_refused(lines, pictures):
    with pytest.raises(vz.VizlibError, match="4 pictures and 3 labels"):
        vz.train_equivariance(
            lines, pictures(4, 9), torch.zeros(3, dtype=torch.long), places(H_FLIP, "bank", 4, 1)
        )


def test_the_places_are_drawn_evenly_and_from_every_picture():
    numbers, places = filters.plan(70, 81, 500, 3)
    assert len(numbers) == 500 and len(set(zip(numbers.tolist(), places.tolist(), strict=True))) == 500
    assert numbers.bincount(minlength=70).min() > 0 and places.max() <= 80
    shares = [int(((numbers >= a) & (numbers < b)).sum()) for a, b in ((0, 32), (32, 64), (64, 70))]
    assert shares == [229, 228, 43]  # 500 * 32 / 70 = 228.6 each, and the rest


def test_only_the_filters_reads_at_the_places_drawn_are_taken(lines, pictures):
    """The samples are F.unfold's columns, picked."""
    x = pictures(40, 9)
    read = filters._Read(lambda images: (vz.record(lines, images, "bank")["bank"], images), 3, 100, 0, 40)
    (rows,) = read(torch.arange(3, 9), x[3:9])
    numbers, places = filters.plan(40, 81, 100, 0)
    f = vz.record(lines, x, "bank")["bank"]
    unfolded = nn.functional.unfold(nn.functional.pad(f, [1] * 4, mode="replicate"), 3)
    mine = (numbers >= 3) & (numbers < 9)
    expected = torch.cat([unfolded[numbers, :, places], x.flatten(2)[numbers, :, places]], 1)[mine]
    torch.testing.assert_close(rows.sort(0).values, expected.sort(0).values)


def test_a_list_a_folder_and_a_stream_are_fitted_alike(lines, pictures, tmp_path, png):
    x = (pictures(20, 9) * 255).round() / 255
    for i, picture in enumerate(x.split(1)):
        (tmp_path / f"{i}.png").write_bytes(png(picture))
    fits = [
        vz.fit_equivariance(lines, some, V_FLIP, layer="bank", method="least squares", size=1)
        for some in (x, list(x.split(1)), vz.folder(tmp_path, size=None), (p for p in x.split(3)))
    ]
    for fit in fits:
        assert torch.allclose(fit.weight[:, :, 0, 0], FLIP, atol=1e-5)
    assert torch.equal(fits[0].weight, fits[1].weight)
    torch.testing.assert_close(fits[0].weight, fits[2].weight, rtol=0, atol=1e-5)


def test_codes_that_are_too_many_are_made_anew_for_each_batch(lines, pictures, monkeypatch):
    x = pictures(64, 9, tinted=True)
    labels, start = lines(x).argmax(1), places(H_FLIP, "bank", 4, 1)
    options = {"steps": 5, "batch": 16, "rate": 0.05}
    kept = vz.train_equivariance(lines, x, labels, start, **options)
    monkeypatch.setattr(filters, "FITS", 1000)
    anew = vz.train_equivariance(lines, x, labels, start, **options)
    torch.testing.assert_close(anew.weight, kept.weight)
    with pytest.raises(vz.VizlibError, match="in random order"):
        vz.train_equivariance(lines, iter(x.split(1)), labels, start, **options)


def test_a_map_and_its_relatives_stay_on_their_device():
    still = places(H_FLIP, "bank", 4, 3, "meta")
    f = torch.zeros(2, 4, 5, 5, device="meta")
    assert still(f).device.type == still.leaving(torch.tensor([1])).weight.device.type == "meta"
    assert still.moved().device.type == still.transposed(f[0])[0].device.type == "meta"


def test_the_samples_stay_on_the_device_of_the_codes():
    def pairs(images):
        return torch.zeros(len(images), 4, 5, 5, device="meta"), torch.zeros(
            len(images), 6, 5, 5, device="meta"
        )

    (rows,) = filters._Read(pairs, 3, 50, 0, 10)(torch.arange(10), torch.zeros(10, 3, 9, 9))
    assert rows.device.type == "meta" and rows.shape == (50, 4 * 9 + 6)


def test_the_caller_s_block_does_not_matter(lines, pictures):
    x = pictures(16, 9)
    labels, start = lines(x).argmax(1), places(H_FLIP, "bank", 4, 1)
    w = torch.randn(4, 7, 7, generator=torch.Generator().manual_seed(2))
    plain = vz.train_equivariance(lines, x, labels, start, steps=3, batch=8)
    for block in (torch.no_grad, torch.inference_mode):
        with block():
            fitted = vz.fit_equivariance(lines, x.clone(), H_FLIP, layer="bank", size=1, k=2)
            trained = vz.train_equivariance(lines, x.clone(), labels, start, steps=3, batch=8)
            moved = fitted.transposed(w.clone())[0]
        assert torch.equal(trained.weight, plain.weight)
        torch.testing.assert_close(moved, fitted.transposed(w)[0])
