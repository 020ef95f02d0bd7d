"""The deconvnet written out: adjoint operations, and equal to the backward pass with the deconvnet's rule."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

import vizlib as vz
from vizlib.attribution.projection import _transposed


@pytest.fixture(scope="module")
def collages():
    return vz.collages(3, 11).images


@pytest.mark.parametrize("layer", ["relu1", "pool1", "relu2", "pool2", "relu3", "relu4", "relu5"])
def test_it_is_the_backward_pass_with_another_rule_for_rectifiers(layer, collages):
    """The rule carries slopes of the unit, the deconvnet its activation: one is the other times a number."""
    net = vz.load("scenenet")
    activation = vz.record(net, collages, layer)[layer]
    channel = int(activation.amax((0, 2, 3)).argmax())
    plane = activation[:, channel]
    projected = vz.project(net, collages, vz.unit(layer, channel))
    for i, image in enumerate(collages.split(1)):
        at = divmod(int(plane[i].argmax()), plane.shape[2])
        slopes = vz.deconvnet(net, image, vz.unit(layer, channel, at=at)) * plane[i][at]
        assert projected[i].abs().max() > 0
        torch.testing.assert_close(
            projected[i : i + 1], slopes, rtol=1e-4, atol=1e-5 * float(slopes.abs().max())
        )


def test_a_position_of_one_s_own(collages):
    net = vz.load("scenenet")
    chosen = vz.unit("relu3", 5, at=(4, 7))
    value = vz.record(net, collages, "relu3")["relu3"][:, 5, 4, 7]
    expected = vz.deconvnet(net, collages, chosen) * value.view(-1, 1, 1, 1)
    torch.testing.assert_close(vz.project(net, collages, chosen), expected, rtol=1e-4, atol=1e-6)


def test_nothing_outside_the_receptive_field(collages):
    net = vz.load("scenenet")
    field, at = vz.receptive_field(net, "relu2"), (10, 12)
    seen = vz.project(net, collages, vz.unit("relu2", 3, at=at)).abs().amax((0, 1)) > 0
    rows, columns = (
        slice(
            max(0, field.start[i] + at[i] * field.stride[i]),
            field.start[i] + at[i] * field.stride[i] + field.size[i],
        )
        for i in (0, 1)
    )
    inside = torch.zeros_like(seen)
    inside[rows, columns] = True
    assert not (seen & ~inside).any()


@pytest.mark.parametrize(
    "kernel, stride, padding, side",
    [(3, 1, 1, 9), (7, 2, 3, 16), (5, 2, 2, 15), (11, 4, 5, 64), (4, 3, 0, 17)],
)
def test_the_transposed_convolution_is_the_adjoint(kernel, stride, padding, side):
    """<A x, y> = <x, A^T y>"""
    generator = torch.Generator().manual_seed(0)
    conv = nn.Conv2d(3, 4, kernel, stride, padding, bias=False).requires_grad_(False)
    x = torch.randn(2, 3, side, side, generator=generator)
    y = torch.randn(conv(x).shape, generator=generator)
    torch.testing.assert_close(
        (conv(x) * y).sum(), (x * _transposed(y, conv, x.shape)).sum(), rtol=1e-4, atol=1e-3
    )


def test_unpooling_after_pooling_keeps_exactly_the_maxima(network):
    model = nn.Sequential(OrderedDict(pool1=nn.MaxPool2d(2), flatten=nn.Flatten(), fc=nn.Linear(3 * 64, 2)))
    net, x = network(model), torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    back, signals = vz.project(net, x, vz.unit("pool1", 1, at=(2, 3)), all_signals=True)
    block = x[0, 1, 4:6, 6:8]
    assert (back != 0).sum() == 1 and back[0, 1, 4:6, 6:8].max() == block.max()
    assert [name for name, _ in signals] == ["pool1", "pool1"]


@pytest.mark.parametrize("name, layer", [("lite0", "stage3"), ("scenenet", "logits"), ("scenenet", "pool")])
def test_networks_that_are_no_chain_are_refused(name, layer):
    with pytest.raises(
        vz.VizlibError,
        match=f"{name} is no chain of convolutions, ReLUs and max-pooling up to '{layer}'.*vz.deconvnet",
    ):
        vz.project(vz.load(name), torch.rand(1, 3, 96, 96), vz.unit(layer, 0))


def test_what_is_no_unit_is_refused(collages):
    net = vz.load("scenenet")
    with pytest.raises(vz.VizlibError, match="project sends one unit back: vz.unit"):
        vz.project(net, collages, "farm")
    with pytest.raises(vz.VizlibError, match="channels 0 to 31; 32 is not among them"):
        vz.project(net, collages, vz.unit("relu1", 32))
    with pytest.raises(vz.VizlibError, match="is not inside it"):
        vz.project(net, collages, vz.unit("relu1", 3, at=(48, 0)))
