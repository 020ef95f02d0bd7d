"""Adversarial examples: how little must change before a network changes its mind?  All in pixel units:
epsilon = 2 / 255.

Three attacks are one climb on the network's loss J inside a ball around the picture. They differ in how
`_climb` is called:

    fast gradient sign    steps=1,  rate=epsilon,  from the picture
    iterated (BIM)        more and shorter steps,  from the picture
    PGD                   more and shorter steps,  from random points of the ball

The fourth came first: L-BFGS with bounds asks for the smallest change instead of the largest loss.
"""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import Bounds, minimize

from ..batching import batches, check_batch_size, goes_on, select
from ..errors import VizlibError
from ..layers import record
from ..layers.target import settle
from ..synthesis import Objective, ascend, objective
from .ball import Ball, Steepest, scattered


def fgsm(net, images, target=None, *, epsilon, norm="inf", targeted=False, batch_size=8):
    """The fast gradient sign method: x' = clip(x + epsilon sign(dJ/dx)), (N, 3, H, W) in [0, 1]; with norm=2,
    x + epsilon g / ||g||_2.

    images: (N, 3, H, W) in [0, 1]. target: what to lead away from: a class, a label, one per picture (J =
        -log p), or a vz.unit or function
    of the logits (J = -score); None is each picture's own top class, so that no label leaks into the attack.
        targeted: lead towards it.
    epsilon: the most that a value may change, black to white being 1 (so 2 / 255, and not in a network's
        normalized units); with norm=2 the
    Euclidean length of the whole change. batch_size: pictures per pass.
    Raises VizlibError for pictures and targets that cannot be used, and for an epsilon below 0 or (8 instead
        of 8 / 255) above 1.
    Goodfellow, Shlens & Szegedy 2015, "Explaining and Harnessing Adversarial Examples", section 4; targeted:
        Kurakin et al. 2016.
    """
    images, target = _settled(net, images, target, epsilon, norm, targeted)
    result = images.clone()
    for piece in batches(len(images), batch_size):
        result[piece] = _climb(
            net, _loss(net, select(target, piece), targeted), Ball(images[piece], epsilon, norm), 1, epsilon
        ).image
    return result


