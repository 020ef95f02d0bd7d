"""Recording what layers compute."""

import copy
import re
import threading
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision import models

import vizlib as vz
from vizlib.layers import relu_rule, resume, tap


def test_it_gives_what_the_layers_computed_in_the_order_asked_for(tiny, pictures):
    net, x = tiny(), pictures(3)
    taken = vz.record(net, x, ["logits", "conv1", "pool1"])
    assert list(taken) == ["logits", "conv1", "pool1"]
    with torch.no_grad():
        conv1 = net.model.conv1(x)
        torch.testing.assert_close(taken["conv1"], conv1)
        torch.testing.assert_close(taken["pool1"], F.max_pool2d(conv1.relu(), 2))
        torch.testing.assert_close(taken["logits"], net(x))


def test_one_name_may_stand_alone_and_a_path_is_a_name(tiny, pictures):
    net, x = tiny(), pictures(1)
    assert list(vz.record(net, x, "conv1")) == ["conv1"]
    torch.testing.assert_close(vz.record(net, x, "fc")["fc"], vz.record(net, x, "logits")["logits"])


def test_the_shapes_are_those_of_the_table(lite0, pictures):
    taken = vz.record(lite0, pictures(1, 224), lite0.layers["name"])
    assert ["x".join(map(str, t.shape[1:])) for t in taken.values()] == lite0.layers["shape"]


def test_what_is_recorded_has_no_graph_even_if_the_picture_requires_one(tiny, pictures):
    taken = vz.record(tiny(), pictures(1).requires_grad_(), "conv2")["conv2"]
    assert not taken.requires_grad and taken.grad_fn is None


def test_nothing_beyond_the_deepest_layer_is_computed(trapped, pictures):
    trapped.layer("logits")
    trapped.wire.error = AssertionError("the forward pass went too far")
    assert vz.record(trapped, pictures(1), ["conv1", "relu1"])["relu1"].shape == (1, 4, 16, 16)
    with pytest.raises(AssertionError):
        vz.record(trapped, pictures(1), "conv2")


@pytest.mark.parametrize("wrong", ["conv3", "", "relu2.weight", None])
def test_an_unknown_layer_is_refused(tiny, pictures, wrong):
    with pytest.raises(vz.VizlibError, match="toy has no layer|A layer is named by a string such as"):
        vz.record(tiny(), pictures(1), [wrong])


def test_a_layer_that_runs_twice_gives_its_last_output(network, redrawn, pictures):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.relu, self.fc = nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(), nn.Linear(3, 5)

        def forward(self, x):
            return self.fc(self.relu(self.conv(self.relu(self.conv(x)))).mean((2, 3)))

    net, x = network(redrawn(Twice(), seed=2)), pictures(1)
    with torch.no_grad():
        second = net.model.conv(net.model.conv(x).relu())
    torch.testing.assert_close(vz.record(net, x, "conv")["conv"], second)
    torch.testing.assert_close(vz.record(net, x, "relu")["relu"], second.relu())


class InPlaceAfterwards(nn.Module):
    """What torchvision's residual networks, GoogLeNet and DenseNets do: sums and rectifiers that write over
    their input.
    """

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2, self.fc = (
            nn.Conv2d(3, 4, 3, padding=1),
            nn.Conv2d(4, 4, 3, padding=1),
            nn.Linear(4, 5),
        )

    def forward(self, x):
        x = F.relu(self.conv1(x), inplace=True)
        y = self.conv2(x)
        y += x
        return self.fc(torch.relu_(y).mean((2, 3)))


def test_what_was_recorded_stays_what_the_layer_computed_though_the_model_writes_over_it(
    network, redrawn, pictures
):
    net, x = network(redrawn(InPlaceAfterwards())), pictures(1)
    with torch.no_grad():
        first = net.model.conv1(x)
        second = net.model.conv2(first.relu())
        assert first.min() < 0 and second.min() < 0
    taken = vz.record(net, x, ["conv1", "conv2", "logits"])
    torch.testing.assert_close(taken["conv1"], first)
    torch.testing.assert_close(taken["conv2"], second)


