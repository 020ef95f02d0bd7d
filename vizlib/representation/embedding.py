"""Codes as points in the plane, and how much of their neighbourhoods survives."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from ..batching import whole
from ..errors import VizlibError
from ..scalars import real

METHODS = ("pca", "tsne")


def embed(
    codes: torch.Tensor, *, method: str = "tsne", perplexity: float = 15.0, seed: int = 0
) -> torch.Tensor:
    """Dimensionality reduction (PCA or t-SNE) for looking at codes: points (N, 2) for codes (N, D), by
    scikit-learn, on the CPU.

    method: "pca": the two directions in which the codes vary most; distances are those of a shadow. "tsne":
    neighbours stay neighbours as far as possible; distances between groups mean little.
    perplexity: about how many points count as near, for t-SNE. seed: of its start.

    Raises VizlibError for fewer than three codes, or numbers that are not finite.
    t-SNE: van der Maaten & Hinton 2008, "Visualizing Data using t-SNE".

        >>> vz.embed(torch.eye(6), method="pca").shape
        torch.Size([6, 2])
    """
    x = _rows(codes)
    if len(x) < 3 or x.shape[1] < 2:
        raise VizlibError(
            f"Codes to embed are (N, D) with N of at least 3 and D of at least 2; these are {x.shape}."
        )
    if method not in METHODS:
        raise VizlibError(f"method is one of {', '.join(METHODS)}; this is {method!r}.")
    # here, because it takes a second to import, and only this file needs it
    from sklearn import decomposition, manifold

    seed = whole(seed, "seed is a whole number", 0)
    if method == "pca":
        points = decomposition.PCA(2, random_state=seed).fit_transform(x)
    else:
        rule = f"perplexity is about how many points count as near, above 0 and below their number {len(x)}"
        perplexity = real(perplexity, rule, lambda value: 0 < value < len(x))
        points = manifold.TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(x)
    return torch.from_numpy(points).float()


def neighbours(codes: torch.Tensor, k: int = 5) -> torch.Tensor:
    """The k nearest neighbours of each code (N, D) by Euclidean distance, itself left out: (N, k) indices,
    on the CPU.

        >>> vz.neighbours(torch.tensor([[0.0], [1.0], [5.0]]), k=1).tolist()
        [[1], [0], [1]]
    """
    x, rule = _rows(codes), "k is a number of neighbours"
    k = whole(k, rule)
    if k >= len(x):
        raise VizlibError(f"{rule}, below the number of codes {len(x)}; this is {k}.")
    from sklearn.neighbors import NearestNeighbors

    return torch.from_numpy(NearestNeighbors(n_neighbors=k).fit(x).kneighbors(return_distance=False))


def neighbour_agreement(labels: Iterable[Any], codes: torch.Tensor, k: int = 5) -> float:
    """Neighbourhood purity (k-nearest-neighbour agreement): the share of the k nearest of a code that carry
    its own label, mean over all codes. A number in [0, 1].

    labels: N of them, of any kind. Labels that occur once cannot agree with anything: leave them out before.

        >>> vz.neighbour_agreement("aabb", torch.tensor([[0.0], [1.0], [5.0], [6.0]]), k=1)
        1.0
    """
    labels = list(labels)
    if len(labels) != len(codes):
        raise VizlibError(f"There are {len(codes)} codes and {len(labels)} labels.")
    near = neighbours(codes, k).tolist()
    return sum(bool(labels[j] == labels[i]) for i, row in enumerate(near) for j in row) / (
        len(near[0]) * len(labels)
    )


def _rows(codes: Any) -> np.ndarray:
    """The codes (N, D) in double precision on the CPU, or a VizlibError."""
    x = torch.as_tensor(codes).detach().cpu().double()
    if x.dim() != 2:
        raise VizlibError(
            f"Codes to embed are (N, D), one row each; these are {tuple(x.shape)}. codes.flatten(1)?"
        )
    if not bool(torch.isfinite(x).all()):
        raise VizlibError("These codes hold NaN or infinite values.")
    return x.numpy()  # on the CPU
