"""Which pictures share a code?  Inverting a representation by optimization (Mahendran & Vedaldi 2015)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from ..batching import whole
from ..errors import VizlibError
from ..scalars import real
from .account import Account
from .ascent import Result, ascend, options_for_ascend
from .canvas import Canvas, Fourier, Pixels, noise
from .objectives import Objective, same_code
from .priors import alpha_norm, total_variation

if TYPE_CHECKING:
    from ..models.network import Network

# of a value around its mean, in [0, 1]: 0.270, from the norm of the paper's pictures
SPREAD = 27098.1157 / 255 / (3 * 227 * 227) ** 0.5
# the weight of the alpha-norm, printed for 227 x 227, by the square of the number of values
ALPHA = 2.157e8 / (3 * 227 * 227) ** 2
STAGES = (
    (1.0, 0.25),
    (0.1, 0.5),
    (0.01, 0.25),
)  # the paper's schedule: parts of the rate, for parts of the steps
METHODS = ("fourier", "paper")


@torch.inference_mode(False)
def invert(
    net: Network,
    images: torch.Tensor,
    *,
    layer: str,
    method: str = "fourier",
    restarts: int = 1,
    smoothness: float | None = None,
    beta: float = 2.0,
    grey: bool = False,
    **options: Any,
) -> Result:
    """Feature inversion (inverting a representation, pre-images): pictures that have the same code as
    `images`, made from noise. Returns a Result; .image is (N * restarts, 3, H, W).

        loss = ||phi(x) - phi_0||^2 / ||phi_0||^2 + smoothness * TV^beta(x / sigma) [ + ALPHA (3HW)^2 sum |x
        / sigma|^6 ]

    phi: the activations of `layer`; phi_0: those of the picture. sigma = SPREAD sqrt(3 H W) is the usual
    norm of a picture minus mid-grey: x / sigma has a norm of about 1, and the weights mean the same on
    every layer. TV^beta: sum of (dx^2 + dy^2)^(beta / 2) over pixels and colours.

    method: "fourier", a Fourier canvas (its sigmoid bounds the values), by default 200 steps of Adam at a
    rate of 0.05; or "paper", pixels, gradient descent with momentum 0.9 in three stages (rate x 1, 0.1,
    0.01 for 1/4, 1/2, 1/4 of the steps, 400), the momentum forgotten in between, rate 0.004 sigma^2; the
    alpha-norm keeps values bounded; what leaves [0, 1] is clipped in the end.
    smoothness: the paper's weight of TV; default: `paper_smoothness` for "paper", 0.2 for "fourier".
    restarts: start so many times, as one batch, from the seeds seed, seed + 1, ...; the restarts of the first
    picture come first.
    grey: paint with one brightness, for networks such as `hog` that see no colours (and leave them to
    chance).
    options: of `ascend`; penalties come on top. history holds minus the first term. An interrupt, or progress
    returning False, keeps the picture so far.

    Raises VizlibError for an unknown layer or method, pictures that are none, and a code of zeros.
    Mahendran & Vedaldi 2015, "Understanding Deep Image Representations by Inverting Them", section 3;
    constants from their code.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.invert(net, photo, layer="conv3", restarts=2, steps=2).image.shape
        torch.Size([2, 3, 64, 64])
    """
    images = net.check(images)
    if method not in METHODS:
        raise VizlibError(f"method is one of {', '.join(METHODS)}; this is {method!r}.")
    beta = real(beta, "beta is positive", lambda value: value > 0)
    paper, sigma = method == "paper", SPREAD * images[0].numel() ** 0.5
    options = options_for_ascend(
        {name: value for name, value in options.items() if value is not None},
        ["optimizer"] if paper else [],
        steps=400 if paper else 200,
        rate=0.004 * sigma**2 if paper else 0.05,
        seed=0,
    )
    restarts = whole(restarts, "restarts is a whole number")
    options["steps"] = whole(options["steps"], "steps is a whole number")
    goal = same_code(net, images.repeat_interleave(restarts, 0), layer)
    if smoothness is None:
        smoothness = paper_smoothness(net, layer) if paper else 0.2
    smoothness = real(smoothness, "smoothness is a weight, 0 or more", lambda value: value >= 0)
    penalties = [(3 * smoothness / sigma**beta, lambda x: total_variation(x, beta))] * (smoothness > 0)
    if paper:
        penalties.append((ALPHA * images[0].numel() ** 2 / sigma**6, alpha_norm))
    options["penalties"] = [*penalties, *options.get("penalties", ())]
    canvas = _start(images, restarts, options["seed"], paper, grey)
    return _descend(net, goal, canvas, options) if paper else ascend(net, goal, canvas, **options)


def paper_smoothness(net: Network, layer: str) -> float:
    """The paper's weight of total variation: 0.5 in the first third of the layers, 5 in the second, 50 in
    the last.

    The paper: 0.5 up to relu2, 5 up to relu4, 50 from conv5 on, which are the thirds of `zfnet`; 0.5 for
    HOG and
    dense SIFT, where it has to be said: smoothness=0.5.
    Raises VizlibError for a layer that is not in net.layers.

        >>> vz.synthesis.paper_smoothness(vz.load("zfnet"), "conv5")
        50.0
    """
    names = [n for n in net.layers["name"] if n in (layer, net.layer(layer).name)]
    if not names:
        raise VizlibError(
            f"{layer!r} is not one of net.layers, so its depth is not known: pass smoothness=0.5 (early) to "
            "50 (late)."
        )
    rank, count = net.layers["name"].index(names[0]) + 1, len(net.layers)
    return 0.5 if 3 * rank <= count else 5.0 if 3 * rank <= 2 * count else 50.0


def _start(images: torch.Tensor, restarts: int, seed: int, paper: bool, grey: bool) -> Canvas:
    """A canvas of N * restarts pictures; those of restart r are the ones that seed + r alone would give."""
    where: dict[str, Any] = {
        "size": tuple(images.shape[-2:]),
        "count": len(images),
        "device": images.device,
    }
    if paper:
        starts = [noise(seed=seed + r, spread=SPREAD, **where) for r in range(restarts)]
        pixels = torch.stack(starts, 1).flatten(0, 1)
        return Pixels(pixels[:, :1].expand_as(pixels) if grey else pixels, clip=False)
    canvases = [Fourier(seed=seed + r, colours="grey" if grey else True, **where) for r in range(restarts)]
    canvases[0].knobs = torch.stack([c.knobs.detach() for c in canvases], 1).flatten(0, 1).requires_grad_()
    return canvases[0]


def _descend(net: Network, goal: Objective, canvas: Canvas, options: dict[str, Any]) -> Result:
    """The paper's stages, one `ascend` each, so that each begins without momentum. One Result for all of
    them.
    """
    counts = [max(1, round(share * options["steps"])) for _, share in STAGES]
    account, snapshots = Account(options.get("progress"), sum(counts)), options.get("snapshots", 8)
    parts: list[Result] = []
    for (factor, _), count in zip(STAGES, counts, strict=True):
        of_stage = {
            "steps": count,
            "rate": options["rate"] * factor,
            "snapshots": max(1, round(snapshots * count / sum(counts))) if snapshots else 0,
            "progress": account.run(),
        }
        parts.append(ascend(net, goal, canvas, optimizer="sgd", **options | of_stage))
        if parts[-1].stopped or account.refused:
            break
    history = [value for part in parts for value in part.history]
    images = torch.cat([part.images for part in parts])
    return Result(parts[-1].image, images, history, stopped=len(history) < sum(counts))
