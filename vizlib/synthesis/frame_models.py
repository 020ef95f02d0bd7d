"""FRAME: the most random pictures whose filters answer as they do to a texture (Zhu, Wu & Mumford 1998; Lu,
Zhu & Wu 2015).
"""

from dataclasses import dataclass

import torch

from ..errors import VizlibError
from ..images.check import check_images
from ..layers import record
from ..layers.pooling import average_pooling
from .ascent import Result, ascend
from .canvas import COLOURS
from .objectives import Objective
from .style import style_layers_of

REFERENCES = ("pink", "white")


@dataclass(frozen=True)
class Model:
    """p(I) = exp(sum_k w_k sum_x F_k(x)) q(I) / Z.  weights: {layer: w (K,)}. mean (1, 3, 1, 1), sigma and
    reference say what q is.
    """

    weights: dict
    mean: torch.Tensor
    sigma: float
    reference: str


@dataclass
class Frame(Result):
    """A Result, and what to go on from. state: the white noise n (N, 3, H, W) that the pictures are made of.
        model: learned, or used.
    history: before each step, the relative error of the moments (of `frame`) or the tilt U (of
        `langevin`)."""

    state: torch.Tensor = None
    model: Model = None


def frame(
    net,
    texture,
    *,
    layers=None,
    size=96,
    chains=1,
    steps=400,
    rate=None,
    sigma=0.05,
    reference="pink",
    step=0.1,
    average=True,
    snapshots=8,
    seed=0,
    progress=None,
):
    """Learn a FRAME model of a texture and draw pictures from it. Returns a Frame.

        p(I) = 1/Z exp(U(I)) q(I),   U(I) = sum_k w_k sum_x F_k(x)
        I <- I + eps^2 / 2 d(log p)/dI + eps noise                      a Langevin step of every chain
        w_k <- w_k + rate * (mean F_k of the texture - mean F_k of the chains)    in the units of Adam; the
            slope of log p(texture) in w

    Of all distributions with these mean responses p is the one closest to q. F_k: channel k of one of
        `layers`, k runs over all of them;
    default: the first four style layers of `style_layers_of`. q: noise of standard deviation sigma around the
        texture's mean colour,
    "white" (the paper's) or "pink": amplitudes 1 / frequency up to waves of 16 pixels, colours as in natural
        pictures. See `langevin` for
    `step` (eps^2 / 2 in units of q's variance) and for the border.

    texture: (M, 3, h, w), one or several, of any size. size: side, or (height, width), of the pictures;
        chains: how many, run side by side.
    rate: of the weights, falls to a twentieth of it on the way; default: 25e-6 / sigma^2, for "white" ten
        times that.
    average: mean instead of max-pooling, as in `style_transfer`. history: root of the mean over layers of
        |mean F - target|^2 / |target|^2.
    progress(done, total, preview), an interrupt, snapshots: as in `ascend`. Raises VizlibError for what is no
        texture, layer or number,
    and where the weights grow until nothing is finite.
    Lu, Zhu & Wu 2015, "Learning FRAME Models Using CNN Filters", sections on the stationary model and on
        learning.
    """
    texture = check_images(texture)
    layers = [layers] if isinstance(layers, str) else list(layers or style_layers_of(net)[1][:4])
    _check(sigma=sigma, step=step, rate=1 if rate is None else rate)
    rate = (25e-6 if reference == "pink" else 25e-5) / sigma**2 if rate is None else rate
    with average_pooling(average):
        wanted = {name: _mean(a).mean(0) for name, a in record(net, texture, layers).items()}
        model = Model(
            {n: torch.zeros_like(h) for n, h in wanted.items()},
            texture.mean((0, 2, 3)).view(1, 3, 1, 1),
            sigma,
            reference,
        )
        canvas, seen, errors = Chains(model, size, chains, step=step, seed=seed), {}, []
        adam = torch.optim.Adam(model.weights.values(), rate, betas=(0.9, 0.99), maximize=True)
        slower = torch.optim.lr_scheduler.ExponentialLR(adam, 0.05 ** (1 / max(1, steps)))

        def learn(done, total, preview):
            errors.append(moment_error(seen, wanted))
            for name, w in model.weights.items():
                w.grad = wanted[name] - seen[name]
            adam.step()
            slower.step()
            return progress is None or progress(done, total, preview)

        result = _walk(net, model, canvas, steps, snapshots, seed, learn, seen)
    weights = {name: w.detach().clone() for name, w in model.weights.items()}
    model = Model(weights, model.mean, sigma, reference)
    return Frame(result.image, result.images, errors, result.stopped, canvas.knobs.detach(), model)