def test_a_layer_of_resnet_is_the_same_recorded_alone_or_with_others(network, redrawn, pictures):
    from torchvision import models

    net, x = network(redrawn(models.resnet18(num_classes=10)), side=64), pictures(1, 64)
    alone = vz.record(net, x, "layer1.0.conv2")["layer1.0.conv2"].clone()
    torch.testing.assert_close(vz.record(net, x, ["layer1.0.conv2", "logits"])["layer1.0.conv2"], alone)


def test_a_tap_that_restarts_the_graph_ends_the_backward_pass_there(tiny, pictures):
    net, x = tiny(), pictures(1).requires_grad_()
    with tap(net, ["relu2"], restart=True) as taken:
        score = net(x)[0, 0]
    (g,) = torch.autograd.grad(score, taken["relu2"], retain_graph=True)
    assert g.shape == (1, 8, 8, 8)
    assert torch.autograd.grad(score, x, allow_unused=True) == (None,)


def test_taps_can_be_nested(tiny, pictures):
    net, x = tiny(), pictures(1)
    with tap(net, ["conv1"]) as outer:
        with tap(net, ["conv1", "conv2"]) as inner:
            net(x)
    assert list(inner) == ["conv1", "conv2"] and list(outer) == ["conv1"]
    torch.testing.assert_close(outer["conv1"], inner["conv1"])


@pytest.mark.parametrize("error", [RuntimeError("oops"), KeyboardInterrupt()], ids=["exception", "interrupt"])
def test_the_hooks_of_a_tap_are_gone_however_the_block_ends(tiny, left_as_found, error):
    net = tiny()
    with left_as_found(net):
        with pytest.raises(type(error)):
            with tap(net, ["conv1", "conv2"]):
                raise error


def test_hooks_are_set_in_one_place():
    package = Path(vz.__file__).parent
    found = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if re.search(r"register_\w*hook", path.read_text(encoding="utf-8"))
    }
    assert found == {"layers/recording.py"}


def test_a_tap_with_an_unknown_layer_sets_no_hook_at_all(tiny, left_as_found):
    net = tiny()
    with left_as_found(net):
        with pytest.raises(vz.VizlibError, match="no layer 'conv9'"):
            with tap(net, ["conv1", "conv9"]):
                pass


# ------------------------------------------------------------------------------------------
# threads


class Gate(nn.Module):
    """Lets threads through as they come, except that those named in `held` announce themselves and wait."""

    def __init__(self):
        super().__init__()
        self.held = {}

    def __deepcopy__(self, memo):
        return self

    def forward(self, x):
        events = self.held.get(threading.get_ident())
        if events is not None:
            arrived, may_go_on = events
            arrived.set()
            assert may_go_on.wait(30)
        return x


@pytest.fixture
def gated(network, redrawn):
    gate = Gate()
    model = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, 4, 3, padding=1),
            relu1=nn.ReLU(),
            gate=gate,
            conv2=nn.Conv2d(4, 4, 3, padding=1),
            relu2=nn.ReLU(),
            avgpool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            fc=nn.Linear(4, 5),
        )
    )
    net = network(redrawn(model, seed=3))
    net.layer("logits")
    return net, gate


def held_in_the_middle(gate, in_thread, function):
    """Run `function` in a thread that stops at the gate. Returns the job and what lets it go on."""
    arrived, may_go_on = threading.Event(), threading.Event()

    def job():
        gate.held[threading.get_ident()] = arrived, may_go_on
        return function()

    job = in_thread(job)
    assert arrived.wait(30)
    return job, may_go_on.set


