"""Every public name of the library has an example, which is run, and hints on what it takes and returns."""

import doctest
import importlib
import inspect
import pkgutil
import sys

import pytest
import torch

import vizlib as vz

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PACKAGES = [
    importlib.import_module(f"vizlib.{module.name}")
    for module in pkgutil.iter_modules(vz.__path__)
    if module.ispkg and module.name not in ("course", "training")
]


def public():
    """{name: what it is} for `vz.*` and for what the subpackages export, each once, by its shortest name."""
    names = {name: value for name, value in vars(vz).items() if not name.startswith("_")}
    for package in PACKAGES:
        for name in getattr(package, "__all__", ()):
            names[f"{package.__name__.removeprefix('vizlib.')}.{name}"] = getattr(package, name)
    found = {}
    for name, value in names.items():
        ours = inspect.isroutine(value) or inspect.isclass(value)
        ours = ours and getattr(value, "__module__", "").startswith("vizlib")
        if ours and not any(value is other for other in found.values()):
            found[name] = value
    return found


PUBLIC = public()


def examples(value, name):
    """The examples in the docstrings of a function, or of a class and its methods."""
    finder = doctest.DocTestFinder(recurse=inspect.isclass(value))
    home = vars(sys.modules[value.__module__])  # where the other names of its file are known
    given = {**home, "vz": vz, "torch": torch}
    return [test for test in finder.find(value, name, module=False, globs=given) if test.examples]


EXAMPLES = {test.name: test for name, value in PUBLIC.items() for test in examples(value, name)}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_does_what_it_says(name, capsys):
    said = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    runner.run(EXAMPLES[name], out=said.append)
    assert not runner.failures, "".join(said)


def without_hints(value):
    """What of a function or class has no hint: names of parameters, and "return"."""
    if getattr(value, "_is_protocol", False):  # nobody makes one
        return set()
    if inspect.isclass(value):
        return without_hints(value.__init__) - {"return"} if "__init__" in vars(value) else set()
    hints = getattr(inspect.unwrap(value), "__annotations__", {})
    parameters = list(inspect.signature(value).parameters)
    return {name for name in [*parameters, "return"] if name not in hints and name != "self"}


def test_every_name_of_vz_has_an_example():
    """Functions and classes; those that only the subpackages export may have one."""
    missing = [
        name for name in PUBLIC if "." not in name and not any(_belongs(test, name) for test in EXAMPLES)
    ]
    assert not missing, f"{len(missing)} without an example: {', '.join(missing)}"


def _belongs(test, name):
    return test == name or test.startswith(f"{name}.")


def test_every_public_name_has_hints():
    missing = {name: without_hints(value) for name, value in PUBLIC.items()}
    lines = [f"{name}: {', '.join(sorted(lacks))}" for name, lacks in missing.items() if lacks]
    assert not lines, f"{len(lines)} without hints: " + "; ".join(lines)


def test_the_harness_finds_an_example_that_is_wrong():
    def right():
        """Two.

        >>> vz.photo("goldfish", 64).shape
        torch.Size([1, 3, ...])
        """

    def wrong():
        """Three.

        >>> 1 + 1
        3
        """

    for function, failures in ((right, 0), (wrong, 1)):
        (test,) = examples(function, "it")
        runner = doctest.DocTestRunner(optionflags=OPTIONS, verbose=False)
        runner.run(test, out=lambda text: None)
        assert runner.failures == failures


def test_the_harness_finds_a_hint_that_is_missing():
    def half(net: vz.Network, images, *, size: int = 3, **options: object):
        pass

    class Holder:
        def __init__(self, net: vz.Network, size):
            pass

    assert without_hints(half) == {"images", "return"} and without_hints(Holder) == {"size"}
    assert len(PUBLIC) > 100 and "gradient" in PUBLIC and "synthesis.ascend" in PUBLIC
