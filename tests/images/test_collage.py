"""Scenes: the masks are exact, the seed decides, and a background says nothing about the scene."""

import re

import numpy as np
import pytest
import torch

import vizlib as vz
from vizlib.images import portraits, scene_objects

KINDS = [row["kind"] for row in vz.scenes()]


def test_eight_scenes_share_no_cut_out_and_hold_out_three_each():
    rows, names = vz.scenes(), set(vz.cutouts()["name"])
    assert len(rows) == 8
    every = [name for row in rows for name in row["cutouts"] + row["held_out"]]
    assert len(every) == len(set(every)) and set(every) <= names
    assert all(len(row["held_out"]) == 3 and len(row["cutouts"]) >= 7 for row in rows)


def test_objects_in_several_pictures_share_none_and_keep_what_was_held_out_held_out():
    rows, names = vz.scene_pictures(), set(vz.cutouts(all=True)["name"])
    assert len(set(rows["cutout"])) == len(rows) and set(rows["cutout"]) <= names
    owner = {row["object"]: row["scene"] for row in rows}
    assert all(owner[row["object"]] == row["scene"] for row in rows)  # an object belongs to one scene
    assert scene_objects(many=True) == list(owner) and len(owner) >= 50
    held = set(rows.where(held_out=True)["cutout"])
    assert not held & {name for row in vz.scenes() for name in row["cutouts"]}
    assert {name for row in vz.scenes() for name in row["held_out"]} & set(rows["cutout"]) <= held
    for name in owner:
        pictures = rows.where(object=name)
        assert {True, False} == set(pictures["held_out"])
        assert len(pictures) >= (2 if name in ("elephant", "rhinoceros", "bowed_string") else 3), name


def test_scenes_of_many_pictures_show_the_same_objects_held_out_or_not():
    rows = vz.scene_pictures()
    for kind in KINDS:
        for held_out in (False, True):
            pool = set(rows.where(scene=kind, held_out=held_out)["cutout"])
            made = vz.collages([kind] * 12, 3, held_out=held_out, many=True)
            shown = {name for names in made.names for name in names}
            assert shown <= pool and all(3 <= len(names) <= 7 for names in made.names)
            assert len(shown) >= min(len(pool), 3)
    single = vz.scene("farm", 2, many=True)
    assert set(single.masks) <= set(rows.where(scene="farm", held_out=False)["cutout"])


