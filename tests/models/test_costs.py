"""The anatomy table: shapes, parameters and multiply-adds, worked out by hand and against torch."""

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import vizlib as vz


def test_a_small_network_by_hand(tiny):
    rows = {row["name"]: row for row in vz.anatomy(tiny())}
    assert rows["conv1"] == {
        "name": "conv1",
        "made of": "3x3 conv",
        "shape": "6x16x16",
        "parameters": 6 * 3 * 9 + 6,
        "multiply-adds": 16 * 16 * 6 * 3 * 9,
        "receptive field": "3",
    }
    assert (
        rows["conv2"]["parameters"] == 8 * 6 * 9 + 8 and rows["conv2"]["multiply-adds"] == 8 * 8 * 8 * 6 * 9
    )
    assert rows["logits"]["parameters"] == 8 * 5 + 5 and rows["logits"]["multiply-adds"] == 40
    assert (rows["pool1"]["made of"], rows["pool1"]["parameters"], rows["pool1"]["multiply-adds"]) == (
        "max-pool",
        0,
        0,
    )


def _macs(net):
    """Multiply-adds of one picture as torch counts them: attention as the two products that it is made of."""
    image = torch.full((1, 3, *net.input_shape), 0.5).requires_grad_()
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        net(image)
    return counter.get_total_flops() / 2  # torch counts a multiplication and an addition


@pytest.mark.parametrize(
    "name",
    [
        "lite0",
        "scenenet",
        "torchvision/resnet18",
        "torchvision/convnext_tiny",
        "torchvision/densenet121",
        "torchvision/mobilenet_v3_small",
        "torchvision/squeezenet1_1",
        "torchvision/swin_t",
        "torchvision/vit_b_32",
        "timm/vit_tiny_patch16_224",
        "timm/resnetv2_50",
        "timm/mixer_s32_224",
        "timm/levit_128s",
    ],
)
def test_the_columns_add_up_to_the_network(name):
    net = vz.load(name) if "/" not in name else vz.load(name, pretrained=False)
    table = vz.anatomy(net)
    assert table["name"] == net.layers["name"] and table["shape"] == net.layers["shape"]
    assert sum(table["parameters"]) == sum(p.numel() for p in net.parameters())
    assert sum(table["multiply-adds"]) == _macs(net)
    assert table[-1]["name"] == "logits"


def test_depthwise_convolutions_are_called_so(lite0):
    stage = vz.anatomy(lite0)[1]
    assert stage["made of"] == "3x3 depthwise conv, ReLU6, 1x1 conv"
    assert stage["parameters"] == 32 * 9 + 32 + 16 * 32 + 16


class Odd(nn.Module):
    """A scale of its own, a layer used twice, a norm with an activation inside, a linear layer on a grid."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4, 1, 1))
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.Sequential(nn.GroupNorm(2, 4), nn.ReLU())
        self.mix = nn.Linear(4, 4)
        self.up = nn.ConvTranspose2d(4, 2, 2, stride=2)
        self.unused = nn.Linear(7, 7)
        self.fc = nn.Linear(2, 5)
        self.temperature = nn.Parameter(torch.ones(5))

    def forward(self, x):
        x = self.norm(self.conv(x) * self.scale).movedim(1, -1)
        x = self.mix(self.mix(x)).movedim(-1, 1)
        tokens = x.flatten(2).transpose(1, 2)
        x = x + (tokens @ (tokens.transpose(1, 2) @ tokens)).transpose(1, 2).view_as(x)
        return self.fc(self.up(x).mean((2, 3))) / self.temperature


def test_what_no_layer_holds_goes_to_the_next_row(network):
    names = {"first": "conv", "norm": "norm", "up": "up", "logits": "fc"}
    rows = {row["name"]: row for row in vz.anatomy(network(Odd(), side=8, names=names))}
    assert [row["parameters"] for row in rows.values()] == [
        3 * 4 * 9 + 4,
        4 + 4 + 4,  # the scale, and the norm's
        4 * 4 + 4 + 4 * 2 * 2 * 2 + 2,  # the linear layer once, though it is used twice
        2 * 5 + 5 + 5,  # and the temperature; what is not used is in no row
    ]
    assert [row["multiply-adds"] for row in rows.values()] == [
        64 * 3 * 4 * 9,
        0,
        2 * 64 * 4 * 4
        + 2 * 64 * 4 * 4
        + 64 * 4 * 2 * 2 * 2,  # two linear layers, two products, one transpose
        2 * 5,
    ]
    assert rows["up"]["made of"] == "linear" and rows["norm"]["made of"] == "ReLU"


def test_a_block_of_attention_is_counted_whole_in_any_mode():
    """Without gradients PyTorch computes it in one step, of which nothing can be seen."""
    net = vz.load("torchvision/vit_b_32", pretrained=False)
    expected = vz.anatomy(net)["multiply-adds"]
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            assert vz.anatomy(net)["multiply-adds"] == expected


def test_no_hook_stays_and_others_are_not_counted(tiny, left_as_found, in_thread, pictures):
    net, x = tiny(), pictures(1)
    expected = vz.anatomy(net)
    with left_as_found(net):
        vz.anatomy(net)
    work = in_thread(lambda: [net(x) for _ in range(200)])
    for _ in range(20):
        assert vz.anatomy(net) == expected
    work.result()


def test_it_needs_no_values(tiny):
    net = tiny()
    expected = vz.anatomy(net)
    assert vz.anatomy(net.to("meta")) == expected
