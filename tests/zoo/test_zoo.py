"""Ten networks of the zoo through every method: right, or refused in words. All of it: python tests/zoo."""

import copy
import json

import pytest
import torch
from cases import Case, Plain, case, load, other_side, pictures
from methods import FEW, METHODS, SIZELESS, outcome
from networks import SAMPLE, everything
from outcomes import PAGE, page, read
from torch import nn

import vizlib as vz

ALL = {"decode"}  # decoders are trained for networks of our own
NO_RELU = {"deconvnet", "guided_backprop", "guided_grad_cam"}
NO_RULE = {"lrp", "relevance_table"}
NO_GRID = {
    "cam", "grad_cam", "layer_cam", "guided_grad_cam", "score_cam", "top_patches", "dissect", "dream",
    "zoom_film", "dream_film", "invert", "train_equivariance", "logits_through", "train_stitch", "franken",
}  # fmt: skip
REFUSED = {
    "torchvision/alexnet": {"cam"},
    "torchvision/resnet18": set(),
    "torchvision/densenet121": set(),
    "torchvision/mobilenet_v3_small": {"cam"} | NO_RULE,
    "torchvision/squeezenet1_1": set(),
    "torchvision/googlenet": {"project"},  # its first layer's ReLU is a plain function: no chain of modules
    "timm/test_convnext": {"cam"} | NO_RELU | NO_RULE,
    "torchvision/swin_t": NO_RELU | NO_RULE,
    "timm/test_vit": NO_GRID | NO_RELU | NO_RULE,
    "timm/test_byobnet": NO_RULE,
}
# These take too long at their own size: there they answer a few questions, and all of them at the other size.
LARGE = ("torchvision/densenet121", "torchvision/googlenet", "torchvision/swin_t")


@pytest.mark.parametrize("name", SAMPLE)
def test_every_method_is_right_or_refuses_in_words(name):
    net, plain = load(name)
    own = net.input_shape[0]
    few, every = (own, other_side(own)) if name in LARGE else (other_side(own), own)
    asked = case(net, plain, every)
    said = {method: outcome(method, asked) for method in METHODS}
    assert {method: why for method, (kind, why) in said.items() if kind == "FAILURE"} == {}
    assert {method for method, (kind, _) in said.items() if kind == "no"} == REFUSED[name] | ALL
    asked = case(net, plain, few)
    for method in FEW:
        if method not in REFUSED[name]:
            assert outcome(method, asked) == ("yes", ""), method


def test_every_method_is_right_on_the_trained_squeezenet():
    net = vz.load("squeezenet")
    asked = case(net, Plain(copy.deepcopy(net.model), net.mean.clone(), net.std.clone()), 224)
    said = {method: outcome(method, asked) for method in METHODS}
    assert {method: why for method, (kind, why) in said.items() if kind != "yes"}.keys() == ALL


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8)
        self.relu, self.fc = nn.ReLU(), nn.Linear(8, 4)

    def forward(self, x):
        return self.fc(self.relu(self.norm(self.conv(x))).mean((2, 3)))


@pytest.fixture
def small(redrawn):
    """A case of a small network, whose answers are right."""
    model = redrawn(Small()).eval().requires_grad_(False)
    plain = Plain(model, torch.full((1, 3, 1, 1), 0.5), torch.tensor(0.25))
    net = vz.Network(model, name="small", mean=0.5, std=0.25, input_size=32)
    return Case(net, plain, *pictures(32).split(1))


def test_a_right_answer_is_a_yes_and_a_refusal_a_no_with_its_sentence(small):
    assert outcome("gradient", small) == ("yes", "")
    assert max(small.errors) < 1e-4
    kind, why = outcome("decode", small)
    assert kind == "no" and "decoder" in why


@pytest.mark.parametrize(
    "method", ["gradient", "grad_cam", "occlusion", "record", "cam", "integrated_gradients"]
)
def test_a_wrong_answer_is_a_failure(small, method):
    """The network is changed behind the back of its case; or what the case says is right."""
    assert outcome(method, small)[0] == "yes"
    if method == "grad_cam":
        small.tapped = lambda *args, **options: [2 * t for t in Case.tapped(small, *args, **options)]
    else:
        small.logits, small.gradient  # noqa: B018 (kept from before the change)
        small.net.model.conv.weight.mul_(1.5)
    assert outcome(method, small)[0] == "FAILURE"


class Sharing(Small):
    """One rectifier that runs twice, and a shortcut that reads what goes into it; or a fixed size."""

    def __init__(self, fixed=False):
        super().__init__()
        self.fixed = fixed

    def forward(self, x):
        assert not self.fixed or x.shape[-1] == 32, "made for 32"
        x = self.norm(self.conv(x))
        x = x + 0.5 * self.relu(x)
        return self.fc(self.relu(x).mean((2, 3)))


