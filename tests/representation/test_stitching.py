"""Stitches between networks: a network with itself, with a copy of itself in another order, and with
others.
"""

import copy

import pytest
import torch

import vizlib as vz
from vizlib.representation import franken
from vizlib.representation.stitching import Stitch

LAYERS = ("conv1", "conv3", "conv5")


@pytest.fixture(scope="module")
def net():
    return vz.load("zfnet")


@pytest.fixture(scope="module")
def images():
    return torch.cat([vz.photo(name, 64) for name in vz.photos()["name"][:60]])


def shuffled(net, layer, order):
    """A copy of zfnet whose `layer` has its channels in another order, and the next one reads them in that
    order.
    """
    model = copy.deepcopy(net.model)
    here, after = getattr(model, layer), getattr(model, f"conv{int(layer[-1]) + 1}")
    with torch.no_grad():
        here.weight.copy_(here.weight[order].clone())
        here.bias.copy_(here.bias[order].clone())
        after.weight.copy_(after.weight[:, order].clone())
    return vz.Network(model, name="shuffled", mean=net.mean, std=net.std, input_size=64, labels=net.labels)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_network_stitched_to_itself_is_itself(net, images, layer):
    stitch = vz.fit_stitch(net, images, net, layer=layer, method="identity")
    torch.testing.assert_close(franken(net, images, net, stitch), net(images), rtol=1e-5, atol=1e-5)
    fitted = vz.fit_stitch(net, images, net, layer=layer, method="least squares")
    torch.testing.assert_close(fitted.weight[:, :, 0, 0], torch.eye(len(fitted.weight)), rtol=0, atol=1e-4)
    assert float(fitted.bias.abs().max()) < 1e-3


@pytest.mark.parametrize("layer", ("conv1", "conv3"))
def test_a_shuffled_copy_is_found_out_and_put_in_order(net, images, layer):
    order = torch.randperm(net.layer(layer).shape[0], generator=torch.Generator().manual_seed(0))
    copied = shuffled(net, layer, order)
    torch.testing.assert_close(copied(images), net(images), rtol=1e-4, atol=1e-4)
    stitch = vz.fit_stitch(net, images, copied, layer=layer, method="least squares")
    torch.testing.assert_close(stitch.weight[:, :, 0, 0], torch.eye(len(order))[order], rtol=0, atol=1e-3)
    same = franken(net, images, copied, stitch).argmax(1) == copied(images).argmax(1)
    assert bool(same.all())
    plain = franken(net, images, copied, vz.fit_stitch(net, images, copied, layer=layer, method="identity"))
    assert float((plain.argmax(1) == copied(images).argmax(1)).float().mean()) < 0.3


def test_larger_filters_fit_no_worse_and_a_ridge_makes_weights_smaller(net, images):
    other = vz.load("zfnet@8")
    wanted, code = vz.record(other, images, "conv3")["conv3"], vz.record(net, images, "conv3")["conv3"]

    def miss(**options):
        return float(
            (
                vz.fit_stitch(
                    net,
                    images,
                    other,
                    layer="conv3",
                    method="least squares",
                    samples=len(images) * 64,
                    **options,
                )(code)
                - wanted
            ).norm()
        )

    assert miss(size=3) < miss(size=1) < float((wanted - wanted.mean((0, 2, 3), keepdim=True)).norm())
    small, large = (
        vz.fit_stitch(net, images, other, layer="conv3", ridge=ridge).weight.norm() for ridge in (1.0, 1e-6)
    )
    assert small < large


def test_the_task_improves_a_stitch_and_leaves_both_networks_alone(net, images):
    other = vz.load("zfnet@8")
    labels = other(images).argmax(1)
    start = vz.fit_stitch(net, images, other, layer="conv4", method="identity")
    before = {key: value.clone() for key, value in other.model.state_dict().items()}
    trained = vz.train_stitch(net, images, other, labels, start, steps=30, batch=30, rate=3e-3)
    loss = [
        float(torch.nn.functional.cross_entropy(franken(net, images, other, s), labels))
        for s in (start, trained)
    ]
    assert loss[1] < 0.7 * loss[0]
    assert all(torch.equal(value, before[key]) for key, value in other.model.state_dict().items())
    assert not any(p.requires_grad for p in other.model.parameters())
    again = vz.train_stitch(net, images, other, labels, start, steps=30, batch=30, rate=3e-3)
    assert torch.equal(trained.weight, again.weight)


def test_a_stop_ends_the_training_early(net, images):
    seen = []
    start = vz.fit_stitch(net, images, net, layer="conv5", method="identity")
    vz.train_stitch(
        net,
        images,
        net,
        net(images).argmax(1),
        start,
        steps=50,
        batch=10,
        progress=lambda done, total, preview: seen.append((done, total)) or done < 3,
    )
    assert seen == [(1, 50), (2, 50), (3, 50)]


def test_a_stitch_of_one_place_is_a_product_of_matrices():
    weight, bias = torch.randn(3, 2, 1, 1), torch.randn(3)
    f = torch.randn(4, 2, 5, 5)
    expected = torch.einsum("kc,nchw->nkhw", weight[:, :, 0, 0], f) + bias.view(1, -1, 1, 1)
    torch.testing.assert_close(Stitch("a", "b", weight, bias)(f), expected)


@pytest.mark.parametrize(
    "options, telling",
    [
        (
            {"layer": "conv2", "into": "conv4"},
            "16 x 16 places on these pictures, 'conv4' of zfnet one of 8 x 8",
        ),
        ({"layer": "logits"}, "has no grid of places"),
        ({"layer": "conv3", "method": "magic"}, "method is one of identity, least squares, ridge"),
        ({"layer": "conv3", "size": 2}, "size is an odd number of places"),
        ({"layer": "convv3"}, "conv3"),
    ],
)
def test_what_does_not_fit_is_said(net, images, options, telling):
    with pytest.raises(vz.VizlibError, match=telling):
        vz.fit_stitch(net, images, net, **options)


def test_labels_and_pictures_go_together(net, images):
    with pytest.raises(vz.VizlibError, match="60 pictures and 3 labels"):
        vz.train_stitch(
            net, images, net, torch.zeros(3, dtype=torch.long), vz.fit_stitch(net, images, net, layer="conv3")
        )


def test_pictures_of_any_kind_can_be_stitched_on(net, images):
    other, listed = vz.load("zfnet@8"), list(images.split(1))
    tensor, lists = (vz.fit_stitch(net, x, other, layer="conv3") for x in (images, listed))
    assert torch.equal(tensor.weight, lists.weight)
    torch.testing.assert_close(
        franken(net, (x for x in listed), other, tensor), franken(net, images, other, tensor)
    )


def test_a_fit_can_be_stopped_and_goes_on_from_its_checkpoint(net, images, tmp_path):
    options = {"layer": "conv3", "batch_size": 4, "samples": 6000}
    unbroken, file = vz.fit_stitch(net, images, net, **options), tmp_path / "fit.pt"
    vz.fit_stitch(net, images, net, checkpoint=file, progress=lambda done, *_: done < 40, **options)
    seen = []
    again = vz.fit_stitch(
        net, images, net, checkpoint=file, progress=lambda done, *_: seen.append(done), **options
    )
    assert seen[0] == 36 and torch.equal(again.weight, unbroken.weight)
    with pytest.raises(vz.VizlibError, match="other network than these"):
        vz.fit_stitch(vz.load("zfnet@8"), images, net, checkpoint=file, **options)
