"""The offline library: every entry opens, credits are complete, and a pasted object covers exactly its
mask.
"""

import importlib

import numpy as np
import pytest
import torch
from PIL import Image

import vizlib as vz
from vizlib.resources import data_folder

library = importlib.import_module("vizlib.images.library")


@pytest.mark.parametrize("table", ["photos", "cutouts", "backgrounds"])
def test_every_picture_has_a_name_of_its_own_a_title_an_author_and_a_licence(table):
    rows = vz.backgrounds() if table == "backgrounds" else getattr(vz, table)(all=True)
    assert len(rows) >= 10
    assert len(set(rows["name"])) == len(rows)
    for row in rows:
        assert row["title"] and row["author"] and row["licence"] and row["category"], row["name"]


@pytest.mark.parametrize("table, core, everything", [(vz.photos, 90, 429), (vz.cutouts, 217, 308)])
def test_the_core_set_is_the_same_as_ever_and_comes_first(table, core, everything):
    assert len(table()) == core and len(table(all=True)) == everything
    assert table() == table(all=True)[:core]


def test_every_picture_says_where_it_is_from_and_its_licence_has_an_address_and_is_in_the_readme():
    readme = (data_folder() / "README.md").read_text(encoding="utf-8")
    for row in library._catalogue():
        assert row["set"] in ("core", "library") and row["source_package"] and row["source_version"], row
        assert row["source_path"] and row["changes"], row["path"]
        assert f"[{row['licence']}]({row['licence_url']})" in readme, row["path"]


def test_licences_that_forbid_change_or_sale_are_not_in_the_library():
    licences = {row["licence"] for row in library._catalogue()}
    assert not any("NC" in name or "ND" in name or "GFDL" in name for name in licences), licences


@pytest.mark.parametrize("row", vz.photos(all=True)[90:], ids=lambda row: row["name"])
def test_a_library_photo_is_large_enough_to_look_at_and_small_enough_to_keep(row):
    path = data_folder() / "photos" / f"{row['name']}.jpg"
    with Image.open(path) as picture:
        assert picture.mode == "RGB" and 224 <= min(picture.size) <= 320
        assert max(picture.size) <= 1.61 * min(picture.size)
    assert path.stat().st_size <= 100_000


def test_a_label_in_the_catalogue_is_the_label_of_its_index(lite0):
    rows = [row for row in [*vz.photos(all=True), *vz.cutouts(all=True)] if row["index"] is not None]
    assert len(rows) >= 20
    for row in rows:
        assert lite0.labels[row["index"]] == row["label"], row["name"]


def test_every_file_of_the_catalogue_is_there_and_no_picture_is_left_out_of_it():
    named = {data_folder() / row["path"] for row in library._catalogue()}
    assert all(path.is_file() for path in named)
    found = {
        path for kind in ("photos", "cutouts", "backgrounds") for path in (data_folder() / kind).iterdir()
    }
    assert found <= named


def test_a_photo_is_a_picture_and_with_a_size_its_centre_square():
    whole, square = vz.photo("tabby_cat_chelsea"), vz.photo("tabby_cat_chelsea", 64)
    assert whole.shape[:2] == (1, 3) and min(whole.shape[-2:]) >= 200
    assert square.shape == (1, 3, 64, 64)
    assert 0 <= square.min() < 0.2 and 0.7 < square.max() <= 1


def test_a_background_is_square_at_any_size():
    name = vz.backgrounds()["name"][0]
    assert vz.background(name).shape == (1, 3, 256, 256)
    assert vz.background(name, 48).shape == (1, 3, 48, 48)


@pytest.mark.parametrize("size", [0, -3, 4.5, "big"])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(vz.VizlibError, match="size is a number of pixels, 1 or more; this is"):
        vz.background("grass_green", size)


def test_numpy_numbers_and_names_will_do():
    assert vz.background(np.str_("grass_green"), np.int64(16)).shape == (1, 3, 16, 16)


