"""Checks of the exercises of notebook 10, inverting by networks."""

from collections.abc import Callable

import torch

from .verdict import NotYet, drawn, exercise, number, same, unless


@exercise("10.1")
def normalized_error(answer: Callable) -> None:
    """answer(images, guesses) -> a number: mean distance of guesses, over the mean distance of two different
    pictures.
    """
    pair = torch.stack([torch.zeros(3, 2, 2), torch.ones(3, 2, 2)])
    halfway = pair.mean(0, keepdim=True).expand_as(pair)
    seen = number(answer(pair.clone(), halfway.clone()))
    if abs(seen - 1.0) < 1e-3:
        raise NotYet(
            "for two pictures and their mean the error is 1; a picture's distance to itself should not count "
            "among the pairs."
        )
    if abs(seen - 0.5) > 1e-3:
        raise NotYet(f"for two pictures and their mean the error should be 0.5; yours is {seen:.3g}.")
    images, guesses = drawn(6, 3, 4, 4), drawn(6, 3, 4, 4, seed=1)
    x, f = images.flatten(1), guesses.flatten(1)
    expected = float((x - f).norm(dim=1).mean() / torch.pdist(x).mean())
    seen = number(answer(images.clone(), guesses.clone()))
    if abs(seen - expected) > 1e-3 * expected:
        squares = float((x - f).square().sum(1).mean() / torch.pdist(x).square().mean())
        hint = " These are squares of distances." if abs(seen - squares) < 1e-3 * squares else ""
        raise NotYet(
            f"for six pictures and six guesses the error should be {expected:.3f}; yours is {seen:.3f}.{hint}"
        )


@exercise("10.2")
def best_guess(answer: Callable) -> None:
    """answer(pictures (N, 3, H, W), codes (N,)) -> (N, 3, H, W): for each picture the mean of all with its
    code.
    """
    pictures, codes = drawn(7, 3, 2, 2), torch.tensor([3, 5, 3, 9, 5, 3, 5])
    expected = torch.stack([pictures[codes == c].mean(0) for c in codes])
    given = pictures.clone()
    seen = answer(given, codes.clone())
    if not torch.equal(given, pictures):
        raise NotYet("your code wrote into the pictures it was given; write the guesses into a new tensor.")
    unless(seen, pictures, "the guess may look at the code only, not at the picture.")
    same(seen, expected, "For codes 3, 5, 3, 9, 5, 3, 5 the guess")


@exercise("10.3")
def linear_guess(answer: Callable) -> None:
    """answer(codes (N, K), pictures (N, P)) -> (N, P): least squares, with a constant."""
    codes, pictures = drawn(40, 3) + 1, drawn(40, 5, seed=1) + 2
    inputs = torch.cat([codes, torch.ones(40, 1)], 1)
    expected = inputs @ torch.linalg.lstsq(inputs, pictures).solution
    seen = answer(codes.clone(), pictures.clone())
    bare = codes @ torch.linalg.lstsq(codes, pictures).solution
    unless(seen, bare, "the constant b is missing: the residuals do not have the mean 0.")
    same(seen, expected, "The guess", tolerance=1e-3)
