"""The networks that lie in data/weights: whole, described, within their size, and as good as their
cards say.
"""

import pytest
import torch

import vizlib as vz
from vizlib.course.training.scenenet import fresh_batches as fresh
from vizlib.course.training.weights import accuracy
from vizlib.images import portraits
from vizlib.models.stored import stored, weights_folder

NAMES = [file for name, times in stored().items() for file in (name, *(f"{name}@{time}" for time in times))]


def test_all_files_together_are_at_most_40_megabytes():
    assert sum(path.stat().st_size for path in weights_folder().rglob("*")) <= 40e6


def test_every_file_has_its_card_and_every_card_its_file():
    weights, cards = (
        {path.stem for path in weights_folder().rglob(f"*.{kind}")} for kind in ("safetensors", "json")
    )
    assert weights == cards and set(NAMES) <= weights


@pytest.mark.parametrize("name", NAMES)
def test_every_network_loads_and_says_how_it_was_made(name):
    net = vz.load(name)
    assert net.name == name
    for entry in ("what", "data", "command", "recipe", "date", "sha256"):
        assert net.card[entry], entry
    assert "command" in repr(net.card) and "<table>" in net.card._repr_html_()
    with torch.no_grad():
        assert torch.isfinite(net(torch.full((1, 3, net.input_size, net.input_size), 0.3))).all()


def test_they_are_listed():
    table = vz.networks()
    assert set(stored()) <= set(table["name"]) and table.where(name="scenenet")[0]["here"] is True
    assert "N = 0, 100, 300" in table.where(name="scenenet@N")[0]["what"]


def test_a_time_that_was_not_kept_is_refused_with_those_that_were():
    with pytest.raises(
        vz.VizlibError,
        match="there are scenenet@0, scenenet@100, scenenet@300; 'scenenet@7' is not among them",
    ):
        vz.load("scenenet@7")


def test_random_weights_of_ours_are_made_by_randomize():
    with pytest.raises(vz.VizlibError, match=r"vz.randomize\(vz.load\('scenenet'\)\)"):
        vz.load("scenenet", pretrained=False)


@pytest.mark.parametrize(
    "what, options", [("fresh collages", {}), ("backgrounds alone", {"show": "background"})]
)
def test_scenenet_knows_scenes_by_their_objects_alone(what, options):
    """On collages from other seeds than those of its card."""
    net = vz.load("scenenet")
    (top1,) = accuracy(net.model, fresh(300, seed=7_000_000, **options), top=(1,))
    assert abs(top1 - net.card["top-1"][what]) < 0.06
    assert top1 >= 0.95 if what == "fresh collages" else top1 < 0.30
    assert net.card["top-1"]["objects alone"] > 0.95


def test_scenenet_was_at_chance_before_its_training():
    assert (
        vz.load("scenenet@0").card["top-1"]["fresh collages"]
        < 0.2
        < vz.load("scenenet@100").card["top-1"]["fresh collages"]
    )


def test_objectnet_knows_one_object_at_a_time():
    """On pictures from other seeds than those of its card."""
    net, made = vz.load("objectnet"), portraits(200, seed=7_000_000)
    right = float((net(made.images).argmax(1) == made.labels).float().mean())
    assert right > 0.8 and abs(right - net.card["top-1"]["fresh pictures"]) < 0.08


def known_photos(net):
    """Of the library's photographs with one of the network's labels: how many there are, and how many it gets
    right among its best five.
    """
    rows = [row for row in vz.photos() if row["label"] in net.labels]
    tops = [net.predict(vz.photo(row["name"], net.input_size), 5)["label"] for row in rows]
    return len(rows), sum(row["label"] in top for row, top in zip(rows, tops, strict=True))


def test_zfnet_reached_its_bar_and_knows_photographs():
    net = vz.load("zfnet")
    assert net.card["validation top-1"] >= 0.50 and net.card["validation top-5"] > 0.74
    assert all(dead < 0.05 * net.layer(relu).shape[0] for relu, dead in net.card["dead units"].items())
    count, right = known_photos(net)
    assert right > count / 2
    assert known_photos(vz.load("zfnet@0"))[1] < count / 4


def test_zfnet_b_is_as_good_and_another_network():
    one, other = vz.load("zfnet"), vz.load("zfnet-b")
    assert abs(one.card["validation top-1"] - other.card["validation top-1"]) < 0.02
    assert not any(other.card["dead units"].values())
    w, v = (torch.nn.functional.normalize(net.model.conv1.weight.flatten(1), dim=1) for net in (one, other))
    assert (
        (w * v).sum(1).mean() < 0.2 < (w @ v.T).amax(1).mean()
    )  # other filters at each place, yet of the same kinds


def test_zfnets_history_gets_better_and_ends_near_its_end():
    times = stored()["zfnet"]
    tops = [vz.load(f"zfnet@{time}").card["validation top-1"] for time in times] + [
        vz.load("zfnet").card["validation top-1"]
    ]
    assert times == [0, 1, 2, 3, 5, 8, 12] and tops == sorted(tops) and tops[0] < 0.01


def test_zfnets_first_layer_has_waves_where_it_had_noise():
    def strongest_wave(net):
        power = torch.fft.rfft2(net.model.conv1.weight, norm="ortho").abs().square().sum(1).flatten(1)
        return (power.amax(1) / power.sum(1)).mean()

    assert strongest_wave(vz.load("zfnet")) > 3 * strongest_wave(vz.load("zfnet@0"))


def test_a_coarse_first_layer_costs_accuracy_and_takes_fine_gratings_for_coarse_ones():
    fine, coarse = vz.load("zfnet"), vz.load("zfnet-coarse")
    assert coarse.card["validation top-1"] < fine.card["validation top-1"] - 0.03
    assert [layer.stride for layer in (fine.model.conv1, coarse.model.conv1)] == [(2, 2), (4, 4)]

    def rhythm(net, bars):
        grating = (0.5 + 0.5 * torch.cos(2 * torch.pi * bars * torch.arange(192) / 64)).expand(1, 3, 64, 192)
        row = vz.record(net, grating, "conv1")["conv1"][0, :, 8].tensor_split(3, dim=1)[1]
        return int(torch.fft.rfft(row - row.mean(1, keepdim=True)).abs().pow(2).sum(0).argmax())

    assert [rhythm(fine, bars) for bars in (4, 12)] == [4, 12] and [
        rhythm(coarse, bars) for bars in (4, 12)
    ] == [4, 4]
