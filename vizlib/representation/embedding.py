"""Codes as points in the plane, and how much of their neighbourhoods survives."""

import torch

from ..errors import VizlibError

METHODS = ("pca", "tsne")


def embed(codes, *, method="tsne", perplexity=15.0, seed=0):
    """Points (N, 2) for codes (N, D), by scikit-learn.

    "pca": the two directions in which the codes vary most; distances are those of a shadow. "tsne":
        neighbours stay neighbours as far as
    possible (van der Maaten & Hinton 2008); `perplexity` is about how many count as near; distances between
        groups mean little.
    """
    if codes.dim() != 2 or len(codes) < 3:
        raise VizlibError(f"Codes to embed are (N, D) with N of at least 3; these are {tuple(codes.shape)}.")
    if method not in METHODS:
        raise VizlibError(f"method is one of {', '.join(METHODS)}; this is {method!r}.")
    from sklearn import (
        decomposition,
        manifold,
    )  # here, because it takes a second to import, and only this file needs it

    x = codes.detach().double().numpy()
    if method == "pca":
        return torch.from_numpy(decomposition.PCA(2, random_state=seed).fit_transform(x)).float()
    if not 0 < perplexity < len(x):
        raise VizlibError(
            f"perplexity is about how many points count as near, below their number {len(x)}; this is "
            f"{perplexity!r}."
        )
    return torch.from_numpy(
        manifold.TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(x)
    ).float()


def neighbours(codes, k=5):
    """The k nearest of each code (N, D) by Euclidean distance, itself left out: (N, k) indices."""
    if not 0 < k < len(codes):
        raise VizlibError(
            f"k is a number of neighbours, below the number of codes {len(codes)}; this is {k!r}."
        )
    from sklearn.neighbors import NearestNeighbors

    x = codes.detach().double().numpy()
    return torch.from_numpy(NearestNeighbors(n_neighbors=k).fit(x).kneighbors(return_distance=False))


def neighbour_agreement(labels, codes, k=5):
    """The share of the k nearest neighbours of a code that carry its own label, mean over all codes: a number
    in [0, 1].

    labels: N of them, of any kind. Labels that occur once cannot agree with anything: leave them out before.
    """
    labels = list(labels)
    if len(labels) != len(codes):
        raise VizlibError(f"There are {len(codes)} codes and {len(labels)} labels.")
    near = neighbours(codes, k).tolist()
    return sum(labels[j] == labels[i] for i, row in enumerate(near) for j in row) / (k * len(labels))
