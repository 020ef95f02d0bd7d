"""Whole trainings, very short ones: they learn, resume, write what vz.load reads, and the command line says
what is wrong.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace

import pytest
import torch
import torch.nn.functional as F

import vizlib as vz
from vizlib.course.training import (
    DecoderRecipe,
    ObjectRecipe,
    Recipe,
    SceneRecipe,
    classifier,
    decoders,
    lenet,
    train_classifier,
    train_decoders,
    train_objectnet,
    train_scenenet,
)
from vizlib.course.training.__main__ import main
from vizlib.course.training.batches import Batches, augment
from vizlib.course.training.classifier import average
from vizlib.course.training.decoders import pixel_error
from vizlib.course.training.lenet import train_lenet
from vizlib.course.training.stitching import measure_stitching
from vizlib.images import scene_objects
from vizlib.models.architectures import PLAIN, PlainNet

SHORT = Recipe(crops=((2, 32), (2, 64)), batch=50, rate=0.1, keep=(0, 2), seed=3)


@pytest.fixture(scope="module")
def trained(packed, tmp_path_factory):
    out, said = tmp_path_factory.mktemp("runs"), []
    path = train_classifier("zfnet", packed, out, recipe=SHORT, tell=said.append)
    return path, said


def test_a_classifier_learns_colours_in_four_epochs(trained):
    net = vz.load(trained[0])
    assert (
        net.card["validation top-1"] > 0.1 and net.card["validation top-5"] > 0.4
    )  # chance: 0.005 and 0.025
    assert any("validation pictures" in line for line in trained[1])


def test_the_card_says_how_it_was_made_and_the_history_is_kept(trained):
    net = vz.load(trained[0])
    assert (
        net.card["recipe"]["seed"] == 3
        and net.card["command"] == "python -m vizlib.training zfnet --data PATH"
    )
    assert net.card["epoch"] == 4 and set(net.card["dead units"]) == {f"relu{i}" for i in range(1, 6)}
    assert net.labels[3] == "thing n00000003"
    early = vz.load(trained[0].with_name("zfnet@0.safetensors"))
    assert early.card["epoch"] == 0 and early.card["validation top-1"] < 0.03
    assert (
        trained[0].with_name("zfnet@2.safetensors").is_file()
        and not trained[0].with_name("zfnet@4.safetensors").exists()
    )


def test_a_stopped_classifier_ends_where_an_unbroken_one_does(trained, packed, tmp_path, monkeypatch):
    call = Batches.__call__

    def interrupted(self, step):
        if step == 21:
            raise KeyboardInterrupt
        return call(self, step)

    monkeypatch.setattr(Batches, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_classifier("zfnet", packed, tmp_path, recipe=SHORT, tell=lambda line: None)
    monkeypatch.setattr(Batches, "__call__", call)
    path = train_classifier("zfnet", packed, tmp_path, recipe=SHORT, tell=lambda line: None)
    assert path.read_bytes() == trained[0].read_bytes()


def test_a_second_part_goes_on_from_the_first_with_other_batches(trained, packed, tmp_path):
    for name in ("zfnet.checkpoint", "zfnet.safetensors"):
        (tmp_path / name).write_bytes(trained[0].with_name(name).read_bytes())
    seeds, call = set(), Batches.pixels

    def note(self, step):
        seeds.add(self.recipe.seed)
        return call(self, step)

    second = replace(SHORT, crops=((1, 64),), keep=())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Batches, "pixels", note)
        path = train_classifier(
            "zfnet", packed, tmp_path, recipe=SHORT, second=second, tell=lambda line: None
        )
    card = json.loads(path.with_suffix(".json").read_text())
    assert seeds == {SHORT.seed + 100}  # the first part was done, and is not done again
    assert (
        card["epoch"] == 5
        and card["then"]["crops"] == [[1, 64]]
        and card["recipe"]["crops"] != card["then"]["crops"]
    )
    assert path.read_bytes() != trained[0].read_bytes()
    assert vz.load(trained[0]).card["then"] is None


def test_the_average_of_two_networks_has_the_mean_weights_and_statistics_of_its_own():
    one, other = (PlainNet(PLAIN["zfnet"], 5, norm=True) for _ in range(2))
    state, mean = other.state_dict(), (one.conv2.weight + other.conv2.weight) / 2
    images = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    average(one, state, lambda step: (images * (step + 1), None), count=2)
    torch.testing.assert_close(one.conv2.weight, mean)
    taken = torch.stack(
        [F.conv2d(images * i, one.conv1.weight, stride=2, padding=3).mean((0, 2, 3)) for i in (1, 2)]
    )
    torch.testing.assert_close(one.norm1.running_mean, taken.mean(0))
    assert not one.training


def test_another_architecture_does_not_go_on_from_this_checkpoint(trained, packed):
    out = trained[0].parent
    (out / "zfnet-coarse.checkpoint").write_bytes((out / "zfnet.checkpoint").read_bytes())
    with pytest.raises(vz.VizlibError, match="of another training: 'zfnet .*not 'zfnet-coarse"):
        train_classifier("zfnet-coarse", packed, out, recipe=SHORT, tell=lambda line: None)


def test_a_crop_is_a_part_of_its_picture_and_half_are_flipped():
    import numpy as np

    ramp = np.zeros((64, 64, 64, 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = np.arange(64)[:, None] * 4, np.arange(64) * 4
    crops = augment(torch.from_numpy(ramp), 48, np.random.default_rng(0)).numpy().astype(int)
    assert crops.shape == (64, 48, 48, 3) and (np.diff(crops[..., 0], axis=1) == 4).all()
    steps = np.diff(crops[..., 1], axis=2)
    flipped = (steps == -4).all((1, 2))
    assert ((steps == 4).all((1, 2)) | flipped).all() and 20 < flipped.sum() < 44
    whole = augment(torch.from_numpy(ramp), 64, np.random.default_rng(0))
    assert (
        whole.shape == ramp.shape and len(np.unique(whole[:, 32, 32, 0])) > 5
    )  # shifted by different amounts


def test_decoders_beat_the_mean_picture_and_are_written_one_by_one(trained, packed, tmp_path, monkeypatch):
    net = vz.load(trained[0])
    train_decoders(
        "decoders",
        packed,
        tmp_path,
        load=lambda name: net,
        recipe=DecoderRecipe(epochs=3, batch=20),
        tell=lambda line: None,
    )
    cards = {path.stem: json.loads(path.read_text()) for path in tmp_path.glob("*.json")}
    assert set(cards) == {"zfnet-pool1", "zfnet-relu3", "zfnet-pool5", "zfnet-logits"}
    assert cards["zfnet-pool1"]["pixel error"] < 0.65
    assert all(card["layer"] == name.removeprefix("zfnet-") for name, card in cards.items())
    monkeypatch.setattr("vizlib.representation.decoding._folder", lambda: tmp_path)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for card in cards.values():
        decoded = vz.decode(net, images, layer=card["layer"])
        assert decoded.shape == images.shape and decoded.min() >= 0 and decoded.max() <= 1
        codes = vz.record(net, images, card["layer"])[card["layer"]]
        assert torch.equal(vz.decoder(net, card["layer"])(codes).clamp(0, 1), decoded)
        assert vz.decoder(net, card["layer"]).card["pixel error"] == card["pixel error"]
    wide = torch.rand(1, 3, 32, 96)
    assert vz.decode(net, wide, layer="pool5").shape == wide.shape  # convolutions alone take any grid
    with pytest.raises(vz.VizlibError, match="made for pictures of 64 x 64 pixels.* vz.resize"):
        vz.decode(net, torch.rand(1, 3, 32, 32), layer="logits")
    with pytest.raises(
        vz.VizlibError,
        match="no decoder 'zfnet-relu1'.* there are zfnet-logits, zfnet-pool1, zfnet-pool5, zfnet-relu3",
    ):
        vz.decode(net, images, layer="relu1")
    other = vz.randomize(net)
    with pytest.raises(vz.VizlibError, match="trained for other weights of zfnet"):
        vz.decode(other, images, layer="pool5")


def test_controls_are_an_untrained_network_and_an_autoencoder(trained, packed, tmp_path, monkeypatch):
    early = vz.load(trained[0].with_name("zfnet@0.safetensors"))
    recipe = DecoderRecipe(epochs=1, batch=20)
    train_decoders(
        "decoder-controls", packed, tmp_path, load=lambda name: early, recipe=recipe, tell=lambda line: None
    )
    assert {path.stem for path in tmp_path.glob("*.safetensors")} == {"zfnet@0-pool5", "autoencoder"}
    monkeypatch.setattr("vizlib.representation.decoding._folder", lambda: tmp_path)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert vz.decode(early, images, layer="pool5").shape == vz.autoencoder()(images).shape == images.shape


def test_the_pixel_error_of_the_mean_picture_is_seven_tenths():
    images = torch.randn(200, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert pixel_error(images, images) == 0
    assert pixel_error(images, images.mean(0, keepdim=True).expand_as(images)) == pytest.approx(
        0.5**0.5, abs=0.01
    )


def test_scenenet_learns_and_is_measured_on_what_it_should_not_know(tmp_path):
    recipe = SceneRecipe(steps=24, batch=32, rate=0.05, keep=(0,))
    net = vz.load(train_scenenet(tmp_path, recipe=recipe, tell=lambda line: None, count=200))
    measured = net.card["top-1"]
    assert set(measured) == {"fresh collages", "held-out cut-outs", "objects alone", "backgrounds alone"}
    assert measured["fresh collages"] > 0.2 > measured["backgrounds alone"]
    assert net.labels == tuple(vz.scenes()["kind"]) and net.input_size == 96


def test_objectnet_learns_names_of_objects_from_pictures_of_one_each(tmp_path):
    recipe = ObjectRecipe(steps=6, batch=16, rate=0.05)
    lines = []
    net = vz.load(train_objectnet(tmp_path, recipe=recipe, tell=lines.append, count=100))
    assert net.labels == tuple(scene_objects()) and net.input_size == 96
    assert (
        net.card["recipe"] == asdict(recipe)
        and 0 <= net.card["top-1"]["fresh pictures"] <= net.card["top-5"]["fresh pictures"]
    )
    assert lines[-1].startswith("objectnet: fresh pictures")


def test_lenet_reads_98_percent_of_fresh_digits():
    net = train_lenet()
    images, labels = vz.digits(2000, 1234)
    with torch.no_grad():
        assert (net(images).argmax(1) == labels).float().mean() >= 0.98
    assert net.labels == tuple("0123456789") and net.predict(images[:1], top=1)[0]["label"] == str(
        int(labels[0])
    )


@pytest.mark.parametrize("count", [1, 10, 50, 64, 100])
def test_lenet_learns_from_fewer_pictures_than_a_batch_too(count):
    images, labels = vz.digits(count)
    before, after = (train_lenet(images, labels, epochs=epochs, names="0123456789") for epochs in (1, 40))
    losses = [float(F.cross_entropy(net(images), labels)) for net in (before, after)]
    assert losses[1] < 0.7 * losses[0]
    assert after.card["pictures"] == count and len(after.labels) == 10


def test_lenet_says_what_it_cannot_be_trained_on():
    images, labels = vz.digits(20)
    for given, sentence in (
        ((images[:0], labels[:0]), r"lenet looks at pictures \(N, 3, 28, 28\); these are \(0, 3, 28, 28\)"),
        ((images[:, :1], labels), r"these are \(20, 1, 28, 28\)"),
        (([1, 2], labels), "these are list"),
        ((images, labels[:5]), r"for each of the 20 pictures; these are torch.int64, \(5,\)"),
        ((images, labels.float()), "these are torch.float32"),
        ((images, None), r"one whole number for each of the 20 pictures"),
        ((images, labels - 12), "labels count classes from 0; these run from -12 to"),
    ):
        with pytest.raises(vz.VizlibError, match=sentence):
            train_lenet(*given)
    with pytest.raises(vz.VizlibError, match="run from 0 to 9; there are 2 names"):
        train_lenet(images, labels, names=["zero", "one"])
    for epochs in (0, -1, 2.5, "3"):
        with pytest.raises(vz.VizlibError, match="epochs is a number of rounds, 1 or more"):
            train_lenet(images, labels, epochs=epochs)
    with pytest.raises(vz.VizlibError, match="The loss became nan at step 1"):
        train_lenet(torch.full_like(images, float("nan")), labels)


def test_lenet_is_the_same_whatever_mode_it_is_trained_in():
    import numpy as np

    images, labels = vz.digits(20)
    plain = train_lenet(images, labels, epochs=2).state_dict()
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            other = train_lenet(images.clone(), labels.clone(), epochs=np.int64(2)).state_dict()
        assert all(torch.equal(plain[key], other[key]) for key in plain)


class Reached(Exception):
    pass


@pytest.mark.parametrize(
    "module, made, train",
    [
        (lenet, "LeNet", lambda data, out, net: train_lenet(seed=5)),
        (classifier, "PlainNet", lambda data, out, net: train_classifier("zfnet", data, out, recipe=SHORT)),
        (classifier, "PlainNet", lambda data, out, net: train_scenenet(out)),
        (classifier, "PlainNet", lambda data, out, net: train_objectnet(out)),
        (
            decoders,
            "Inverters",
            lambda data, out, net: train_decoders("decoders", data, out, load=lambda name: net),
        ),
    ],
    ids=["lenet", "zfnet", "scenenet", "objectnet", "decoders"],
)
def test_first_weights_come_from_the_seed_and_not_from_the_generator_of_the_process(
    module, made, train, packed, tmp_path, monkeypatch
):
    """Other threads draw from that one at the same time: it may not be touched, not even for a moment."""
    net, make = vz.load("zfnet"), getattr(module, made)
    before, states, weights = torch.get_rng_state(), [], []

    def watched(*args, **options):
        states.append(torch.get_rng_state())
        weights.append(make(*args, **options).state_dict())
        states.append(torch.get_rng_state())
        raise Reached

    monkeypatch.setattr(module, made, watched)
    for _ in range(2):
        with pytest.raises(Reached):
            train(packed, tmp_path, net)
    assert all(torch.equal(state, before) for state in states)
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_without_data_the_command_line_says_what_is_missing(capsys, tmp_path):
    assert main(["zfnet", "--data", str(tmp_path / "nowhere"), "--out", str(tmp_path)]) == 1
    assert "There is no folder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["zfnet"])
    assert "--data is missing" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["alexnet", "--data", "x"])
    assert "zfnet-coarse" in capsys.readouterr().err


def test_a_kill_is_an_interrupt_that_saves(packed, tmp_path):
    """The command itself, in a process of its own, stopped by a signal and started again."""
    command = [
        sys.executable,
        "-u",
        "-m",
        "vizlib.course.training",
        "zfnet-b",
        "--data",
        str(packed),
        "--out",
        str(tmp_path),
    ]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
    for line in run.stdout:
        if line.startswith("after epoch 1"):
            run.terminate()
            break
    rest, _ = run.communicate(timeout=120)
    assert run.returncode == 130 and "the same command goes on from there" in rest
    state = torch.load(tmp_path / "zfnet-b.checkpoint", weights_only=True)
    assert 3 <= state["step"] < 48 and [p.name for p in tmp_path.iterdir()] == ["zfnet-b.checkpoint"]


def test_the_seams_of_two_networks_are_measured(packed, tmp_path):
    path = measure_stitching(
        packed, tmp_path, vz.load, pictures=60, validation=60, steps=2, tell=lambda line: None
    )
    made = json.loads(path.read_text())
    assert {(row["front"], row["method"]) for row in made["rows"]} == {
        *((front, method) for front in ("zfnet", "zfnet@0") for method in ("identity", "ridge", "task")),
        ("zfnet-b", "identity"),
        ("zfnet-b", "ridge"),
    }
    own = [row["top-1"] for row in made["rows"] if row["front"] == "zfnet-b"]
    assert all(
        abs(error - made["whole networks"]["zfnet-b"][0]) < 0.02 for error in own
    )  # a network stitched to itself is whole
    assert made["networks' SHA-256"]["zfnet-b"] == vz.load("zfnet-b").card["sha256"]