def test_whole_photos_have_sides_that_are_multiples_and_nothing_is_stretched():
    pictures = vz.whole_photos(64, multiple=np.int64(16))
    assert len(pictures) == len(vz.photos())
    for image, name in zip(pictures, vz.photos()["name"], strict=True):
        own = vz.photo(name).shape[-2:]
        assert min(image.shape[-2:]) == 64 and all(side % 16 == 0 for side in image.shape[-2:])
        assert max(image.shape[-2:]) == max(64, int(max(own) * 64 / min(own) + 0.5) // 16 * 16)
    assert len(vz.whole_photos(32, all=True)) == len(vz.photos(all=True))
    for wrong in ({"side": 0}, {"multiple": 0.5}, {"side": 16, "multiple": 32}):
        with pytest.raises(vz.VizlibError, match="is a number of pixels"):
            vz.whole_photos(**wrong)


def test_a_cutout_is_partly_opaque_and_partly_transparent():
    for name in vz.cutouts(all=True)["name"][::10]:
        colour, alpha = vz.cutout(name)
        assert colour.shape[1] == 3 and alpha.shape[1] == 1 and colour.shape[-2:] == alpha.shape[-2:]
        assert alpha.min() == 0 and alpha.max() > 0.99


def test_the_same_name_gives_the_same_pixels_and_a_tensor_of_ones_own():
    a = vz.photo("goldfish", 32)
    a.zero_()
    assert vz.photo("goldfish", 32).max() > 0.5


@pytest.mark.parametrize(
    "function, wrong, right",
    [
        (vz.photo, "gold fish", "goldfish"),
        (vz.cutout, "zebras", "zebra"),
        (vz.background, "grass", "grass_green"),
    ],
    ids=["photo", "cutout", "background"],
)
def test_an_unknown_name_is_refused_with_the_nearest_and_the_table(function, wrong, right):
    kind = function.__name__
    with pytest.raises(
        vz.VizlibError,
        match=f"There is no {kind} '{wrong}'. Nearest: .*{right}.* vz.{kind}s\\(.*\\) lists all",
    ):
        function(wrong)


@pytest.fixture
def stamp(monkeypatch):
    """A cut-out called "stamp": 8 x 4 pixels, opaque red on its left half, transparent green on its right."""
    colour = torch.zeros(1, 3, 8, 4)
    colour[:, 0, :, :2], colour[:, 1, :, 2:] = 1, 1
    alpha = torch.zeros(1, 1, 8, 4)
    alpha[..., :2] = 1
    monkeypatch.setattr(library, "cutout", lambda name: (colour, alpha))


def test_a_pasted_object_covers_its_mask_and_nothing_else(stamp):
    # on 16 x 16 with height 0.5 the stamp keeps its 8 x 4 pixels; around (8, 8) it covers rows 4 to 11 and
    # columns 6 to 9
    blue = torch.tensor([0.0, 0, 1]).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    picture, mask = vz.paste(blue, "stamp", (0.5, 0.5), 0.5)
    expected = torch.zeros(1, 1, 16, 16)
    expected[..., 4:12, 6:8] = 1
    torch.testing.assert_close(mask, expected)
    red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
    torch.testing.assert_close(picture, red * expected + blue * (1 - expected), rtol=0, atol=1e-4)


def test_the_colour_behind_transparent_pixels_does_not_bleed_in(stamp):
    picture, _ = vz.paste(torch.zeros(1, 3, 64, 64), "stamp", (0.5, 0.5), 1.0)  # enlarged eight times
    assert picture[:, 1].max() < 1e-4 and picture[:, 0].max() > 0.99


def test_an_object_that_reaches_over_the_edge_is_cut_there(stamp):
    picture, mask = vz.paste(torch.zeros(1, 3, 16, 16), "stamp", (0.0, 0.0), 0.5)
    expected = torch.zeros(1, 1, 16, 16)
    expected[..., :4, :0] = 1  # rows -4 to 3, columns -2 to 1: the opaque half, columns -2 and -1, is outside
    torch.testing.assert_close(mask, expected)
    _, mask = vz.paste(torch.zeros(1, 3, 16, 16), "stamp", (1.0, 1.0), 0.5)
    expected[..., 12:, 14:] = 1
    torch.testing.assert_close(mask, expected)
    assert picture.shape == (1, 3, 16, 16)


def test_pasting_does_not_touch_the_picture_it_is_given(stamp):
    image = torch.zeros(1, 3, 16, 16)
    vz.paste(image, "stamp", (0.5, 0.5), 0.5)
    assert image.abs().max() == 0


def test_a_real_cutout_changes_the_picture_inside_its_mask_and_hardly_outside():
    image = torch.full((1, 3, 96, 96), 0.5)
    picture, mask = vz.paste(image, "zebra", (0.6, 0.5), 0.6)
    assert 0.05 < mask.mean() < 0.6 and set(mask.unique().tolist()) == {0.0, 1.0}
    far = torch.nn.functional.max_pool2d(mask, 7, 1, 3) == 0  # 3 pixels from the object
    assert (picture - image).abs()[far.expand_as(image)].max() < 0.02
    assert (picture - image).abs()[mask.bool().expand_as(image)].mean() > 0.1


def test_an_object_outside_the_picture_is_refused(stamp):
    with pytest.raises(
        vz.VizlibError, match=r"At centre \(5, 5\) the cut-out 'stamp' lies outside the picture"
    ):
        vz.paste(torch.zeros(1, 3, 16, 16), "stamp", (5, 5), 0.5)


@pytest.mark.parametrize(
    "centre, height", [(0.5, 0.5), ((0.5,), 0.5), ((0.5, 0.5), None), ("middle", 0.5), ((0.5, 0.5), 0)]
)
def test_a_place_that_is_none_is_refused(stamp, centre, height):
    with pytest.raises(vz.VizlibError, match="height .* share"):
        vz.paste(torch.zeros(1, 3, 16, 16), "stamp", centre, height)


def test_a_place_may_be_given_as_an_array(stamp):
    numbers = np.array([0.5, 0.5], np.float32)
    blue = torch.zeros(1, 3, 16, 16)
    for seen, expected in zip(
        vz.paste(blue, "stamp", numbers, numbers[0]), vz.paste(blue, "stamp", (0.5, 0.5), 0.5), strict=True
    ):
        assert torch.equal(seen, expected)


def test_paste_checks_its_picture(stamp):
    with pytest.raises(vz.VizlibError, match="Pictures lie in"):
        vz.paste(torch.full((1, 3, 16, 16), 255.0), "stamp", (0.5, 0.5), 0.5)
