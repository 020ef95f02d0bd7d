"""squeezenet: the same network as torchvision's, under the paper's names, and what the course asks of it."""

import pytest
import torch
from torchvision.models import squeezenet1_1

import vizlib as vz
from vizlib.models.architectures import Fire


@pytest.fixture(scope="module")
def net():
    return vz.load("squeezenet")


@pytest.fixture(scope="module")
def photos():
    """Three that it knows: a koala, a hen, a castle."""
    return torch.cat([vz.photo(name, 224) for name in ("koala", "brown_hens", "castle_neuschwanstein")])


@pytest.fixture(scope="module")
def strongest(net, photos):
    """strongest(layer): the unit of a layer, at its position, that the first photograph excites most."""

    def find(layer):
        maps = vz.record(net, photos[:1], layer)[layer][0]
        channel = int(maps.amax((1, 2)).argmax())
        return vz.unit(layer, channel, at=divmod(int(maps[channel].argmax()), maps.shape[2]))

    return find


def test_the_layers_have_the_names_and_the_grids_of_the_paper(net):
    first, last = ["conv1", "relu1", "pool1"], ["conv10", "relu10", "pool", "logits"]
    fires = ["fire2", "fire3", "pool3", "fire4", "fire5", "pool5", "fire6", "fire7", "fire8", "fire9"]
    assert net.layers["name"] == first + fires + last
    shapes = {name: info.shape for name, info in net.named_layers().items()}
    assert shapes["conv1"] == (64, 111, 111) and shapes["pool1"] == (64, 55, 55)
    assert shapes["fire3"] == (128, 55, 55) and shapes["fire5"] == (256, 27, 27)
    assert shapes["fire6"] == (384, 13, 13) and shapes["fire9"] == (512, 13, 13)
    assert shapes["conv10"] == (1000, 13, 13) and net.last_spatial_layer == "relu10"
    assert len(net.labels) == 1000 and net.input_size == 224
    assert sum(p.numel() for p in net.parameters()) == 1_235_496  # as published for 1.1


def test_its_logits_are_those_of_torchvision_s_squeezenet_with_the_same_tensors(net, photos):
    theirs, ours = squeezenet1_1(weights=None).eval(), net.model.state_dict()
    fires = dict(zip(range(2, 10), (3, 4, 6, 7, 9, 10, 11, 12), strict=True))
    paths = {"conv1": "features.0", "conv10": "classifier.1"}
    paths |= {f"fire{i}": f"features.{place}" for i, place in fires.items()}
    renamed = {f"{paths[name.split('.')[0]]}.{name.partition('.')[2]}": t for name, t in ours.items()}
    theirs.load_state_dict(renamed)
    with torch.no_grad():
        levels = 255 * photos - torch.tensor([123.0, 117.0, 104.0]).view(3, 1, 1)
        torch.testing.assert_close(net(photos), theirs(levels), rtol=0, atol=1e-4)


def test_the_inner_layers_of_a_fire_module_make_its_output(net, photos):
    inside = ["fire4.squeeze", "fire4.expand1x1", "fire4.expand3x3"]
    taken = vz.record(net, photos, [*inside, "fire4"])
    squeeze, one, three, out = taken.values()
    assert squeeze.shape[1:] == (32, 27, 27) and one.shape == three.shape == (3, 128, 27, 27)
    assert torch.equal(out, torch.cat([one, three], 1).clamp(min=0))


def test_receptive_fields_are_those_worked_out_by_hand(net):
    """Each 3 x 3 window adds two steps of the grid below: 2 pixels after conv1, 4, 8 and 16 after the
    poolings.
    """
    expected = {
        "conv1": 3,
        "pool1": 3 + 2 * 2,
        "fire2": 7 + 2 * 4,
        "fire3": 15 + 2 * 4,
        "pool3": 23 + 2 * 4,
        "fire4": 31 + 2 * 8,
        "fire5": 47 + 2 * 8,
        "pool5": 63 + 2 * 8,
        "fire6": 79 + 2 * 16,
        "fire9": 111 + 3 * 2 * 16,
        "conv10": 207,
        "fire4.squeeze": 31,
        "fire4.expand1x1": 31,
        "fire4.expand3x3": 47,
    }
    fields = {layer: vz.receptive_field(net, layer) for layer in expected}
    assert {layer: field.size[0] for layer, field in fields.items()} == expected
    assert fields["fire9"].stride == (16, 16) and fields["fire9"].start == (-88, -88)


