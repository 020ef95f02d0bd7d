"""Pictures that a network likes: a unit's, and one object of a class."""

import numpy as np
import pytest
import torch

import vizlib as vz
from vizlib.synthesis import Fourier, jitter, priors


def test_visualize_raises_a_unit_and_repeats_itself():
    net, unit = vz.load("zfnet"), vz.unit("conv3", 11)
    first, again = (vz.visualize(net, unit, steps=24, snapshots=2) for _ in range(2))
    assert torch.equal(first.image, again.image) and first.images.shape == (2, 3, 64, 64)
    assert first.history[-1] > first.history[0] + 1 and not first.stopped


def test_a_unit_that_is_off_all_the_way_is_named_with_what_to_do():
    with pytest.raises(vz.VizlibError, match="no slope to climb.*conv3, not relu3"):
        vz.visualize(vz.load("zfnet"), vz.unit("relu3", 11), steps=3)


def test_a_window_leaves_the_corners_grey_and_the_middle_alone():
    open_, closed = Fourier(33, seed=1, spread=1.0), Fourier(33, seed=1, spread=1.0, window=0.2)
    a, b = open_.image().detach(), closed.image().detach()
    assert (
        torch.allclose(b[..., 16, 16], a[..., 16, 16])
        and (b[..., 0, 0] - 0.5).abs().max() < 1e-3 < (a[..., 0, 0] - 0.5).abs().max()
    )
    assert torch.allclose(open_.energy(), open_.knobs.square().sum((1, 2, 3, 4)))


def test_a_class_picture_convinces_the_network_under_fresh_jitter_and_has_few_fine_waves():
    net = vz.load("lite0")
    k = net.index("goldfish")
    made = vz.class_picture(net, "goldfish", steps=48)
    shaken = jitter(
        made.image.expand(8, -1, -1, -1), torch.Generator().manual_seed(7), shift=8, scale=0.08, rotate=8
    )
    assert float(net(shaken).softmax(1)[:, k].mean()) > 0.95
    assert float(priors.high_share(made.image)[0]) < 0.02
    assert (made.image[..., :6, :6] - 0.5).abs().mean() < 0.2 * (
        made.image[..., 90:130, 90:130] - 0.5
    ).abs().mean()


@pytest.mark.parametrize("size", [(64, 96), [np.int64(64), np.int64(96)]])
def test_a_class_picture_may_be_wider_than_high(size):
    made = vz.class_picture(vz.load("zfnet"), "goldfish", size=size, steps=2)
    assert made.image.shape == (1, 3, 64, 96)


def test_the_settings_of_a_class_picture_scale_with_its_side(monkeypatch):
    heard = []

    def listen(net, target, canvas, **options):
        heard.append(options)
        return vz.synthesis.ascend(net, target, canvas, **options)

    monkeypatch.setattr("vizlib.synthesis.visualization.ascend", listen)
    for size in (64, (32, 128)):
        vz.class_picture(vz.load("zfnet"), 3, size=size, steps=1)
        assert heard[-1]["jitter"]["shift"] == pytest.approx(6.4)
        assert heard[-1]["penalties"][1][0] == pytest.approx(0.5 / 64)


@pytest.mark.parametrize(
    ("options", "telling"),
    [
        ({"size": 0}, "size is a number of pixels"),
        ({"size": (8, 8, 8)}, "size is a number of pixels, or two"),
        ({"count": 1.5}, "count is a number of pictures"),
        ({"steps": 1, "colour": 3}, "The option 'colour' is not known"),
    ],
)
def test_what_cannot_be_asked(options, telling):
    with pytest.raises(vz.VizlibError, match=telling):
        vz.class_picture(vz.load("zfnet"), "goldfish", **options)


def test_several_pictures_of_a_class_differ():
    made = vz.class_picture(vz.load("zfnet"), "goldfish", count=2, steps=8)
    assert made.image.shape == (2, 3, 64, 64) and (made.image[0] - made.image[1]).abs().max() > 0.05


def probability(net, image, label):
    """That of a label under eight fresh shakes."""
    drawn, shift = torch.Generator().manual_seed(7), image.shape[-1] / 24
    shaken = jitter(image.expand(8, -1, -1, -1), drawn, shift=shift, scale=0.08, rotate=8)
    return float(net.probabilities(net(shaken))[:, net.index(label)].mean())


def test_a_likelihood_tells_two_spiders_apart_which_the_logit_does_not():
    net, label = vz.load("squeezenet"), "garden spider"  # there is a black and gold garden spider, too
    by_likelihood, by_logit = (
        probability(net, vz.class_picture(net, goal, size=160, steps=64).image, label)
        for goal in (label, vz.synthesis.objective(net, label))
    )
    assert by_likelihood > 0.8 and by_likelihood > by_logit + 0.1


def test_two_networks_agree_on_one_picture_where_one_alone_does_not_convince_the_other():
    one, other = vz.load("zfnet"), vz.load("zfnet-b")
    both, alone = (vz.class_picture(nets, "monarch").image for nets in ([one, other], one))
    assert min(probability(net, both, "monarch") for net in (one, other)) > 0.95
    assert probability(one, alone, "monarch") > 0.9 > probability(other, alone, "monarch") + 0.1


def test_two_networks_are_asked_for_the_class_by_its_name_where_their_labels_differ(monkeypatch):
    heard = []
    monkeypatch.setattr(
        "vizlib.synthesis.visualization.ascend", lambda net, goal, canvas, **options: heard.append(goal.name)
    )
    zfnet, squeezenet = vz.load("zfnet"), vz.load("squeezenet")
    vz.class_picture([zfnet, squeezenet], zfnet.index("school bus"))
    assert heard == ["likelihood of school bus of zfnet + likelihood of school bus of squeezenet"]
    crane = vz.load("lite0").labels.index("crane")  # a bird; there is a machine of the same name
    vz.class_picture([squeezenet, vz.load("lite0")], crane)
    with pytest.raises(vz.VizlibError, match="There is no class 'tench'"):
        vz.class_picture([squeezenet, zfnet], "tench")


def test_several_networks_take_a_class_and_nothing_else():
    nets = [vz.load("zfnet"), vz.load("zfnet-b")]
    with pytest.raises(vz.VizlibError, match="Several networks agree on a class.*a.on.net. . b.on.other."):
        vz.class_picture(nets, vz.unit("relu3", 5))
    with pytest.raises(vz.VizlibError, match="this list is empty"):
        vz.class_picture([], "goldfish")
