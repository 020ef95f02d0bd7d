"""A FRAME model of pictures, and the canvas of its Langevin chains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from ..batching import whole
from ..errors import VizlibError
from ..scalars import seeded, sides
from .canvas import COLOURS, frequencies

REFERENCES = ("pink", "white")


@dataclass(frozen=True)
class Model:
    """p(I) = exp(sum_k w_k sum_x F_k(x)) q(I) / Z, with F_k the answers of filter k at the positions x.

    weights: {layer: w (K,)}. mean (1, 3, 1, 1), sigma and reference say what q is: noise of standard
    deviation sigma around the mean, "white" or "pink".
    """

    weights: dict[str, torch.Tensor]
    mean: torch.Tensor
    sigma: float
    reference: str

    def to(self, device: torch.device) -> Model:
        """The same model on another device."""
        weights = {name: w.to(device) for name, w in self.weights.items()}
        return replace(self, weights=weights, mean=self.mean.to(device))


class Chains:
    """A canvas whose parameters are white noise n; what comes out is a picture mean + sigma A n; after each
    step the parameters tremble.

    model: a Model, on whose device the canvas lies. size: side, or (height, width). count: how many chains.
    start: the n to begin with, instead of noise drawn from `seed`. step, temperature: of `langevin`.
    """

    @torch.inference_mode(False)
    def __init__(
        self,
        model: Model,
        size: int | tuple[int, int],
        count: int,
        *,
        start: torch.Tensor | None = None,
        step: float = 0.1,
        temperature: float = 1.0,
        seed: int = 0,
    ) -> None:
        count = whole(count, "There is one chain or more: chains is a number")
        size = sides(size if start is None else tuple(start.shape[-2:]))
        if min(size) < 16:
            raise VizlibError(f"A chain has 16 pixels a side or more; this is size={size}.")
        self.generator, self.step, self.mean = seeded(seed), step, model.mean
        first = torch.randn(count, 3, *size, generator=self.generator) if start is None else start.detach()
        self.knobs = first.to(model.mean.device, torch.float32, copy=True).requires_grad_()
        self.spread = (2 * step * temperature) ** 0.5
        self.colour = _reference(model, *size)

    def image(self) -> torch.Tensor:
        """(N, 3, H, W), differentiable; a little outside [0, 1] here and there."""
        return self.mean + self.colour(self.knobs)

    def energy(self) -> torch.Tensor:
        """-log q up to a constant: half the squared length of n, (N,)."""
        return 0.5 * self.knobs.square().flatten(1).sum(1)

    def settle(self) -> None:
        """After a step uphill: the noise of the Langevin step."""
        with torch.no_grad():
            z = torch.randn(self.knobs.shape, generator=self.generator)
            self.knobs += self.spread * z.to(self.knobs.device)


def _reference(model: Model, height: int, width: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """n -> sigma A n. Of "pink", the variance, mean over colours, is sigma^2 too."""
    if model.reference not in REFERENCES:
        raise VizlibError(f"reference is one of {', '.join(REFERENCES)}; this is {model.reference!r}.")
    if model.reference == "white":
        return lambda n: model.sigma * n
    # on the CPU, then moved
    fy, fx = torch.fft.fftfreq(height)[:, None], torch.fft.fftfreq(width)[None]
    everywhere = 1 / (fy**2 + fx**2).sqrt().clamp(min=1 / 16)
    falloff = 1 / frequencies(height, width).clamp(min=1 / 16) / everywhere.square().mean().sqrt()
    mix = model.sigma * COLOURS / COLOURS.square().sum(1).mean().sqrt()
    falloff, mix = falloff.to(model.mean.device), mix.to(model.mean.device)

    def colour(n: torch.Tensor) -> torch.Tensor:
        waves = torch.fft.irfft2(torch.fft.rfft2(n) * falloff, s=(height, width))
        return torch.einsum("rc,nchw->nrhw", mix, waves)

    return colour
