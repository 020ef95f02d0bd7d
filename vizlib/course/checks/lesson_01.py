"""Checks of the exercises of notebook 01, filters and activations."""

from collections.abc import Callable

import torch

from .verdict import NotYet, exercise, same, unless


@exercise("01.1")
def receptive_field_of_chain(answer: Callable) -> None:
    """answer(layers) -> the receptive field of a chain of (kernel, stride), a whole number."""
    for layers, expected, hint in (
        ([(3, 1)], 3, ""),
        (
            [(3, 1), (3, 1)],
            5,
            " Two 3 x 3 convolutions see 5 pixels: the second reaches over neighbours of the first.",
        ),
        ([(7, 2), (2, 2), (5, 1)], 25, " How many pixels apart do the neighbours of a layer look?"),
        (
            [(2, 2), (3, 1)],
            6,
            " The stride of a layer counts for the layers after it, not for its own kernel.",
        ),
    ):
        seen = answer(list(layers))
        if seen != expected:
            raise NotYet(f"for {layers} your answer is {seen!r}, not {expected}.{hint}")


@exercise("01.2")
def active_share(answer: Callable) -> None:
    """answer(activations) -> (K,): the share of positions above zero, over pictures of different sizes
    together.
    """
    a = torch.tensor([[[[1.0, -1.0]], [[0.0, 0.0]]]])
    b = torch.tensor([[[[2.0, 3.0], [4.0, 0.0], [1.0, 1.0]], [[0.0] * 2] * 3]])
    seen = answer([a.clone(), b.clone()])
    unless(
        seen,
        torch.tensor([(1 / 2 + 5 / 6) / 2, 0]),
        "this is the mean over pictures; a picture with three times as many positions counts three times as "
        "much.",
    )
    same(seen, torch.tensor([6 / 8, 0]), "The share")


@exercise("01.3")
def top_places(answer: Callable) -> None:
    """answer(activations, channel, top) -> [(picture, row, column)], strongest first, each picture once."""
    maps = [torch.zeros(1, 2, 2, 3), torch.zeros(1, 2, 3, 4), torch.zeros(1, 2, 2, 2)]
    maps[0][0, 1, 1, 2] = 5
    maps[1][0, 1, 2, 1], maps[1][0, 1, 0, 3] = 9, 8
    maps[2][0, 1, 0, 1], maps[2][0, 0, 1, 1] = 7, 99
    seen, expected = answer([m.clone() for m in maps], 1, 2), [(1, 2, 1), (2, 0, 1)]
    seen = [tuple(int(i) for i in place) for place in seen]
    if seen == [(1, 2, 1), (1, 0, 3)]:
        raise NotYet("both places lie in the same picture; each picture may come up once only.")
    if seen != expected and sorted(seen) == sorted(expected):
        raise NotYet("these are the right places in the wrong order: the strongest comes first.")
    if seen != expected:
        raise NotYet(
            f"for three small maps (heights and widths differ) your answer is {seen}, which is not where "
            "they are highest."
        )
