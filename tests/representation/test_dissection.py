"""Units against masks, on a network whose maps are the colours themselves, and on the course's own."""

import pytest
import torch
from sklearn.metrics import jaccard_score

import vizlib as vz
from vizlib.images.collage import Collages
from vizlib.representation import dissection
from vizlib.representation.dissection import Thresholds


@pytest.fixture
def coloured():
    """Three pictures of 8 x 8: a red square "apple" in the first, a green "pear" in the second, both in the
    third.
    """
    images, owners = torch.zeros(3, 3, 8, 8), torch.full((3, 8, 8), -1)
    images[0, 0, 1:3, 1:3], owners[0, 1:3, 1:3] = 0.9, 0
    images[1, 1, 4:6, 4:6], owners[1, 4:6, 4:6] = 0.8, 0
    images[2, 0, 5:7, 1:3], owners[2, 5:7, 1:3] = 0.7, 1
    images[2, 1, 1:3, 5:7], owners[2, 1:3, 5:7] = 0.6, 0
    return Collages(
        images, torch.zeros(3, dtype=torch.long), owners, [["apple"], ["pear"], ["pear", "apple"]]
    )


def test_a_unit_that_is_the_mask_has_iou_one(colour_averages, coloured):
    found = vz.dissect(colour_averages, coloured, "relu", top=8 / 192)
    assert found.objects == ["apple", "pear"]
    assert found.iou.tolist() == [[1, 0], [0, 1], [0, 0]]  # red, green, and the dead third
    assert found.count() == 2 and found.best.indices[:2].tolist() == [0, 1]
    assert found.peak[0].tolist() == pytest.approx([0.9, 0, 0.7])
    assert found.has.tolist() == [[True, False], [False, True], [True, True]]


def test_iou_worked_out_by_hand(colour_averages, coloured):
    half = vz.dissect(colour_averages, coloured, "relu", top=4 / 192)
    assert half.iou[0].tolist() == [0.5, 0]  # only the brighter apple: 4 of 8
    coloured.owners[0, 1:3, 3] = 0  # the apple is larger than its colour: 8 of 10
    assert vz.dissect(colour_averages, coloured, "relu", top=8 / 192).iou[0, 0] == pytest.approx(0.8)
    coloured.owners[0] = -1  # no apple there, though it is red: 4 of 8
    assert vz.dissect(colour_averages, coloured, "relu", top=8 / 192).iou[0, 0] == pytest.approx(0.5)


def test_the_table_says_which_object_and_how_often_it_is_in_the_favourites(colour_averages, coloured):
    rows = vz.dissect(colour_averages, coloured, "relu", top=8 / 192).table(0.5, top=2)
    assert rows["unit"] == [0, 1] and rows["object"] == ["apple", "pear"]
    assert rows["precision"] == [1, 1] and rows["chance"] == pytest.approx([2 / 3, 2 / 3])


def test_the_mask_of_a_unit_in_a_picture(colour_averages, coloured):
    found = vz.dissect(colour_averages, coloured, "relu", top=8 / 192)
    assert torch.equal(found.mask(0, 2)[0, 0] == 1, coloured.owners[2] == 1)
    assert found.mask(0, 1).sum() == 0 and found.mask(2, 0).sum() == 0


def test_shuffled_masks_are_those_of_another_picture(colour_averages, coloured):
    found = vz.dissect(colour_averages, coloured, "relu", top=8 / 192)
    for seed in range(4):
        order = torch.randperm(3, generator=torch.Generator().manual_seed(seed)).tolist()
        moved = coloured._replace(owners=coloured.owners[order], names=[coloured.names[i] for i in order])
        assert torch.equal(found.shuffled(seed), vz.dissect(colour_averages, moved, "relu", top=8 / 192).iou)


