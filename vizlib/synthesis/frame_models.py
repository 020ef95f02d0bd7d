"""FRAME: the most random pictures whose filters answer as they do to a texture (Zhu, Wu & Mumford 1998; Lu,
Zhu & Wu 2015).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from ..batching import goes_on, whole
from ..errors import VizlibError
from ..layers import record
from ..layers.pooling import average_pooling
from ..scalars import real
from .ascent import Result, ascend, options_for_ascend
from .chains import REFERENCES, Chains, Model
from .objectives import Objective
from .style import style_layers_of

if TYPE_CHECKING:
    from ..models.network import Network

SETTLED = ("optimizer", "rate", "jitter", "penalties", "after", "tile")  # by Langevin's step


@dataclass
class Frame(Result):
    """A Result, and what to go on from. state: the white noise n (N, 3, H, W) that the pictures are made of.
    model: learned, or used. history: before each step, the relative error of the moments (of `frame`) or the
    tilt U (of `langevin`).
    """

    state: torch.Tensor | None = None
    model: Model | None = None


@torch.inference_mode(False)
def frame(
    net: Network,
    texture: torch.Tensor,
    *,
    layers: str | Sequence[str] | None = None,
    size: int | tuple[int, int] = 96,
    chains: int = 1,
    rate: float | None = None,
    sigma: float = 0.05,
    reference: str = "pink",
    step: float = 0.1,
    average: bool = True,
    **options: Any,
) -> Frame:
    """FRAME (Filters, Random field, And Maximum Entropy): learn such a model of a texture and draw pictures
    from it. Returns a Frame.

        p(I) = 1/Z exp(U(I)) q(I),   U(I) = sum_k w_k sum_x F_k(x)
        I <- I + eps^2 / 2 d(log p)/dI + eps noise                      a Langevin step of every chain
        w_k <- w_k + rate * (mean F_k of the texture - mean F_k of the chains)    in the units of Adam; the
                                                                        slope of log p(texture) in w

    Of all distributions with these mean responses p is the one closest to q.

    texture: (M, 3, h, w) in [0, 1], one or several pictures, of any size.
    layers: F_k is channel k of one of them, k runs over all; default: the first four of `style_layers_of`.
    size, chains: side, or (height, width), of the pictures, and how many, run side by side.
    rate: of the weights, falls to a twentieth of it on the way; default: 25e-6 / sigma^2, for "white" ten
    times that.
    sigma, reference: q is noise of standard deviation sigma around the texture's mean colour, "white" (the
    paper's) or "pink": amplitudes 1 / frequency up to waves of 16 pixels, colours as in natural pictures.
    step: eps^2 / 2 in units of q's variance; see `langevin` for it and for the border.
    average: mean instead of max-pooling, as in `style_transfer`.
    options: steps (400), snapshots, seed, progress, as in `ascend`; an interrupt keeps what there is.
    history: root of the mean over layers of |mean F - target|^2 / |target|^2.

    Raises VizlibError for what is no texture, layer or number, and where the weights grow until nothing is
    finite.
    Lu, Zhu & Wu 2015, "Learning FRAME Models Using CNN Filters", sections on the stationary model and on
    learning.

        >>> net, texture = vz.load("zfnet"), vz.background("gravel_grey", 64)
        >>> made = vz.frame(net, texture, layers="relu1", size=32, steps=2)
        >>> made.image.shape, made.model.weights["relu1"].shape
        (torch.Size([1, 3, 32, 32]), torch.Size([48]))
    """
    texture, options = net.check(texture), options_for_ascend(options, SETTLED, steps=400, seed=0)
    layers = [layers] if isinstance(layers, str) else list(layers or style_layers_of(net)[1][:4])
    sigma, step, steps = (
        _positive("sigma", sigma),
        _length(step),
        whole(options["steps"], "steps is a number"),
    )
    if reference not in REFERENCES:
        raise VizlibError(f"reference is one of {', '.join(REFERENCES)}; this is {reference!r}.")
    usual = (25e-6 if reference == "pink" else 25e-5) / sigma**2
    rate = usual if rate is None else _positive("rate", rate)
    seen: dict[str, torch.Tensor] = {}
    errors: list[float] = []
    with average_pooling(average):
        wanted = {name: _mean(a).mean(0) for name, a in record(net, texture, layers).items()}
        weights = {name: torch.zeros_like(h) for name, h in wanted.items()}
        model = Model(weights, texture.mean((0, 2, 3)).view(1, 3, 1, 1), sigma, reference)
        canvas = Chains(model, size, chains, step=step, seed=options["seed"])
        adam = torch.optim.Adam(weights.values(), rate, betas=(0.9, 0.99), maximize=True)
        slower = torch.optim.lr_scheduler.ExponentialLR(adam, 0.05 ** (1 / steps))
        progress = options.get("progress")

        def learn(done: int, total: int, preview: torch.Tensor) -> bool:
            errors.append(moment_error(seen, wanted))
            for name, w in weights.items():
                w.grad = wanted[name] - seen[name]
            adam.step()
            slower.step()
            return goes_on(progress, done, total, preview)

        result = _walk(net, model, canvas, options | {"progress": learn}, seen)
    learned = Model({name: w.detach().clone() for name, w in weights.items()}, model.mean, sigma, reference)
    return Frame(result.image, result.images, errors, result.stopped, canvas.knobs.detach(), learned)


@torch.inference_mode(False)
def langevin(
    net: Network,
    model: Model,
    *,
    size: int | tuple[int, int] = 96,
    chains: int = 1,
    start: torch.Tensor | None = None,
    step: float = 0.1,
    temperature: float = 1.0,
    average: bool = True,
    **options: Any,
) -> Frame:
    """Langevin sampling (Langevin dynamics): draw pictures from a `model` whose weights stay as they are.
    Returns a Frame.

        I = mean + sigma A n,   n <- n + step (dU/dn - n) + sqrt(2 step temperature) Z,   Z standard normal

    A: 1 for "white"; a filter and a mixture of colours for "pink". In I this is the paper's step, with
    eps^2 / 2 = step times q's covariance, so that fine waves move as readily as coarse ones. The step is
    not infinitely
    short: where U is linear in n the variance is 1 / (1 - step / 2), exactly. A stationary model has no
    border: the picture is a torus, rolled by another random shift at each step.

    size, chains: as in `frame`. start: the `state` of another run.
    temperature: 1 for samples, 0 for plain ascent to a mode.
    options: steps (200), snapshots, seed, progress, as in `ascend`.

        >>> net, texture = vz.load("zfnet"), vz.background("gravel_grey", 64)
        >>> model = vz.frame(net, texture, layers="relu1", size=32, steps=2).model
        >>> vz.synthesis.langevin(net, model, size=(32, 48), chains=2, steps=2).image.shape
        torch.Size([2, 3, 32, 48])
    """
    model, step = model.to(net.device), _length(step)
    _positive("sigma", model.sigma)
    temperature = real(temperature, "temperature is 0 or more", lambda value: 0 <= value < math.inf)
    options = options_for_ascend(options, SETTLED, steps=200, seed=0)
    seed = options["seed"]
    canvas = Chains(model, size, chains, start=start, step=step, temperature=temperature, seed=seed)
    with average_pooling(average):
        result = _walk(net, model, canvas, options, {})
    return Frame(result.image, result.images, result.history, result.stopped, canvas.knobs.detach(), model)


def moment_error(means: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> float:
    """The relative error of moments: sqrt of the mean over layers of |mean - wanted|^2 / |wanted|^2, for two
    {layer: (K,)}. 0 is a match, 1 as wrong as silence.

        >>> vz.synthesis.moment_error({"relu1": torch.zeros(3)}, {"relu1": torch.ones(3)})
        1.0
    """
    errors = [
        float((means[n] - h).square().sum() / h.square().sum().clamp(min=1e-12)) for n, h in wanted.items()
    ]
    return (sum(errors) / len(errors)) ** 0.5


def _walk(net: Network, model: Model, canvas: Chains, options: dict[str, Any], seen: dict) -> Result:
    """The loop of the course, with a plain step up log p; `canvas` adds the noise. Writes the chains' mean
    responses into `seen`.
    """

    def tilt(a: dict[str, torch.Tensor]) -> torch.Tensor:
        seen.update({name: _mean(a[name].detach()).mean(0) for name in model.weights})
        parts = [(_mean(a[n]) @ w.detach()) * a[n][0, 0].numel() for n, w in model.weights.items()]
        return torch.stack(parts).sum(0)

    langevins = {
        "optimizer": lambda knobs, rate: torch.optim.SGD([knobs], rate),
        "rate": canvas.step,
        "penalties": [(1.0, lambda image: canvas.energy())],
        "jitter": {"roll": max(canvas.knobs.shape[-2:])},
    }
    return ascend(net, Objective(tuple(model.weights), tilt, "U"), canvas, **options | langevins)


def _mean(a: torch.Tensor) -> torch.Tensor:
    """The mean over positions: (N, K, h, w) -> (N, K)."""
    if a.dim() != 4:
        raise VizlibError(
            f"A texture's filters answer at a grid of positions; this layer gives {tuple(a.shape)}. Choose "
            "one like relu2."
        )
    return a.mean((2, 3))


def _positive(name: str, value: Any) -> float:
    return real(value, f"{name} is positive", lambda number: 0 < number < math.inf)


def _length(step: Any) -> float:
    rule = "step is between 0 and 2, beyond which a chain runs away"
    return real(step, rule, lambda number: 0 < number < 2)
