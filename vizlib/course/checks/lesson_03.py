"""Checks of the exercises of notebook 03, occlusion."""

from collections.abc import Callable

import torch

from ...images import photo
from .verdict import NotYet, example, exercise, number


@exercise("03.1")
def fall_of_box(answer: Callable) -> None:
    """answer(net, image, label, rows, columns, fill) -> how much the logit of `label` falls when a box is
    covered.
    """
    net, images = example()
    image, k = images[:1], net.index("ladybug")
    for rows, columns, fill in (((96, 144), (176, 224), 0.5), ((0, 60), (20, 110), 0.0)):
        covered, given = image.clone(), image.clone()
        covered[..., slice(*rows), slice(*columns)] = fill
        with torch.no_grad():
            before, after = net(torch.cat([image, covered]))
            fall, in_probability = (
                float(before[k] - after[k]),
                float(before.softmax(0)[k] - after.softmax(0)[k]),
            )
        seen = number(answer(net, given, "ladybug", rows, columns, fill))
        if not torch.equal(given, image):
            raise NotYet(
                "your function has painted on the picture that it was given; .clone() makes a copy to paint "
                "on."
            )
        for wrong, hint in (
            (-fall, "this is the rise; the fall is the score before minus the score after."),
            (in_probability, "this is the fall of the probability; the exercise asks for the logit."),
            (0, "nothing has changed; does your box lie on the picture, in the colour of `fill`?"),
        ):
            if abs(seen - wrong) < 1e-3 < abs(fall - wrong):
                raise NotYet(hint)
        if not abs(seen - fall) < 1e-2:
            raise NotYet(
                f"with rows {rows}, columns {columns} and fill {fill} the logit falls by {fall:.2f}; yours "
                f"says {seen:.2f}."
            )


@exercise("03.2")
def disagreement_without_zeros(answer: Callable) -> None:
    """answer(s) -> mean over pairs of rows of the share that differs, among the entries where not both
    are 0.
    """
    s = torch.tensor([[1.0, 0, -1, 0], [1, 0, 1, 1], [0, 0, -1, 0]])
    seen = number(answer(s.clone()))
    for wrong, hint in (
        (
            1 / 2,
            "this counts entries where both are 0 as agreement; leave those out of the count, above and "
            "below the fraction.",
        ),
        (2 / 9, "0 and 1 differ as well: this counts only opposite signs."),
        (3 / 4, "take the share for each pair first, and then the mean over the pairs."),
        (13 / 27, "a row compared with itself is no pair."),
    ):
        if abs(seen - wrong) < 1e-4:
            raise NotYet(hint)
    if not abs(seen - 13 / 18) < 1e-3:
        raise NotYet(
            f"for {s.int().tolist()} the three pairs give 2/3, 1/2 and 1, and their mean is {13 / 18:.3f}; "
            f"yours is {seen:.3f}."
        )
    if abs(number(answer(torch.tensor([[1.0, 0], [-1, 0], [1, 1]]))) - 5 / 6) > 1e-3:
        raise NotYet(
            "it is right for one example and wrong for another. Does it work for any number of rows and "
            "entries?"
        )


@exercise("03.3")
def cover_until_it_changes(answer: Callable) -> None:
    """answer(net, image, patch) -> [(top, left)]: squares that together change the label, each chosen with
    those before it covered.
    """
    net, _ = example()
    for name, enough in (("windmill_linda", 3), ("screwdriver", 2)):
        image = photo(name, 224)
        before = int(net(image).argmax())
        squares = answer(net, image.clone(), 56)
        if not isinstance(squares, (list, tuple)):
            raise NotYet(f"return a list of corners, (top, left); yours is a {type(squares).__name__}.")
        for top, left in squares:
            if not (0 <= top < 224 and 0 <= left < 224 and top % 56 == left % 56 == 0):
                raise NotYet(
                    f"{(top, left)} is no corner of a square; corners are multiples of the patch, inside the "
                    "picture."
                )
            image[..., top : top + 56, left : left + 56] = net.neutral
        if int(net(image).argmax()) == before:
            raise NotYet(f"with your {len(squares)} squares covered, {name} is still {net.labels[before]!r}.")
        if len(squares) > enough + 1:
            raise NotYet(
                f"your {len(squares)} squares change the label of {name}, but {enough} are enough. "
                "Measure the falls again after each square, with those before it covered."
            )
