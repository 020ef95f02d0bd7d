"""What the tests share: a trained network, small networks worked out by hand, seeded pictures, and a look at
what is left behind.
"""

import contextlib
import datetime
import io
import os
import threading
from collections import OrderedDict

import pytest
import torch
from torch import nn

import vizlib as vz
from vizlib.layers.rules import relu_rule

# Small networks gain nothing from more threads, and threads that wait for busy cores cost a great deal.
# Kernels that are started from here have all cores, unless other tests run beside them (pytest -n 2).
torch.set_num_threads(1)
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"

BLACK, ONE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)  # a mean and a std that leave the pixels as they are


@pytest.fixture(scope="session")
def lite0():
    return vz.load()


@pytest.fixture(scope="session")
def pictures():
    """pictures(n, side, seed): random pictures (n, 3, side, side) in [0, 1], each with a tint of its own if
    `tinted`.
    """

    def make(n=1, side=16, seed=0, tinted=False):
        generator = torch.Generator().manual_seed(seed)
        noise = torch.rand(n, 3, side, side, generator=generator)
        return noise * torch.rand(n, 3, 1, 1, generator=generator) ** 3 if tinted else noise

    return make


@pytest.fixture(scope="session")
def png():
    """png(picture): a picture (1, 3, H, W) as the bytes of a PNG file."""

    def encode(picture):
        buffer = io.BytesIO()
        vz.to_pil(picture).save(buffer, "PNG")
        return buffer.getvalue()

    return encode


@pytest.fixture(scope="session")
def upload():
    """upload(data, name): the value of an ipywidgets FileUpload."""

    def value(data, name="mine.png"):
        now = datetime.datetime.now(datetime.UTC)
        return (
            {
                "name": name,
                "type": "image/png",
                "size": len(data),
                "content": memoryview(data),
                "last_modified": now,
            },
        )

    return value


@pytest.fixture(scope="session")
def network():
    """network(model, side): a Network around a small model that sees the pixels as they are."""

    def make(model, side=16, name="toy", mean=BLACK, std=ONE, **kwargs):
        return vz.Network(model, name=name, mean=mean, std=std, input_size=side, **kwargs)

    return make


@pytest.fixture(scope="session")
def redrawn():
    """redrawn(model, seed): the same model with every weight, bias and batch-norm statistic drawn from a
    seed.
    """

    def draw(model, seed=0, bias=True):
        generator = torch.Generator().manual_seed(seed)

        def normal(like):
            return torch.randn(like.shape, generator=generator)

        def uniform(like, low, high):
            return low + (high - low) * torch.rand(like.shape, generator=generator)

        with torch.no_grad():
            for module in model.modules():
                if isinstance(module, nn.BatchNorm2d):
                    if module.affine:
                        module.weight.copy_(uniform(module.weight, 0.5, 1.5))
                        module.bias.copy_(0.2 * normal(module.bias))
                    if module.track_running_stats:
                        module.running_mean.copy_(0.2 * normal(module.running_mean))
                        module.running_var.copy_(uniform(module.running_var, 0.5, 2.0))
                elif isinstance(module, (nn.Conv2d, nn.Linear)):
                    fan_in = module.weight[0].numel()
                    module.weight.copy_(normal(module.weight) * (2 / fan_in) ** 0.5)
                    if module.bias is not None:
                        module.bias.copy_(0.1 * normal(module.bias) * bias)
        return model

    return draw


class TinyNet(nn.Module):
    """Two convolutions, a max-pool, ReLUs, global average pooling and one linear layer."""

    def __init__(self, classes=5, bias=True, activation=nn.ReLU):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1, bias=bias)
        self.relu1 = activation()
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(6, 8, 3, padding=1, bias=bias)
        self.relu2 = activation()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, classes, bias=bias)

    def forward(self, x):
        x = self.pool1(self.relu1(self.conv1(x)))
        x = self.relu2(self.conv2(x))
        return self.fc(self.avgpool(x).flatten(1))