def test_the_recording_of_one_thread_is_not_touched_by_the_forward_pass_of_another(
    gated, in_thread, pictures
):
    net, gate = gated
    x, other = pictures(1, seed=1), pictures(1, seed=2)
    expected = vz.record(net, x, ["conv1", "conv2"])
    job, go_on = held_in_the_middle(gate, in_thread, lambda: vz.record(net, x, ["conv1", "conv2"]))
    with torch.no_grad():
        logits = net(
            other
        )  # while the other thread's hooks are set: all the way to the end, and none of it recorded there
    assert logits.shape == (1, 5)
    go_on()
    for name, tensor in job.result().items():
        torch.testing.assert_close(tensor, expected[name])


def test_a_gradient_in_one_thread_passes_through_a_graph_that_another_thread_restarts(
    gated, in_thread, pictures
):
    net, gate = gated
    x = pictures(1, seed=1)
    expected, map_alone = vz.gradient(net, x, 0), vz.grad_cam(net, x, 0, layer="relu1")
    job, go_on = held_in_the_middle(gate, in_thread, lambda: vz.grad_cam(net, x, 0, layer="relu1"))
    torch.testing.assert_close(vz.gradient(net, x, 0), expected)
    go_on()
    torch.testing.assert_close(job.result(), map_alone)


def test_the_relu_rule_of_one_thread_is_not_that_of_another(gated, in_thread, pictures):
    net, gate = gated
    x = pictures(1, seed=1)
    expected, guided_alone = vz.gradient(net, x, 0), vz.guided_backprop(net, x, 0)
    assert (expected - guided_alone).abs().max() > 1e-4
    job, go_on = held_in_the_middle(gate, in_thread, lambda: vz.guided_backprop(net, x, 0))
    torch.testing.assert_close(vz.gradient(net, x, 0), expected)
    go_on()
    torch.testing.assert_close(job.result(), guided_alone)
    with relu_rule("guided"):
        net(x)
        torch.testing.assert_close(in_thread(vz.gradient, net, x, 0).result(), expected)


def test_two_threads_may_ask_for_the_layers_at_the_same_time(gated, in_thread):
    net, gate = gated
    expected = repr(net.layers)
    net._layers = None
    job, go_on = held_in_the_middle(gate, in_thread, lambda: repr(net.layers))
    assert repr(net.layers) == expected
    go_on()
    assert job.result() == expected and repr(net.layers) == expected