def test_the_core_scenes_are_what_they_were_before_there_were_more_pictures():
    made = vz.collages(4, seed=(0, 1))
    assert [len(names) for names in made.names] == [4, 5, 5, 6]
    assert made.names[0] == ["old_red_car", "tricycle", "pickup_truck", "post_box"]
    assert portraits(4, seed=5).names == [["pepper_grinder"], ["cymbal"], ["brown_hen"], ["cymbal"]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_scene_holds_three_to_seven_of_its_own_cut_outs_and_of_no_other(kind):
    own = set(vz.scenes().where(kind=kind)[0]["cutouts"])
    for seed in range(8):
        image, label, masks = vz.scene(kind, seed)
        assert image.shape == (1, 3, 96, 96) and label == kind
        assert image.min() >= 0 and image.max() <= 1
        assert 3 <= len(masks) <= 7 and set(masks) <= own
        assert all(
            mask.shape == (1, 1, 96, 96) and set(mask.unique().tolist()) == {0, 1} for mask in masks.values()
        )


def test_masks_never_overlap():
    for seed in range(20):
        assert sum(vz.scene(seed=seed).masks.values()).max() == 1


def test_a_mask_is_exactly_where_the_object_shows():
    """Well inside a mask the picture does not depend on the background; further away than a shadow reaches it
    is the background.
    """
    for seed in range(10):
        everything, background = (vz.scene("street", seed, show=show).image for show in ("all", "background"))
        masks = sum(vz.scene("street", seed).masks.values())[0, 0] == 1
        change = (everything - background).abs().amax((0, 1))
        near = torch.nn.functional.max_pool2d(masks.float()[None], 29, 1, 14)[0] == 1
        assert (~near).any() and (change[~near] == 0).all()
        on_grey = vz.scene("street", seed, show="objects").image
        inside = -torch.nn.functional.max_pool2d(-masks.float()[None], 5, 1, 2)[0] == 1
        opaque = (everything - on_grey).abs().amax((0, 1))[inside]
        assert (opaque < 0.02).float().mean() > 0.95  # a few cut-outs have holes or glass inside


def test_every_object_of_many_scenes_can_be_seen():
    shown, hidden = 0, 0
    for kind in KINDS:
        made = vz.collages([kind] * 20, 5)
        for owners, names in zip(made.owners, made.names, strict=True):
            for k in range(len(names)):
                shown, hidden = shown + 1, hidden + int((owners == k).sum() < 15)
    assert hidden / shown < 0.02


def test_the_seed_decides_and_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    one, same, other = vz.scene("farm", 3), vz.scene("farm", 3), vz.scene("farm", 4)
    assert torch.equal(one.image, same.image) and list(one.masks) == list(same.masks)
    assert not torch.equal(one.image, other.image)
    assert torch.equal(before, torch.get_rng_state())


def test_size_changes_the_pixels_and_not_the_composition():
    small, large = vz.scene("ocean", 1), vz.scene("ocean", 1, size=192)
    assert large.image.shape == (1, 3, 192, 192) and list(small.masks) == list(large.masks)
    for name, mask in small.masks.items():
        reduced = torch.nn.functional.avg_pool2d(large.masks[name], 2)
        overlap = torch.minimum(mask, reduced).sum() / torch.maximum(mask, reduced).sum()
        assert overlap > 0.65, name  # thin legs and fins fall between the pixels


def test_held_out_scenes_use_only_what_training_never_saw():
    held = {name for row in vz.scenes() for name in row["held_out"]}
    for seed in range(16):
        assert set(vz.scene(seed=seed, held_out=True).masks) <= held
        assert not set(vz.scene(seed=seed).masks) & held


def test_without_objects_there_are_no_masks():
    image, label, masks = vz.scene("farm", 0, show="background")
    assert masks == {} and label == "farm"
    assert (vz.collages(5, 0, show="background").owners == -1).all()


def test_the_background_does_not_depend_on_the_scene():
    """The same seed draws the same kind of background for each scene: the mean picture of many is the same up
    to chance.
    """
    made = [vz.collages([kind] * 300, 1, show="background", size=32).images.mean((0, 2, 3)) for kind in KINDS]
    spread = torch.stack(made).std(0)
    one = vz.collages(["farm"] * 300, 1, show="background", size=32).images.mean((2, 3)).std(0) / 300**0.5
    assert (spread < 2 * one).all()


def test_a_number_of_kinds_draws_them_all_alike():
    labels = vz.collages(400, 0, size=32).labels
    counts = torch.bincount(labels, minlength=8)
    assert counts.min() >= 30 and counts.max() <= 75


def test_owners_and_names_of_a_batch_are_the_masks_of_single_scenes():
    made = vz.collages(["forest"], 7)
    image, _, masks = vz.scene("forest", 7)
    assert torch.equal(made.images, image)
    for name, mask in masks.items():
        assert torch.equal(made.owners[0] == made.names[0].index(name), mask[0, 0] == 1)


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ({"kind": "farn"}, "There is no scene 'farn'. Nearest: farm"),
        ({"show": "nothing"}, "show is one of all, objects, background; this is 'nothing'"),
        ({"kind": ["farm"]}, "There is no scene ['farm']. Nearest: farm"),
        ({"size": 8}, "size is a number of pixels, at most 512, 32 or more; this is 8"),
        ({"size": 96.0}, "size is a number of pixels, at most 512, 32 or more; this is 96.0"),
        ({"size": 513}, "size is a number of pixels from 32 to 512; this is 513"),
        ({"seed": -1}, "seed is a whole number, 0 or more, or a tuple of them; this is -1"),
        ({"seed": 1.5}, "this is 1.5"),
        ({"seed": "one"}, "this is 'one'"),
        ({"seed": None}, "this is None"),
    ],
)
def test_what_cannot_be_made_is_refused_in_words(arguments, sentence):
    with pytest.raises(vz.VizlibError, match=re.escape(sentence)):
        vz.scene(**arguments)


