"""Where an adversarial picture may be: in a ball around its original, in [0, 1], and in the end among the
multiples of 1 / 255.
"""

from __future__ import annotations

import torch

from ..errors import VizlibError
from ..images.check import check_images

Norm = str | int  # "inf" or 2


class Ball:
    """A canvas for `ascend`: pictures in [0, 1] within `epsilon` of `centre` (N, 3, H, W), which begin at
    `start` (default: the centre). After each step they are projected back into this norm ball.

    norm: "inf", the largest change of a value, or 2, the Euclidean length of the change.
    """

    @torch.inference_mode(False)
    def __init__(
        self, centre: torch.Tensor, epsilon: float, norm: Norm = "inf", start: torch.Tensor | None = None
    ) -> None:
        self.centre, self.epsilon, self.norm = centre, epsilon, norm
        self.knobs = (centre if start is None else start).detach().clone().requires_grad_()

    def image(self) -> torch.Tensor:
        """(N, 3, H, W), differentiable."""
        return self.knobs

    @torch.no_grad()
    def settle(self) -> None:
        """After a step: back to the nearest point of the ball, then into [0, 1], which leads no further
        from the centre.
        """
        r = self.knobs - self.centre
        if self.norm == "inf":
            r = r.clamp(-self.epsilon, self.epsilon)
        else:
            r = r * (self.epsilon / length(r)).clamp(max=1)
        self.knobs.copy_((self.centre + r).clamp(0, 1))


def steepest(g: torch.Tensor, rate: float, norm: Norm) -> torch.Tensor:
    """Steepest ascent in a norm, the step of length `rate` along which a linear function with the slope g
    grows most: rate * sign(g), or rate * g / ||g||_2.
    """
    return rate * (g.sign() if norm == "inf" else g / length(g))


def scattered(images: torch.Tensor, epsilon: float, norm: Norm, generator: torch.Generator) -> torch.Tensor:
    """A random point of the ball around each picture, uniform but for what is clipped to [0, 1]. Drawn on the
    CPU, so that a seed gives the same points on every device.
    """
    if norm == "inf":
        r = 2 * torch.rand(images.shape, generator=generator) - 1
    else:
        r = torch.randn(images.shape, generator=generator)
        volume = torch.rand(
            len(images), 1, 1, 1, generator=generator
        )  # it grows as the n-th power of the radius
        r = volume ** (1 / images[0].numel()) * r / length(r)
    return (images + epsilon * r.to(images)).clamp(0, 1)


def length(r: torch.Tensor) -> torch.Tensor:
    """||r||_2 of each picture, (N, 1, 1, 1), never quite zero."""
    return r.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)


def distortion(images: torch.Tensor, originals: torch.Tensor) -> torch.Tensor:
    """The distortion (root mean square change) sqrt(mean (x' - x)^2) over pixels and colours, (N,): the
    measure of
    Szegedy et al. 2013.

        >>> photo = vz.photo("goldfish", 64).clamp(max=0.9)
        >>> round(float(distortion(photo + 0.1, photo)), 3)
        0.1
    """
    images = check_images(images)
    return (images - check_images(originals).to(images.device)).square().mean((1, 2, 3)).sqrt()


def eight_bits(images: torch.Tensor, around: torch.Tensor | None = None) -> torch.Tensor:
    """Quantization to 8 bits, the pictures that a file can hold: multiples of 1 / 255, the nearest ones.

    around: originals that are such pictures themselves. Changes are then rounded towards zero, so that none
    grows: in whatever ball around its original a picture was, it stays. (In the norm "inf" with an epsilon of
    whole 1 / 255 the nearest ones stay in the ball, too.)
    Raises VizlibError for originals that are no such pictures.

        >>> [round(float(v), 2) for v in 255 * eight_bits(torch.full((1, 3, 1, 1), 0.3)).flatten()]
        [76.0, 76.0, 76.0]
    """
    levels = check_images(images).clamp(0, 1) * 255
    if around is None:
        return levels.round() / 255
    own = check_images(around).to(levels.device) * 255
    if not torch.allclose(own, own.round(), atol=1e-3):
        raise VizlibError(
            "These originals are no 8-bit pictures, so the ball around them may hold none. Round them first: "
            "eight_bits(x)."
        )
    change = levels - own.round()
    whole_steps = (change + 1e-4 * change.sign()).trunc()  # 1e-4: what float32 may lack to a whole step
    return (own.round() + whole_steps) / 255
