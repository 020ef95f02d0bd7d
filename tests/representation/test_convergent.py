"""Units and their partners: a network with itself, permuted copies, and correlations beside numpy's."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

import vizlib as vz
from vizlib.representation import unit_correlations


@pytest.fixture(scope="module")
def net():
    return vz.load("zfnet")


@pytest.fixture(scope="module")
def images():
    return torch.cat([vz.photo(name, 64) for name in vz.photos()["name"][:40]])


@pytest.mark.parametrize("layer", ("relu1", "conv3", "relu5"))
@pytest.mark.parametrize("method", ("one-to-one", "best"))
def test_a_network_matches_itself_unit_by_unit(net, images, layer, method):
    found = vz.match_units(net, images, net, layer=layer, method=method)
    alive = found.correlation.diagonal() > 0.5  # a unit that is silent on these pictures has no partner
    assert alive.float().mean() > 0.95
    assert torch.equal(found.partner[alive], torch.arange(len(alive))[alive])
    torch.testing.assert_close(found.values[alive], torch.ones(int(alive.sum())), rtol=0, atol=1e-4)


def test_correlations_are_those_of_torch_in_any_chunks(net, images):
    other = vz.load("zfnet@5")
    a, b = (vz.record(n, images, "conv2")["conv2"].transpose(0, 1).flatten(1).double() for n in (net, other))
    expected = torch.corrcoef(torch.cat([a, b]))[: len(a), len(a) :].float()
    for batch_size in (7, 64):
        torch.testing.assert_close(
            unit_correlations(net, images, other, layer="conv2", batch_size=batch_size),
            expected,
            rtol=0,
            atol=1e-4,
        )


def test_one_to_one_has_no_unit_twice_and_no_larger_sum_than_best(net, images):
    other = vz.load("zfnet@0")
    pairs, best = (
        vz.match_units(net, images, other, layer="relu4", method=method) for method in ("one-to-one", "best")
    )
    assert pairs.partner.sort().values.tolist() == list(range(192))
    assert len(best.partner.unique()) < 192
    assert pairs.values.sum() <= best.values.sum() + 1e-4
    assert (pairs.values[pairs.order].diff() <= 0).all()


def test_units_without_a_partner_are_marked(net, images):
    found = vz.match_units(net, images, net, layer="conv5", into="conv4")  # 256 units, 192 to choose from
    alone = found.partner < 0
    assert int(alone.sum()) == 64 and bool((found.values[alone] == 0).all())


def test_a_unit_that_never_changes_correlates_with_nothing(network):
    """The first map is the red plane, the second a billionth of it, as from rounding, the third constant."""
    model = nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, 3, 1), pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), fc=nn.Linear(3, 2)
        )
    )
    with torch.no_grad():
        model.conv.weight.zero_()
        model.conv.weight[:2, 0, 0, 0] = torch.tensor([1, 1e-9])
        model.conv.bias.copy_(torch.tensor([0.0, 0.0, 5.0]))
    net, x = network(model), torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert unit_correlations(net, x, net, layer="conv").tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert bool((unit_correlations(net, x[:1] * 0, net, layer="conv") == 0).all())  # none of them changes


def test_any_collection_of_pictures_will_do(net, images, tmp_path):
    other = vz.load("zfnet@8")
    whole = unit_correlations(net, images, other, layer="conv4")
    for some in (list(images.split(1)), (x for x in images.split(9))):
        torch.testing.assert_close(
            unit_correlations(net, some, other, layer="conv4"), whole, rtol=0, atol=1e-6
        )


def test_a_stop_leaves_the_correlations_of_what_was_seen(net, images):
    found = vz.match_units(
        net, images, net, layer="conv4", batch_size=10, progress=lambda done, *_: done < 20
    ).correlation
    torch.testing.assert_close(found, unit_correlations(net, images[:20], net, layer="conv4"))


def test_what_does_not_fit_is_said(net, images):
    with pytest.raises(vz.VizlibError, match="method is one of one-to-one, best"):
        vz.match_units(net, images, net, layer="relu1", method="hungarian")
    with pytest.raises(vz.VizlibError, match="different grids"):
        vz.match_units(net, images, net, layer="relu1", into="relu3")
