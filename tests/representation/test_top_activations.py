"""The strongest patches of every unit, on a network whose maps are the colours themselves."""

import pytest
import torch

import vizlib as vz


@pytest.fixture
def spots():
    """Three black pictures, two sizes; red spots of height 0.9 and 0.5 in the first, 0.7 in the second; a
    green one of 0.4 in the third.
    """
    pictures = [torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 4, 12), torch.zeros(1, 3, 8, 8)]
    pictures[0][0, 0, 6, 1], pictures[0][0, 0, 2, 2], pictures[1][0, 0, 3, 11], pictures[2][0, 1, 0, 0] = (
        0.9,
        0.5,
        0.7,
        0.4,
    )
    return pictures


def test_each_picture_counts_once_with_its_highest_place(colour_averages, spots):
    found = vz.top_patches(colour_averages, spots, "relu", top=2)
    assert found.values[0].tolist() == pytest.approx([0.9, 0.7])
    assert found.picture[0].tolist() == [0, 1]
    assert found.at[0].tolist() == [[6, 1], [3, 11]]
    assert (found.picture[1, 0], found.at[1, 0].tolist()) == (2, [0, 0])


def test_patches_are_cut_around_the_place_and_filled_up_beyond_the_border(colour_averages, spots):
    found = vz.top_patches(colour_averages, spots, "relu", top=2)
    assert found.patches(0).shape == (2, 3, 1, 1) and found.patches(0)[:, 0, 0, 0].tolist() == pytest.approx(
        [0.9, 0.7]
    )
    patches = found.patches(0, side=5)
    assert patches[:, 0, 2, 2].tolist() == pytest.approx([0.9, 0.7])
    assert torch.equal(
        patches[0],
        spots[0][0][:, 4:9, :][:, :, :4]
        .new_zeros(3, 5, 5)
        .index_put((torch.tensor(0), torch.tensor(2), torch.tensor(2)), torch.tensor(0.9)),
    )


def test_the_field_of_a_deep_unit_holds_what_excited_it():
    net = vz.load("scenenet")
    picture = vz.photo("giant_panda", 96)
    found = vz.top_patches(net, [picture], "relu3", top=1)
    k = int(found.values[:, 0].argmax())
    y, x = found.at[k, 0].tolist()
    assert 2 <= y <= 9 and 2 <= x <= 9  # inside, so that nothing of its field lies beyond the border
    field = vz.receptive_field(net, "relu3")
    top, left = (round(s + i * q) for s, i, q in zip(field.start, (y, x), field.stride, strict=True))
    elsewhere = torch.full_like(picture, 0.5)
    elsewhere[..., top : top + 35, left : left + 35] = found.patches(k)
    assert torch.allclose(
        vz.record(net, elsewhere, "relu3")["relu3"][0, k, y, x], found.values[k, 0], rtol=1e-4
    )


def test_the_same_places_of_other_maps(colour_averages, spots):
    found = vz.top_patches(colour_averages, spots, "relu", top=2)
    maps = [torch.arange(64.0).view(1, 8, 8), torch.arange(48.0).view(1, 4, 12)]
    cut = found.patches(0, side=3, of=maps)
    assert cut.shape == (2, 1, 3, 3)
    assert cut[0, 0].tolist() == [[40, 41, 42], [48, 49, 50], [56, 57, 58]]  # around row 6, column 1
    assert cut[1, 0].tolist() == [[34, 35, 0], [46, 47, 0], [0, 0, 0]]  # around row 3, column 11: a corner


def test_the_grey_of_the_network_lies_beyond_the_border(lite0):
    found = vz.top_patches(lite0, [vz.photo("goldfish", 64)], "stem", top=1)
    patch = found.patches(0, side=150)
    assert patch.shape == (1, 3, 150, 150) and bool((patch == lite0.neutral).all(1).any())


def test_progress_and_stop(colour_averages, spots):
    seen = []
    found = vz.top_patches(
        colour_averages,
        spots,
        "relu",
        progress=lambda done, total, preview: seen.append((done, total)) or done < 2,
    )
    assert seen == [(1, 3), (2, 3)] and found.values.shape == (3, 2)


def test_what_cannot_be_used(colour_averages, spots, lite0):
    with pytest.raises(vz.VizlibError, match="the list is empty"):
        vz.top_patches(colour_averages, (), "relu")
    with pytest.raises(vz.VizlibError, match="the list is empty"):
        vz.top_patches(colour_averages, [], "relu")
    with pytest.raises(vz.VizlibError, match="no grid of positions"):
        vz.top_patches(lite0, spots, "logits")
    with pytest.raises(vz.VizlibError, match="channels 0 to 2; 7 is not"):
        vz.top_patches(colour_averages, spots, "relu").patches(7)


