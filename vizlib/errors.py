"""The one error that vizlib raises on purpose, and the search for what a person may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class VizlibError(ValueError):
    """Input that cannot be used. The message says what was wrong, what was seen and what to do.

    >>> vz.load("zfnett")
    Traceback (most recent call last):
    vizlib.errors.VizlibError: There is no network 'zfnett'. Nearest: zfnet...
    """


def nearest(word: object, names: Iterable[object], most: int = 4) -> list[str]:
    """The `most` names that look most like `word`: those that contain it first, then the closest
    spellings.
    """
    folded = {str(name).lower(): str(name) for name in reversed(list(names))}
    word = str(word).lower()
    inside = sorted((key for key in folded if word and word in key), key=len)
    close = difflib.get_close_matches(word, folded, n=most, cutoff=0.5)
    return [folded[key] for key in dict.fromkeys(inside + close)][:most]


def did_you_mean(word: object, names: Iterable[object]) -> str:
    """A sentence that names the nearest entries, or the first few where nothing is near."""
    words = [str(name) for name in names]
    near = nearest(word, words)
    if near:
        return "Nearest: " + ", ".join(near) + "."
    return "There are: " + ", ".join(words[:8]) + (", ..." if len(words) > 8 else "") + "."
