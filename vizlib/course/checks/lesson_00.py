"""Checks of the exercises of notebook 00, start here."""

from collections.abc import Callable

from ...images import cutouts, paste, photo
from .verdict import NotYet, example, exercise, same


@exercise("00.1")
def least_sure(answer: Callable) -> None:
    """answer(net, names) -> the name of the photo of whose top class the network is least sure."""
    net, _ = example()
    names = ["giant_panda", "orange_kitten", "goldfish", "cheetah", "koala"]
    seen = answer(net, names)
    if seen not in names:
        raise NotYet(f"the answer should be one of the names; yours is {seen!r}.")
    tops = {name: net.predict(photo(name, 224), 1)[0]["probability"] for name in names}
    if seen != min(tops, key=tops.get):
        raise NotYet(
            f"of {seen} it is sure with probability {tops[seen]:.2f}; of another photo it is less sure."
        )


@exercise("00.2")
def grey(answer: Callable) -> None:
    """answer(images) -> (N, 3, H, W): the same pictures without colour, each pixel the mean of its three
    values.
    """
    _, images = example()
    seen = answer(images.clone())
    same(seen, images.mean(1, keepdim=True).expand_as(images), "The grey picture")


@exercise("00.3")
def change_its_mind(answer: Callable) -> None:
    """answer() -> (name, centre, height) for vz.paste, so that the kitten is taken for what was pasted. At
    most half its height.
    """
    net, _ = example()
    given = answer()
    if not isinstance(given, tuple) or len(given) != 3:
        raise NotYet("return three things: the name, (row, column) of the centre, and the height.")
    name, centre, height = given
    if not 0 < height <= 0.5:
        raise NotYet(f"the cut-out may take half of the picture's height at most; yours takes {height}.")
    label = {row["name"]: row["label"] for row in cutouts()}.get(name)
    if label is None:
        raise NotYet(
            f"{name!r} is no cut-out with an ImageNet label; choose one from vz.cutouts() whose label is not "
            "empty."
        )
    pasted, _ = paste(photo("orange_kitten", 224), name, centre, height)
    seen = net.predict(pasted, 1)[0]["label"]
    if seen != label:
        raise NotYet(f"the network says {seen!r}, not {label!r}. Try another cut-out, place or size.")
