"""The one error that vizlib raises on purpose, and the search for what a person may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch


class VizlibError(ValueError):
    """Input that cannot be used. The message says what was wrong, what was seen and what to do.

    >>> vz.load("zfnett")
    Traceback (most recent call last):
    vizlib.errors.VizlibError: There is no network 'zfnett'. Nearest: zfnet...
    """


# What models raise when shapes do not fit: assertions, lists that are too short, sizes of zero, and the like.
# A name that does not exist is none of them: that is a mistake in the model's code.
MISFITS = RuntimeError, AssertionError, LookupError, ValueError, TypeError, ArithmeticError


@contextmanager
def misfits_in_words(sentence: str, fits: bool) -> Iterator[None]:
    """While open, what a model raises because of shapes becomes a VizlibError: the sentence, and the first
    line of what it said. What it raises for shapes that fit, or for want of memory, goes through as it is.
    """
    try:
        yield
    except VizlibError:
        raise
    except MISFITS as problem:
        out_of_memory = isinstance(problem, torch.OutOfMemoryError) or "allocate memory" in str(problem)
        if fits or out_of_memory:
            raise
        raise VizlibError(f"{sentence} (The model raised {first_line(problem)!r}.)") from problem


def first_line(problem: Exception) -> str:
    """What an exception says, or its name if it says nothing."""
    return (str(problem).strip() or type(problem).__name__).splitlines()[0]


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
