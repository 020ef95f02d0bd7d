"""The thousand names of ImageNet, and finding a class by what a person calls it."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any

from ..errors import VizlibError, did_you_mean


@functools.cache
def imagenet_labels() -> tuple[str, ...]:
    """The 1000 labels as torchvision gives them, in the usual order: 281 is "tabby"."""
    from torchvision.models import ResNet18_Weights

    return tuple(ResNet18_Weights.DEFAULT.meta["categories"])


@functools.cache
def _imagenet_synonyms() -> dict[str, set[int]]:
    """word -> the set of classes that go by it: "tabby cat" is 281; "panda" is 387, the lesser, and 388, the
    giant one.
    """
    from timm.data import ImageNetInfo

    info = ImageNetInfo("imagenet-1k")
    words: dict[str, set[int]] = {}
    for i, label in enumerate(imagenet_labels()):
        for word in (label, *info.index_to_description(i).split(",")):
            words.setdefault(word.strip().lower(), set()).add(i)
    return words


def find_class(labels: Sequence[str], target: Any) -> int:
    """The index of a class given as an index or by its name. `labels` are a network's labels, in order.

    Raises VizlibError for an index out of range, an unknown name (with the nearest ones) or a name of two
    classes.
    """
    if not isinstance(target, str):
        try:
            index = operator.index(target)  # refuses floats and arrays
        except (TypeError, ValueError, RuntimeError):
            index = None
        if index is None or "bool" in str(getattr(target, "dtype", type(target))):
            raise VizlibError(f"A class is an index or a label; this is {target!r}.")
        if not 0 <= index < len(labels):
            raise VizlibError(
                f"This network knows the classes 0 to {len(labels) - 1}; {index} is not among them."
            )
        return index
    word = target.strip().lower()
    exact = {i for i, label in enumerate(labels) if label.strip().lower() == word}
    synonyms = _imagenet_synonyms() if tuple(labels) == imagenet_labels() else {}
    found = exact or _numbered(labels, word) or synonyms.get(word, set())
    if len(found) == 1:
        return next(iter(found))
    if found:
        which = " and ".join(f"{i} ({labels[i]})" for i in sorted(found))
        raise VizlibError(f"The label {target!r} names the classes {which}. Give the number.")
    raise VizlibError(f"There is no class {target!r}. {did_you_mean(word, [*labels, *synonyms])}")


def _numbered(labels, word):
    """The class in "281" or "281 tabby", as a set of one or none; asked only where no label is that word."""
    number, _, rest = word.partition(" ")
    index = int(number) if number.isdecimal() else len(labels)
    return {index} if index < len(labels) and rest in ("", labels[index].strip().lower()) else set()
