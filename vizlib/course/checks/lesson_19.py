"""Checks of the exercises of notebook 19, side by side."""

from collections.abc import Callable

import torch

from ...attribution import energy_inside, pointing_game
from ...images import background, paste
from .verdict import NotYet, drawn, exercise, number


@exercise("19.1")
def hits_within(answer: Callable) -> None:
    """answer(maps, masks, tolerance) -> (N,) of True and False: is the highest point at most `tolerance`
    pixels beside the object?
    """
    maps, masks = torch.zeros(1, 1, 5, 7), torch.zeros(1, 1, 5, 7)
    maps[..., 2, 5], masks[..., 0:2, 1:4] = 1, 1
    for tolerance, expected in ((0, False), (1, False), (2, True)):
        seen = answer(maps.clone(), masks.clone(), tolerance)
        if not isinstance(seen, torch.Tensor) or seen.shape != (1,):
            raise NotYet(f"the answer should be a tensor with one entry per map; yours is {seen!r}.")
        if bool(seen[0]) != expected:
            beside = "1 row below and 2 columns beside the object"
            raise NotYet(
                f"the highest point lies {beside}; with a tolerance of {tolerance} your answer is "
                f"{bool(seen[0])}."
            )
    maps, masks = drawn(12, 1, 9, 9), (drawn(12, 1, 9, 9, seed=1) > 1.2).float()
    if not torch.equal(
        answer(maps.clone(), masks.clone(), 1).bool(), pointing_game(maps, masks, tolerance=1)
    ):
        raise NotYet("right for one map, but not for a batch of twelve.")


@exercise("19.2")
def paired_difference(answer: Callable) -> None:
    """answer(a, b) -> (mean, standard error) of the paired differences a_i - b_i."""
    for a, b, mean, error in (
        ([3, 5, 4, 8], [1, 4, 2, 3], 2.5, 0.8660),
        ([0.9, 0.5, 0.7], [0.8, 0.4, 0.6], 0.1, 0.0),
    ):
        seen = answer(list(a), list(b))
        if not isinstance(seen, tuple) or len(seen) != 2:
            raise NotYet(f"return two numbers, the mean and its standard error; yours is {seen!r}.")
        its_mean, its_error = (number(each) for each in seen)
        if abs(its_mean - mean) > 1e-4:
            raise NotYet(f"for {a} and {b} the mean difference is {mean:g}; yours is {its_mean:g}.")
        if abs(its_error - error) > 1e-3:
            hint = (
                " All three differences are the same."
                if error == 0
                else " Divide by n - 1 in the variance, and take the pairs together."
            )
            raise NotYet(
                f"for {a} and {b} the standard error is {error:.3g}; yours is {its_error:.3g}.{hint}"
            )


PLACES = (
    ("brown_hen", "pebbles_dark", (0.4, 0.6)),
    ("fire_engine", "sky_over_hills", (0.5, 0.5)),
    ("zebra", "sea_surface", (0.6, 0.35)),
)


@exercise("19.3")
def blind_map(answer: Callable) -> None:
    """answer(image) -> (1, 1, H, W): a map that sees the picture only, with at least 3.2 times chance on
    three objects, on average.
    """
    energies = []
    for name, ground, centre in PLACES:
        image, mask = paste(background(ground, 224), name, centre, 0.45)
        seen = answer(image.clone())
        if not isinstance(seen, torch.Tensor) or seen.shape != mask.shape:
            shape = tuple(seen.shape) if isinstance(seen, torch.Tensor) else type(seen).__name__
            raise NotYet(f"the map should have the shape {tuple(mask.shape)}; yours: {shape}.")
        if not torch.isfinite(seen).all():
            raise NotYet("the map holds NaN or infinite values.")
        energies.append(float(energy_inside(seen.float(), mask)[0] / mask.mean()))
    if sum(energies) / 3 < 3.2:
        each = ", ".join(
            f"{name} {energy:.1f}" for (name, _, _), energy in zip(PLACES, energies, strict=True)
        )
        raise NotYet(
            f"the energy is {sum(energies) / 3:.2f} times chance on average ({each}); 3.2 is asked for."
        )
