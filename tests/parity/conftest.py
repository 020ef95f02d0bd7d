"""What the parity tests share: four networks, three pictures, three classes, and one measure of agreement."""

import copy
import functools

import pytest
import torch
from torch import nn

import vizlib as vz


@functools.cache
def _load(name):
    if name == "lite0":
        return vz.load()
    if name == "lite0 with ReLU":
        return _with_relu(vz.load())
    net, generator = vz.load(f"torchvision/{name}", pretrained=False), torch.Generator().manual_seed(1)
    for module in net.model.modules():
        if isinstance(
            module, (nn.Conv2d, nn.Linear)
        ):  # untrained biases are all zero, which could hide a mistake
            module.bias += 0.1 * torch.randn(module.bias.shape, generator=generator)
    # Logits as far apart as those of a trained network, or the softmax in Score-CAM would give all channels
    # the same weight.
    net.layer("logits").module.weight *= {"resnet18": 30, "vgg11": 300}[name]
    return net


def _with_relu(net):
    """The same weights with a ReLU in the place of every ReLU6."""
    model = copy.deepcopy(net.model)
    for path in [path for path, module in model.named_modules() if isinstance(module, nn.ReLU6)]:
        model.set_submodule(path, nn.ReLU())
    names = {row["name"]: row["path"] for row in net.layers}
    return vz.Network(
        model, name="lite0 with ReLU", mean=(0.5,) * 3, std=(0.5,) * 3, labels=net.labels, names=names
    )


@pytest.fixture
def net(request):
    """The network that a test is parametrised with by name."""
    return _load(request.param)


@pytest.fixture(scope="session")
def images():
    """Three photographs, (3, 3, 96, 96)."""
    return torch.cat(
        [vz.photo(name, 96) for name in ("tabby_cat_chelsea", "goldfish", "drum_kit_and_guitar")]
    )


@pytest.fixture(scope="session")
def classes():
    """One class for each picture: Egyptian cat, goldfish, and balloon, which is not to be seen."""
    return [285, 1, 417]


@pytest.fixture(scope="session")
def agree():
    """agree(ours, theirs): equal to 1e-4 of the largest value, picture by picture, and not by both being
    zero.
    """

    def check(ours, theirs, tolerance=1e-4):
        assert ours.shape == theirs.shape
        largest = theirs.abs().amax((1, 2, 3))
        assert bool((largest > 0).all()), "a map of zeros compares nothing"
        error = ((ours - theirs).abs().amax((1, 2, 3)) / largest).tolist()
        assert max(error) < tolerance, (
            f"largest difference by picture, as a share of the largest value: {error}"
        )

    return check
