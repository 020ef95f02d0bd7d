"""Layers have the names that people use for them."""

from collections import OrderedDict

import pytest
import torch
from torch import nn
from torchvision import models

from vizlib.models.naming import readable_names


def named(model, side=64, vgg=False):
    """The readable names of a model: {name: path}."""
    ran, handles = [], []
    for path, module in model.named_modules():
        if path:
            handles.append(
                module.register_forward_hook(lambda module, inputs, output, path=path: ran.append(path))
            )
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, side, side))
    for handle in handles:
        handle.remove()
    return readable_names(model, ran, vgg)


def light(features):
    """The features of a large model with a small head."""
    return nn.Sequential(
        OrderedDict(
            features=features,
            avgpool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            classifier=nn.Sequential(nn.LazyLinear(4)),
        )
    )


def test_alexnet_has_five_convolutions_three_pools_and_fc6_to_fc7_before_its_logits():
    names = list(named(models.alexnet(num_classes=10)))
    assert names == [
        "conv1",
        "relu1",
        "pool1",
        "conv2",
        "relu2",
        "pool2",
        "conv3",
        "relu3",
        "conv4",
        "relu4",
        "conv5",
        "relu5",
        "pool3",
        "avgpool",
        "fc6",
        "relu6",
        "fc7",
        "relu7",
        "logits",
    ]


def test_vgg_counts_within_its_blocks():
    names = list(named(light(models.vgg.make_layers(models.vgg.cfgs["D"])), vgg=True))
    convolutions = [name for name in names if name.startswith("conv")]
    blocks = ((1, 2), (2, 2), (3, 3), (4, 3), (5, 3))
    assert convolutions == [f"conv{b}_{i + 1}" for b, n in blocks for i in range(n)]
    assert [name for name in names if name.startswith("pool")] == [f"pool{b}" for b in range(1, 6)]
    assert "relu3_3" in names and names[-1] == "logits"


def test_resnet_keeps_its_own_words():
    names = named(models.resnet18(num_classes=10))
    assert list(names) == [
        "conv1",
        "bn1",
        "relu",
        "maxpool",
        "layer1",
        "layer2",
        "layer3",
        "layer4",
        "avgpool",
        "logits",
    ]
    assert names["logits"] == "fc"


def test_googlenet_keeps_its_own_words():
    names = list(named(models.googlenet(num_classes=10, init_weights=False, aux_logits=False)))
    assert [name for name in names if name.startswith("inception")] == [
        f"inception{b}" for b in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
    ]
    assert names[-1] == "logits"


def test_a_fully_convolutional_network_ends_in_logits_too():
    names = named(models.squeezenet1_1(num_classes=10))
    assert list(names)[-1] == "logits" and "fire1" in names and names["conv1"] == "features.0"


def test_the_blocks_of_mobilenet_are_numbered(network):
    names = network(models.mobilenet_v2(num_classes=10), side=64).layers["name"]
    assert names == ["conv1", "relu1", *(f"block{i}" for i in range(1, 18)), "conv2", "relu2", "logits"]


def test_lite0_has_seven_stages(lite0):
    assert lite0.layers["name"] == ["stem", *(f"stage{i}" for i in range(1, 8)), "head", "pool", "logits"]


@pytest.mark.parametrize(
    "name",
    [
        "alexnet",
        "resnet18",
        "mobilenet_v2",
        "squeezenet1_1",
        "shufflenet_v2_x0_5",
        "mnasnet0_5",
        "convnext_tiny",
    ],
)
def test_every_name_leads_to_one_module_in_the_order_of_the_forward_pass(name):
    model = models.get_model(name, num_classes=10)
    names = named(model)
    assert len(set(names.values())) == len(names) and "logits" in names
    assert all(isinstance(model.get_submodule(path), nn.Module) for path in names.values())
    assert list(names)[0].startswith(("conv", "stage", "stem", "layer"))


def test_modules_that_do_nothing_visible_are_left_out():
    model = nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, 4, 3),
            drop=nn.Dropout(),
            same=nn.Identity(),
            flat=nn.Flatten(),
            fc=nn.Linear(4 * 62 * 62, 3),
        )
    )
    assert list(named(model)) == ["conv", "logits"]


def test_a_plain_row_of_numbered_modules_is_counted_by_kind():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 8),
        nn.ReLU(),
        nn.Linear(8, 3),
    )
    assert list(named(model)) == [
        "conv1",
        "relu1",
        "pool1",
        "conv2",
        "relu2",
        "avgpool",
        "fc3",
        "relu3",
        "logits",
    ]


def test_two_layers_of_one_name_keep_apart():
    """A module called "pool1" inside a row whose first pool would be called so as well."""
    model = nn.Sequential(
        OrderedDict(
            features=nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2)),
            pool1=nn.MaxPool2d(2),
            flat=nn.Flatten(),
            fc=nn.LazyLinear(3),
        )
    )
    names = named(model)
    assert len(names) == len(set(names.values())) == 4
