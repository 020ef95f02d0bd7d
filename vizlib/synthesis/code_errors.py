"""How far off is a picture that was made from a code?  Errors of features and of pixels on one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..errors import VizlibError
from ..images.check import check_images
from ..layers import record

if TYPE_CHECKING:
    from ..models.network import Network


def code_error(codes: torch.Tensor, wanted: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """The normalized reconstruction error ||phi - phi_0||^2 / mean_ij ||phi_i - phi_j||^2, (N,).

    codes: (N, ...). wanted: (N, ...), or one for all. others: (M, ...), of other pictures. Any device; the
    result lies on that of `codes`.

    The mean runs over all pairs of `others`, each with itself too, which is twice their variance: whoever
    answers with the mean code scores 0.5 on average, and 0 is right. In double precision, on the CPU.
    Raises VizlibError for fewer than two others, codes of different sizes, and others that are all the same.
    Mahendran & Vedaldi 2015, section 4 (normalizer as in their code).

        >>> codes = torch.eye(4)
        >>> vz.synthesis.code_error(codes, codes, codes).tolist()
        [0.0, 0.0, 0.0, 0.0]
    """
    device = codes.device
    codes, wanted, others = (t.detach().flatten(1).cpu().double() for t in (codes, wanted, others))
    if len(others) < 2 or not codes.shape[1] == wanted.shape[1] == others.shape[1]:
        raise VizlibError("The normalizer is made of two or more other pictures with codes of the same size.")
    if len(wanted) not in (1, len(codes)):
        raise VizlibError(
            f"There are {len(codes)} codes, and {len(wanted)} that were wanted: one each, or one."
        )
    scale = 2 * (others - others.mean(0)).pow(2).sum(1).mean()
    if not scale > 0:
        raise VizlibError(
            "The other pictures all have the same code, so there is no distance to compare with."
        )
    return ((codes - wanted).pow(2).sum(1) / scale).float().to(device)


def feature_error(
    net: Network, images: torch.Tensor, originals: torch.Tensor, others: torch.Tensor, *, layer: str
) -> torch.Tensor:
    """The feature reconstruction error, `code_error` of `layer`: how far are the codes of `images` from
    those of `originals` (one each, or one for all)? (N,), 0 is right, 0.5 the mean code of `others`.

        >>> photos = torch.cat([vz.photo(name, 64) for name in ("goldfish", "koala", "dahlia")])
        >>> float(vz.feature_error(vz.load("zfnet"), photos[:1], photos[:1], photos, layer="pool5"))
        0.0
    """
    return code_error(*(record(net, x, layer)[layer] for x in (images, originals, others)))


def pixel_error(images: torch.Tensor, originals: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """The image reconstruction error, the same measure for the pixels themselves, so that the two can be
    compared: 0.5 for the mean picture of `others`. (N,)

        >>> photos = torch.cat([vz.photo(name, 64) for name in ("goldfish", "koala", "dahlia")])
        >>> float(vz.pixel_error(photos[:1], photos[:1], photos))
        0.0
    """
    return code_error(*map(check_images, (images, originals, others)))
