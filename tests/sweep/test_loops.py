"""The loop: what it asks, how it stops, and how it is taken up again."""

from dataclasses import dataclass, field

import pytest
import torch

import vizlib as vz
from vizlib.sweep import Moments, run


@dataclass
class Listing:
    """A reducer that keeps everything."""

    numbers: list = field(default_factory=list)
    sums: list = field(default_factory=list)

    def update(self, numbers, sums):
        self.numbers, self.sums = self.numbers + numbers.tolist(), self.sums + sums.tolist()

    def merge(self, other):
        self.numbers, self.sums = self.numbers + other.numbers, self.sums + other.sums

    def result(self):
        return self


def brightness(numbers, images):
    return numbers, images.mean((1, 2, 3))


@pytest.fixture
def forty(pictures):
    return pictures(40, 8)


def test_a_reducer_of_ones_own_sees_every_picture_once_and_in_order(forty):
    told, empty = [], Listing()
    found = run(forty, brightness, empty, batch_size=3, progress=lambda *now: told.append(now))
    assert found.numbers == list(range(40)) and empty.numbers == []
    assert found.sums == pytest.approx(forty.mean((1, 2, 3)).tolist(), abs=1e-6)
    assert told == [(min(n, 40), 40, None) for n in range(3, 43, 3)]
    assert run((x for x in forty), brightness, Listing(), batch_size=3).numbers == list(range(40))


def test_a_stream_of_unknown_length_is_told_without_a_total(forty):
    told = []
    run((x for x in forty), brightness, Listing(), progress=lambda *now: told.append(now[:2]))
    assert told == [(32, None), (40, None)]


@pytest.mark.parametrize("last", [3, 24, 27, 39])
def test_a_stop_leaves_what_there_is(forty, last):
    found = run(forty, brightness, Listing(), batch_size=3, progress=lambda done, *_: done < last)
    assert found.numbers == list(range(last))


@pytest.mark.parametrize("at", [1, 7, 8, 12])
def test_an_interrupt_leaves_what_there_is(forty, at):
    def interrupted(numbers, images):
        if int(numbers[0]) == 3 * at:
            raise KeyboardInterrupt
        return brightness(numbers, images)

    assert run(forty, interrupted, Listing(), batch_size=3).numbers == list(range(3 * at))


def test_an_interrupt_before_anything_is_one(forty):
    def interrupted(numbers, images):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(forty, interrupted, Listing())


def test_an_error_is_an_error_and_the_file_keeps_what_came_before(forty, tmp_path):
    def failing(numbers, images):
        if 30 in numbers:
            raise vz.VizlibError("no")
        return brightness(numbers, images)

    with pytest.raises(vz.VizlibError, match="no"):
        run(forty, failing, Listing(), batch_size=3, checkpoint=tmp_path / "a.pt")
    asked = []

    def listening(numbers, images):
        asked.append(int(numbers[0]))
        return brightness(numbers, images)

    found = run(forty, listening, Listing(), batch_size=3, checkpoint=tmp_path / "a.pt")
    assert asked[0] == 24 and found.numbers == list(range(40))


@pytest.mark.parametrize("kind", ["tensor", "list", "generator", "folder"])
def test_a_broken_off_sweep_goes_on_and_ends_as_an_unbroken_one(forty, kind, tmp_path, png):
    photos = tmp_path / "photos"
    photos.mkdir()
    for i, x in enumerate(forty.split(1)):
        (photos / f"{i}.png").write_bytes(png(x))
    (photos / "3.png").write_bytes(b"broken")

    def pictures():
        if kind == "folder":
            return vz.folder(photos, size=None)
        return {"tensor": forty, "list": list(forty), "generator": (x for x in forty)}[kind]

    options = {"batch_size": 2, "belongs": {"question": "brightness"}}
    unbroken = run(pictures(), brightness, Listing(), **options)
    file, first = tmp_path / "half" / "way.pt", []
    run(pictures(), brightness, Listing(), checkpoint=file, progress=lambda done, *_: done < 37, **options)
    assert [path.name for path in file.parent.iterdir()] == ["way.pt"]
    again = pictures()
    found = run(
        again, brightness, Listing(), checkpoint=file, progress=lambda done, *_: first.append(done), **options
    )
    assert first[0] == 34 and found == unbroken
    if kind == "folder":
        assert [path.name for path, _ in again.skipped] == ["3.png"]

    def never(numbers, images):
        raise AssertionError("it is complete")

    assert run(pictures(), never, Listing(), checkpoint=file, **options) == unbroken