def test_a_rotation_mixes_units_and_a_permutation_only_renames_them(colour_averages, coloured):
    own = vz.dissect(colour_averages, coloured, "relu", top=8 / 192)
    swapped = vz.dissect(colour_averages, coloured, "relu", top=8 / 192, mix=torch.eye(3)[[1, 0, 2]])
    assert torch.equal(swapped.iou, own.iou[[1, 0, 2]])
    both = vz.dissect(colour_averages, coloured, "relu", top=16 / 192, mix=torch.tensor([[1.0, 1.0, 0.0]]))
    assert both.iou.tolist() == [[0.5, 0.5]]  # red or green: 8 of 16, for each


def test_the_strong_pixels_are_about_the_share_asked_for_and_those_of_the_enlarged_maps():
    net, scenes = vz.load("scenenet"), vz.collages(12, seed=5)
    found = vz.dissect(net, scenes, "relu5", top=0.02, batch_size=5)
    maps = vz.record(net, scenes.images, "relu5")["relu5"]
    for k in (0, 100):
        large = torch.nn.functional.interpolate(maps[:, k : k + 1], 96, mode="bilinear") > found.threshold[k]
        assert torch.equal(torch.cat([found.mask(k, n) for n in range(12)]).bool(), large)
        assert 0.005 < large.float().mean() < 0.04


def test_the_iou_is_scikit_learns_jaccard_score():
    net, scenes = vz.load("scenenet"), vz.collages(12, seed=5)
    found = vz.dissect(net, scenes, "relu5", top=0.02)
    for k, c in ((7, 0), (56, 5), (36, found.objects.index(scenes.names[0][0]))):
        name = found.objects[c]
        inside = [
            (o == n.index(name) if name in n else o == 99).flatten()
            for o, n in zip(scenes.owners, scenes.names, strict=True)
        ]
        strong = torch.cat([found.mask(k, n).flatten() for n in range(12)])
        assert found.iou[k, c] == pytest.approx(
            jaccard_score(torch.cat(inside).numpy(), strong.bool().numpy())
        )


def test_a_trained_last_layer_has_detectors_and_an_untrained_one_hardly_any():
    scenes = vz.collages(120, seed=(18, 5))
    assert vz.dissect(vz.load("scenenet"), scenes, "relu5").count() > 96
    assert vz.dissect(vz.load("scenenet@0"), scenes, "relu5").count() < 10


def test_progress_and_stop(colour_averages, coloured):
    seen = []
    found = vz.dissect(
        colour_averages,
        coloured,
        "relu",
        batch_size=1,
        progress=lambda done, total, preview: seen.append((done, total)) or done < 2,
    )
    assert seen == [(1, 3), (2, 3)] and found.peak.shape == (3, 2) and len(found.owners) == 2


def test_what_cannot_be_used(colour_averages, coloured):
    with pytest.raises(vz.VizlibError, match="no grid of positions"):
        vz.dissect(vz.load("scenenet"), vz.collages(1), "logits")
    for top in (0, 1, 1.5):
        with pytest.raises(vz.VizlibError, match="between 0 and 1"):
            vz.dissect(colour_averages, coloured, "relu", top=top)


def test_the_threshold_is_the_value_that_the_share_does_not_exceed():
    """Of 0 ... 199 one in a hundred, two, are above 197."""
    maps = torch.arange(200.0)[torch.randperm(200, generator=torch.Generator().manual_seed(0))]
    kept = Thresholds(1000)
    kept.update(maps.view(2, 1, 10, 10), True)
    assert kept.quantile(0.99).tolist() == [197]
    assert int((maps > kept.quantile(0.99)).sum()) == 2


def test_scenes_without_objects_are_told_so(colour_averages, coloured):
    bare = vz.collages(2, show="background")
    with pytest.raises(vz.VizlibError, match="show no objects"):
        vz.dissect(vz.load("scenenet"), bare, "relu5")
    hidden = coloured._replace(owners=torch.full_like(coloured.owners, -1))
    with pytest.raises(vz.VizlibError, match="show no objects"):
        vz.dissect(colour_averages, hidden, "relu")


