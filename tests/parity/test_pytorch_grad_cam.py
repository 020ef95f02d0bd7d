"""The CAM family against pytorch-grad-cam: the sums over channels as they are, and the finished maps.

pytorch-grad-cam finishes a map in four steps: it cuts negative values off, stretches the coarse map to [0,
1], enlarges it bilinearly with OpenCV, and stretches the result to [0, 1] again. vizlib returns raw values
and leaves scaling to the eye; stretched to [0, 1], its maps are the same, because stretching and bilinear
enlarging can change places.
"""

import pytest
import torch
from pytorch_grad_cam import GradCAM, LayerCAM, ScoreCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

import vizlib as vz

LAYERS = [
    ("lite0", "stage3"),
    ("lite0", "head"),
    ("resnet18", "layer1"),
    ("resnet18", "layer4"),
    ("vgg11", "conv3_2"),
    ("vgg11", "pool5"),
]
# With 16, 64 and 64 channels, none of them constant; and how many pictures, because vgg11 is slow.
SMALL_LAYERS = [("lite0", "stage1", 2), ("resnet18", "layer1", 2), ("vgg11", "pool1", 1)]


@pytest.fixture
def finished():
    """finished(peer, model, module, images, classes): what pytorch-grad-cam returns, as a tensor (N, 1, H, W)
    in [0, 1].
    """

    def run(peer, model, module, images, classes):
        with peer(model, [module]) as method:
            maps = method(images.clone().requires_grad_(), [ClassifierOutputTarget(c) for c in classes])
        return torch.from_numpy(maps)[:, None]

    return run


@pytest.fixture
def raw():
    """raw(peer, model, module, images, classes): its sum over channels, (N, 1, h, w), before anything is cut
    off or scaled.
    """

    def run(peer, model, module, images, classes):
        images, targets = images.clone().requires_grad_(), [ClassifierOutputTarget(c) for c in classes]
        with peer(model, [module]) as method:
            kept = method.activations_and_grads
            sum(target(logits) for target, logits in zip(targets, kept(images), strict=True)).backward()
            maps = method.get_cam_image(
                images, module, targets, kept.activations[0].numpy(), kept.gradients[0].numpy(), False
            )
        return torch.from_numpy(maps)[:, None]

    return run


def stretched(maps):
    low, high = maps.amin((2, 3), keepdim=True), maps.amax((2, 3), keepdim=True)
    return (maps - low) / (high - low)


@pytest.mark.parametrize(("net", "layer"), LAYERS, indirect=["net"])
def test_grad_cam(net, layer, images, classes, raw, finished, agree):
    module = net.layer(layer).module
    theirs = raw(GradCAM, net, module, images, classes)
    agree(vz.grad_cam(net, images, classes, layer=layer, relu=False, upsample=False), theirs)
    agree(vz.grad_cam(net, images, classes, layer=layer, upsample=False), theirs.clamp(min=0))
    agree(
        stretched(vz.grad_cam(net, images, classes, layer=layer)),
        finished(GradCAM, net, module, images, classes),
    )


@pytest.mark.parametrize(("net", "layer"), LAYERS, indirect=["net"])
def test_layer_cam(net, layer, images, classes, raw, finished, agree):
    module = net.layer(layer).module
    theirs = raw(LayerCAM, net, module, images, classes)
    agree(vz.layer_cam(net, images, classes, layer=layer, upsample=False), theirs.clamp(min=0))
    agree(
        stretched(vz.layer_cam(net, images, classes, layer=layer)),
        finished(LayerCAM, net, module, images, classes),
    )


# Score-CAM. pytorch-grad-cam multiplies the NORMALIzED picture by the mask, so that what is hidden becomes
# the colour that the network sees as zero: vizlib's default background. It is therefore given the model
# inside the Network and normalized pictures.


@pytest.mark.parametrize(("net", "layer", "n"), SMALL_LAYERS, indirect=["net"])
def test_score_cam_with_the_same_masks(net, layer, n, images, classes, raw, agree, monkeypatch):
    # The peer enlarges its masks so that the centres of the corner pixels meet (align_corners=True). Made to
    # enlarge them as vizlib (and PyTorch, by default) does, it gives the same numbers.
    monkeypatch.setattr(
        torch.nn, "UpsamplingBilinear2d", lambda size: torch.nn.Upsample(size=size, mode="bilinear")
    )
    images, classes = images[:n, :, 16:80, 16:80], classes[:n]
    theirs = raw(ScoreCAM, net.model, net.layer(layer).module, (images - net.mean) / net.std, classes)
    agree(vz.score_cam(net, images, classes, layer=layer, upsample=False), theirs.clamp(min=0))


@pytest.mark.parametrize("net", ["lite0"], indirect=True)
def test_score_cam_as_it_comes(net, images, classes, finished):
    # With its own masks, shifted by up to half a cell of the layer, the logits move by a few tenths, the
    # softmax over channels turns that into quite different weights, and the maps are alike, not equal: 0.95
    # and 0.98 by rank. Those of the other class have 0.71 and 0.10.
    images, classes = images[:2], classes[:2]
    theirs = finished(ScoreCAM, net.model, net.layer("stage1").module, (images - net.mean) / net.std, classes)
    right, wrong = (
        vz.rank_correlation(vz.score_cam(net, images, c, layer="stage1"), theirs)
        for c in (classes, classes[::-1])
    )
    assert (right > 0.9).all()
    assert (wrong < right - 0.2).all()
