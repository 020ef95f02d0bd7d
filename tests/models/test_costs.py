"""The anatomy table: shapes, parameters and multiply-adds, worked out by hand and against torch."""

import pytest
import torch
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


@pytest.mark.parametrize("name", ["lite0", "scenenet"])
def test_the_columns_add_up_to_the_network(name):
    net = vz.load(name)
    table = vz.anatomy(net)
    assert table["name"] == net.layers["name"] and table["shape"] == net.layers["shape"]
    assert sum(table["parameters"]) == sum(p.numel() for p in net.parameters())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.model(torch.zeros(1, 3, net.input_size, net.input_size))
    assert (
        sum(table["multiply-adds"]) == counter.get_total_flops() / 2
    )  # torch counts a multiplication and an addition


def test_depthwise_convolutions_are_called_so(lite0):
    stage = vz.anatomy(lite0)[1]
    assert stage["made of"] == "3x3 depthwise conv, ReLU6, 1x1 conv"
    assert stage["parameters"] == 32 * 9 + 32 + 16 * 32 + 16
