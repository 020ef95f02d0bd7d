"""MAP-Elites: who takes which cell, what an archive promises, and runs that stop and go on."""

import copy

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import vizlib as vz
from vizlib.deception import Archive
from vizlib.deception.evolution import compete

BOTH = pytest.mark.parametrize("encoding", ["direct", "cppn"])


@pytest.fixture(scope="module")
def net(tiny):
    return tiny()


def run(net, **options):
    return vz.evolve(net, **{"generations": 12, "population": 10} | options)


def same(one, other):
    assert torch.equal(one.history, other.history) and torch.equal(one.scores, other.scores)
    assert all(torch.equal(one.genomes[name], other.genomes[name]) for name in one.genomes)


def archive(scores, genes):
    return Archive(
        ("a", "b", "c"), torch.tensor(scores), {"gene": torch.tensor(genes)}, torch.tensor([scores]), {}
    )


def test_a_child_takes_every_cell_where_it_beats_the_champion_and_no_other():
    """Champions 0.5, 0.2, 0.9. Child 1 is best for a (0.4 is too little) and b (0.3), child 2 for c (0.9 is
    no improvement).
    """
    before = archive([0.5, 0.2, 0.9], [10, 20, 30])
    after = compete(before, {"gene": torch.tensor([1, 2])}, torch.tensor([[0.4, 0.3, 0.3], [0.1, 0.0, 0.9]]))
    assert after.genomes["gene"].tolist() == [10, 1, 30]
    torch.testing.assert_close(after.scores, torch.tensor([0.5, 0.3, 0.9]))
    assert torch.equal(after.history, torch.tensor([[0.5, 0.2, 0.9], [0.5, 0.3, 0.9]]))


def test_one_child_may_take_several_cells():
    after = compete(
        archive([0.1, 0.1, 0.1], [10, 20, 30]), {"gene": torch.tensor([1])}, torch.tensor([[0.3, 0.3, 0.05]])
    )
    assert after.genomes["gene"].tolist() == [1, 1, 30]


@BOTH
def test_scores_never_fall_and_are_those_of_the_pictures(net, encoding):
    bred = run(net, encoding=encoding)
    assert (
        bred.history.shape == (13, 5)
        and bred.generation == 12
        and bred.evaluations == 130
        and not bred.stopped
    )
    assert (bred.history.diff(dim=0) >= 0).all() and bred.scores.sum() > bred.history[0].sum()
    assert torch.equal(bred.history[-1], bred.scores)
    with torch.no_grad():
        again = net(bred.image).softmax(1).diagonal()
    torch.testing.assert_close(again, bred.scores)


@BOTH
def test_pictures_have_256_levels(net, encoding):
    image = run(net, encoding=encoding).image
    assert image.shape == (5, 3, 16, 16)
    torch.testing.assert_close(255 * image, (255 * image).round(), atol=1e-4, rtol=0)


@BOTH
def test_a_run_that_stops_is_saved_and_goes_on_ends_like_one_that_does_not(net, encoding, tmp_path):
    whole = run(net, encoding=encoding)
    half = run(net, encoding=encoding, progress=lambda done, total, archive: done < 5)
    assert half.generation == 5 and half.stopped
    half.save(tmp_path / "half.safetensors")
    rest = run(net, encoding=encoding, archive=Archive.load(tmp_path / "half.safetensors"))
    same(rest, whole)
    assert not rest.stopped and half.generation == 5  # the archive it went on from is as it was
    same(run(net, encoding=encoding, archive=whole), whole)  # nothing left to do


def test_an_interrupt_returns_the_last_whole_generation(net, monkeypatch):
    calls, forward = [], net.forward

    def interrupted(images):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return forward(images)

    monkeypatch.setattr(net, "forward", interrupted)
    bred = run(net)
    assert bred.generation == 2 and bred.stopped
    monkeypatch.undo()
    same(run(net, archive=bred), run(net))