def pgd(
    net,
    images,
    target=None,
    *,
    epsilon,
    steps=10,
    rate=None,
    norm="inf",
    targeted=False,
    starts=1,
    seed=0,
    batch_size=8,
    progress=None,
):
    """Projected gradient descent: x <- P(x + rate sign(dJ/dx)), P the way back into the ball and into [0, 1].
    (N, 3, H, W)

    Returns for each picture the point of largest loss among the ends of the runs and the point of `fgsm`,
        which makes it never the weaker
    attack of the two. steps, rate: of a run; None is 2.5 epsilon / steps, enough to cross the ball. starts:
        how many random points to run
    from, drawn from `seed`; 0 runs once, from the picture itself: the basic iterative method. Other arguments
        and errors as in `fgsm`.
    progress: a function (done, total, preview) -> bool; when it returns False, or on an interrupt, the best
        so far comes back, and pictures
    that were not reached come back as they were.
    Madry, Makelov, Schmidt, Tsipras & Vladu 2018, "Towards Deep Learning Models Resistant to Adversarial
        Attacks", section 2.1;
    from the picture itself: Kurakin, Goodfellow & Bengio 2016, "Adversarial examples in the physical world",
        section 2.2.
    """
    images, target = _settled(net, images, target, epsilon, norm, targeted)
    for name, value, least in (("steps", steps, 1), ("starts", starts, 0)):
        if not (isinstance(value, int) and value >= least):
            raise VizlibError(f"{name} is a whole number, {least} or more; this is {value!r}.")
    rate = 2.5 * epsilon / steps if rate is None else rate
    if not rate >= 0:
        raise VizlibError(f"rate is the length of a step in pixel units, 0 or more; this is {rate!r}.")
    check_batch_size(batch_size)
    generator = torch.Generator().manual_seed(seed)
    begin = [scattered(images, epsilon, norm, generator) for _ in range(starts)] or [images]
    result, done, total = images.clone(), 0, steps * len(begin) * -(-len(images) // batch_size)
    for piece in batches(len(images), batch_size):
        goal, x = _loss(net, select(target, piece), targeted), images[piece]
        result[piece] = _climb(net, goal, Ball(x, epsilon, norm), 1, epsilon).image
        for start in begin:
            told = progress and (lambda i, _, preview, done=done: progress(done + i, total, preview))
            run = _climb(net, goal, Ball(x, epsilon, norm, start[piece]), steps, rate, told)
            result[piece], done = _worse(net, goal, result[piece], run.image), done + steps
            if run.stopped:
                return result
    return result


def lbfgs_attack(net, images, target, *, weight=1.0, searches=8, steps=20, progress=None):
    """The smallest change that makes a picture `target`: min over r of c ||r||_2^2 - log p_target(x + r), x +
    r in [0, 1]. (N, 3, H, W)

    SciPy's L-BFGS with bounds finds the minimum for a given c, in `steps` iterations. The larger c, the
        smaller the change, until it fails:
    c starts at `weight`, moves by factors of ten until it has both succeeded and failed, then halves the gap
        (in logarithms), `searches`
    values in all. Returns the smallest success of each picture; a picture without one comes back as it was.
        target: classes or labels.
    progress: as in `pgd`, after every c. Raises VizlibError for pictures, targets and numbers that cannot be
        used.
    Szegedy, Zaremba, Sutskever, Bruna, Erhan, Goodfellow & Fergus 2013, "Intriguing properties of neural
        networks", section 4.1. Which
    norm |r| is, and the search for c, are left open there; ours are the squared Euclidean one, which has a
        slope everywhere, and the above.
    """
    images, target = _settled(net, images, target, 0, "inf", targeted=True)
    if not isinstance(target, torch.Tensor):
        raise VizlibError("lbfgs_attack leads towards a class: give its index or label.")
    if not (weight > 0 and all(isinstance(n, int) and n > 0 for n in (searches, steps))):
        raise VizlibError(
            f"weight, searches and steps are above 0; these are {weight!r}, {searches!r} and {steps!r}."
        )
    result, smallest = images.clone(), [float("inf")] * len(images)
    for i, k in enumerate(target):
        x, c, works, fails = images[i : i + 1], weight, None, None
        for search in range(searches):
            found = _least(net, x, k[None], c, steps)
            size = float((found - x).norm())
            if not _is(net, found, k):
                fails = c
            else:
                works = c
                if size < smallest[i]:
                    result[i], smallest[i] = found[0], size
            c = (works * fails) ** 0.5 if works and fails else 10 * c if works else c / 10
            if not goes_on(progress, i * searches + search + 1, len(images) * searches, result[i : i + 1]):
                return result
    return result


def _settled(net, images, target, epsilon, norm, targeted):
    """As `settle`, after a look at what all attacks share. None becomes each picture's top class."""
    if norm not in ("inf", 2):
        raise VizlibError(
            'norm is "inf" (the largest change of a value) or 2 (the Euclidean length of the change); '
            f"this is {norm!r}."
        )
    if not (isinstance(epsilon, (int, float)) and epsilon >= 0):
        raise VizlibError(f"epsilon is a number, 0 or more; this is {epsilon!r}.")
    if norm == "inf" and epsilon > 1:
        raise VizlibError(
            f"epsilon is in pixel units, where black is 0 and white is 1; this is {epsilon}. Divide it: "
            f"{epsilon} / 255."
        )
    if targeted and target is None:
        raise VizlibError(
            "A targeted attack needs a target: the class, one per picture, or the score to lead towards."
        )
    images, target = settle(net, images, target)
    return images.detach().clamp(0, 1), target


def _loss(net, target, targeted):
    """What an attack climbs, for each picture: J = -log p of the class, or minus any other score; its
    negative when targeted.
    """
    sign = -1 if targeted else 1
    if isinstance(target, torch.Tensor):
        return Objective(
            ("logits",), lambda a: sign * F.cross_entropy(a["logits"], target, reduction="none"), "loss"
        )
    return -sign * objective(net, target)


def _climb(net, goal, ball, steps, rate, progress=None):
    stepper = lambda knobs, rate: Steepest(knobs, rate, ball.norm)  # noqa: E731
    return ascend(net, goal, ball, steps=steps, rate=rate, optimizer=stepper, snapshots=0, progress=progress)


def _worse(net, goal, a, b):
    """Of two versions of each picture the one with the larger loss."""
    losses = [goal.read(record(net, x, goal.layers)) for x in (a, b)]
    return torch.where((losses[1] > losses[0]).view(-1, 1, 1, 1), b, a)


def _is(net, image, k):
    with torch.no_grad():
        return bool(net(image).argmax(1) == k)


def _least(net, x, target, c, steps):
    """The x + r where L-BFGS ends: (1, 3, H, W) in [0, 1]."""

    def value_and_slope(r):
        r = torch.from_numpy(r).float().view_as(x).requires_grad_()
        with torch.enable_grad():
            value = c * r.square().sum() + F.cross_entropy(net(x + r), target)
        (slope,) = torch.autograd.grad(value, r)
        return float(value.detach()), slope.double().flatten().numpy()

    flat = x.double().flatten().numpy()
    found = minimize(
        value_and_slope,
        np.zeros_like(flat),
        jac=True,
        method="L-BFGS-B",
        bounds=Bounds(-flat, 1 - flat),
        options={"maxiter": steps},
    )
    return (x + torch.from_numpy(found.x).float().view_as(x)).clamp(0, 1)