def langevin(
    net,
    model,
    *,
    size=96,
    chains=1,
    start=None,
    steps=200,
    step=0.1,
    temperature=1.0,
    average=True,
    snapshots=8,
    seed=0,
    progress=None,
):
    """Draw pictures from a `model` whose weights stay as they are. Returns a Frame.

        I = mean + sigma A n,   n <- n + step (dU/dn - n) + sqrt(2 step temperature) Z,   Z standard normal

    A: 1 for "white"; a filter and a mixture of colours for "pink". In I this is the paper's step, with eps^2
        / 2 = step times q's
    covariance, so that fine waves move as readily as coarse ones. The step is not infinitely short: where U
        is linear in n the variance is
    1 / (1 - step / 2), exactly. temperature: 1 for samples, 0 for plain ascent to a mode. start: the `state`
        of another run.
    A stationary model has no border: the picture is a torus, rolled by another random shift at each step.
    """
    _check(sigma=model.sigma, step=step)
    if not (isinstance(temperature, (int, float)) and temperature >= 0):
        raise VizlibError(f"temperature is 0 or more; this is {temperature!r}.")
    canvas = Chains(model, size, chains, start=start, step=step, temperature=temperature, seed=seed)
    with average_pooling(average):
        result = _walk(net, model, canvas, steps, snapshots, seed, progress, {})
    return Frame(result.image, result.images, result.history, result.stopped, canvas.knobs.detach(), model)


def moment_error(means, wanted):
    """sqrt of the mean over layers of |mean - wanted|^2 / |wanted|^2, for two {layer: (K,)}: 0 is a match, 1
    as wrong as silence.
    """
    errors = [
        float((means[n] - h).square().sum() / h.square().sum().clamp(min=1e-12)) for n, h in wanted.items()
    ]
    return (sum(errors) / len(errors)) ** 0.5


class Chains:
    """A canvas whose knobs are white noise n; what comes out is a picture mean + sigma A n; after each step
    the knobs tremble.
    """

    def __init__(self, model, size, count, *, start=None, step=0.1, temperature=1.0, seed=0):
        height, width = (size, size) if isinstance(size, int) else size
        if start is not None:
            height, width = start.shape[-2:]
        if not (isinstance(count, int) and count > 0 and min(height, width) >= 16):
            raise VizlibError(
                f"There is one chain or more, of 16 pixels a side or more; this is chains={count!r}, "
                f"size={size!r}."
            )
        self.generator = torch.Generator().manual_seed(seed)
        first = (
            torch.randn(count, 3, height, width, generator=self.generator) if start is None else start.clone()
        )
        self.knobs, self.spread, self.colour = (
            first.requires_grad_(),
            (2 * step * temperature) ** 0.5,
            _reference(model, height, width),
        )
        self.step, self.mean = step, model.mean

    def image(self):
        """(N, 3, H, W), differentiable; a little outside [0, 1] here and there."""
        return self.mean + self.colour(self.knobs)

    def energy(self):
        """-log q up to a constant: half the squared length of n, (N,)."""
        return 0.5 * self.knobs.square().flatten(1).sum(1)

    def settle(self):
        """After a step uphill: the noise of the Langevin step."""
        with torch.no_grad():
            self.knobs += self.spread * torch.randn(self.knobs.shape, generator=self.generator)


def _reference(model, height, width):
    """n -> sigma A n. Of "pink", the variance, mean over colours, is sigma^2 too."""
    if model.reference not in REFERENCES:
        raise VizlibError(f"reference is one of {', '.join(REFERENCES)}; this is {model.reference!r}.")
    if model.reference == "white":
        return lambda n: model.sigma * n
    fy, fx = torch.fft.fftfreq(height)[:, None], torch.fft.fftfreq(width)[None]
    falloff = 1 / (fy**2 + fx**2).sqrt().clamp(min=1 / 16)
    falloff = (falloff / falloff.square().mean().sqrt())[:, : width // 2 + 1]
    mix = model.sigma * COLOURS / COLOURS.square().sum(1).mean().sqrt()
    return lambda n: torch.einsum(
        "rc,nchw->nrhw", mix, torch.fft.irfft2(torch.fft.rfft2(n) * falloff, s=(height, width))
    )


def _walk(net, model, canvas, steps, snapshots, seed, progress, seen):
    """The loop of the course, with a plain step up log p; `canvas` adds the noise. Writes the chains' mean
    responses into `seen`.
    """

    def read(a):
        seen.update({name: _mean(a[name].detach()).mean(0) for name in model.weights})
        return sum((_mean(a[name]) @ w.detach()) * a[name][0, 0].numel() for name, w in model.weights.items())

    goal = Objective(tuple(model.weights), read, "U")
    anywhere = {"roll": max(canvas.knobs.shape[-2:])}
    reference, uphill = (
        (1.0, lambda image: canvas.energy()),
        lambda knobs, rate: torch.optim.SGD([knobs], rate),
    )
    return ascend(
        net,
        goal,
        canvas,
        steps=steps,
        optimizer=uphill,
        rate=canvas.step,
        penalties=[reference],
        jitter=anywhere,
        snapshots=snapshots,
        seed=seed,
        progress=progress,
    )


def _mean(a):
    """The mean over positions: (N, K, h, w) -> (N, K)."""
    if a.dim() != 4:
        raise VizlibError(
            f"A texture's filters answer at a grid of positions; this layer gives {tuple(a.shape)}. Choose "
            "one like relu2."
        )
    return a.mean((2, 3))


def _check(**numbers):
    for name, value in numbers.items():
        if not (isinstance(value, (int, float)) and value > 0) or name == "step" and value >= 2:
            bound = "between 0 and 2, beyond which a chain runs away" if name == "step" else "positive"
            raise VizlibError(f"{name} is {bound}; this is {value!r}.")
