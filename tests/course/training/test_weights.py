"""Weights and cards: small on disk, the same logits again, and a sentence for every way in which a file can
be wrong.
"""

import json

import pytest
import torch

import vizlib as vz
from vizlib.course.training.weights import accuracy, dead_units, folded, write_weights
from vizlib.models.architectures import PLAIN, PlainNet
from vizlib.models.stored import read_weights

CONVS = PLAIN["zfnet"]


@pytest.fixture(scope="module")
def trained():
    """A zfnet with batch-norm that has seen something: running statistics that are not 0 and 1."""
    torch.manual_seed(0)
    model = PlainNet(CONVS, 7, norm=True)
    with torch.no_grad():
        for _ in range(3):
            model(torch.randn(8, 3, 64, 64))
    return model.eval()


CARD = {
    "name": "mine",
    "architecture": [vars(conv) for conv in CONVS],
    "labels": list("abcdefg"),
    "input_size": 64,
    "mean": [0.5] * 3,
    "std": [0.25] * 3,
}


@pytest.mark.parametrize("small, error, size", [(False, 0.01, 2.32e6), (True, 0.05, 1.17e6)])
def test_what_is_written_gives_the_same_logits_again(trained, tmp_path, pictures, small, error, size):
    path = write_weights(tmp_path, "mine", folded(trained, torch.zeros(1, 3, 64, 64)), CARD, small=small)
    assert path.stat().st_size == pytest.approx(size, rel=0.02)
    net = vz.load(path)
    images = pictures(4, 64)
    with torch.no_grad():
        expected = trained((images - 0.5) / 0.25)
        assert (net(images) - expected).abs().max() < error * expected.std() * 3
    assert net.labels == tuple("abcdefg") and net.card["sha256"] and "labels" not in net.card
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in net.modules())


def test_layers_have_the_names_of_the_course(trained, tmp_path):
    net = vz.load(write_weights(tmp_path, "mine", folded(trained, torch.zeros(1, 3, 64, 64)), CARD))
    expected = "conv1 relu1 pool1 conv2 relu2 pool2 conv3 relu3 conv4 relu4 conv5 relu5 pool5 pool logits"
    assert net.layers["name"] == expected.split()
    assert net.layer("fc").module is net.layer("logits").module
    assert net.layer("pool5").shape == (256, 4, 4) and net.layer("pool1").shape == (48, 16, 16)


@pytest.fixture
def files(trained, tmp_path):
    path = write_weights(tmp_path, "mine", folded(trained, torch.zeros(1, 3, 64, 64)), CARD)
    return path, path.with_suffix(".json")


def test_a_damaged_file_is_told_by_its_checksum(files):
    data = bytearray(files[0].read_bytes())
    data[len(data) // 2] ^= 1
    files[0].write_bytes(data)
    with pytest.raises(vz.VizlibError, match="mine.safetensors is not the file that its card describes"):
        vz.load(files[0])


@pytest.mark.parametrize("which", [0, 1])
def test_a_missing_half_is_named(files, which):
    files[which].unlink()
    with pytest.raises(vz.VizlibError, match=f"{files[which].name}' is not there. Weights are two files"):
        vz.load(files[0])


@pytest.mark.parametrize("text", ["", "{}", "[1, 2]"])
def test_a_broken_card_is_named(files, text):
    files[1].write_text(text)
    with pytest.raises(vz.VizlibError, match="mine.json is not a card of this course"):
        vz.load(files[0])


def test_weights_of_another_architecture_are_refused(files):
    card = json.loads(files[1].read_text())
    card["architecture"][0]["kernel"] = 11
    files[1].write_text(json.dumps(card))
    with pytest.raises(vz.VizlibError, match="mine.safetensors do not fit the architecture on the card"):
        vz.load(files[0])


def test_biases_keep_half_precision_and_weights_have_a_factor_per_filter(trained, tmp_path):
    plain = folded(trained, torch.zeros(1, 3, 64, 64))
    _, state = read_weights(write_weights(tmp_path, "small", plain, CARD, small=True))
    assert list(state) == [key for key in plain.state_dict()] or set(state) == set(plain.state_dict())
    for key, value in plain.state_dict().items():
        if value.dim() < 2:
            assert torch.equal(state[key], value)
        else:
            step = value.flatten(1).abs().amax(1) / 127
            assert ((state[key] - value).flatten(1).abs().amax(1) <= 0.6 * step).all(), key


def test_accuracy_counts_by_hand():
    logits = torch.tensor([[3.0, 2, 1], [1, 2, 3], [2, 3, 1], [3, 1, 2]])
    batches = [(logits[:2], torch.tensor([0, 1])), (logits[2:], torch.tensor([2, 0]))]
    assert accuracy(torch.nn.Identity(), batches, top=(1, 2, 3)) == [0.5, 0.75, 1.0]


def test_dead_units_are_counted_per_layer():
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 3, 1), torch.nn.ReLU(), torch.nn.Conv2d(3, 2, 1), torch.nn.ReLU()
    )
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([1.0, -1, 1]).view(3, 1, 1, 1))
        model[0].bias.copy_(torch.tensor([0.0, 0, -5]))
        model[2].weight.fill_(1)
        model[2].bias.copy_(torch.tensor([0.0, -9]))
    inputs = torch.tensor(
        [[[[2.0]]], [[[1.0]]]]
    )  # never negative, so the second unit is dead; never above 5, so the third is
    assert dead_units(model, [(inputs, None)]) == {"1": 2, "3": 1}
