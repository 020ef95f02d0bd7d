"""The first adversarial examples (Szegedy et al. 2013): L-BFGS with bounds asks for the smallest change,
instead of the largest loss.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..batching import Progress, goes_on, whole
from ..errors import VizlibError
from ..layers.target import settle
from ..scalars import real

if TYPE_CHECKING:
    from ..layers.target import Target
    from ..models.network import Network


@torch.inference_mode(False)
def lbfgs_attack(
    net: Network,
    images: torch.Tensor,
    target: Target,
    *,
    weight: float = 1.0,
    searches: int = 8,
    steps: int = 20,
    progress: Progress | None = None,
) -> torch.Tensor:
    """The box-constrained L-BFGS attack, the smallest change that makes a picture `target`: min over r of
    c ||r||_2^2 - log p_target(x + r), x + r in [0, 1]. (N, 3, H, W)

    SciPy's L-BFGS with bounds finds the minimum for a given c, in `steps` iterations, in double precision
    on the CPU; the network computes where it is. The larger c, the smaller the change, until it fails: c
    starts at `weight`, moves by factors of ten until it has both succeeded and failed, then halves the gap
    (in logarithms), `searches` values in all. Returns the smallest success of each picture; a picture
    without one comes back as it was.

    images: (N, 3, H, W) in [0, 1].
    target: classes or labels.
    progress: as in `pgd`, after every c.

    Raises VizlibError for pictures, targets and numbers that cannot be used.
    Szegedy, Zaremba, Sutskever, Bruna, Erhan, Goodfellow & Fergus 2013, "Intriguing properties of neural
    networks", section 4.1. Which norm |r| is, and the search for c, are left open there; ours are the squared
    Euclidean one, which has a slope everywhere, and the above.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> net.predict(vz.lbfgs_attack(net, photo, "teapot", searches=3, steps=5), 1)["label"]
        ['teapot']
    """
    rule = "weight, searches and steps are above 0"
    weight = real(weight, rule, lambda value: 0 < value < math.inf)
    searches, steps = whole(searches, f"{rule}; a count is"), whole(steps, f"{rule}; a count is")
    if target is None:
        raise VizlibError("lbfgs_attack leads towards a class: give its index or label.")
    images, target = settle(net, images, target)
    if not isinstance(target, torch.Tensor):
        raise VizlibError("lbfgs_attack leads towards a class: give its index or label.")
    images = images.detach().clamp(0, 1)
    result, smallest = images.clone(), [math.inf] * len(images)
    try:
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
                done, total = i * searches + search + 1, len(images) * searches
                if not goes_on(progress, done, total, result[i : i + 1]):
                    return result
    except KeyboardInterrupt:
        pass
    return result


def _is(net: Network, image: torch.Tensor, k: torch.Tensor) -> bool:
    with torch.no_grad():
        return bool(net(image).argmax(1) == k)


def _least(net: Network, x: torch.Tensor, target: torch.Tensor, c: float, steps: int) -> torch.Tensor:
    """The x + r where L-BFGS ends: (1, 3, H, W) in [0, 1]."""

    def on_the_device(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values).float().view(x.shape).to(x.device)

    def value_and_slope(r: np.ndarray) -> tuple[float, np.ndarray]:
        change = on_the_device(r).requires_grad_()
        with torch.enable_grad():
            log_p = net.log_probabilities(net(x + change))[0, target[0]]
            value = c * change.square().sum() - log_p
        (slope,) = torch.autograd.grad(value, change)
        return float(value.detach()), slope.cpu().double().flatten().numpy()

    flat = x.cpu().double().flatten().numpy()
    from scipy.optimize import Bounds, minimize  # here: it takes long to import

    found = minimize(
        value_and_slope,
        np.zeros_like(flat),
        jac=True,
        method="L-BFGS-B",
        bounds=Bounds(-flat, 1 - flat),
        options={"maxiter": steps},
    )
    return (x + on_the_device(found.x)).clamp(0, 1)
