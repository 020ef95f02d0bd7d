"""The gradient methods and Grad-CAM against captum, which is given the very same network (pictures in [0, 1], batch-norm folded).

Captum's guided backpropagation and deconvolution know nn.ReLU modules only. Given lite0, which rectifies with ReLU6, they find nothing to
change and return the plain gradient. So for these two methods lite0 has a ReLU in the place of every ReLU6.
"""

import pytest
from captum import attr

import vizlib as vz

NETWORKS = ["lite0", "resnet18", "vgg11"]
RELU_NETWORKS = ["lite0 with ReLU", "resnet18", "vgg11"]
LAYERS = [("lite0", "stage3"), ("lite0", "head"), ("resnet18", "layer1"), ("resnet18", "layer4"), ("vgg11", "conv3_2"), ("vgg11", "pool5")]
RELU_LAYERS = [("lite0 with ReLU", "stage6"), ("resnet18", "layer3"), ("vgg11", "relu4_2")]

quiet = pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU activations:UserWarning:captum")


@pytest.fixture
def pixels(images):
    """A copy of the pictures that captum may ask gradients of (it warns when it has to turn them on itself)."""
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
@pytest.mark.parametrize(("ours", "peer"), [(vz.guided_backprop, attr.GuidedBackprop), (vz.deconvnet, attr.Deconvolution)])
def test_relu_rules(ours, peer, net, images, pixels, classes, agree):
    agree(ours(net, images, classes), peer(net).attribute(pixels, target=classes))


@pytest.mark.parametrize(("net", "layer"), LAYERS, indirect=["net"])
@pytest.mark.parametrize("relu", [False, True])
def test_grad_cam(relu, net, layer, images, pixels, classes, agree):
    theirs = attr.LayerGradCam(net, net.layer(layer).module).attribute(pixels, target=classes, relu_attributions=relu)
    agree(vz.grad_cam(net, images, classes, layer=layer, relu=relu, upsample=False), theirs.detach())


@quiet
@pytest.mark.parametrize(("net", "layer"), RELU_LAYERS, indirect=["net"])
def test_guided_grad_cam(net, layer, images, pixels, classes, agree):
    # captum repeats the nearest value of the coarse map unless told otherwise; the paper and vizlib interpolate bilinearly
    peer = attr.GuidedGradCam(net, net.layer(layer).module)
    theirs = peer.attribute(pixels, target=classes, interpolate_mode="bilinear").detach()
    agree(vz.guided_grad_cam(net, images, classes, layer=layer), theirs)
