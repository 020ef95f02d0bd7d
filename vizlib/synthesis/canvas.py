"""Canvases: what an optimizer turns the knobs of, and the pictures that come out."""

import torch

from ..errors import VizlibError
from ..images.check import check_images

# A square root of the covariance of red, green and blue in natural pictures (Olah et al. 2017, and their
# code): the first column is brightness, the second red against blue, the third green against magenta. Divided
# by its longest column.
COLOURS = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
COLOURS = COLOURS / COLOURS.norm(dim=0).max()


class Pixels:
    """The plainest canvas: every pixel is a knob. After each step values outside [0, 1] are clipped, unless
    clip=False.
    """

    def __init__(self, images, *, clip=True):
        self.knobs, self.clip = check_images(images).detach().clone().requires_grad_(), clip

    def image(self):
        """(N, 3, H, W), differentiable."""
        return self.knobs

    def settle(self):
        """After a step."""
        if self.clip:
            with torch.no_grad():
                self.knobs.clamp_(0, 1)


class Fourier:
    """The knobs are waves: amplitudes z of all spatial frequencies f in three decorrelated colours.

    image = sigmoid(C irfft2(w z) / 4) with w = 1 / max(f, 1 / side), times (0.1 w)^(power - 1), C the
        colours' square root of covariance:
    a step of the same length in z moves coarse waves further than fine ones, so that an optimizer that treats
        all knobs alike draws coarse
    things first. power = 1 is the paper's; 1.5, with the same weight at a wave of 10 pixels, leaves less
        high-frequency noise.
    size: side, or (height, width), in pixels. spread: standard deviation of the first z. colours: decorrelate
        them; "grey": one
    brightness for red, green and blue. window: the waves fade to mid-grey away from the middle, by a Gaussian
        with this standard
    deviation, as a share of half a side: room for one object.
    Olah, Mordvintsev & Schubert 2017, "Feature Visualization", section on preconditioning; the constants are
        those of their library.
    """

    def __init__(self, size=224, count=1, *, seed=0, spread=0.01, colours=True, power=1.5, window=None):
        height, width = (size, size) if isinstance(size, int) else size
        generator = torch.Generator().manual_seed(seed)
        self.size, self.colours = (height, width), colours
        fy, fx = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]
        weight = 1 / (fy**2 + fx**2).sqrt().clamp(min=1 / max(height, width))
        self.weight = weight * (0.1 * weight) ** (power - 1)
        planes = 1 if colours == "grey" else 3
        y, x = (torch.linspace(-1, 1, n) for n in (height, width))
        self.window = 1.0 if window is None else (-(y[:, None] ** 2 + x**2) / (2 * window**2)).exp()
        self.knobs = (
            spread * torch.randn(count, planes, *self.weight.shape, 2, generator=generator)
        ).requires_grad_()

    def image(self):
        """(N, 3, H, W) in [0, 1], differentiable."""
        waves = (
            torch.fft.irfft2(torch.view_as_complex(self.knobs) * self.weight, s=self.size, norm="ortho") / 4
        )
        if self.colours == "grey":
            waves = waves.expand(-1, 3, -1, -1)
        elif self.colours:
            waves = torch.einsum("rc,nchw->nrhw", COLOURS, waves)
        return (self.window * waves).sigmoid()

    def energy(self):
        """The sum of the squares of all amplitudes z: (N,), differentiable. As a penalty it keeps colours
        away from black and white.
        """
        return self.knobs.pow(2).flatten(1).sum(1)

    def settle(self):
        """After a step: nothing, the sigmoid keeps the picture in [0, 1]."""


def noise(size=224, count=1, *, seed=0, spread=0.1):
    """Grey with a little noise, (N, 3, H, W) in [0, 1]: a start for `Pixels`."""
    if not spread >= 0:
        raise VizlibError(f"spread is a standard deviation, 0 or more; this is {spread!r}.")
    height, width = (size, size) if isinstance(size, int) else size
    generator = torch.Generator().manual_seed(seed)
    return (0.5 + spread * torch.randn(count, 3, height, width, generator=generator)).clamp(0, 1)
