"""Fingerprints of networks: the same for the same weights, whatever else differs."""

import copy

import pytest
import torch

import vizlib as vz
from vizlib.models.fingerprint import fingerprint


@pytest.fixture
def net(tiny):
    return tiny()


def test_the_same_weights_have_the_same_fingerprint(net, tiny):
    mark = fingerprint(net)
    assert len(mark) == 64 and mark == fingerprint(net) == fingerprint(tiny()) == fingerprint(
        copy.deepcopy(net)
    )
    elsewhere = copy.deepcopy(net).to(memory_format=torch.channels_last)
    elsewhere.card, elsewhere.name = {"sha256": "none"}, "other"
    elsewhere(torch.rand(1, 3, 16, 16))
    assert fingerprint(elsewhere) == mark
    with torch.inference_mode():
        assert fingerprint(net) == mark


def test_one_changed_number_is_another_network(net):
    mark, seen = fingerprint(net), set()
    for change in (
        lambda n: n.model.conv1.weight.data[0, 0, 0, 0].add_(1e-6),
        lambda n: n.model.fc.bias.data[-1].neg_(),
        lambda n: n.mean.add_(1e-6),
        lambda n: n.std.mul_(2),
        lambda n: n.double(),
    ):
        other = copy.deepcopy(net)
        change(other)
        seen.add(fingerprint(other))
    assert len(seen) == 5 and mark not in seen


def test_swapped_layers_are_another_network(net):
    other = copy.deepcopy(net)
    with torch.no_grad():
        a, b = other.model.conv2.weight[0], other.model.conv2.weight[1]
        a[:], b[:] = b.clone(), a.clone()
    assert fingerprint(other) != fingerprint(net) != fingerprint(vz.randomize(net))
