"""Folding batch-norm away changes no logit, and where it would, it is not done."""

import importlib
from collections import OrderedDict

import pytest
import timm
import torch
from torch import nn
from torch.nn import functional as F
from torchvision import models

import vizlib as vz


def batchnorms(model):
    return [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]


def assert_the_same_logits(net, model, x):
    with torch.no_grad():
        ours, theirs = net(x), model.eval()(x)
    assert (ours - theirs).abs().max() <= 1e-4 * max(1, theirs.abs().max())


@pytest.mark.parametrize(
    "name, left", [("resnet18", 0), ("mobilenet_v2", 0), ("googlenet", 0), ("densenet121", None)]
)
def test_a_folded_network_has_the_logits_of_the_unfolded(network, redrawn, pictures, name, left):
    extra = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
    model = redrawn(models.get_model(name, num_classes=10, **extra)).eval()
    x = pictures(2, 64)
    net = network(model, side=64, name=name)
    with torch.no_grad():
        logits = model(x)
        for norm in batchnorms(model):  # the statistics matter: without them the logits are others
            norm.reset_running_stats()
        assert (model(x) - logits).abs().max() > 1e-2 * logits.abs().max()
        assert (net(x) - logits).abs().max() <= 1e-4 * logits.abs().max()
    if left is None:  # densenet normalizes before most convolutions: only what follows a convolution can go
        assert 0 < len(batchnorms(net)) < len(batchnorms(model))
    else:
        assert len(batchnorms(model)) > 10 and len(batchnorms(net)) == left


def test_lite0_is_tf_efficientnet_lite0_of_timm_with_the_same_weights(lite0):
    load_module = importlib.import_module("vizlib.models.loading")
    theirs = torch.load(load_module._lite0_file(), map_location="cpu", weights_only=True)
    model = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    ours = model.state_dict()
    assert [t.shape for t in ours.values()] == [t.shape for t in theirs.values()]
    # the names differ, but say the same: both files tell convolutions from batch-norms and biases from
    # weights
    for a, b in zip(ours, theirs, strict=True):
        assert a.rpartition(".")[2] == b.rpartition(".")[2], (a, b)
    model.load_state_dict(dict(zip(ours, theirs.values(), strict=True)))
    x = torch.cat([vz.photo("goldfish", 224), vz.photo("tabby_cat_chelsea", 224)])
    with torch.no_grad():
        assert (lite0(x) - model((x - 0.5) / 0.5)).abs().max() <= 1e-4 * 10
    assert not batchnorms(lite0) and len(batchnorms(model)) > 40


def small(body):
    """A classifier around a body that keeps 4 channels."""
    return nn.Sequential(
        OrderedDict(
            stem=nn.Conv2d(3, 4, 3),
            body=body,
            avgpool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            fc=nn.Linear(4, 5),
        )
    )


class Branches(nn.Module):
    """A convolution and a batch-norm, joined in a way of one's own."""

    def __init__(self, forward, **modules):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        for name, module in modules.items():
            setattr(self, name, module)
        self.path = forward

    def forward(self, x):
        return self.path(self, x)


def residual_around_the_norm(m, x):
    y = m.conv(x)
    return m.bn(y) + y


def relu_of_the_raw_output(m, x):
    y = m.conv(x)
    return m.bn(y) * F.relu(y)


def a_module_reads_it_too(m, x):
    y = m.conv(x)
    return m.bn(y) + m.other(y)


def rectified_in_place_before_the_norm(m, x):
    return m.bn(F.relu_(m.conv(x)))


def scaled_in_place_before_the_norm(m, x):
    y = m.conv(x)
    y *= 2
    return m.bn(y)


def one_norm_after_two_convolutions(m, x):
    return m.bn(m.other(m.bn(m.conv(x))))


def one_norm_after_a_convolution_and_elsewhere(m, x):
    return m.bn(F.relu(m.bn(m.conv(x))))


def one_convolution_before_two_norms(m, x):
    return m.bn(m.conv(x)) + m.other(m.conv(x + 1))


def one_convolution_used_with_the_norm_and_without(m, x):
    return m.bn(m.conv(x)) + m.conv(x * 2)


def a_plain_pair(m, x):
    return m.bn(m.conv(x))


def the_pair_by_keyword(m, x):
    return m.bn(input=m.conv(x))