def as_a_case(model, side=32):
    plain = Plain(model.eval().requires_grad_(False), torch.full((1, 3, 1, 1), 0.5), torch.tensor(0.25))
    net = vz.Network(model, name="sharing", mean=0.5, std=0.25, input_size=32)
    return case(net, plain.lay_out(), side)


@pytest.mark.parametrize("method", ["deconvnet", "guided_backprop"])
def test_rectifiers_that_run_twice_beside_a_shortcut_are_compared_rightly(redrawn, method, monkeypatch):
    asked = as_a_case(redrawn(Sharing()))
    assert outcome(method, asked) == ("yes", "") and len(asked.errors) == 1
    monkeypatch.setattr(vz, method, vz.gradient)
    assert outcome(method, asked)[0] == "FAILURE"


def test_at_a_size_that_the_model_itself_cannot_look_at_every_method_has_to_refuse(redrawn, monkeypatch):
    asked = as_a_case(redrawn(Sharing(fixed=True)), 64)
    assert asked.blind
    said = {method: outcome(method, asked) for method in METHODS if method not in SIZELESS}
    assert {method: why for method, (kind, why) in said.items() if kind != "no"} == {}
    assert said["gradient"][1].endswith("(The model raised 'made for 32'.)")
    monkeypatch.setattr(vz, "gradient", lambda net, images, target: images)
    monkeypatch.setattr(vz, "feature_error", lambda *args, **kwargs: torch.ones(1))
    for method in ("gradient", "feature_error"):
        assert outcome(method, asked)[0] == "FAILURE"


def test_another_exception_nan_and_a_changed_network_are_failures(small, monkeypatch):
    monkeypatch.setitem(METHODS, "raises", lambda case: [][1])
    assert outcome("raises", small) == ("FAILURE", "IndexError: list index out of range")
    monkeypatch.setitem(METHODS, "nan", lambda case: case.close(case.image / 0 * 0, case.image, 1.0))
    assert outcome("nan", small) == ("FAILURE", "AssertionError: NaN or infinite values")
    for name, harm in {
        "weights": lambda net: net.model.fc.weight.add_(1.0),
        "hook": lambda net: net.model.fc.register_forward_hook(lambda *_: None),
        "mode": lambda net: net.model.fc.train(),
        "slopes": lambda net: net.model.fc.weight.requires_grad_(),
    }.items():
        monkeypatch.setitem(METHODS, name, lambda case, harm=harm: harm(case.net))
        assert outcome(name, small) == ("FAILURE", "the network is not as it was found"), name


def test_no_weight_of_a_loaded_network_is_left_at_a_constant():
    net, plain = load("timm/test_convnext")
    assert all(t.numel() == 1 or float(t.std()) > 0 for t in plain.parameters())
    assert [k for k in SIZELESS if k not in METHODS] == [] and set(FEW) <= set(METHODS)
    x = pictures(160)
    with torch.no_grad():
        torch.testing.assert_close(net(x), plain(x), rtol=1e-3, atol=1e-4)


def test_the_zoo_holds_every_classifier_of_torchvision_and_sixty_families_of_timm():
    names = everything()
    assert len(names) == len(set(names)) and set(SAMPLE) <= set(names)
    assert sum(name.startswith("torchvision/") for name in names) >= 80
    assert sum(name.startswith("timm/") for name in names) >= 100


def test_the_page_says_yes_no_and_why_and_what_is_missing(tmp_path):
    said = {method: ["yes", ""] for method in METHODS}
    small = {method: row for method, row in said.items() if method not in SIZELESS}
    refused = ["no", "timm/a has no layer 'x' at 32 x 32 pixels."]
    file = tmp_path / "zoo.jsonl"
    a = {"network": "timm/a", "with": "torch 2, timm 1", "load": ["yes", ""], "seconds": 3}
    a["outcomes"] = {"224": said | {"cam": refused, "lrp": ["FAILURE", "ValueError: 3"]}, "128": small}
    b = {"network": "timm/b", "with": "torch 2, timm 1", "outcomes": {}}
    b["load"] = ["no", "timm/b is no classifier."]
    file.write_text("\n".join(map(json.dumps, (a, b))), encoding="utf-8")
    text = page(read(file), ["timm/a", "timm/b", "timm/c"])
    assert "from 2 networks of 3; not run yet: timm/c. 2 with torch 2, timm 1." in text
    assert "- timm/b: timm/b is no classifier." in text
    (row,) = [line for line in text.splitlines() if line.startswith("| timm/a (224, 128) | yes")][:1]
    assert "| no 1 / yes |" in row and "| FAILURE 2 / yes |" in row
    assert "1. (1 times) timm/a has no layer 'x' at 32 x 32 pixels." in text
    assert "1 refusals in words, 1 failures" in text


def test_the_page_as_it_stands_holds_no_failure():
    text = PAGE.read_text(encoding="utf-8")
    assert ", 0 failures." in text and "FAILURE" not in text
    assert all(f"| {name} (" in text for name in SAMPLE)
