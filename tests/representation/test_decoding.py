"""The decoders in data/weights: what they were made for, and how far off they are on photographs."""

import copy

import pytest
import torch

import vizlib as vz
from vizlib.course.training.decoders import pixel_error
from vizlib.models.fingerprint import fingerprint
from vizlib.representation import autoencoder, decoder

LAYERS = ("pool1", "relu3", "pool5", "logits")


@pytest.fixture(scope="module")
def net():
    return vz.load("zfnet")


@pytest.fixture(scope="module")
def photos():
    return torch.cat([vz.photo(name, 64) for name in vz.photos()["name"]])


def test_the_deeper_the_layer_the_larger_the_error_and_never_the_mean_pictures(net, photos):
    errors = [pixel_error(photos, vz.decode(net, photos, layer=layer)) for layer in LAYERS]
    mean = pixel_error(photos, photos.mean(0, keepdim=True).expand_as(photos))
    assert errors == sorted(errors) and errors[0] < 0.3 and errors[-1] < mean
    assert abs(mean - 0.5**0.5) < 0.03


def test_a_code_of_the_same_size_that_is_made_to_be_decoded_keeps_more(net, photos):
    auto = pixel_error(photos, autoencoder()(photos).clamp(0, 1))
    trained, untrained = (
        pixel_error(photos, vz.decode(n, photos, layer="pool5")) for n in (net, vz.load("zfnet@0"))
    )
    assert auto < min(trained, untrained) - 0.02


@pytest.mark.parametrize("layer", LAYERS)
def test_every_card_says_for_which_weights_it_was_made(net, layer):
    card = decoder(net, layer).card
    assert (
        card["network"] == "zfnet"
        and card["network's SHA-256"] == net.card["sha256"]
        and card["network's fingerprint"] == fingerprint(net)
        and card["layer"] == layer
    )
    assert (
        card["command"] == "python -m vizlib.training decoders --data PATH" and 0 < card["pixel error"] < 0.71
    )


def test_a_layer_without_a_decoder_is_refused_with_those_that_have_one(net):
    with pytest.raises(vz.VizlibError, match="zfnet-logits, zfnet-pool1, zfnet-pool5, zfnet-relu3"):
        vz.decode(net, torch.rand(1, 3, 64, 64), layer="conv4")


def test_a_copy_of_the_network_is_the_network(net, photos):
    same = copy.deepcopy(net).to(memory_format=torch.channels_last)
    same.card = {}
    assert torch.allclose(
        vz.decode(same, photos[:1], layer="pool5"), vz.decode(net, photos[:1], layer="pool5"), atol=1e-4
    )


def test_a_decoder_is_a_copy_that_nobody_else_has(net):
    spoilt = [decoder(net, "pool5"), autoencoder()]
    for model in spoilt:
        with torch.no_grad():
            for p in model.parameters():
                p.zero_()
        model.card["layer"] = "none"
    assert decoder(net, "pool5").card["layer"] == "pool5" and "layer" not in autoencoder().card
    fresh = [decoder(net, "pool5"), autoencoder()]
    assert all(bool((p != 0).any()) for model in fresh for p in model.parameters())


def test_a_thumbnail_is_as_good_as_itself(photos):
    def thumbnail(n):
        return vz.resize(vz.resize(photos, n), 64)

    assert [round(vz.thumbnail_size(photos, thumbnail(n))) for n in (1, 4, 8, 16, 32, 64)] == [
        1,
        4,
        8,
        16,
        32,
        64,
    ]
    assert vz.thumbnail_size(photos, photos) == pytest.approx(64)
    between = vz.thumbnail_size(photos, thumbnail(12))
    assert 11.5 < between < 12.5
    assert vz.thumbnail_size(photos, 1 - photos) == 1  # worse than one colour
    with pytest.raises(vz.VizlibError, match=r"square pictures.*\(2, 3, 8, 9\)"):
        vz.thumbnail_size(torch.rand(2, 3, 8, 9), torch.rand(2, 3, 8, 9))


def test_it_decodes_in_inference_mode(net, photos):
    usual = vz.decode(net, photos[:1], layer="relu3")
    with torch.inference_mode():
        assert torch.equal(vz.decode(net, photos[:1].clone(), layer="relu3"), usual)


def test_a_network_with_other_weights_is_refused(net):
    one_changed = copy.deepcopy(net)
    with torch.no_grad():
        one_changed.model.fc.weight[3, 4] += 1e-3
    nudged_colour = copy.deepcopy(net)
    nudged_colour.mean[0, 1] += 0.01
    for other in (vz.randomize(net), one_changed, nudged_colour):
        assert other.name == "zfnet"
        for ask in (vz.decoder, lambda n, layer: vz.decode(n, torch.rand(1, 3, 64, 64), layer=layer)):
            with pytest.raises(vz.VizlibError, match="was trained for other weights of zfnet than these"):
                ask(other, "pool5")
    with pytest.raises(vz.VizlibError, match="There is no decoder"):
        vz.decode(vz.load("zfnet-b"), torch.rand(1, 3, 64, 64), layer="pool5")
