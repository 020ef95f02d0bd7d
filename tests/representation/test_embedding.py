"""Codes in the plane, and their neighbours."""

import numpy as np
import pytest
import torch

import vizlib as vz

CODES = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [10, 0, 0], [11, 0, 0], [10, 1, 0]])
LABELS = "aaabbb"


def test_neighbours_and_agreement_by_hand():
    near = vz.neighbours(CODES, 2)
    assert [set(row) for row in near.tolist()] == [{1, 2}, {0, 2}, {0, 1}, {4, 5}, {3, 5}, {3, 4}]
    assert vz.neighbour_agreement(LABELS, CODES, 2) == 1
    assert vz.neighbour_agreement("aabbbb", CODES, 2) == pytest.approx((1 + 1 + 0 + 2 + 2 + 2) / 12)


def test_pca_of_points_in_a_plane_keeps_their_distances():
    plane = vz.embed(CODES, method="pca")
    assert plane.shape == (6, 2)
    assert torch.allclose(torch.cdist(plane, plane), torch.cdist(CODES, CODES), atol=1e-4)


def test_codes_of_numpy_and_numbers_of_numpy_count(monkeypatch):
    codes = CODES.numpy()
    assert torch.equal(vz.neighbours(codes, np.int64(2)), vz.neighbours(CODES.requires_grad_(), 2))
    CODES.requires_grad_(False)
    assert torch.equal(vz.embed(codes, method="pca", seed=np.int64(1)), vz.embed(CODES, method="pca", seed=1))
    assert vz.neighbour_agreement(np.array(list(LABELS)), codes, 2) == 1


def test_tsne_keeps_two_clouds_apart_and_repeats_itself():
    generator = torch.Generator().manual_seed(0)
    clouds = torch.cat(
        [torch.randn(20, 30, generator=generator), 6 + torch.randn(20, 30, generator=generator)]
    )
    before = torch.get_rng_state()
    plane = vz.embed(clouds, perplexity=8)
    assert vz.neighbour_agreement([0] * 20 + [1] * 20, plane) == 1
    assert torch.equal(plane, vz.embed(clouds, perplexity=8)) and torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("call", "telling"),
    [
        (lambda: vz.embed(torch.zeros(5)), "Codes to embed are"),
        (lambda: vz.embed(CODES, method="umap"), "method is one of pca, tsne"),
        (lambda: vz.embed(CODES, perplexity=9), "below their number 6"),
        (lambda: vz.embed(torch.zeros(5, 1)), "D of at least 2"),
        (lambda: vz.embed(CODES * torch.nan), "NaN or infinite"),
        (lambda: vz.embed(CODES, perplexity="3"), "below their number 6; this is '3'"),
        (lambda: vz.embed(CODES, seed=0.5), "seed is a whole number"),
        (lambda: vz.neighbours(CODES, 1.5), "k is a number of neighbours"),
        (lambda: vz.neighbours(torch.zeros(2, 3, 4, 4), 1), "codes.flatten"),
        (lambda: vz.neighbours(CODES, 6), "below the number of codes 6"),
        (lambda: vz.neighbour_agreement("ab", CODES), "There are 6 codes and 2 labels"),
    ],
)
def test_what_cannot_be_used(call, telling):
    with pytest.raises(vz.VizlibError, match=telling):
        call()
