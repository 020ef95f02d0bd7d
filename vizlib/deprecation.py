"""Old names go on working, with a DeprecationWarning that says the new one.

A function whose keyword got another name says so where it is defined, in one line,

    @renamed(chunk="batch_size")
    def gradient(net, images, target=None, *, batch_size=8): ...

and stays what it was for editors, type checkers, inspect and pickle, which see the new name only. A module or
a package keeps a table of the names that it used to have, {old: where it is now}:

    __getattr__ = moved(__name__, {"center": "vizlib.centre", "checks": "vizlib.course.checks"})
"""

from __future__ import annotations

import functools
import importlib
import sys
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from .errors import VizlibError

P, R = ParamSpec("P"), TypeVar("R")
PACKAGE = __name__.partition(".")[0]


def renamed(**keywords: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator, renamed(old="new"): the function takes keywords by their old names too, and warns.

    Raises VizlibError, when the function is called, for an argument given under both names.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for old in keywords.keys() & kwargs.keys():
                _rename(kwargs, old, keywords[old], function.__name__)
            return function(*args, **kwargs)

        return call

    return decorate


def _rename(kwargs: dict[str, Any], old: str, new: str, function: str) -> None:
    if new in kwargs:
        raise VizlibError(f"{function}: {old} is called {new} now; it was given under both names.")
    _warn(f"{function}({old}=...) is called {function}({new}=...) now.")
    kwargs[new] = kwargs.pop(old)


def moved(module: str, names: dict[str, str]) -> Callable[[str], Any]:
    """What a module calls __getattr__: it finds its old names where they are now, and warns.

    module: its __name__. names: {old name: the path of what it stands for, as in an import statement}.
    """

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        path = names[name]
        _warn(f"{module}.{name} is called {path} now.")
        home, _, attribute = path.rpartition(".")
        owner = importlib.import_module(home)
        return getattr(owner, attribute) if hasattr(owner, attribute) else importlib.import_module(path)

    return find


def _warn(sentence: str) -> None:
    """Warn in the name of the code that called into this package, where people can see and mend it."""
    frame = sys._getframe()
    while frame.f_back and _is_ours(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
    where, seen = frame.f_globals.get("__name__"), frame.f_globals.setdefault("__warningregistry__", {})
    warnings.warn_explicit(
        sentence, DeprecationWarning, frame.f_code.co_filename, frame.f_lineno, where, registry=seen
    )


def _is_ours(module: str) -> bool:
    """Is this module of the package, or of the machinery that imports it?"""
    return module == PACKAGE or module.startswith((f"{PACKAGE}.", "importlib."))
