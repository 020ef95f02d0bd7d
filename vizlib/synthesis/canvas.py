"""Canvases: parameters that an optimizer moves, and the pictures that they draw."""

from __future__ import annotations

from typing import Protocol

import torch

from ..images.check import check_images
from ..scalars import real, seeded, sides

# A square root of the covariance of red, green and blue in natural pictures (Olah et al. 2017, and their
# code): the first column is brightness, the second red against blue, the third green against magenta. Divided
# by its longest column.
# on the CPU: a canvas moves its copy
COLOURS = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
COLOURS = COLOURS / COLOURS.norm(dim=0).max()


class Canvas(Protocol):
    """What `ascend` can climb on. knobs: the parameters, a tensor that requires a gradient."""

    knobs: torch.Tensor

    def image(self) -> torch.Tensor:
        """The pictures that the parameters draw: (N, 3, H, W), differentiable."""
        ...

    def settle(self) -> None:
        """Called after each step, to bring the parameters back to where they may be."""
        ...


class Pixels:
    """The plainest canvas: every pixel is a parameter. After each step values outside [0, 1] are clipped,
    unless clip=False.

    images: (N, 3, H, W) in [0, 1], the start; the canvas lies on their device.

        >>> vz.synthesis.Pixels(vz.photo("goldfish", 64)).image().shape
        torch.Size([1, 3, 64, 64])
    """

    @torch.inference_mode(False)
    def __init__(self, images: torch.Tensor, *, clip: bool = True) -> None:
        self.knobs, self.clip = check_images(images).detach().clone().requires_grad_(), clip

    def image(self) -> torch.Tensor:
        """(N, 3, H, W), differentiable."""
        return self.knobs

    def settle(self) -> None:
        """After a step."""
        if self.clip:
            with torch.no_grad():
                self.knobs.clamp_(0, 1)


class Fourier:
    """A picture parametrized in the frequency domain (Fourier preconditioning): the parameters are
    amplitudes z of all spatial frequencies f, in three decorrelated colours.

        image = sigmoid(C irfft2(w z) / 4),   w = 1 / max(f, 1 / longest side), times (0.1 w)^(power - 1)

    C is the square root of the colours' covariance. A step of the same length in z moves coarse waves further
    than fine ones, so that an optimizer that treats all parameters alike draws coarse things first.

    size: side, or (height, width), in pixels. count: how many pictures.
    seed, spread: the first z are normal numbers with this standard deviation, the same on every device.
    colours: decorrelate them; "grey": one brightness for red, green and blue.
    power: 1 is the paper's; 1.5, with the same weight at a wave of 10 pixels, leaves less high-frequency
    noise.
    window: the waves fade to mid-grey away from the middle, by a Gaussian with this standard deviation, as a
    share of half a side: room for one object.
    device: where the canvas lies; give it the network's, net.device.

    Olah, Mordvintsev & Schubert 2017, "Feature Visualization", section on preconditioning; the constants are
    those of their library.

        >>> vz.synthesis.Fourier((32, 48), count=2).image().shape
        torch.Size([2, 3, 32, 48])
    """

    @torch.inference_mode(False)
    def __init__(
        self,
        size: int | tuple[int, int] = 224,
        count: int = 1,
        *,
        seed: int = 0,
        spread: float = 0.01,
        colours: bool | str = True,
        power: float = 1.5,
        window: float | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        self.size, self.colours = sides(size), colours
        height, width = self.size
        f = frequencies(height, width)
        weight = 1 / f.clamp(min=1 / max(height, width))
        self.weight = (weight * (0.1 * weight) ** (power - 1)).to(device)
        self.mix = COLOURS.to(device)
        self.window = torch.ones(()).to(device)
        if window is not None:
            # on the CPU, then moved
            y, x = (torch.linspace(-1, 1, n) for n in (height, width))
            self.window = (-(y[:, None] ** 2 + x**2) / (2 * window**2)).exp().to(device)
        planes = 1 if colours == "grey" else 3
        z = torch.randn(count, planes, *weight.shape, 2, generator=seeded(seed))
        self.knobs = (spread * z).to(device).requires_grad_()

    def image(self) -> torch.Tensor:
        """(N, 3, H, W) in [0, 1], differentiable."""
        spectrum = torch.view_as_complex(self.knobs) * self.weight
        waves = torch.fft.irfft2(spectrum, s=self.size, norm="ortho") / 4
        if self.colours == "grey":
            waves = waves.expand(-1, 3, -1, -1)
        elif self.colours:
            waves = torch.einsum("rc,nchw->nrhw", self.mix, waves)
        return (self.window * waves).sigmoid()

    def energy(self) -> torch.Tensor:
        """The sum of the squares of all amplitudes z: (N,), differentiable. As a penalty it keeps colours
        away from black and white.
        """
        return self.knobs.pow(2).flatten(1).sum(1)

    def settle(self) -> None:
        """After a step: nothing, the sigmoid keeps the picture in [0, 1]."""


def frequencies(height: int, width: int, device: torch.device | None = None) -> torch.Tensor:
    """The spatial frequency of each entry of torch.fft.rfft2, cycles per pixel: (height, width // 2 + 1)."""
    fy = torch.fft.fftfreq(height, device=device)[:, None]
    return (fy**2 + torch.fft.rfftfreq(width, device=device) ** 2).sqrt()


def noise(
    size: int | tuple[int, int] = 224,
    count: int = 1,
    *,
    seed: int = 0,
    spread: float = 0.1,
    device: torch.device | str | None = None,
) -> torch.Tensor:
    """Grey with a little Gaussian noise of standard deviation `spread`, (N, 3, H, W) in [0, 1]: a start for
    `Pixels`.

        >>> vz.synthesis.noise((32, 48), count=2, seed=1).shape
        torch.Size([2, 3, 32, 48])
    """
    spread = real(spread, "spread is a standard deviation, 0 or more", lambda value: value >= 0)
    z = torch.randn(count, 3, *sides(size), generator=seeded(seed))
    return (0.5 + spread * z).clamp(0, 1).to(device)