@pytest.fixture(scope="session")
def tiny(network, redrawn):
    """tiny(seed, bias, activation, classes): a TinyNet with weights drawn from a seed, as a Network for 16 x
    16 pictures.
    """

    def make(seed=0, bias=True, activation=nn.ReLU, classes=5):
        return network(redrawn(TinyNet(classes, bias, activation), seed))

    return make


@pytest.fixture(scope="session")
def one_relu():
    """A network with one layer of four rectifiers, worked out by hand; see `hand_worked_picture` for what
    happens in it.

    The convolution slides a 2 x 2 filter in steps of 2, so that each pixel belongs to exactly one position:

        red    1 -2     green  -1 -1     blue  0 0
               3  1            -1 -1           0 0

    The four rectified values, read row by row, go to class 0 with the weights 5, -2, -3, 4 and to class 1
    with their negatives.
    """
    model = nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, 1, 2, stride=2),
            relu=nn.ReLU(),
            flatten=nn.Flatten(),
            fc=nn.Linear(4, 2, bias=False),
        )
    )
    with torch.no_grad():
        model.conv.bias.zero_()
        model.conv.weight.copy_(torch.tensor([[[[1, -2], [3, 1]], [[-1, -1], [-1, -1]], [[0, 0], [0, 0]]]]))
        model.fc.weight.copy_(torch.tensor([[5, -2, -3, 4], [-5, 2, 3, -4]]))
    return vz.Network(model, name="one_relu", mean=BLACK, std=ONE, input_size=4)


@pytest.fixture(scope="session")
def hand_worked_picture():
    """A 4 x 4 picture for `one_relu`.

        red  1 0 0 1     green  0 0 0 0     blue  0 0 0 0
             0 1 1 0            0 0 0 0           0 0 0 0
             1 1 0 0            1 1 1 1           0 0 0 0
             1 1 0 0            1 1 1 1           0 0 0 0

    The convolution gives   top left 1 + 1 = 2, top right -2 + 3 = 1, bottom left 3 - 4 = -1, bottom right 0 -
        4 = -4,
    the ReLU                2, 1, 0, 0,
    so class 0 has          5 * 2 - 2 * 1 = 8.
    """
    red = [[1, 0, 0, 1], [0, 1, 1, 0], [1, 1, 0, 0], [1, 1, 0, 0]]
    green = [[0] * 4, [0] * 4, [1] * 4, [1] * 4]
    return torch.tensor([[red, green, [[0] * 4] * 4]], dtype=torch.float32)


@pytest.fixture(scope="session")
def colour_averages():
    """A network whose feature maps are the red and the green plane (and a dead third), averaged and weighed.

    Class 0 = 2 mean(red) - 3 mean(green) + 1,  class 1 = -2 mean(red) + 1 mean(green) - 1.
    """
    model = nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, 3, 1),
            relu=nn.ReLU(),
            avgpool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            fc=nn.Linear(3, 2),
        )
    )
    with torch.no_grad():
        model.conv.weight.copy_(torch.eye(3)[:, :, None, None])
        model.conv.weight[2] = 0
        model.conv.bias.zero_()
        model.fc.weight.copy_(torch.tensor([[2, -3, 7], [-2, 1, 7]]))
        model.fc.bias.copy_(torch.tensor([1, -1]))
    return vz.Network(model, name="colour_averages", mean=BLACK, std=ONE, input_size=2)


class Tripwire(nn.Module):
    """Passes its input on until it is armed with an exception."""

    def __init__(self):
        super().__init__()
        self.error = None

    def forward(self, x):
        if self.error is not None:
            raise self.error
        return x


