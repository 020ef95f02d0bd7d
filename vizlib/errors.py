"""The one error that vizlib raises on purpose, and the search for what a person may have meant."""

import difflib


class VizlibError(ValueError):
    """Input that cannot be used. The message says what was wrong, what was seen and what to do."""


def nearest(word, names, most=4):
    """The `most` names that look most like `word`: those that contain it first, then the closest
    spellings.
    """
    folded = {str(name).lower(): str(name) for name in reversed(list(names))}
    word = str(word).lower()
    inside = sorted((key for key in folded if word and word in key), key=len)
    close = difflib.get_close_matches(word, folded, n=most, cutoff=0.5)
    return [folded[key] for key in dict.fromkeys(inside + close)][:most]


def did_you_mean(word, names):
    """A sentence that names the nearest entries, or the first few where nothing is near."""
    names = [str(name) for name in names]
    near = nearest(word, names)
    if near:
        return "Nearest: " + ", ".join(near) + "."
    return "There are: " + ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") + "."