@pytest.mark.parametrize(
    "kinds, sentence",
    [
        (0, "kinds is a list of kinds, or a number of scenes, 1 or more; this is 0"),
        (2.5, "this is 2.5"),
        (None, "this is None"),
        ([], "no kind of scene in this list"),
        ("farn", "There is no scene 'farn'. Nearest: farm"),
    ],
)
def test_kinds_that_are_none_are_refused_in_words(kinds, sentence):
    with pytest.raises(vz.VizlibError, match=re.escape(sentence)):
        vz.collages(kinds)


def test_numbers_of_numpy_and_torch_are_numbers_here_too():
    expected = vz.collages(2, 3, size=32).images
    for kind in (np.int64, torch.tensor):
        assert torch.equal(vz.collages(kind(2), kind(3), size=kind(32)).images, expected)
        assert torch.equal(portraits(kind(2), kind(3), size=kind(32)).images, portraits(2, 3, size=32).images)
    names = np.array(["farm", "ocean"])
    assert torch.equal(vz.collages(names, 1).images, vz.collages(["farm", "ocean"], 1).images)
    assert torch.equal(vz.collages("farm", 1).images, vz.collages(["farm"], 1).images)
    with pytest.raises(vz.VizlibError, match="count is a number of pictures, 1 or more; this is 0"):
        portraits(0)


def test_what_is_done_to_the_table_of_scenes_is_not_done_to_the_scenes():
    expected, rows = vz.scene("farm", 1), vz.scenes()
    for row in rows:
        row["cutouts"].clear()
        row["held_out"][:] = ["goldfish"]
    rows[0]["kind"] = "moon"
    again = vz.scene("farm", 1)
    assert torch.equal(again.image, expected.image) and list(again.masks) == list(expected.masks)
    assert vz.scenes()["kind"] == KINDS and all(vz.scenes()["cutouts"])
    assert scene_objects() == [name for names in vz.scenes()["cutouts"] for name in names]
    scene_objects().clear()
    assert len(scene_objects()) > 40


def test_a_portrait_shows_one_object_of_the_scenes_and_says_which():
    made = portraits(60, seed=3)
    names = scene_objects()
    assert made.images.shape == (60, 3, 96, 96) and made.images.min() >= 0 and made.images.max() <= 1
    assert [names[k] for k in made.labels] == [name for (name,) in made.names]
    assert set(made.owners.unique().tolist()) == {-1, 0} and (made.owners == 0).flatten(1).any(1).all()
    assert set(names) == {name for row in vz.scenes() for name in row["cutouts"]}
    assert len(set(made.labels.tolist())) > 30


def test_portraits_of_many_pictures_are_labelled_by_object_and_held_out_by_picture():
    rows, names = vz.scene_pictures(), scene_objects(many=True)
    object_of = dict(zip(rows["cutout"], rows["object"], strict=True))
    for held_out in (False, True):
        made = portraits(80, seed=1, size=48, held_out=held_out, many=True)
        assert [names[k] for k in made.labels] == [object_of[name] for (name,) in made.names]
        shown = {name for (name,) in made.names}
        assert shown <= set(rows.where(held_out=held_out)["cutout"]) and len(shown) > 30
    with pytest.raises(vz.VizlibError, match="with many=True only"):
        portraits(2, held_out=True)


def test_the_same_seed_gives_the_same_portraits():
    assert torch.equal(portraits(3, seed=(1, 2)).images, portraits(3, seed=(1, 2)).images)
    assert not torch.equal(portraits(3, seed=1).images, portraits(3, seed=2).images)
