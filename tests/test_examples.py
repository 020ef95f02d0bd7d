"""The examples in docstrings do what they say they do."""

import doctest
import importlib
import pkgutil

import pytest
import torch

import vizlib as vz

ROOMS = [
    name for _, name, _ in pkgutil.walk_packages(vz.__path__, "vizlib.") if not name.endswith("__main__")
]
LIBRARY = [name for name in ROOMS if not name.startswith(("vizlib.course", "vizlib.training"))]


def examples(name):
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = finder.find(importlib.import_module(name), extraglobs={"vz": vz, "torch": torch})
    return [test for test in found if test.examples]


@pytest.mark.parametrize("name", LIBRARY)
def test_the_examples_of_a_module(name):
    said = []
    for test in examples(name):
        runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
        runner.run(test, out=said.append)
    assert not said, "".join(said)


def test_there_are_examples():
    assert sum(len(examples(f"vizlib.{name}")) for name in ("images.convert", "display.grids", "table")) >= 7