def chunks(scenes, size):
    for start in range(0, len(scenes.images), size):
        some = slice(start, start + size)
        yield Collages(scenes.images[some], scenes.labels[some], scenes.owners[some], scenes.names[some])


@pytest.mark.parametrize("kind", ["list", "function"])
def test_scenes_in_pieces_are_the_same_scenes(kind):
    net, scenes = vz.load("scenenet"), vz.collages(20, seed=3)
    given = list(chunks(scenes, 7)) if kind == "list" else lambda: chunks(scenes, 7)
    one = vz.dissect(net, scenes, "relu5", batch_size=7)
    many = vz.dissect(net, given, "relu5", batch_size=7)
    assert torch.equal(one.iou, many.iou) and torch.equal(one.threshold, many.threshold)
    assert torch.equal(one.has, many.has) and torch.equal(one.peak, many.peak)
    assert torch.equal(one.shuffled(1), many.shuffled(1)) and one.table() == many.table()


def test_too_many_activations_are_counted_in_two_passes(monkeypatch):
    """The threshold lies at most a bin below the exact one, and everything follows from it."""
    net, scenes, seen = vz.load("scenenet"), vz.collages(20, seed=3), []
    exact = vz.dissect(net, scenes, "relu5")
    monkeypatch.setattr(dissection, "FITS", 1000)
    found = vz.dissect(net, scenes, "relu5", batch_size=8, progress=lambda *told: seen.append(told[:2]))
    assert seen == [(8, 40), (16, 40), (20, 40), (28, 40), (36, 40), (40, 40)]
    assert exact.exact and not found.exact and found.objects == exact.objects
    maps = vz.record(net, scenes.images, "relu5")["relu5"]
    width = 2 * (maps.amax((0, 2, 3)) - maps.amin((0, 2, 3))) / 4095
    below = exact.threshold - found.threshold
    assert bool((below >= -1e-6).all()) and bool((below <= width).all()) and float(below.max()) > 0
    assert float((found.iou - exact.iou).abs().max()) < 0.02
    assert torch.equal(found.has, exact.has)
    with pytest.raises(vz.VizlibError, match="too many strong pixels"):
        found.mask(0, 0)


def test_the_second_pass_sees_the_pictures_of_the_first(colour_averages, coloured, monkeypatch):
    monkeypatch.setattr(dissection, "FITS", 10)
    stopped = vz.dissect(
        colour_averages,
        coloured,
        "relu",
        top=8 / 128,
        batch_size=1,
        progress=lambda done, total, _: done != 2,
    )
    assert stopped.has.tolist() == [[True, False], [False, True]]


def test_a_generator_is_refused_since_it_is_read_twice(colour_averages, coloured):
    with pytest.raises(vz.VizlibError, match="read twice"):
        vz.dissect(colour_averages, chunks(coloured, 1), "relu")


def test_a_dissection_goes_on_from_its_checkpoints(tmp_path, monkeypatch):
    net, scenes, file = vz.load("scenenet"), vz.collages(40, seed=3), tmp_path / "at.pt"
    monkeypatch.setattr(dissection, "FITS", 1000)
    unbroken = vz.dissect(net, scenes, "relu5", batch_size=2)

    def until(last):
        return {"batch_size": 2, "checkpoint": file, "progress": lambda done, total, _: done < last}

    vz.dissect(net, scenes, "relu5", **until(34))
    seen = []
    found = vz.dissect(
        net, scenes, "relu5", batch_size=2, checkpoint=file, progress=lambda *told: seen.append(told[0])
    )
    assert seen[0] == 34 and seen[-1] == 80
    assert torch.equal(found.iou, unbroken.iou) and torch.equal(found.threshold, unbroken.threshold)
    assert found.table() == unbroken.table()


def test_the_old_name_still_works_and_says_the_new_one(colour_averages, coloured):
    with pytest.warns(DeprecationWarning, match="dissect"):
        assert vz.detectors(colour_averages, coloured, "relu", top=8 / 192).count() == 2
