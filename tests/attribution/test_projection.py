"""The deconvnet written out: adjoint operations, and equal to the backward pass with the deconvnet's rule."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

import vizlib as vz
from vizlib.attribution.projection import _alone, _transposed, _unpooled


@pytest.fixture(scope="module")
def collages():
    return vz.collages(3, 11).images


def as_the_rule(net, images, layer, channel=None):
    """Projected, a unit is its activation times `vz.deconvnet` of it, picture by picture."""
    activation = vz.record(net, images, layer)[layer]
    channel = int(activation.amax((0, 2, 3)).argmax()) if channel is None else channel
    plane = activation[:, channel]
    projected = vz.project(net, images, vz.unit(layer, channel))
    for i, image in enumerate(images.split(1)):
        at = divmod(int(plane[i].argmax()), plane.shape[2])
        slopes = vz.deconvnet(net, image, vz.unit(layer, channel, at=at)) * plane[i][at]
        largest = float(slopes.abs().max())
        assert largest > 0
        torch.testing.assert_close(projected[i : i + 1], slopes, rtol=1e-4, atol=1e-5 * largest)


@pytest.mark.parametrize("layer", ["relu1", "pool1", "relu2", "pool2", "relu3", "relu4", "relu5"])
def test_it_is_the_backward_pass_with_another_rule_for_rectifiers(layer, collages):
    """The rule carries slopes of the unit, the deconvnet its activation: one is the other times a number."""
    as_the_rule(vz.load("scenenet"), collages, layer)


def _classifier(layers, channels):
    end = OrderedDict(gap=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), fc=nn.Linear(channels, 4))
    return nn.Sequential(OrderedDict(layers) | end)


POOLS = {
    "overlapping": nn.MaxPool2d(3, 2),
    "overlapping, padded": nn.MaxPool2d(3, 2, padding=1),
    "overlapping, up to the edge": nn.MaxPool2d(3, 2, ceil_mode=True),
    "step of one": nn.MaxPool2d(3, 1),
    "with holes": nn.MaxPool2d(3, 2, dilation=2),
    "oblong": nn.MaxPool2d((2, 3), (1, 2), padding=(0, 1)),
    "gaps between the windows": nn.MaxPool2d(2, 3),
}


@pytest.mark.parametrize("pool", POOLS)
def test_pooling_whose_windows_share_a_maximum(pool, network, redrawn, pictures):
    """Two windows with one maximum hand it both their values."""
    layers = OrderedDict(conv1=nn.Conv2d(3, 8, 3, padding=1), relu1=nn.ReLU(), pool1=POOLS[pool])
    layers |= OrderedDict(conv2=nn.Conv2d(8, 8, 3, padding=1), relu2=nn.ReLU())
    as_the_rule(network(redrawn(_classifier(layers, 8)), side=24), pictures(2, side=24), "relu2")


CONVOLUTIONS = {
    "same": nn.Conv2d(8, 6, 3, padding="same"),
    "same, an even kernel": nn.Conv2d(8, 6, (4, 2), padding="same"),
    "same, with holes": nn.Conv2d(8, 6, (2, 3), padding="same", dilation=3),
    "valid": nn.Conv2d(8, 6, 3, padding="valid", stride=2),
    "in groups": nn.Conv2d(8, 6, 3, padding=1, groups=2),
    "with holes, in steps": nn.Conv2d(8, 6, 3, stride=2, padding=(0, 2), dilation=(1, 2)),
}


@pytest.mark.parametrize("conv", CONVOLUTIONS)
def test_every_convolution_has_its_transpose(conv, network, redrawn, pictures):
    layers = OrderedDict(conv1=nn.Conv2d(3, 8, 3), relu1=nn.ReLU(), conv2=CONVOLUTIONS[conv], relu2=nn.ReLU())
    as_the_rule(network(redrawn(_classifier(layers, 6)), side=20), pictures(2, side=20), "relu2")


class Standardized(nn.Conv2d):
    """A convolution whose filters get mean 0 and length 1 when it computes (weight standardization); it pads
    by itself.
    """

    def forward(self, x):
        w = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        w = w / w.square().sum((1, 2, 3), keepdim=True).sqrt()
        return nn.functional.conv2d(nn.functional.pad(x, (1, 2, 0, 3)), w, self.bias, self.stride)


def test_the_weights_are_those_that_it_computes_with(network, redrawn, pictures):
    layers = OrderedDict(conv1=Standardized(3, 8, 3), relu1=nn.ReLU(), conv2=Standardized(8, 6, 5, 2))
    net = network(redrawn(_classifier(layers | OrderedDict(relu2=nn.ReLU()), 6)), side=20)
    for layer in ("relu1", "conv2", "relu2"):
        as_the_rule(net, pictures(2, side=20), layer)
    x, first = pictures(1, side=20), vz.unit("conv1", 2, at=(4, 5))
    value = vz.record(net, x, "conv1")["conv1"][0, 2, 4, 5]
    torch.testing.assert_close(vz.project(net, x, first), value * vz.gradient(net, x, first))


@pytest.mark.parametrize(
    "name, layer",
    [
        ("alexnet", "features.12"),
        ("vgg11_bn", "features.28"),
        ("squeezenet1_1", "features.4"),
        ("squeezenet1_1", "features.12"),
        ("squeezenet1_0", "features.8"),
        ("squeezenet1_1", "classifier.1"),
    ],
)
def test_chains_inside_of_a_network(name, layer, collages):
    """Nested lists of layers, batch-norm that is folded away, dropout, and Fire modules with pooling to the
    edge.
    """
    net = vz.load(f"torchvision/{name}", pretrained=False)
    as_the_rule(net, collages[:2], layer)
    signals = vz.project(net, collages[:1], vz.unit(layer, 0), all_signals=True)[1]
    assert signals[1][0] == net.layer(layer).name and signals[-1][1].shape == (1, 3, 96, 96)


def test_a_layer_that_does_nothing_can_be_asked_too(network, redrawn, pictures):
    layers = OrderedDict(conv1=nn.Conv2d(3, 8, 3), relu1=nn.ReLU(), conv2=nn.Conv2d(8, 8, 3))
    layers |= OrderedDict(norm2=nn.BatchNorm2d(8), drop2=nn.Dropout2d(), relu2=nn.ReLU())
    net = network(redrawn(_classifier(layers, 8)))
    for layer in ("norm2", "drop2", "relu2"):
        as_the_rule(net, pictures(2), layer)
    names = [name for name, _ in vz.project(net, pictures(1), vz.unit("relu2", 0), all_signals=True)[1]]
    assert names == ["relu2", "relu2", "conv2", "relu1", "conv1"]


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
    torch.testing.assert_close((conv(x) * y).sum(), (x * _transposed(y, conv, x)).sum(), rtol=1e-4, atol=1e-3)


def test_unpooling_after_pooling_keeps_exactly_the_maxima(network):
    model = nn.Sequential(OrderedDict(pool1=nn.MaxPool2d(2), flatten=nn.Flatten(), fc=nn.Linear(3 * 64, 2)))
    net, x = network(model), torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    back, signals = vz.project(net, x, vz.unit("pool1", 1, at=(2, 3)), all_signals=True)
    block = x[0, 1, 4:6, 6:8]
    assert (back != 0).sum() == 1 and back[0, 1, 4:6, 6:8].max() == block.max()
    assert [name for name, _ in signals] == ["pool1", "pool1"]


class Crossed(nn.Sequential):
    """Modules that run in another order than they are listed in, which shapes do not show."""

    def forward(self, x):
        return self.fc(self.flatten(self.gap(self.relu2(self.conv1(self.relu1(self.conv2(x)))))))


class Residual(nn.Sequential):
    def forward(self, x):
        x = self.relu1(self.conv1(x))
        return self.fc(self.flatten(self.gap(self.relu2(self.conv2(x) + x))))


@pytest.mark.parametrize("kind", [Crossed, Residual])
def test_modules_that_are_not_run_one_after_the_other_are_refused(kind, network, redrawn, pictures):
    layers = OrderedDict(conv1=nn.Conv2d(3, 3, 3, padding=1), relu1=nn.ReLU())
    layers |= OrderedDict(conv2=nn.Conv2d(3, 3, 3, padding=1), relu2=nn.ReLU())
    net = network(redrawn(kind(OrderedDict(_classifier(layers, 3).named_children()))))
    with pytest.raises(vz.VizlibError, match="toy is no chain of convolutions.*up to 'relu2'"):
        vz.project(net, pictures(1), vz.unit("relu2", 0))


def test_a_picture_that_goes_on_behind_its_edges_is_refused(network, redrawn, pictures):
    layers = OrderedDict(conv1=nn.Conv2d(3, 3, 3, padding=1, padding_mode="circular"), relu1=nn.ReLU())
    with pytest.raises(vz.VizlibError, match="toy is no chain of convolutions.*up to 'relu1'"):
        vz.project(network(redrawn(_classifier(layers, 3))), pictures(1), vz.unit("relu1", 0))


def test_the_way_back_stays_on_its_device():
    """On the device "meta" tensors have a shape and no values, and a second device is an error."""
    conv, activation = nn.Conv2d(3, 4, 3, device="meta"), torch.zeros(2, 4, 6, 6, device="meta")
    for at in (None, (2, 3)):
        alone = _alone(activation, vz.unit("conv", 1, at=at))
        assert _transposed(alone, conv, torch.zeros(2, 3, 8, 8, device="meta")).device.type == "meta"
    switches = torch.zeros(2, 4, 3, 3, dtype=torch.long, device="meta")
    assert _unpooled(activation[..., :3, :3], switches, activation.shape).device.type == "meta"


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
