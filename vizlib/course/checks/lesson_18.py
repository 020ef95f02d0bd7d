"""Checks of the exercises of notebook 18, object detectors."""

from collections.abc import Callable

import torch

from ...images import collages
from ...models.network import Network
from .verdict import NotYet, drawn, exercise, network, number


@exercise("18.1")
def overlap(answer: Callable) -> None:
    """answer(M, L) -> intersection over union of two masks (N, H, W), 0 where both are empty."""
    M, L = torch.zeros(2, 4, 4, dtype=torch.bool), torch.zeros(2, 4, 4, dtype=torch.bool)
    M[0, 1:3, 1:3] = L[0, 1, 1:4] = L[1, 2, 3] = True  # 4 and 4 pixels, 2 in common
    seen = number(answer(M.clone(), L.clone()))
    for wrong, hint in (
        (2 / 8, "the pixels in common are counted twice below the line; the union counts them once."),
        (2 / 4, "this divides by the area of one mask; the union holds both."),
        (1 / 5, "this is the mean over the pictures; count all pixels of all pictures together."),
        (2 / 5, "the second picture has a pixel too, and it counts against the overlap."),
    ):
        if abs(seen - wrong) < 1e-4:
            raise NotYet(hint)
    if not abs(seen - 1 / 3) < 1e-3:
        raise NotYet(f"two masks of 4 pixels with 2 in common have 2/6; yours says {seen:.3f}.")
    empty = torch.zeros(1, 3, 3, dtype=torch.bool)
    if (torch.as_tensor(answer(empty, empty.clone())) != 0).any():  # NaN is not 0 either
        raise NotYet("for two empty masks the answer should be 0.")


@exercise("18.2")
def strong_cells(answer: Callable) -> None:
    """answer(maps, top) -> bool (N, K, h, w): per unit the `top` share of all its cells in all pictures."""
    maps = drawn(4, 3, 4, 4) * torch.tensor([1.0, 5.0, 0.2]).view(1, 3, 1, 1) + drawn(4, 3, 1, 1, seed=1)
    seen = answer(maps.clone(), 0.25)
    if not isinstance(seen, torch.Tensor) or seen.dtype != torch.bool or seen.shape != maps.shape:
        what = (
            f"{seen.dtype} of {tuple(seen.shape)}" if isinstance(seen, torch.Tensor) else type(seen).__name__
        )
        raise NotYet(
            f"the answer should be a bool tensor of the shape of the maps, {tuple(maps.shape)}; yours is "
            f"{what}."
        )
    rows = maps.transpose(0, 1).flatten(1)
    expected = maps >= rows.sort(dim=1, descending=True).values[:, 15].view(1, 3, 1, 1)
    share = seen.transpose(0, 1).flatten(1).float().mean(1)
    if torch.equal(seen, maps >= maps.flatten(2).sort(dim=2, descending=True).values[:, :, 3, None, None]):
        raise NotYet(
            "each picture has a quarter of strong cells; the threshold is one per unit, for all pictures "
            "together."
        )
    if torch.equal(seen, maps >= maps.flatten().sort(descending=True).values[47]):
        raise NotYet("this is one threshold for all units; each has its own.")
    if not torch.equal(seen, expected):
        shares = ", ".join(f"{s:.2f}" for s in share.tolist())
        raise NotYet(
            "a quarter of each unit's cells should be strong, the highest ones; in yours the shares are "
            f"{shares}."
        )


@exercise("18.3")
def pieces_that_stay(answer: Callable) -> None:
    """answer(net, image, pieces, k, grey) -> the numbers of the pieces of the minimal image."""
    net, made = network("scenenet"), collages(2, seed=(18, 3))
    third = torch.arange(96) // 32
    pieces = 3 * third[:, None] + third
    for image in made.images.split(1):
        k = int(net(image).argmax())
        given = image.clone()
        seen = answer(net, given, pieces.clone(), k, 0.5)
        if not torch.equal(given, image):
            raise NotYet(
                "your function has painted on the picture that it was given; torch.where makes a new one."
            )
        try:
            seen = {int(s) for s in seen}
        except TypeError:
            raise NotYet(
                f"return the numbers of the pieces that stay, a set; yours is a {type(seen).__name__}."
            ) from None
        if not seen <= set(range(9)) or not seen:
            raise NotYet(f"there are the pieces 0 to 8, and at least one stays; yours are {sorted(seen)}.")
        stays = torch.isin(pieces, torch.tensor(sorted(seen)))
        if int(net(torch.where(stays, image, 0.5)).argmax()) != k:
            raise NotYet(
                f"with only your pieces {sorted(seen)} left the class is another one: look before you remove."
            )
        expected = _stay(net, image, pieces, k)
        if seen != expected:
            raise NotYet(
                f"yours leave {len(seen)} pieces, {sorted(seen)}; measured anew in each round there are "
                f"{len(expected)} others or fewer."
            )


def _stay(net: Network, image: torch.Tensor, pieces: torch.Tensor, k: int) -> set[int]:
    left = list(range(int(pieces.max()) + 1))
    while len(left) > 1:
        copies = torch.cat([torch.where(pieces == s, 0.5, image) for s in left])
        with torch.no_grad():
            logits = net(copies)
        best = int(logits[:, k].argmax())
        if int(logits[best].argmax()) != k:
            break
        image = copies[best : best + 1]
        left.pop(best)
    return set(left)
