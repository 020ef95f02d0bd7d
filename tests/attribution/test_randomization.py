"""A copy of a network that has forgotten what it learned, from the logits down to a layer."""

import importlib

import pytest
import torch

import vizlib as vz

randomizable = importlib.import_module("vizlib.attribution.randomization").randomizable

WEIGHTED = {"conv1": "conv1", "conv2": "conv2", "logits": "fc"}


def changed(net, other):
    """The paths of the modules whose weights differ."""
    pairs = zip(net.model.named_parameters(), other.model.named_parameters(), strict=True)
    return {name.rpartition(".")[0] for (name, a), (_, b) in pairs if not torch.equal(a, b)}


@pytest.mark.parametrize(
    "down_to, expected",
    [
        (None, {"conv1", "conv2", "fc"}),
        ("conv1", {"conv1", "conv2", "fc"}),
        ("relu1", {"conv2", "fc"}),
        ("pool1", {"conv2", "fc"}),
        ("conv2", {"conv2", "fc"}),
        ("relu2", {"fc"}),
        ("logits", {"fc"}),
        ("fc", {"fc"}),
    ],
)
def test_everything_from_the_logits_down_to_the_layer_is_drawn_anew_and_nothing_below(
    tiny, down_to, expected
):
    net = tiny(seed=1)
    assert changed(net, vz.randomize(net, down_to)) == expected


@pytest.mark.parametrize("layer", WEIGHTED)
def test_without_cascading_only_that_layer_is_drawn_anew(tiny, layer):
    net = tiny(seed=1)
    assert changed(net, vz.randomize(net, layer, cascading=False)) == {WEIGHTED[layer]}


def test_a_stage_of_lite0_is_drawn_anew_as_a_whole_with_all_that_follows(lite0):
    other = vz.randomize(lite0, "stage6")
    paths = changed(lite0, other)
    assert all(path.startswith(("blocks.5.", "blocks.6.", "conv_head", "classifier")) for path in paths)
    assert {path.split(".")[1] for path in paths if path.startswith("blocks")} == {"5", "6"}
    assert "conv_head" in paths and "classifier" in paths
    alone = changed(lite0, vz.randomize(lite0, "stage6", cascading=False))
    assert alone == {path for path in paths if path.startswith("blocks.5.")} and alone


def test_the_network_itself_stays_as_it_is(tiny, left_as_found):
    net = tiny(seed=1)
    with left_as_found(net):
        vz.randomize(net)
        vz.randomize(net, "conv2", cascading=False)
        with pytest.raises(vz.VizlibError):
            vz.randomize(net, "conv9")


def test_the_copy_is_a_network_whose_layers_can_be_looked_at(tiny, pictures):
    net, x = tiny(seed=1), pictures(2)
    other = vz.randomize(net, "conv2", seed=3)
    assert other.layers["name"] == net.layers["name"]
    ours, theirs = vz.record(net, x, ["conv1", "conv2"]), vz.record(other, x, ["conv1", "conv2"])
    torch.testing.assert_close(theirs["conv1"], ours["conv1"])
    with torch.no_grad():
        torch.testing.assert_close(
            theirs["conv2"], other.model.conv2(other.model.pool1(theirs["conv1"].relu()))
        )
    assert (theirs["conv2"] - ours["conv2"]).abs().max() > 0.1
    assert vz.grad_cam(other, x, 0).shape == (2, 1, 16, 16)
    assert not any(parameter.requires_grad for parameter in other.parameters()) and not other.training


def test_every_tensor_keeps_its_mean_and_its_spread(lite0):
    other = vz.randomize(lite0, "stage7", seed=1)
    checked = 0
    for (name, a), (_, b) in zip(lite0.model.named_parameters(), other.model.named_parameters(), strict=True):
        if a.numel() > 10_000 and not torch.equal(a, b):
            error = 5 * a.std() / a.numel() ** 0.5  # of the mean of that many numbers
            assert abs(a.mean() - b.mean()) < error, name
            assert b.std().item() == pytest.approx(a.std().item(), rel=0.05), name
            assert abs(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]) < 0.05, name
            checked += 1
    assert checked >= 3


def test_the_seed_decides_and_the_global_random_numbers_do_not(tiny):
    net = tiny(seed=1)
    a = vz.randomize(net, seed=7)
    state = torch.get_rng_state()
    torch.rand(3)
    b, c = vz.randomize(net, seed=7), vz.randomize(net, seed=8)
    assert not changed(a, b) and changed(a, c) == {"conv1", "conv2", "fc"}
    torch.set_rng_state(state)
    vz.randomize(net, seed=7)
    assert torch.equal(torch.get_rng_state(), state)


def test_an_unknown_layer_is_refused_with_the_nearest(lite0):
    with pytest.raises(vz.VizlibError, match="lite0 has no layer 'stage8'. Nearest: stage"):
        vz.randomize(lite0, "stage8")


def test_a_layer_without_weights_cannot_be_drawn_alone_and_those_that_can_are_named(tiny):
    with pytest.raises(
        vz.VizlibError,
        match="Layer 'relu1' has no weights to draw anew. Layers with weights: logits, conv2, conv1",
    ):
        vz.randomize(tiny(), "relu1", cascading=False)


def test_the_layers_that_can_be_drawn_anew_run_from_the_logits_to_the_pixels(tiny, lite0):
    assert randomizable(tiny()) == ["logits", "conv2", "conv1"]
    names = randomizable(lite0)
    assert names[0] == "logits" and "pool" not in names
    assert [n for n in names if n.startswith("stage")] == [f"stage{i}" for i in range(7, 0, -1)]


def test_weights_used_by_two_names_of_lite0_are_all_reached_by_walking_down_the_named_layers(lite0):
    """Drawing anew down to the last of the names leaves no weight as it was."""
    every = {name.rpartition(".")[0] for name, _ in lite0.model.named_parameters()}
    assert changed(lite0, vz.randomize(lite0)) == every
    assert changed(lite0, vz.randomize(lite0, randomizable(lite0)[-1])) >= every - {"conv_stem"}


def test_a_network_that_forgot_gives_another_saliency_map(tiny, pictures):
    net, x = tiny(seed=2), pictures(1, seed=3)
    plain, forgot = vz.gradient(net, x, 0), vz.gradient(vz.randomize(net, seed=4), x, 0)
    assert vz.rank_correlation(plain, plain).item() == pytest.approx(1)
    assert abs(vz.rank_correlation(plain, forgot).item()) < 0.9
