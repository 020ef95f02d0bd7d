"""Units and their partners: a network with itself, permuted copies, and correlations beside numpy's."""

import pytest
import torch

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


def test_a_unit_that_never_changes_correlates_with_nothing(net):
    grey = torch.full((3, 3, 64, 64), 0.5)
    middle = unit_correlations(net, grey + torch.tensor([0.0, 0.1, 0.2]).view(3, 1, 1, 1), net, layer="relu1")
    assert torch.isfinite(middle).all() and bool((middle.abs() <= 1).all())
    assert bool((unit_correlations(net, torch.zeros(2, 3, 64, 64), net, layer="pool5").isfinite()).all())


def test_what_does_not_fit_is_said(net, images):
    with pytest.raises(vz.VizlibError, match="method is one of one-to-one, best"):
        vz.match_units(net, images, net, layer="relu1", method="hungarian")
    with pytest.raises(vz.VizlibError, match="different grids"):
        vz.match_units(net, images, net, layer="relu1", into="relu3")
