"""Where the data lie that come with vizlib: pictures, scenes, weights."""

from __future__ import annotations

import functools
import importlib.resources
import os
from pathlib import Path

from .errors import VizlibError

INDEX = "images.csv"  # a folder that holds this is a data folder of vizlib


@functools.cache
def data_folder() -> Path:
    """The folder with the pictures, scenes and weights that come with vizlib.

    It is `vizlib/data` where vizlib was installed from a wheel, and `data/` beside the package in a checkout;
    the environment variable VIZLIB_DATA, read once, names another. Raises VizlibError where there is none.

    >>> from vizlib.resources import data_folder
    >>> (data_folder() / "scenes.json").is_file()
    True
    """
    chosen = os.environ.get("VIZLIB_DATA")
    package = Path(str(importlib.resources.files("vizlib"))).resolve()
    places = [Path(chosen).expanduser()] if chosen else [package / "data", package.parent / "data"]
    for place in places:
        if (place / INDEX).is_file():
            return place
    looked = " and ".join(repr(str(place)) for place in places)
    raise VizlibError(
        f"The picture library and the weights of vizlib are missing: there is no {INDEX} in {looked}. "
        + (
            "That is what VIZLIB_DATA says; let it name a copy of vizlib's folder data/, or unset it."
            if chosen
            else "Install vizlib from a wheel, or from its checkout: pip install -e ."
        )
    )


def data_file(*parts: str) -> Path:
    """The path of a file of the data folder: data_file("weights", "zfnet.json"). Raises VizlibError if it is
    not there.

    >>> from vizlib.resources import data_file
    >>> data_file("photos", "goldfish.jpg").name
    'goldfish.jpg'
    """
    path = data_folder().joinpath(*parts)
    if not path.is_file():
        raise VizlibError(
            f"The data of vizlib are incomplete: {str(path)!r} is not there. Install vizlib afresh, from a "
            "wheel or a whole checkout."
        )
    return path