BODIES = {
    "a plain pair": lambda: Branches(a_plain_pair),
    "the pair, called with a keyword": lambda: Branches(the_pair_by_keyword),
    "a residual around the norm": lambda: Branches(residual_around_the_norm),
    "a function reads the convolution too": lambda: Branches(relu_of_the_raw_output),
    "a module reads the convolution too": lambda: Branches(a_module_reads_it_too, other=nn.Conv2d(4, 4, 1)),
    "rectified in place before the norm": lambda: Branches(rectified_in_place_before_the_norm),
    "scaled in place before the norm": lambda: Branches(scaled_in_place_before_the_norm),
    "one norm after two convolutions": lambda: Branches(
        one_norm_after_two_convolutions, other=nn.Conv2d(4, 4, 1)
    ),
    "one norm after a convolution and elsewhere": lambda: Branches(
        one_norm_after_a_convolution_and_elsewhere
    ),
    "one convolution before two norms": lambda: Branches(
        one_convolution_before_two_norms, other=nn.BatchNorm2d(4)
    ),
    "one convolution with and without the norm": lambda: Branches(
        one_convolution_used_with_the_norm_and_without
    ),
    "a norm without weights": lambda: Branches(a_plain_pair, bn=nn.BatchNorm2d(4, affine=False)),
    "a convolution without bias": lambda: Branches(
        a_plain_pair, conv=nn.Conv2d(4, 4, 3, padding=1, bias=False)
    ),
    "a grouped, dilated, strided convolution": lambda: Branches(
        a_plain_pair, conv=nn.Conv2d(4, 4, 3, stride=2, padding=2, dilation=2, groups=2)
    ),
    "a transposed convolution": lambda: Branches(a_plain_pair, conv=nn.ConvTranspose2d(4, 4, 2, stride=2)),
    "reflecting padding": lambda: Branches(
        a_plain_pair, conv=nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect")
    ),
    "standardized weights": lambda: Branches(a_plain_pair, conv=StandardisedConv2d(4, 4, 3, padding=1)),
    "a weight norm": lambda: Branches(
        a_plain_pair, conv=nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 3, padding=1))
    ),
    "two convolutions that share one weight": lambda: shared_weight(),
}


class StandardisedConv2d(nn.Conv2d):
    """As in weight standardization: the weights in use are not the weights that are stored."""

    def forward(self, x):
        w = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return F.conv2d(x, w / w.std((1, 2, 3), keepdim=True), self.bias, self.stride, self.padding)


def shared_weight():
    body = Branches(lambda m, x: m.bn(m.conv(x)) + m.other(x), other=nn.Conv2d(4, 4, 3, padding=1))
    body.other.weight = body.conv.weight
    return body


@pytest.mark.parametrize("body", BODIES)
def test_whatever_the_plumbing_the_logits_stay(network, redrawn, pictures, body):
    model = redrawn(small(BODIES[body]()), seed=3).eval()
    assert_the_same_logits(network(model), model, pictures(3, seed=4))


def test_a_plain_pair_is_folded_and_one_that_is_read_by_others_is_not(network, redrawn):
    assert len(batchnorms(network(redrawn(small(BODIES["a plain pair"]()))))) == 0
    for body in (
        "a module reads the convolution too",
        "one convolution before two norms",
    ):
        assert len(batchnorms(network(redrawn(small(BODIES[body]()))))) == len(
            batchnorms(small(BODIES[body]()))
        ), body


def test_a_norm_without_statistics_or_weights_is_none_to_fold(network, redrawn, pictures):
    model = redrawn(
        small(nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4, affine=False, track_running_stats=False)))
    )
    with pytest.raises(vz.VizlibError, match="depend on the pictures beside it"):  # and not an IndexError
        network(model)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*")
def test_weights_that_are_made_anew_at_each_pass_are_not_folded(network, redrawn, pictures):
    model = redrawn(
        small(nn.Sequential(torch.nn.utils.spectral_norm(nn.Conv2d(4, 4, 3)), nn.BatchNorm2d(4)))
    ).eval()
    net = network(model)
    assert len(batchnorms(net)) == 1
    assert_the_same_logits(net, model, pictures(2))


def test_the_activation_that_a_batchnorm_of_timm_carries_stays(network, redrawn, pictures):
    from timm.layers import BatchNormAct2d

    model = redrawn(small(nn.Sequential(nn.Conv2d(4, 4, 3), BatchNormAct2d(4)))).eval()
    net = network(model)
    assert not batchnorms(net)
    assert_the_same_logits(net, model, pictures(2))


@pytest.mark.parametrize("name", ["resnet10t", "mobilenetv3_small_050", "repvgg_a0"])
def test_networks_of_timm_keep_their_logits_too(network, redrawn, pictures, name):
    model = redrawn(timm.create_model(name, num_classes=10)).eval()
    assert_the_same_logits(network(model, side=64), model, pictures(2, 64))


def test_every_activation_is_out_of_place_afterwards(network):
    net = network(models.alexnet(num_classes=10), side=64)
    relus = [m for m in net.modules() if isinstance(m, nn.ReLU)]
    assert len(relus) == 7 and not any(m.inplace for m in relus)
