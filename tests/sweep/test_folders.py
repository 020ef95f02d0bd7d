"""Folders: which files, in which order, what is skipped, and that the rest is read when it is needed."""

import threading

import pytest
import torch

import vizlib as vz
from vizlib.sweep import Folder


@pytest.fixture
def made(tmp_path, png):
    """made({name: side}): a folder with pictures of these sides."""

    def make(sides):
        for name, side in sides.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(png(torch.full((1, 3, side, side), 0.5)))
        return tmp_path

    return make


def names(pictures):
    return [path.relative_to(pictures.root).as_posix() for path in pictures.paths]


def test_the_order_is_natural_and_folders_are_looked_into(made):
    root = made(dict.fromkeys(["img10.png", "img2.png", "b/1.png", "Img1.PNG", ".hidden/1.png", ".x.png"], 8))
    pictures = vz.folder(root, size=8)
    assert names(pictures) == ["b/1.png", "Img1.PNG", "img2.png", "img10.png"]
    assert len(pictures) == 4 and pictures[0].shape == (1, 3, 8, 8)
    assert names(vz.folder(root, size=8, recursive=False)) == ["Img1.PNG", "img2.png", "img10.png"]


def test_links_are_followed_once(made):
    root = made({"a/1.png": 8})
    (root / "a" / "again").symlink_to(root)
    (root / "b").symlink_to(root / "a")
    assert names(vz.folder(root)) == ["a/1.png"]


def test_what_cannot_be_read_is_skipped_and_reported(made):
    root = made({"1.png": 16, "4.png": 16, "5": 16})
    (root / "2.jpg").write_bytes(b"no picture")
    (root / "3.png").write_bytes((root / "1.png").read_bytes()[:60])
    (root / "notes.txt").write_text("words")
    pictures = vz.folder(root, size=8)
    assert [path.name for path, _ in pictures.skipped] == ["notes.txt"]
    for _ in range(2):  # again and again, and each is reported once
        assert [x.shape for x in pictures] == [(1, 3, 8, 8)] * 3
        assert [path.name for path, _ in pictures.skipped] == ["notes.txt", "2.jpg", "3.png"]
    reasons = dict(pictures.skipped)
    assert "'.txt'" in reasons[root / "notes.txt"] and "not a picture" in reasons[root / "2.jpg"]
    assert len(pictures) == 5 and "3 files skipped" in repr(pictures)


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_batches_hold_what_follows_each_other_and_has_one_size(made, threads):
    root = made({"1.png": 8, "2.png": 8, "3.png": 8, "4.png": 12, "5.png": 8})
    (root / "2.png").write_bytes(b"")
    found = list(vz.folder(root, size=None, threads=threads).batches(2))
    assert [(numbers.tolist(), tuple(x.shape)) for numbers, x in found] == [
        ([0, 2], (2, 3, 8, 8)),
        ([3], (1, 3, 12, 12)),
        ([4], (1, 3, 8, 8)),
    ]


def test_few_pictures_are_read_ahead_and_the_threads_end(made, monkeypatch):
    read, lock = [], threading.Lock()

    def open_late(folder, number):
        with lock:
            read.append(number)
        return torch.zeros(1, 3, 8, 8)

    pictures = vz.folder(made(dict.fromkeys((f"{i}.png" for i in range(200)), 8)), size=8, threads=2)
    monkeypatch.setattr(Folder, "__getitem__", open_late)
    loop = iter(pictures)
    for _ in range(3):
        next(loop)
    assert len(read) <= 3 + 2 * 16
    loop.close()
    for thread in threading.enumerate():
        if thread.name.startswith("vizlib reads"):
            thread.join(10)
    assert len(read) <= 3 + 2 * 16 and not any(
        t.name.startswith("vizlib reads") for t in threading.enumerate()
    )


def test_pictures_are_those_of_open_image(made):
    root = made({"1.png": 40})
    assert torch.equal(vz.folder(root, size=16)[0], vz.open_image(root / "1.png", 16))
    assert torch.equal(vz.folder(root, size=None)[0], vz.open_image(root / "1.png"))


def test_what_is_no_folder_of_pictures_is_told(made):
    root = made({"1.png": 8})
    with pytest.raises(vz.VizlibError, match="There is no folder"):
        vz.folder(root / "nowhere")
    with pytest.raises(vz.VizlibError, match="is a file. vz.open_image reads one picture"):
        vz.folder(root / "1.png")
    with pytest.raises(vz.VizlibError, match="size is a number of pixels, 8 or more"):
        vz.folder(root, size="large")
    (root / "empty").mkdir()
    (root / "empty" / "a.csv").write_text("1")
    with pytest.raises(vz.VizlibError, match="no picture among 1 file"):
        vz.folder(root / "empty")