@pytest.fixture
def trapped(network, redrawn):
    """A small network with a wire in the middle: set net.wire.error to make its forward pass fail there."""
    model = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, 4, 3, padding=1),
            relu1=nn.ReLU(),
            wire=Tripwire(),
            conv2=nn.Conv2d(4, 6, 3, padding=1),
            relu2=nn.ReLU(),
            avgpool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            fc=nn.Linear(6, 5),
        )
    )
    net = network(redrawn(model))
    net.wire = net.model.wire
    return net


METHODS = {
    "gradient": vz.gradient,
    "gradient_times_input": vz.gradient_times_input,
    "saliency": vz.saliency,
    "deconvnet": vz.deconvnet,
    "guided_backprop": vz.guided_backprop,
    "cam": vz.cam,
    "grad_cam": vz.grad_cam,
    "layer_cam": vz.layer_cam,
    "guided_grad_cam": vz.guided_grad_cam,
    "score_cam": vz.score_cam,
}


@pytest.fixture(params=METHODS, scope="session")
def method(request):
    """Every attribution method in turn."""
    return METHODS[request.param]


HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_state_dict_hooks",
)


def _snapshot(net):
    return {
        "weights": {name: tensor.clone() for name, tensor in net.state_dict().items()},
        "training": [module.training for module in net.modules()],
        "types": [type(module) for module in net.modules()],
        "requires_grad": [parameter.requires_grad for parameter in net.parameters()],
        "grad": [parameter.grad for parameter in net.parameters()],
        "hooks": [len(getattr(module, hooks)) for module in net.modules() for hooks in HOOKS],
        "grad mode": torch.is_grad_enabled(),
    }


@pytest.fixture(scope="session")
def left_as_found():
    """with left_as_found(net): whatever happens inside, weights, modes, hooks and gradients are afterwards
    what they were.
    """

    @contextlib.contextmanager
    def watch(net):
        net.layer("logits")  # the layer table is made on the first question, once
        before = _snapshot(net)
        assert not any(before["hooks"]) and not any(before["requires_grad"])
        yield
        after = _snapshot(net)
        weights, others = before.pop("weights"), after.pop("weights")
        assert before == after
        assert weights.keys() == others.keys() and all(
            torch.equal(weights[name], others[name]) for name in weights
        )
        probe = torch.linspace(-1, 1, 5, requires_grad=True)
        with torch.enable_grad():  # a ReLU follows the chain rule again
            (g,) = torch.autograd.grad((torch.relu(probe) * torch.tensor([1.0, 1, 1, -1, 1])).sum(), probe)
        assert g.tolist() == [0, 0, 0, -1, 1]

    return watch


@pytest.fixture(scope="session")
def relu_signals():
    """relu_signals(net, images, target, rule): what each ReLU module hands back to its input, in the order in
    which they ran.
    """

    def collect(net, images, target, rule):
        inputs, handles = [], []
        for module in net.modules():
            if isinstance(module, (nn.ReLU, nn.ReLU6)):
                handles.append(module.register_forward_pre_hook(lambda module, args: inputs.append(args[0])))
        x = images.clone().requires_grad_()
        try:
            with relu_rule(rule):
                score = net(x)[:, target].sum()
        finally:
            for handle in handles:
                handle.remove()
        return torch.autograd.grad(score, inputs)

    return collect


@pytest.fixture
def in_thread():
    """in_thread(function, ...): run it in another thread; .result() waits and raises what went wrong
    there.
    """
    running = []

    class Job:
        def __init__(self, function, *args, **kwargs):
            self.outcome = self.problem = None
            self.thread = threading.Thread(target=self._run, args=(function, args, kwargs), daemon=True)
            self.thread.start()
            running.append(self)

        def _run(self, function, args, kwargs):
            try:
                self.outcome = function(*args, **kwargs)
            except BaseException as problem:
                self.problem = problem

        def result(self):
            self.thread.join(60)
            assert not self.thread.is_alive(), "the other thread hangs"
            if self.problem is not None:
                raise self.problem
            return self.outcome

    yield Job
    for job in running:
        job.thread.join(60)
