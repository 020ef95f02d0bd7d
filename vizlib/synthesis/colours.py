"""Keeping the colours of a picture while its style changes (Gatys, Bethge, Hertzmann & Shechtman 2016)."""

from __future__ import annotations

import torch

from ..errors import VizlibError
from ..images.check import check_images


def luminance(images: torch.Tensor) -> torch.Tensor:
    """Luminance, how bright pictures are, Y of YIQ: (N, 3, H, W) -> (N, 1, H, W), differentiable.
    Y = 0.299 R + 0.587 G + 0.114 B.
    """
    return (images * images.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)


def with_luminance_of(image: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """`image` with the luminance of `other`, pixel by pixel, in its own colours: (1, 3, H, W) both, clipped
    to [0, 1].

    The same is added to R, G and B, which changes Y of YIQ and leaves I and Q as they are.
    """
    return (image + luminance(other.to(image)) - luminance(image)).clamp(0, 1)


def match_colours(image: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Colour transfer: `image` with the mean colour and the covariance of the colours of `other`, clipped to
    [0, 1]. (1, 3, H, W), sizes may differ.

        x -> C^(1/2) S^(-1/2) (x - mean of image) + mean of other

    with symmetric square roots of the covariances S of `image` and C of `other`. The result lies on the
    device of `image`; it is computed in double precision on the CPU.
    Gatys, Bethge, Hertzmann & Shechtman 2016, "Preserving Color in Neural Artistic Style
    Transfer", section 4.

        >>> photo, painting = vz.photo("goldfish", 64), vz.photo("style_great_wave", 64)
        >>> vz.synthesis.match_colours(photo, painting).shape
        torch.Size([1, 3, 64, 64])
    """
    pictures = [one_picture(t, "A picture to match") for t in (image, other)]
    x, y = (picture[0].flatten(1).cpu().double() for picture in pictures)
    change = _power(torch.cov(y), 0.5) @ _power(torch.cov(x), -0.5)
    matched = change @ (x - x.mean(1, keepdim=True)) + y.mean(1, keepdim=True)
    return matched.clamp(0, 1).view(image.shape).float().to(image.device)


def _power(covariance: torch.Tensor, power: float) -> torch.Tensor:
    values, axes = torch.linalg.eigh(covariance)
    spread = values > 1e-8 * values.max().clamp(min=1e-12)  # a grey picture has one axis only
    return (axes * torch.where(spread, values.clamp(min=1e-20) ** power, 0.0)) @ axes.T


def one_picture(image: torch.Tensor, what: str, device: torch.device | None = None) -> torch.Tensor:
    """The picture (1, 3, H, W), on `device`, or a VizlibError that says what is wrong with it."""
    image = check_images(image)
    if len(image) != 1:
        raise VizlibError(
            f"{what} is one picture (1, 3, H, W); this batch holds {len(image)}. Several styles go into a "
            "list: [a, b]."
        )
    return image.detach().to(device)