def test_a_tensor_of_pictures_is_as_good_as_a_list(colour_averages, pictures):
    x = pictures(5, 8)
    tensor, listed = (vz.top_patches(colour_averages, p, "relu", top=3) for p in (x, list(x.split(1))))
    assert torch.equal(tensor.values, listed.values) and torch.equal(tensor.picture, listed.picture)
    assert torch.equal(tensor.patches(1), listed.patches(1))


def test_several_layers_in_one_pass_are_what_each_is_alone(tiny, pictures):
    net, x, passes = tiny(), pictures(7), []
    together = vz.top_patches(
        net, x, ["relu1", "conv2"], top=3, batch_size=3, progress=lambda done, *_: passes.append(done)
    )
    assert passes == [3, 6, 7]
    for layer, found in together.items():
        alone = vz.top_patches(net, x, layer, top=3)
        assert found.layer == layer and torch.equal(found.picture, alone.picture)
        torch.testing.assert_close(found.values, alone.values)
        assert torch.equal(found.at, alone.at)


def test_layers_may_be_named_by_their_paths(lite0):
    path, x = lite0.layer("stage3").path, vz.photo("goldfish", 64)
    found = vz.top_patches(lite0, x, [path, "stage3"], top=1)
    assert torch.equal(found[path].values, found["stage3"].values)
    with pytest.raises(vz.VizlibError, match="this list is empty"):
        vz.top_patches(lite0, x, [])


def test_a_patch_of_even_sides_lies_alike_around_every_place(colour_averages):
    """A field of one pixel is off the middle of two pixels wherever it is, to one and the same side."""
    for place in (1, 2, 3):
        x = torch.zeros(1, 3, 6, 6)
        x[0, 0, place, place] = 1
        patch = vz.top_patches(colour_averages, x, "relu", top=1).patches(0, side=2)[0, 0]
        assert patch.tolist() == [[1, 0], [0, 0]]


def test_the_files_of_a_folder_and_those_alone_are_read_again(colour_averages, tmp_path, png):
    for name, red in (("a", 0.2), ("b", 0.8), ("c", 0.6)):
        x = torch.zeros(1, 3, 8, 8)
        x[0, 0, 4, 4] = red
        (tmp_path / f"{name}.png").write_bytes(png(x))
    found = vz.top_patches(colour_averages, vz.folder(tmp_path, size=None), "relu", top=2)
    assert [path.name for path in found.paths(0)] == ["b.png", "c.png"] and found.seen == 3
    assert found.patches(0)[:, 0].flatten().tolist() == pytest.approx([0.8, 0.6], abs=0.01)
    with pytest.raises(vz.VizlibError, match="no files"):
        vz.top_patches(colour_averages, torch.zeros(1, 3, 8, 8), "relu").paths(0)


def test_of_a_stream_the_numbers_are_known_and_the_patches_gone(colour_averages, spots):
    found = vz.top_patches(colour_averages, (x for x in spots), "relu", top=2)
    assert found.picture[0].tolist() == [0, 1]
    with pytest.raises(vz.VizlibError, match="can be read only once"):
        found.patches(0)


def test_the_old_name_still_works_and_says_the_new_one(colour_averages, spots):
    with pytest.warns(DeprecationWarning, match="top_patches"):
        found = vz.strongest(colour_averages, spots, "relu", top=2)
    assert found.picture[0].tolist() == [0, 1]


def test_of_units_that_see_everything_the_patches_are_the_whole_pictures(network, redrawn, pictures):
    class Gated(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.gated, self.fc = (
                torch.nn.Conv2d(3, 4, 3),
                torch.nn.Identity(),
                torch.nn.Linear(4, 2),
            )

        def forward(self, x):
            x = self.conv(x)
            return self.fc(self.gated(x * x.mean((2, 3), keepdim=True)).mean((2, 3)))

    net, x = network(redrawn(Gated())), pictures(2)
    names = {"gated": "gated"}
    net = vz.Network(net.model, name="gated", mean=0, std=1, input_size=16, names=names)
    found = vz.top_patches(net, x, "gated", top=2)
    assert torch.equal(found.patches(1), x[found.picture[1]])
    with pytest.raises(vz.VizlibError, match="see the whole picture"):
        found.patches(1, side=5)
