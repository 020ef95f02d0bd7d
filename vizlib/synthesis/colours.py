"""Keeping the colours of a picture while its style changes (Gatys, Bethge, Hertzmann & Shechtman 2016)."""

import torch

from ..errors import VizlibError
from ..images.check import check_images


def luminance(images):
    """How bright pictures are, Y of YIQ: (N, 3, H, W) -> (N, 1, H, W). Y = 0.299 R + 0.587 G + 0.114 B."""
    return (images * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)


def with_luminance_of(image, other):
    """`image` as bright as `other`, pixel by pixel, in its own colours: (1, 3, H, W) both, clipped to [0, 1].

    The same is added to R, G and B, which changes Y of YIQ and leaves I and Q as they are.
    """
    return (image + luminance(other) - luminance(image)).clamp(0, 1)


def match_colours(image, other):
    """`image` with the mean colour and the covariance of the colours of `other`, clipped to [0, 1]: (1, 3, H,
    W), sizes may differ.

    x -> C^(1/2) S^(-1/2) (x - mean of image) + mean of other, with symmetric square roots of the covariances
        S of `image` and C of `other`.
    Gatys, Bethge, Hertzmann & Shechtman 2016, "Preserving Color in Neural Artistic Style Transfer", section
        4.
    """
    x, y = (one_picture(t, "A picture to match")[0].flatten(1).double() for t in (image, other))
    change = _power(torch.cov(y), 0.5) @ _power(torch.cov(x), -0.5)
    matched = change @ (x - x.mean(1, keepdim=True)) + y.mean(1, keepdim=True)
    return matched.clamp(0, 1).view(image.shape).float()


def _power(covariance, power):
    values, axes = torch.linalg.eigh(covariance)
    spread = values > 1e-8 * values.max().clamp(min=1e-12)  # a grey picture has one axis only
    return (axes * torch.where(spread, values.clamp(min=1e-20) ** power, 0.0)) @ axes.T


def one_picture(image, what):
    """The picture (1, 3, H, W), or a VizlibError that says what is wrong with it."""
    image = check_images(image)
    if len(image) != 1:
        raise VizlibError(
            f"{what} is one picture (1, 3, H, W); this batch holds {len(image)}. Several styles go into a "
            "list: [a, b]."
        )
    return image
