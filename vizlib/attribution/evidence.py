"""How alike are two maps?"""

import torch
from scipy.stats import rankdata
from skimage.metrics import structural_similarity

from ..errors import VizlibError


def _pairs(a, b):
    if a.shape != b.shape:
        raise VizlibError(
            f"Two maps to compare have the same shape; these have {tuple(a.shape)} and {tuple(b.shape)}."
        )
    if not bool(torch.isfinite(a).all() and torch.isfinite(b).all()):
        raise VizlibError("A map to compare holds NaN or infinite values.")
    return zip(a.detach().double().cpu().numpy(), b.detach().double().cpu().numpy(), strict=True)


def rank_correlation(a, b, *, absolute=False):
    """Spearman's rank correlation of maps a and b, (N, C, H, W) each: (N,) in [-1, 1]; 1 for the same order
    of pixels.

    absolute: compare |a| with |b|, so that a map and its negative are alike. A constant map correlates with
        nothing: 0.
    Adebayo et al. 2018, section 3.
    """
    values = []
    for x, y in _pairs(a.abs(), b.abs()) if absolute else _pairs(a, b):
        x, y = (torch.from_numpy(rankdata(m)) for m in (x.ravel(), y.ravel()))
        x, y = x - x.mean(), y - y.mean()
        norm = x.norm() * y.norm()
        values.append(float(x @ y / norm) if norm > 0 else 0.0)
    return torch.tensor(values)


def ssim(a, b):
    """Structural similarity of maps a and b, (N, C, H, W) each, after stretching each to [0, 1]: (N,); 1 for
    maps that look the same.

    Wang, Bovik, Sheikh & Simoncelli 2004; used to compare maps by Adebayo et al. 2018, section 3.
    """
    if min(a.shape[-2:]) < 7:
        raise VizlibError(
            f"Structural similarity looks through a window of 7 x 7; these maps are {a.shape[-2]} x "
            f"{a.shape[-1]}."
        )
    values = []
    for x, y in _pairs(a, b):
        x, y = (_stretch(m) for m in (x, y))
        values.append(float(structural_similarity(x, y, channel_axis=0, data_range=1.0)))
    return torch.tensor(values)


def _stretch(m):
    spread = m.max() - m.min()
    return (m - m.min()) / spread if spread > 0 else m * 0
