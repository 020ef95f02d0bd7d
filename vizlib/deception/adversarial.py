"""Adversarial examples: how little must change before a network changes its mind?  All in pixel units:
epsilon = 2 / 255.

Three attacks are one climb on the network's loss J inside a ball around the picture. They differ in how
`_climb` is called:

    fast gradient sign    steps=1,  rate=epsilon,  from the picture
    iterated (BIM)        more and shorter steps,  from the picture
    PGD                   more and shorter steps,  from random points of the ball
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from ..batching import Progress, batches, check_batch_size, select, whole
from ..deprecation import renamed
from ..errors import VizlibError
from ..layers import record
from ..layers.target import settle
from ..scalars import real, seeded
from ..synthesis import Objective, Result, ascend, objective
from ..synthesis.account import Account
from ..synthesis.steppers import Along
from .ball import Ball, Norm, scattered, steepest

if TYPE_CHECKING:
    from ..layers.target import Target
    from ..models.network import Network


@renamed(chunk="batch_size")
@torch.inference_mode(False)
def fgsm(
    net: Network,
    images: torch.Tensor,
    target: Target = None,
    *,
    epsilon: float,
    norm: Norm = "inf",
    targeted: bool = False,
    batch_size: int = 8,
) -> torch.Tensor:
    """The fast gradient sign method (FGSM): x' = clip(x + epsilon sign(dJ/dx)), (N, 3, H, W) in [0, 1]; with
    norm=2 the fast gradient method, x + epsilon g / ||g||_2.

    images: (N, 3, H, W) in [0, 1].
    target: what to lead away from: a class, a label, one per picture (J = -log p), or a vz.unit or function
    of the logits (J = -score); None is each picture's own top class, so that no label leaks into the attack.
    epsilon: the most that a value may change, black to white being 1 (so 2 / 255, and not in a network's
    normalized units); with norm=2 the Euclidean length of the whole change.
    targeted: lead towards the target.
    batch_size: pictures per pass.

    Raises VizlibError for pictures and targets that cannot be used, and for an epsilon below 0 or (8
    instead of 8 / 255) above 1.
    Goodfellow, Shlens & Szegedy 2015, "Explaining and Harnessing Adversarial Examples", section 4; targeted:
    Kurakin et al. 2016.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> lie = vz.fgsm(net, photo, "goldfish", epsilon=4 / 255)
        >>> net.predict(lie, 1)["label"] == ["goldfish"], round(255 * float((lie - photo).abs().max()))
        (False, 4)
    """
    images, target, epsilon = _settled(net, images, target, epsilon, norm, targeted)
    result = images.clone()
    for piece in batches(len(images), batch_size):
        goal = _loss(net, select(target, piece), targeted)
        run = _climb(net, goal, Ball(images[piece], epsilon, norm), 1, epsilon)
        if run.stopped:
            raise KeyboardInterrupt
        result[piece] = run.image
    return result


@renamed(chunk="batch_size")
@torch.inference_mode(False)
def pgd(
    net: Network,
    images: torch.Tensor,
    target: Target = None,
    *,
    epsilon: float,
    steps: int = 10,
    rate: float | None = None,
    norm: Norm = "inf",
    targeted: bool = False,
    starts: int = 1,
    seed: int = 0,
    batch_size: int = 8,
    progress: Progress | None = None,
) -> torch.Tensor:
    """Projected gradient descent (PGD): x <- P(x + rate sign(dJ/dx)), P the way back into the ball and into
    [0, 1]. (N, 3, H, W)

    Returns for each picture the point of largest loss among the ends of the runs and the point of `fgsm`,
    which makes it never the weaker attack of the two.

    images, target, epsilon, norm, targeted, batch_size: as in `fgsm`.
    steps, rate: of a run; None is 2.5 epsilon / steps, enough to cross the ball.
    starts: how many random points to run from, drawn from `seed`; 0 runs once, from the picture itself: the
    basic iterative method (BIM).
    progress: a function (done, total, preview) -> bool; when it returns False, or on an interrupt, the best
    so far comes back, and pictures that were not reached come back as they were.

    Raises VizlibError as `fgsm` does.
    Madry, Makelov, Schmidt, Tsipras & Vladu 2018, "Towards Deep Learning Models Resistant to Adversarial
    Attacks", section 2.1; from the picture itself: Kurakin, Goodfellow & Bengio 2016, "Adversarial examples
    in the physical world", section 2.2.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> net.predict(vz.pgd(net, photo, "goldfish", epsilon=2 / 255, steps=3), 1)["label"] == ["goldfish"]
        False
    """
    images, target, epsilon = _settled(net, images, target, epsilon, norm, targeted)
    steps, starts = whole(steps, "steps is a whole number"), whole(starts, "starts is a whole number", 0)
    rate = 2.5 * epsilon / steps if rate is None else rate
    rate = real(rate, "rate is the length of a step in pixel units, 0 or more", lambda value: value >= 0)
    batch_size, generator = check_batch_size(batch_size), seeded(seed)
    begin = [scattered(images, epsilon, norm, generator) for _ in range(starts)] or [images]
    account = Account(progress, steps * len(begin) * -(-len(images) // batch_size))
    result = images.clone()
    for piece in batches(len(images), batch_size):
        goal, x = _loss(net, select(target, piece), targeted), images[piece]
        run = _climb(net, goal, Ball(x, epsilon, norm), 1, epsilon)
        result[piece] = run.image
        for start in begin:
            if run.stopped or account.refused:
                return result
            run = _climb(net, goal, Ball(x, epsilon, norm, start[piece]), steps, rate, account.run())
            result[piece] = _worse(net, goal, result[piece], run.image)
        if run.stopped or account.refused:
            return result
    return result


def _settled(
    net: Network, images: torch.Tensor, target: Target, epsilon: float, norm: Norm, targeted: bool
) -> tuple[torch.Tensor, Any, float]:
    """As `settle`, after a look at what all attacks share. None becomes each picture's top class."""
    if norm not in ("inf", 2):
        raise VizlibError(
            'norm is "inf" (the largest change of a value) or 2 (the Euclidean length of the change); '
            f"this is {norm!r}."
        )
    epsilon = real(epsilon, "epsilon is a number, 0 or more", lambda value: value >= 0)
    if norm == "inf" and epsilon > 1:
        raise VizlibError(
            f"epsilon is in pixel units, where black is 0 and white is 1; this is {epsilon:g}. Divide it: "
            f"{epsilon:g} / 255."
        )
    if targeted and target is None:
        raise VizlibError(
            "A targeted attack needs a target: the class, one per picture, or the score to lead towards."
        )
    images, target = settle(net, images, target)
    return images.detach().clamp(0, 1), target, epsilon


def _loss(net: Network, target: Any, targeted: bool) -> Objective:
    """What an attack climbs, for each picture: J = -log p of the class, or minus any other score; its
    negative when targeted.
    """
    sign = -1.0 if targeted else 1.0
    if not isinstance(target, torch.Tensor):
        return -sign * objective(net, target)

    def read(a: dict[str, torch.Tensor]) -> torch.Tensor:
        return -sign * net.log_probabilities(a["logits"]).gather(1, target[:, None])[:, 0]

    return Objective(("logits",), read, "loss")


def _climb(
    net: Network, goal: Objective, ball: Ball, steps: int, rate: float, progress: Progress | None = None
) -> Result:
    def optimizer(knobs: torch.Tensor, rate: float) -> Along:
        return Along(knobs, rate, lambda g, rate: steepest(g, rate, ball.norm))

    return ascend(
        net, goal, ball, steps=steps, rate=rate, optimizer=optimizer, snapshots=0, progress=progress
    )


def _worse(net: Network, goal: Objective, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Of two versions of each picture the one with the larger loss."""
    losses = [goal.read(record(net, x, goal.layers)) for x in (a, b)]
    return torch.where((losses[1] > losses[0]).view(-1, 1, 1, 1), b, a)