def test_an_interrupt_before_the_first_generation_is_one(net, monkeypatch):
    def interrupted(images):
        raise KeyboardInterrupt

    monkeypatch.setattr(net, "forward", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(net)


def test_the_seed_decides_and_the_global_generator_is_left_alone(net):
    before = torch.random.get_rng_state()
    same(run(net, seed=3), run(net, seed=3))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not torch.equal(run(net, seed=3).history, run(net, seed=4).history)


def test_some_classes_have_a_cell_by_index_or_label(net):
    assert run(net, target=["class 3", 1]).labels == ("class 3", "class 1")
    assert run(net, target=2).scores.shape == (1,)
    assert run(net, target=2, grey=True, size=20).image.shape == (1, 3, 20, 20)


def test_progress_hears_of_every_generation(net):
    heard = []
    run(
        net,
        generations=3,
        progress=lambda done, total, archive: heard.append((done, total, archive.generation)),
    )
    assert heard == [(0, 3, 0), (1, 3, 1), (2, 3, 2), (3, 3, 3)]


@pytest.mark.parametrize(
    "options, words",
    [
        ({"encoding": "indirect"}, "encoding is one of direct, cppn"),
        ({"generations": 0}, "generations is a whole number, 1 or more"),
        ({"population": 2.5}, "population is a whole number, 1 or more"),
        ({"size": -1}, "size is a number of pixels, or two, .* 1 or more; this is -1"),
        ({"target": [1, 1]}, "one or more different ones"),
        ({"target": []}, "one or more different ones"),
        ({"target": "bagel"}, "bagel"),
        ({"seed": "x"}, "seed is a whole number"),
    ],
)
def test_what_cannot_be_used_is_said(net, options, words):
    with pytest.raises(vz.VizlibError, match=words):
        run(net, **options)


def test_an_archive_of_another_run_is_refused(net):
    bred = run(net, generations=1)
    for other in ({"seed": 1}, {"encoding": "direct"}, {"target": [0, 1]}, {"population": 5}, {"size": 20}):
        with pytest.raises(vz.VizlibError, match="The archive is of a run with"):
            run(net, archive=bred, **other)


@BOTH
def test_an_archive_goes_on_only_with_the_network_that_bred_it(net, tiny, encoding):
    bred = run(net, generations=3, encoding=encoding)
    run(copy.deepcopy(net), encoding=encoding, archive=bred)
    changed = copy.deepcopy(net)
    with torch.no_grad():
        changed.model.fc.bias[0] += 1  # what the champions scored is no longer what this one gives them
    for other in (vz.randomize(net), tiny(seed=1), changed):
        assert other.name == net.name
        with pytest.raises(
            vz.VizlibError, match="The archive is of a network with other weights than this toy"
        ):
            run(other, encoding=encoding, archive=bred)


@BOTH
def test_pictures_may_be_wider_than_high(net, encoding, tmp_path):
    bred = run(net, encoding=encoding, size=(12, 20), generations=2)
    assert bred.image.shape == (5, 3, 12, 20)
    bred.save(tmp_path / "wide.safetensors")
    on = run(net, encoding=encoding, size=(12, 20), archive=Archive.load(tmp_path / "wide.safetensors"))
    same(on, run(net, encoding=encoding, size=(12, 20)))


def test_numbers_of_numpy_are_numbers(net, tmp_path):
    three, ten = np.int64(3), np.int64(10)
    bred = run(net, target=np.array([1, 2]), generations=three, population=ten, seed=np.int64(0), size=ten)
    same(bred, run(net, target=[1, 2], generations=3, size=10))
    bred.save(tmp_path / "bred.safetensors")  # JSON knows no NumPy


def test_it_works_in_inference_mode_and_leaves_the_mode_of_a_progress_alone(net):
    modes = []
    whole = run(net, generations=3, progress=lambda *told: modes.append(torch.is_grad_enabled()))
    with torch.inference_mode():
        bred = run(net, generations=3)
    same(bred, whole)
    assert all(modes)


def test_files_that_are_no_archives_are_refused(net, tmp_path):
    with pytest.raises(vz.VizlibError, match="There is no archive"):
        Archive.load(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("not this")
    run(net, generations=1).save(tmp_path / "cut.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "cut.safetensors").read_bytes()[:-7])
    save_file({"scores": torch.zeros(2)}, tmp_path / "other.safetensors")
    for name in ("text", "cut", "other"):
        with pytest.raises(vz.VizlibError, match="is not an archive"):
            Archive.load(tmp_path / f"{name}.safetensors")
