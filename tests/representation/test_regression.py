"""Least squares, ridge and forward selection: against scikit-learn, and in cases whose answer is known."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression, OrthogonalMatchingPursuit, Ridge

import vizlib as vz
from vizlib.representation import forward_selection, least_squares, moments, regression


@pytest.fixture(scope="module")
def samples():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(300, 12, generator=generator, dtype=torch.double) * torch.linspace(0.3, 3, 12) + 5
    x[:, 4] += x[:, 3]
    y = (
        x @ torch.randn(12, 6, generator=generator, dtype=torch.double)
        + torch.randn(300, 6, generator=generator, dtype=torch.double)
        - 7
    )
    return x, y


def close(seen, expected):
    return torch.allclose(seen.double(), torch.as_tensor(expected, dtype=torch.double), rtol=1e-4, atol=1e-4)


def test_least_squares_is_scikit_learns(samples):
    peer = LinearRegression().fit(*samples)
    A, b = least_squares(moments(*samples))
    assert close(A, peer.coef_) and close(b, peer.intercept_)


def test_ridge_is_scikit_learns_with_its_weight_in_our_unit(samples):
    x, y = samples
    s = x.var(0, unbiased=False).mean()
    peer = Ridge(alpha=0.1 * float(s) * len(x)).fit(x, y)
    A, b = least_squares(moments(x, y), ridge=0.1)
    assert close(A, peer.coef_) and close(b, peer.intercept_)


@pytest.mark.parametrize("k", [1, 3, 7])
def test_forward_selection_is_orthogonal_matching_pursuit_for_every_output(samples, k):
    x, y = samples
    A, b = forward_selection(moments(x, y), k=k)
    assert bool(((A != 0).sum(1) <= k).all())
    centred = (x - x.mean(0)) / x.std(0)  # the peer correlates columns as they are: of length one
    for q in range(y.shape[1]):
        peer = OrthogonalMatchingPursuit(n_nonzero_coefs=k).fit(centred, y[:, q])
        assert close(A[q], peer.coef_ / x.std(0).numpy())
        assert close(b[q], float(y[:, q].mean() - A[q].double() @ x.mean(0)))


def test_all_inputs_chosen_is_least_squares(samples):
    ours, full = forward_selection(moments(*samples), k=12), least_squares(moments(*samples))
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(ours, full, strict=True))


def test_a_permutation_is_found_exactly_and_further_choices_stay_at_zero():
    x = torch.rand(100, 6, generator=torch.Generator().manual_seed(1))
    order = torch.tensor([3, 1, 0, 5, 4, 2])
    for A, b in (forward_selection(moments(x, x[:, order]), k=2), least_squares(moments(x, x[:, order]))):
        assert torch.allclose(A, torch.eye(6)[order], atol=1e-5) and b.abs().max() < 1e-5


def test_with_fewer_samples_than_inputs_least_squares_explains_them_with_the_shortest_weights():
    generator = torch.Generator().manual_seed(2)
    x, y = torch.randn(10, 40, generator=generator), torch.randn(10, 2, generator=generator)
    A, b = least_squares(moments(x, y))
    assert torch.allclose(x @ A.T + b, y, atol=1e-3)
    shortest = torch.linalg.pinv(x - x.mean(0)) @ (y - y.mean(0))
    assert torch.allclose(A.T, shortest, atol=1e-3)


def test_an_input_that_never_changes_is_never_needed():
    x = torch.rand(50, 3, generator=torch.Generator().manual_seed(3))
    x[:, 1] = 2.0
    A, b = forward_selection(moments(x, 3 * x[:, :1]), k=2)
    assert torch.allclose(A, torch.tensor([[3.0, 0, 0]]), atol=1e-5) and b.abs().max() < 1e-4


@pytest.mark.parametrize("k", [0, 4, 1.5])
def test_a_number_of_inputs_that_is_none_is_refused(k):
    with pytest.raises(vz.VizlibError, match="from 1 to all 3"):
        forward_selection(moments(torch.rand(9, 3), torch.rand(9, 1)), k=k)


def test_samples_that_do_not_pair_are_refused():
    with pytest.raises(vz.VizlibError, match="takes samples"):
        moments(torch.rand(9, 3), torch.rand(8, 1))


def test_outputs_are_chosen_for_one_by_one_so_few_at_a_time_will_do(samples, monkeypatch):
    together = forward_selection(moments(*samples), k=3)
    monkeypatch.setattr(regression, "BLOCK", 1)
    alone = forward_selection(moments(*samples), k=3)
    assert all(torch.equal(a, b) for a, b in zip(together, alone, strict=True))


def test_a_number_of_inputs_may_be_numpys(samples):
    assert all(
        torch.equal(a, b)
        for a, b in zip(
            forward_selection(moments(*samples), k=np.int64(3)),
            forward_selection(moments(*samples), k=3),
            strict=True,
        )
    )
