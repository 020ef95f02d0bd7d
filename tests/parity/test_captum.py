"""The gradient methods and Grad-CAM against captum, which is given the very same network (pictures in [0, 1],
batch-norm folded).

Captum's guided backpropagation and deconvolution know nn.ReLU modules only. Given lite0, which rectifies with
ReLU6, they find nothing to change and return the plain gradient. So for these two methods lite0 has a ReLU in
the place of every ReLU6.
"""

import copy

import pytest
import torch
from captum import attr

import vizlib as vz
from vizlib.attribution.relevance import _propagate
from vizlib.layers.relevance_rules import Rule

NETWORKS = ["lite0", "resnet18", "vgg11"]
RELU_NETWORKS = ["lite0 with ReLU", "resnet18", "vgg11"]
LAYERS = [
    ("lite0", "stage3"),
    ("lite0", "head"),
    ("resnet18", "layer1"),
    ("resnet18", "layer4"),
    ("vgg11", "conv3_2"),
    ("vgg11", "pool5"),
]
RELU_LAYERS = [("lite0 with ReLU", "stage6"), ("resnet18", "layer3"), ("vgg11", "relu4_2")]

quiet = pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU activations:UserWarning:captum")


@pytest.fixture
def pixels(images):
    """A copy of the pictures that captum may ask gradients of (it warns when it has to turn them on
    itself).
    """
    return images.clone().requires_grad_()


@pytest.mark.parametrize("net", NETWORKS, indirect=True)
def test_gradient_and_saliency(net, images, pixels, classes, agree):
    signed = attr.Saliency(net).attribute(pixels, target=classes, abs=False)
    absolute = attr.Saliency(net).attribute(pixels, target=classes)
    gradient = vz.gradient(net, images, classes)
    agree(gradient, signed)
    agree(gradient.abs(), absolute)
    # captum keeps the three colours, the paper takes the strongest one
    agree(vz.saliency(net, images, classes), absolute.amax(1, keepdim=True))


@pytest.mark.parametrize("net", NETWORKS, indirect=True)
def test_gradient_times_input(net, images, pixels, classes, agree):
    theirs = attr.InputXGradient(net).attribute(pixels, target=classes).detach()
    agree(vz.gradient_times_input(net, images, classes), theirs)


@quiet
@pytest.mark.parametrize("net", RELU_NETWORKS, indirect=True)
@pytest.mark.parametrize(
    ("ours", "peer"), [(vz.guided_backprop, attr.GuidedBackprop), (vz.deconvnet, attr.Deconvolution)]
)
def test_relu_rules(ours, peer, net, images, pixels, classes, agree):
    agree(ours(net, images, classes), peer(net).attribute(pixels, target=classes))


@pytest.mark.parametrize(("net", "layer"), LAYERS, indirect=["net"])
@pytest.mark.parametrize("relu", [False, True])
def test_grad_cam(relu, net, layer, images, pixels, classes, agree):
    theirs = attr.LayerGradCam(net, net.layer(layer).module).attribute(
        pixels, target=classes, relu_attributions=relu
    )
    agree(vz.grad_cam(net, images, classes, layer=layer, relu=relu, upsample=False), theirs.detach())


@quiet
@pytest.mark.parametrize(("net", "layer"), RELU_LAYERS, indirect=["net"])
def test_guided_grad_cam(net, layer, images, pixels, classes, agree):
    # captum repeats the nearest value of the coarse map unless told otherwise; the paper and vizlib
    # interpolate bilinearly
    peer = attr.GuidedGradCam(net, net.layer(layer).module)
    theirs = peer.attribute(pixels, target=classes, interpolate_mode="bilinear").detach()
    agree(vz.guided_grad_cam(net, images, classes, layer=layer), theirs)


@pytest.mark.parametrize("net", NETWORKS, indirect=True)
def test_integrated_gradients(net, images, pixels, classes, agree):
    # The same steps to the last bit (eighths) in the same batches: a unit that passes its kink a step earlier
    # changes the map by 0.5 %.
    start = torch.rand(images.shape, generator=torch.Generator().manual_seed(3))
    theirs = attr.IntegratedGradients(net).attribute(
        pixels, start, target=classes, n_steps=8, method="riemann_middle"
    )
    ours = vz.integrated_gradients(
        net, images, classes, baseline=start, steps=8, power=1, complete=False, batch_size=24
    )
    agree(ours, theirs.detach().float())


@pytest.mark.parametrize("net", NETWORKS, indirect=True)
def test_smoothgrad_with_the_same_noise(net, images, classes, agree, monkeypatch):
    noise = torch.randn(2, *images.shape, generator=torch.Generator().manual_seed(0))
    drawn = iter(noise.flatten(0, 1))
    monkeypatch.setattr("vizlib.attribution.smooth.torch.randn", lambda *args, **kwargs: next(drawn))
    sigma = 0.15 * (images.amax((1, 2, 3)) - images.amin((1, 2, 3))).view(-1, 1, 1, 1)
    theirs = (
        sum(
            attr.Saliency(net).attribute((images + sigma * e).requires_grad_(), target=classes, abs=False)
            for e in noise
        )
        / 2
    )
    agree(vz.smoothgrad(net, images, classes, samples=2), theirs)


@pytest.mark.parametrize("net", NETWORKS, indirect=True)
@pytest.mark.parametrize("patch, stride", [(32, 32), ((24, 40), (20, 17))])
def test_occlusion(net, images, classes, agree, patch, stride):
    sides = [(side, side) if isinstance(side, int) else side for side in (patch, stride)]
    theirs = attr.Occlusion(net).attribute(
        images,
        sliding_window_shapes=(3, *sides[0]),
        strides=(3, *sides[1]),
        target=classes,
        baselines=0.25,
        perturbations_per_eval=4,
    )
    agree(vz.occlusion(net, images, classes, patch=patch, stride=stride, fill=0.25), theirs[:, :1])


@pytest.mark.parametrize("net", ["vgg11"], indirect=True)
@pytest.mark.parametrize("gamma", [0.0, 0.25])
def test_lrp(net, images, classes, agree, gamma):
    """In double precision: sums near zero are divided by. Gamma for the layers between ReLUs, where all
        inputs are positive, and
    without biases: captum favours their weights only and knows no rule for inputs of both signs."""
    from captum.attr._utils.lrp_rules import EpsilonRule, GammaRule

    net, images = copy.deepcopy(net).double(), images.double()
    weighted = [
        module for module in net.model.modules() if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear))
    ]
    if gamma:
        for module in weighted:
            module.bias.zero_()
    model = copy.deepcopy(net.model)
    theirs = [module for module in model.modules() if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear))]
    for module in theirs:
        module.rule = GammaRule(gamma) if gamma and module in theirs[1:-1] else EpsilonRule()
        module.rule.STABILITY_FACTOR = (
            1e-15  # theirs is 1e-9, which some sums of this untrained network are smaller than
        )
    theirs = (
        attr.LRP(model).attribute(((images - net.mean) / net.std).requires_grad_(), target=classes).detach()
    )

    def choose(kind, number, inputs):
        return Rule(gamma=gamma if 0 < number < len(weighted) - 1 else 0)

    agree(_propagate(net, images, torch.tensor(classes), choose), theirs)
