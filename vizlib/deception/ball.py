"""Where an adversarial picture may be: in a ball around its original, in [0, 1], and in the end among the
multiples of 1 / 255.
"""

import torch

from ..errors import VizlibError
from ..images.check import check_images


class Ball:
    """A canvas for `ascend`: pictures in [0, 1] within `epsilon` of `centre`, (N, 3, H, W), that begin at
    `start` (default: the centre).

    norm: "inf", the largest change of a value, or 2, the Euclidean length of the change.
    """

    def __init__(self, centre, epsilon, norm="inf", start=None):
        self.centre, self.epsilon, self.norm = centre, epsilon, norm
        self.knobs = (centre if start is None else start).clone().requires_grad_()

    def image(self):
        return self.knobs

    @torch.no_grad()
    def settle(self):
        """After a step: back to the nearest point of the ball, then into [0, 1], which leads no further from
        the centre.
        """
        r = self.knobs - self.centre
        if self.norm == "inf":
            r = r.clamp(-self.epsilon, self.epsilon)
        else:
            r = r * (self.epsilon / length(r)).clamp(max=1)
        self.knobs.copy_((self.centre + r).clamp(0, 1))


class Steepest:
    """A stepper for `ascend`: steps of length `rate` along which a linear function grows most, sign(g) or g /
    ||g||_2.
    """

    def __init__(self, knobs, rate, norm="inf"):
        self.knobs, self.rate, self.norm = knobs, rate, norm

    def zero_grad(self):
        self.knobs.grad = None

    def step(self, loss):
        loss()
        g = self.knobs.grad
        with torch.no_grad():
            self.knobs -= self.rate * (g.sign() if self.norm == "inf" else g / length(g))


def scattered(images, epsilon, norm, generator):
    """A random point of the ball around each picture, uniform but for what is clipped to [0, 1]."""
    if norm == "inf":
        r = 2 * torch.rand(images.shape, generator=generator) - 1
    else:
        r = torch.randn(images.shape, generator=generator)
        share = torch.rand(len(images), 1, 1, 1, generator=generator) ** (
            1 / images[0].numel()
        )  # the volume grows as its n-th power
        r = share * r / length(r)
    return (images + epsilon * r).clamp(0, 1)


def length(r):
    """||r||_2 of each picture, (N, 1, 1, 1), never quite zero."""
    return r.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)


def distortion(images, originals):
    """sqrt(mean (x' - x)^2) over pixels and colours, (N,): the measure of Szegedy et al. 2013."""
    return (check_images(images) - check_images(originals)).square().mean((1, 2, 3)).sqrt()


def eight_bits(images, around=None):
    """The pictures that a file can hold: multiples of 1 / 255, the nearest ones.

    around: originals that are such pictures themselves. Changes are then rounded towards zero, so that none
        grows: in whatever ball around
    its original a picture was, it stays. (In the norm "inf" with an epsilon of whole 1 / 255 the nearest ones
        stay in the ball, too.)
    """
    levels = check_images(images).clamp(0, 1) * 255
    if around is None:
        return levels.round() / 255
    own = check_images(around) * 255
    if not torch.allclose(own, own.round(), atol=1e-3):
        raise VizlibError(
            "These originals are no 8-bit pictures, so the ball around them may hold none. Round them first: "
            "eight_bits(x)."
        )
    change = levels - own.round()
    return (
        own.round() + (change + 1e-4 * change.sign()).trunc()
    ) / 255  # 1e-4: what float32 may lack to a whole step
