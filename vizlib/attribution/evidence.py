"""How alike are two maps?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from ..errors import VizlibError


def rank_correlation(a: torch.Tensor, b: torch.Tensor, *, absolute: bool = False) -> torch.Tensor:
    """Spearman's rank correlation of two maps, (N,) in [-1, 1]: 1 for the same order of pixels.

    a, b: (N, C, H, W) each, from any device; the result is where `a` is.
    absolute: compare |a| with |b|, so that a map and its negative are alike.
    A constant map correlates with nothing: 0. Raises VizlibError for maps of different shapes, and for NaN.

    Adebayo et al. 2018, "Sanity Checks for Saliency Maps", section 3.

        >>> ramp = torch.arange(64.0).view(1, 1, 8, 8)
        >>> vz.rank_correlation(ramp, -(ramp**2))
        tensor([-1.])
    """
    pairs = _pairs(a, b)
    found = [_spearman(*map(np.abs, pair)) if absolute else _spearman(*pair) for pair in pairs]
    return torch.tensor(found, device=a.device)


def ssim(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Structural similarity (SSIM) of two maps, each stretched to [0, 1]: (N,); 1 for maps that look the
    same.

    a, b: (N, C, H, W) each, 7 x 7 or larger, from any device; the result is where `a` is. Raises VizlibError
    for smaller maps, maps of different shapes, and for NaN.

    Wang, Bovik, Sheikh & Simoncelli 2004, "Image Quality Assessment: From Error Visibility to Structural
    Similarity"; used to compare maps by Adebayo et al. 2018, section 3.

        >>> ramp = torch.arange(64.0).view(1, 1, 8, 8)
        >>> vz.ssim(ramp, 3 * ramp + 1)
        tensor([1.])
    """
    pairs = _pairs(a, b)
    if min(a.shape[-2:]) < 7:
        raise VizlibError(
            f"Structural similarity looks through a window of 7 x 7; these maps are {a.shape[-2]} x "
            f"{a.shape[-1]}."
        )
    stretched = (map(_stretch, pair) for pair in pairs)
    from skimage.metrics import structural_similarity  # here: it takes long to import

    found = [float(structural_similarity(x, y, channel_axis=0, data_range=1.0)) for x, y in stretched]
    return torch.tensor(found, device=a.device)


def _pairs(a, b) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The maps as pairs of arrays in double precision, which not every device has: on the CPU."""
    for maps in (a, b):
        if not isinstance(maps, torch.Tensor) or maps.dim() != 4:
            seen = tuple(maps.shape) if isinstance(maps, torch.Tensor) else f"a {type(maps).__name__}"
            raise VizlibError(f"Maps to compare are tensors (N, C, H, W); this is {seen}.")
    if a.shape != b.shape:
        raise VizlibError(
            f"Two maps to compare have the same shape; these have {tuple(a.shape)} and {tuple(b.shape)}."
        )
    if not bool(torch.isfinite(a).all() and torch.isfinite(b).all()):
        raise VizlibError("A map to compare holds NaN or infinite values.")
    return zip(a.detach().cpu().double().numpy(), b.detach().cpu().double().numpy(), strict=True)


def _spearman(x, y):
    from scipy.stats import rankdata  # here: it takes long to import

    x, y = (rankdata(m.ravel()) for m in (x, y))
    x, y = x - x.mean(), y - y.mean()
    norm = np.linalg.norm(x) * np.linalg.norm(y)
    return float(x @ y / norm) if norm > 0 else 0.0


def _stretch(m):
    spread = m.max() - m.min()
    return (m - m.min()) / spread if spread > 0 else m * 0
