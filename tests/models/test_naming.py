"""Layers have the names that people use for them."""

from collections import OrderedDict

import pytest
import torch
from torch import nn
from torchvision import models, transforms

import vizlib as vz
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
    head = next((p for p in reversed(ran) if isinstance(model.get_submodule(p), nn.Linear)), None)
    return readable_names(model, ran, head=head, vgg=vgg)


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
    ]


def test_vgg_counts_within_its_blocks():
    names = list(named(light(models.vgg.make_layers(models.vgg.cfgs["D"])), vgg=True))
    convolutions = [name for name in names if name.startswith("conv")]
    blocks = ((1, 2), (2, 2), (3, 3), (4, 3), (5, 3))
    assert convolutions == [f"conv{b}_{i + 1}" for b, n in blocks for i in range(n)]
    assert [name for name in names if name.startswith("pool")] == [f"pool{b}" for b in range(1, 6)]
    assert "relu3_3" in names


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
    ]


def test_googlenet_keeps_its_own_words():
    names = list(named(models.googlenet(num_classes=10, init_weights=False, aux_logits=False)))
    assert [name for name in names if name.startswith("inception")] == [
        f"inception{b}" for b in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
    ]


def test_a_fully_convolutional_network_ends_in_logits_too(network):
    net = network(models.squeezenet1_1(num_classes=10), side=64)
    assert net.layers["name"][-3:] == ["relu2", "avgpool", "logits"] and net.layer("logits").shape == (10,)
    assert net.layer("fire1").path == "features.3" and net.layer("conv1").path == "features.0"


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
    assert len(set(names.values())) == len(names)
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
    assert list(named(model)) == ["conv"]


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
    assert len(names) == len(set(names.values())) == 3


def names_of(network, model, side=64):
    return network(model, side=side).layers["name"]


RESNET = ["conv1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool", "logits"]


def test_a_network_in_a_wrapper_has_the_layers_it_has_alone(network):
    class Wrapper(nn.Module):
        def __init__(self, **parts):
            super().__init__()
            for name, part in parts.items():
                setattr(self, name, part)

        def forward(self, x):
            for part in self.children():
                x = part(x)
            return x

    def resnet(**changes):
        model = models.resnet18(num_classes=10)
        for name, value in changes.items():
            setattr(model, name, value)
        return model

    assert names_of(network, Wrapper(model=resnet())) == RESNET
    assert names_of(network, Wrapper(inner=Wrapper(model=resnet()))) == RESNET
    assert names_of(network, Wrapper(backbone=resnet(fc=nn.Identity()), head=nn.Linear(512, 4))) == RESNET
    normalize = transforms.Normalize((0.5,) * 3, (0.5,) * 3)
    net = network(nn.Sequential(normalize, resnet()), side=64)
    assert net.layers["name"] == ["normalize1", *RESNET] and net.last_spatial_layer == "layer4"


def test_lists_of_modules_are_looked_into(network):
    class InLists(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 8, 3, padding=1)
            self.blocks = nn.ModuleList(nn.Conv2d(8, 8, 3, 2, 1) for _ in range(3))
            self.more = nn.ModuleDict({"deep": nn.Conv2d(8, 8, 3, padding=1)})
            self.fc = nn.Linear(8, 4)

        def forward(self, x):
            x = self.stem(x).relu()
            for block in self.blocks:
                x = block(x).relu()
            return self.fc(self.more["deep"](x).mean((2, 3)))

    net = network(InLists())
    assert net.layers["name"] == ["stem", "conv1", "conv2", "conv3", "deep", "logits"]
    assert net.last_spatial_layer == "deep"


def test_networks_without_modules_of_their_own_and_ensembles_have_logits(network, redrawn, pictures):
    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.linspace(-1, 1, 12).view(4, 3))

        def forward(self, x):
            return x.mean((2, 3)) @ self.w.T

    class Ensemble(nn.Module):
        def __init__(self):
            super().__init__()
            self.members = nn.ModuleList(Plain() for _ in range(2))

        def forward(self, x):
            return sum(member(x) for member in self.members)

    for model, layers in ((Plain(), ["logits"]), (Ensemble(), ["plain1", "plain2", "logits"])):
        net, x = network(model), pictures(1)
        assert net.layers["name"] == layers
        assert vz.gradient(net, x, 2).shape == x.shape
        with pytest.raises(vz.VizlibError, match="toy has no layer with a grid of positions"):
            vz.grad_cam(net, x, 2)


@pytest.mark.parametrize(
    ("name", "side", "last", "shape"),
    [
        ("torchvision/swin_t", 64, "permute", (768, 2, 2)),
        ("timm/swin_tiny_patch4_window7_224", None, "norm", (768, 7, 7)),
        ("torchvision/maxvit_t", None, "block4", (512, 7, 7)),
    ],
)
def test_channels_that_come_last_are_known_as_such(name, side, last, shape):
    net = vz.load(name, pretrained=False)
    assert net.last_spatial_layer == last and (side or net.layer(last).shape == shape)
    x = torch.rand(1, 3, *net.input_shape, generator=torch.Generator().manual_seed(0))
    A = vz.record(net, x, net.last_spatial_layer)[net.last_spatial_layer]
    assert A.shape[1:] == net.layer(net.last_spatial_layer).shape
    assert vz.grad_cam(net, x, 3, upsample=False).shape[2:] == A.shape[2:]
    assert vz.gradient(net, x, vz.unit(net.last_spatial_layer, 300)).shape == x.shape


@pytest.mark.parametrize("name", ["torchvision/vit_b_16", "timm/levit_128"])
def test_where_tokens_follow_the_last_grid_there_is_no_last_grid(name):
    net = vz.load(name, pretrained=False)
    with pytest.raises(vz.VizlibError, match="goes on with tokens"):
        net.last_spatial_layer  # noqa: B018
    tokens = next(name for name, info in net.named_layers().items() if len(info.shape) == 2)
    with pytest.raises(vz.VizlibError, match="puts out tokens"):
        vz.gradient(net, torch.rand(1, 3, *net.input_shape), vz.unit(tokens, 3))


def test_the_grid_of_a_convolution_comes_last_whatever_its_sides_are(network, redrawn, pictures):
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=(3, 2)), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)
    )
    net = network(redrawn(model), side=20)
    assert net.layer("conv1").shape == (6, 6, 9) and not net.layer("conv1").channels_last
    assert vz.record(net, pictures(2, 20), "conv1")["conv1"].shape == (2, 6, 6, 9)
