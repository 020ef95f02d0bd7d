"""Reading Tiny ImageNet in both layouts, and what is said of folders that are something else."""

import re
import shutil

import numpy as np
import pytest

import vizlib as vz
from vizlib.course.training import read_tiny_imagenet


@pytest.mark.parametrize("layout", ["packed", "downloaded"])
def test_pictures_labels_and_names_belong_together(layout, request):
    folder = request.getfixturevalue(layout)
    for split, count in (("train", 400), ("val", 200)):
        pictures = read_tiny_imagenet(folder, split)
        assert pictures.images.shape == (count, 64, 64, 3) and pictures.images.dtype == np.uint8
        assert np.bincount(pictures.labels).tolist() == [count // 200] * 200
        assert pictures.names == tuple(sorted(pictures.names)) and pictures.names[3] == "thing n00000003"


def test_both_layouts_number_the_classes_alike(packed, downloaded):
    one, other = (read_tiny_imagenet(folder, "val") for folder in (packed, downloaded))
    assert one.names == other.names
    for label in range(0, 200, 7):
        colours = [p.images[p.labels == label].mean((0, 1, 2)) for p in (one, other)]
        assert np.abs(colours[0] - colours[1]).max() < 6


@pytest.fixture
def copied(tmp_path, request):
    def copy(layout):
        return shutil.copytree(request.getfixturevalue(layout), tmp_path / "copy")

    return copy


def _refused(folder, sentence, split="train"):
    with pytest.raises(vz.VizlibError, match=sentence):
        read_tiny_imagenet(folder, split)


def test_a_missing_folder_gets_instructions(tmp_path):
    _refused(
        tmp_path / "nowhere", "There is no folder .*nowhere.*tiny-imagenet-200.zip.*--data tiny-imagenet-200"
    )


def test_an_empty_folder_gets_instructions(tmp_path):
    _refused(tmp_path, "is not Tiny ImageNet: it holds nothing. .*tiny-imagenet-200.zip")


def test_another_folder_is_named_by_what_it_holds(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"")
    _refused(tmp_path, "it holds holiday.jpg")


def test_a_file_cut_short_is_named(copied):
    folder = copied("packed")
    data = (folder / "train-1.npz").read_bytes()
    (folder / "train-1.npz").write_bytes(data[: len(data) // 2])
    _refused(folder, "train-1.npz cannot be read .*Fetch it again")


def test_a_missing_pack_is_named(copied):
    folder = copied("packed")
    (folder / "val.npz").unlink()
    _refused(folder, "no file with the val pictures", "val")


def test_a_broken_picture_is_named(copied):
    folder = copied("downloaded")
    path = next((folder / "train").rglob("*_1.JPEG"))
    path.write_bytes(path.read_bytes()[:200])
    _refused(folder, re.escape(path.name) + "' is not a whole picture .200 bytes")


def test_a_picture_of_another_size_is_named(copied):
    from PIL import Image

    folder = copied("downloaded")
    Image.new("RGB", (32, 48)).save(folder / "val" / "images" / "val_5.JPEG")
    _refused(folder, "val_5.JPEG' is 32 x 48 pixels; those of Tiny ImageNet are 64 x 64", "val")


def test_missing_pictures_are_counted(copied):
    folder = copied("downloaded")
    (folder / "val" / "images" / "val_7.JPEG").unlink()
    _refused(folder, "1 of the val pictures are not there, the first is .*val_7.JPEG", "val")


@pytest.mark.parametrize("layout", ["packed", "downloaded"])
def test_another_number_of_classes_is_refused(layout, copied):
    folder = copied(layout)
    name = "classes.tsv" if layout == "packed" else "wnids.txt"
    lines = (folder / name).read_text().splitlines()
    (folder / name).write_text("\n".join(lines[:-1]) + "\n")
    _refused(folder, "pictures of 200 classes; here are 199 classes")


@pytest.mark.parametrize("name", ["words.txt", "val/val_annotations.txt"])
def test_a_missing_list_is_named(name, copied):
    folder = copied("downloaded")
    (folder / name).unlink()
    _refused(folder, f"file {name.split('/')[-1]} is not there", "val")