class Residual(nn.Module):
    """Two branches that meet: x -> a -> relu(a + b(a)) -> logits."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.meet, self.fc = nn.ReLU(), nn.Linear(4, 5)

    def forward(self, x):
        x = self.a(x)
        return self.fc(self.meet(x + self.b(x)).mean((2, 3)))


@pytest.mark.parametrize("mean", [0.0, 0.5])  # grey is its own negative
def test_the_second_half_of_a_network_starts_where_the_branches_have_met(network, redrawn, pictures, mean):
    net, x = network(redrawn(Residual()), mean=mean), pictures(3)
    for layer in ("a", "meet", "logits"):
        torch.testing.assert_close(resume(net, layer, vz.record(net, x, layer)[layer]), net(x).detach())
    with pytest.raises(vz.VizlibError, match="Layer 'b' of toy lies in a branch"):
        resume(net, "b", vz.record(net, x, "b")["b"])


@pytest.mark.parametrize("side", [64, 96])
def test_it_starts_at_pictures_of_any_size(network, redrawn, pictures, side):
    net, x = network(redrawn(models.resnet18(num_classes=10)), side=64), pictures(2, side)
    for layer in ("maxpool", "layer2", "layer4"):
        torch.testing.assert_close(
            resume(net, layer, vz.record(net, x, layer)[layer]), net(x).detach(), rtol=1e-4, atol=1e-5
        )
    with pytest.raises(vz.VizlibError, match="lies in a branch"):
        resume(net, "layer2.0.conv1", vz.record(net, x, "layer2.0.conv1")["layer2.0.conv1"])


@pytest.mark.parametrize("wrong", [3, nn.ReLU(), ["conv1", "relu1"]])
def test_a_layer_is_named_by_a_string(tiny, pictures, wrong):
    with pytest.raises(vz.VizlibError, match="A layer is named by a string such as 'conv1'"):
        vz.grad_cam(tiny(), pictures(1), 0, layer=wrong)


def test_a_grid_with_its_channels_last_comes_with_them_first(network, redrawn, pictures):
    class ChannelsLast(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm, self.fc = nn.Conv2d(3, 6, 3, padding=1), nn.LayerNorm(6), nn.Linear(6, 5)

        def forward(self, x):
            return self.fc(self.norm(self.conv(x).permute(0, 2, 3, 1)).mean((1, 2)))

    net, x = network(redrawn(ChannelsLast())), pictures(2)
    assert net.layer("norm").shape == (6, 16, 16) and net.last_spatial_layer == "norm"
    A = vz.record(net, x, "norm")["norm"]
    expected = net.model.norm(vz.record(net, x, "conv")["conv"].permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    torch.testing.assert_close(A, expected)
    torch.testing.assert_close(resume(net, "norm", A), net(x).detach())
    w = net.model.fc.weight[2]  # the mean follows, so that Grad-CAM's weights are those of the linear layer
    maps = vz.grad_cam(net, x, 2, relu=False, upsample=False)
    torch.testing.assert_close(maps[:, 0], torch.einsum("k,nkij->nij", w, A) / 256, rtol=1e-4, atol=1e-6)


class Tokens(nn.Module):
    """A norm between a grid and tokens, on the way there or on the way back."""

    def __init__(self, norm, back):
        super().__init__()
        self.conv, self.norm, self.back = nn.Conv2d(3, 4, 3, padding=1), norm, back
        self.mix, self.fc = nn.Linear(4, 4), nn.Linear(4, 5)

    def forward(self, x):
        x = self.conv(x).relu()
        if not self.back:
            x = self.norm(x)
        tokens = torch.tanh(self.mix(x.flatten(2).transpose(1, 2)))
        if self.back:
            tokens = self.norm(tokens.transpose(1, 2).reshape(x.shape)).square().flatten(2).transpose(1, 2)
        return self.fc(tokens).square().mean(1)


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize(
    "norm", [nn.BatchNorm2d(4), nn.BatchNorm2d(4, affine=False), nn.InstanceNorm2d(4, affine=True)], ids=str
)
def test_slopes_behind_a_norm_are_right_for_one_picture(network, redrawn, pictures, norm, grouped, back):
    """Against finite differences. In a batch of one PyTorch may confuse channels and positions here."""
    model = Tokens(norm, back)
    if grouped:  # such networks keep their channels last
        model.conv = nn.Sequential(model.conv, nn.Conv2d(4, 4, 3, padding=1, groups=4))
    net, x = network(redrawn(model)), pictures(1)
    slopes, step = vz.gradient(net, x, 2), torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    exact, x = copy.deepcopy(net).double(), x.double()
    with torch.no_grad():
        rise = (exact(x + 1e-6 * step) - exact(x - 1e-6 * step))[0, 2] / 2e-6
    torch.testing.assert_close((slopes * step).sum().double(), rise, rtol=1e-3, atol=1e-4)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


def test_a_grid_of_another_size_from_which_the_rest_cannot_go_on_is_refused(network, redrawn, pictures):
    layers = OrderedDict(conv1=nn.Conv2d(3, 4, 3, padding=1), relu1=nn.ReLU(), conv2=nn.Conv2d(4, 2, 3, 2, 1))
    net = network(redrawn(nn.Sequential(layers | OrderedDict(flatten=nn.Flatten(), fc=nn.Linear(128, 5)))))
    code = vz.record(net, pictures(1, 32), "relu1")["relu1"]
    told = r"the rest of toy cannot go on from the shape \(4, 32, 32\) at 'relu1', where it has \(4, 16, 16\)"
    with pytest.raises(vz.VizlibError, match=f"(?i){told}"):
        resume(net, "relu1", code)
    with pytest.raises(RuntimeError):  # not a matter of size
        resume(net, "relu1", code.double()[:, :, :16, :16].to(torch.complex64))