def test_a_checkpoint_of_another_sweep_is_refused(tiny, forty, tmp_path):
    file, net, same_weights = tmp_path / "a.pt", tiny(), tiny()
    same_weights.model.relu1 = torch.nn.LeakyReLU()
    vz.top_patches(net, forty, "relu1", checkpoint=file)
    for words, call in {
        "other network": lambda: vz.top_patches(tiny(seed=1), forty, "relu1", checkpoint=file),
        "other network than these": lambda: vz.top_patches(same_weights, forty, "relu1", checkpoint=file),
        "other pictures": lambda: vz.top_patches(net, forty[:39], "relu1", checkpoint=file),
        "layers 'relu1', not 'relu1, conv2'": lambda: vz.top_patches(
            net, forty, ["relu1", "conv2"], checkpoint=file
        ),
        "top 9, not 3": lambda: vz.top_patches(net, forty, "relu1", top=3, checkpoint=file),
        "batch_size 16, not 5": lambda: vz.top_patches(net, forty, "relu1", batch_size=5, checkpoint=file),
        "question 'top patches'": lambda: vz.match_units(net, forty, net, layer="relu1", checkpoint=file),
    }.items():
        with pytest.raises(vz.VizlibError, match=words):
            call()
    same = vz.top_patches(tiny(), list(forty.split(40)), "relu1", checkpoint=file)  # a copy of the network
    assert torch.equal(same.picture, vz.top_patches(net, forty, "relu1").picture)


def test_a_changed_folder_is_refused(tiny, forty, tmp_path, png):
    for i, x in enumerate(forty[:4].split(1)):
        (tmp_path / f"{i}.png").write_bytes(png(x))
    run(vz.folder(tmp_path, size=8), brightness, Listing(), checkpoint=tmp_path / "a.pt")
    run(vz.folder(tmp_path, size=8), brightness, Listing(), checkpoint=tmp_path / "a.pt")
    (tmp_path / "0.png").rename(tmp_path / "9.png")
    for other in (vz.folder(tmp_path, size=8), vz.folder(tmp_path, size=9)):
        with pytest.raises(vz.VizlibError, match="other pictures"):
            run(other, brightness, Listing(), checkpoint=tmp_path / "a.pt")


@pytest.mark.parametrize("content", [b"", b"no checkpoint", "another file of torch"])
def test_a_file_that_is_no_checkpoint_is_refused_and_left_alone(forty, content, tmp_path):
    file = tmp_path / "a.pt"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        torch.save({"weights": torch.zeros(3)}, file)
    before = file.read_bytes()
    with pytest.raises(vz.VizlibError, match="no checkpoint of a sweep"):
        run(forty, brightness, Listing(), checkpoint=file)
    assert file.read_bytes() == before


def test_a_checkpoint_that_holds_code_is_not_run(forty, tmp_path):
    torch.save({"kind": "vizlib sweep 1", "belongs": Listing()}, tmp_path / "a.pt")
    with pytest.raises(vz.VizlibError, match="no checkpoint of a sweep"):
        run(forty, brightness, Listing(), checkpoint=tmp_path / "a.pt")


def test_moments_go_through_a_file_with_what_is_pending(forty, tmp_path):
    def colours(numbers, images):
        return (images.mean((2, 3)),)

    whole = run(forty, colours, Moments(), batch_size=2).result()
    options = {"batch_size": 2, "checkpoint": tmp_path / "a.pt"}
    run(forty, colours, Moments(), progress=lambda done, *_: done < 20, **options)
    again = run(forty, colours, Moments(), **options).result()
    assert again.count == 40 and torch.equal(again.scatter, whole.scatter)


def test_no_picture_at_all_is_told(tmp_path):
    with pytest.raises(vz.VizlibError, match="the stream is empty"):
        run(iter([]), brightness, Listing())
    (tmp_path / "a.png").write_bytes(b"broken")
    with pytest.raises(vz.VizlibError, match=r"None of these files could be read. Of 'a.png' is known"):
        run(vz.folder(tmp_path), brightness, Listing())