@pytest.mark.parametrize("layer, at", [("fire3", (6, 7)), ("fire4", (5, 5))])
def test_a_unit_depends_on_all_rows_and_columns_of_its_field_and_on_nothing_else(net, pictures, layer, at):
    x = pictures(6, 128).requires_grad_()
    with vz.layers.tap(net, [layer], stop=True) as taken:
        net(x)
    (g,) = torch.autograd.grad(taken[layer][:, :, at[0], at[1]].square().sum(), x)
    field = vz.receptive_field(net, layer)
    for seen, i, start, stride, size in zip(
        (g.abs().sum((0, 1, 3)), g.abs().sum((0, 1, 2))),
        at,
        field.start,
        field.stride,
        field.size,
        strict=True,
    ):
        first, last = start + i * stride, start + i * stride + size - 1
        places = seen.nonzero()[:, 0]
        assert int(places[0]) == first and int(places[-1]) == last


def test_the_mean_of_the_class_map_is_the_logit(net, photos):
    maps = vz.cam(net, photos, "koala", upsample=False)
    with torch.no_grad():
        logits = net(photos)[:, net.index("koala")]
    torch.testing.assert_close(maps.mean((1, 2, 3)), logits, rtol=1e-4, atol=1e-4)
    assert torch.equal(maps[:, 0], vz.record(net, photos, "relu10")["relu10"][:, net.index("koala")])
    grad_cam = vz.grad_cam(net, photos, "koala", upsample=False)
    torch.testing.assert_close(grad_cam, maps / 169, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer", ["pool1", "fire2", "pool3", "fire5", "pool5", "fire9", "conv10", "relu10"])
def test_the_deconvnet_written_out_is_the_one_by_rule(net, photos, strongest, layer):
    """Through joined branches and overlapping windows, all the way down."""
    _same_deconvnet(net, photos[:1], strongest(layer))


@pytest.mark.parametrize("inner", ["squeeze", "squeeze_activation", "expand1x1", "expand3x3_activation"])
def test_a_unit_inside_a_fire_module_is_sent_back_too(net, photos, strongest, inner):
    _same_deconvnet(net, photos[:1], strongest(f"fire5.{inner}"))


def _same_deconvnet(net, photo, unit):
    written = vz.project(net, photo, unit)
    value = vz.record(net, photo, unit.layer)[unit.layer][0, unit.channel][unit.at]
    right = value * vz.deconvnet(net, photo, unit)
    assert bool(right.any()) and float((written - right).abs().max()) < 1e-4 * float(right.abs().max())


def test_relevance_is_conserved(net, photos):
    """The zero rule, with what the biases keep: to 1e-4 of the score. The mixture: all of it."""
    for photo in photos.split(1):
        with torch.no_grad():
            score = float(net(photo).max())
        kept = sum(vz.relevance_table(net, photo, rule="zero")["kept by its bias"])
        assert abs(kept) > 1e-3
        assert abs(float(vz.lrp(net, photo, rule="zero").sum()) + kept - score) < 1e-4 * score
        assert abs(float(vz.lrp(net, photo).sum()) - score) < 1e-4 * score


def test_attacks_succeed_with_little(net, photos):
    with torch.no_grad():
        own = net(photos).argmax(1)
    for found in (
        vz.fgsm(net, photos, epsilon=1 / 255),
        vz.pgd(net, photos, epsilon=1 / 255, steps=3),
    ):
        assert float((found - photos).abs().max()) <= 1 / 255 + 1e-6
        with torch.no_grad():
            assert not bool((net(found).argmax(1) == own).any())
    towards = vz.pgd(net, photos, "toaster", epsilon=3 / 255, steps=8, targeted=True)
    assert net.predict(towards, 1)["label"] == ["toaster"] * 3
    smallest = vz.lbfgs_attack(net, photos[:1], "toaster", searches=2, steps=8)
    assert net.predict(smallest, 1)["label"] == ["toaster"]
    assert 0 < float(vz.deception.distortion(smallest, photos[:1])) < 4 / 255


def test_a_fire_module_joins_two_branches_worked_out_by_hand():
    """All weights one: every squeezed value is the sum of the channels, every 3 x 3 window a sum of nine."""
    fire = Fire(2, 1, 1)
    for name, tensor in fire.named_parameters():
        torch.nn.init.constant_(tensor, 0.0 if name.endswith("bias") else 1.0)
    out = fire(torch.ones(1, 2, 3, 3))
    assert torch.equal(out[0, 0], torch.full((3, 3), 2.0))
    assert out[0, 1].tolist() == [[8, 12, 8], [12, 18, 12], [8, 12, 8]]


def test_it_is_listed_as_converted_and_lite0_stays_the_default(net):
    row = vz.networks().where(name="squeezenet")[0]
    assert row["here"] is True and "converted" in row["weights"] and "SqueezeNet 1.1" in row["what"]
    assert vz.load().name == "lite0"
    assert "MIT" in net.card["licence"] and "BSD" in net.card["licence"] and "ndf 0.1.4" in net.card["source"]
