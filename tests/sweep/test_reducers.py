"""Reducers: right on data that fits, and the same however it is cut into batches and merged."""

import copy

import pytest
import torch

from vizlib.sweep import Histogram, Moments, TopActivations, reducers


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def cut(x, sizes):
    return x.split(sizes) if sum(sizes) == len(x) else x.split(sizes[0])


@pytest.mark.parametrize("block", [4, 50, 8_000_000])
def test_moments_are_those_of_torch_in_any_batches_and_mergings(block, monkeypatch):
    monkeypatch.setattr(reducers, "BLOCK", block)
    x = drawn(40, 5).double() + torch.tensor([0, 1e6, -3, 1e3, 0])
    first, second = Moments(), Moments()
    for part in x[:23].split([1, 7, 15]):
        first.update(part)
    for part in x[23:].split([16, 1]):
        second.update(part)
    first.merge(second)
    found = first.result()
    assert found.count == 40
    torch.testing.assert_close(found.mean, x.mean(0), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found.covariance, torch.cov(x.T, correction=0), rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(found.error, x.std(0) / 40**0.5, rtol=1e-6, atol=1e-9)


def test_moments_far_from_zero_keep_their_spread():
    """With sums of squares of float64 nothing would be left: (1e9)^2 has no digits for 1."""
    x = torch.tensor([[1e9], [1e9 + 1], [1e9 + 2]], dtype=torch.float64)
    moments = Moments()
    for row in x:
        other = Moments()
        other.update(row[None])
        moments.merge(other)
    assert moments.result().covariance.item() == pytest.approx(2 / 3, abs=1e-9)


def test_one_vector_has_no_error_and_none_changes_nothing():
    moments = Moments()
    moments.update(torch.ones(1, 2))
    moments.update(torch.ones(0, 2))
    moments.merge(Moments())
    assert moments.result().count == 1 and bool(moments.result().error.isnan().all())


def best(maps, top):
    """Channel by channel, picture by picture, in plain lines."""
    rows = []
    for k in range(maps.shape[1]):
        found = [(-float(a[k].max()), n, divmod(int(a[k].argmax()), a.shape[2])) for n, a in enumerate(maps)]
        rows.append(sorted(found)[:top])
    return rows


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("sizes", [[12], [1] * 12, [5, 4, 3], [2, 10]])
@pytest.mark.parametrize("merged", [False, True])
def test_top_activations_are_the_brute_force_ones_ties_and_all(seed, sizes, merged):
    maps = drawn(12, 4, 3, 5, seed=seed).mul(2).round()  # many ties
    numbers, found = torch.arange(12), TopActivations(3)
    for some in numbers.split(sizes):
        one = TopActivations(3) if merged else found
        one.update(some, {"a": maps[some], "b": -maps[some]}, 7)
        if merged:
            found.merge(one)
    for layer, sign in (("a", 1), ("b", -1)):
        expected = best(sign * maps, 3)
        assert found.values[layer].tolist() == [[-v for v, _, _ in row] for row in expected]
        assert found.picture[layer].tolist() == [[n for _, n, _ in row] for row in expected]
        assert found.at[layer].tolist() == [[list(at) for _, _, at in row] for row in expected]
    assert found.seen == 12 and found.longest == 7


def test_maps_of_other_sizes_and_fewer_pictures_than_asked_for():
    found = TopActivations(9)
    found.update(torch.tensor([0]), {"a": torch.arange(6.0).view(1, 1, 2, 3)}, 1)
    found.update(torch.tensor([4]), {"a": 5 - torch.arange(6.0).view(1, 1, 3, 2)}, 1)
    assert found.picture["a"].tolist() == [[0, 4]] and found.at["a"].tolist() == [[[1, 2], [0, 0]]]


@pytest.mark.parametrize(
    "reducer, values",
    [
        (Moments(), lambda: (drawn(6, 3),)),
        (TopActivations(2), lambda: (torch.arange(3), {"a": drawn(3, 2, 4, 4)}, 4)),
        (Histogram(), lambda: (drawn(3, 50),)),
    ],
)
def test_a_copy_made_before_stays_what_it_was(reducer, values):
    reducer.update(*values())
    before, frozen = copy.copy(reducer), copy.deepcopy(vars(reducer))
    reducer.update(*values())
    reducer.merge(before)
    assert repr(vars(before)) == repr(frozen)


def test_quantiles_are_at_most_a_bin_too_low():
    x = torch.stack([drawn(50_000, seed=seed) for seed in range(4)])
    x[1], x[2], x[3] = x[1] ** 3, x[2].relu() * 1e-6, 1.0
    histogram = Histogram()
    histogram.update(x)
    width = 2 * (x.amax(1) - x.amin(1)) / 4095
    for share in (0.5, 0.9, 0.995):
        exact = x.kthvalue(round(share * 50_000), dim=1).values
        below = exact - histogram.quantile(share)
        assert bool((below >= -1e-6 * exact.abs()).all()) and bool((below <= width).all())
    assert histogram.quantile(0.3)[2] == 0  # a unit that is silent on half of the places


@pytest.mark.parametrize("sizes", [[1000], [1, 999], [300] * 3 + [100]])
@pytest.mark.parametrize("merged", [False, True])
def test_histograms_do_not_depend_on_batches_and_merging(sizes, merged, monkeypatch):
    x = drawn(3, 1000) * torch.logspace(-6, 6, 1000)  # the range grows all the time
    whole, found = Histogram(), Histogram()
    whole.update(x)
    for part in x.split(sizes, 1):
        one = Histogram() if merged else found
        one.update(part)
        if merged:
            found.merge(one)
    for name, value in vars(whole).items():
        assert torch.equal(torch.as_tensor(value), torch.as_tensor(getattr(found, name))), name
    assert whole.counts.sum(1).tolist() == [1000] * 3
