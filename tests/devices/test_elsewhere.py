"""Every public function computes where the network is: on an accelerator that mixes nothing, refuses doubles
and never guesses.
"""

import ast
import copy
import functools
import importlib
import inspect
import re
from pathlib import Path

import calls
import pytest
import torch
from calls import CALLS, NETWORKS, NOT_CALLED, numbers, scenes
from elsewhere import Elsewhere, home, move, strict

import vizlib as vz
from vizlib.synthesis import priors


@functools.cache
def here(name):
    net = vz.load(name)
    net.layers  # noqa: B018  (the table of layers is made on the first question)
    return net


@pytest.mark.parametrize("name", CALLS)
def test_it_gives_the_same_numbers_elsewhere(name):
    net = here(NETWORKS.get(name, "scenenet"))
    expected = numbers(CALLS[name](net, scenes()))
    with strict():
        found = numbers(CALLS[name](move(copy.deepcopy(net)), scenes()))
        found = [home(value) for value in found]
    assert len(found) == len(expected) and found
    for a, b in zip(found, expected, strict=True):
        if isinstance(b, torch.Tensor):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
        else:
            assert a == (pytest.approx(b, rel=1e-5, abs=1e-6) if isinstance(b, float) else b)


PACKAGES = "attribution deception display images layers models representation sweep synthesis".split()


def public_functions():
    """{name: function} of all that a person may call."""
    rooms = [vz, priors, *(importlib.import_module(f"vizlib.{name}") for name in PACKAGES)]
    named = {name: getattr(room, name) for room in rooms for name in getattr(room, "__all__", dir(room))}
    return {
        name: thing
        for name, thing in named.items()
        if inspect.isfunction(thing) and thing.__module__.startswith("vizlib.") and name[0] != "_"
    }


def computes(function):
    """Does it take a network, pictures, or other tensors?"""
    parameters = inspect.signature(function).parameters.values()
    return any(re.search("Network|Tensor", str(p.annotation)) or p.name == "pictures" for p in parameters)


def test_every_public_function_is_called_or_an_exception_says_why_not():
    tree = ast.parse(Path(calls.__file__).read_text(encoding="utf-8"))
    nodes = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    called = {node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "") for node in nodes}
    asked = {name for name, function in public_functions().items() if computes(function)}
    assert len(asked) > 100 and set(NOT_CALLED) <= asked - called
    missing = sorted(asked - called - set(NOT_CALLED))
    assert not missing, f"tests/devices/calls.py does not call {', '.join(missing)}"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: x + x.to("meta"),
        lambda x: torch.randn(3, device="meta", generator=torch.Generator()),
        lambda x: x.to("meta").double(),
        lambda x: x.to("meta").numpy(),
        lambda x: torch.zeros(4).index_add_(0, torch.tensor([1]).to("meta"), torch.ones(1)),
    ],
    ids=["two devices", "a CPU generator", "double precision", "NumPy", "an index elsewhere"],
)
def test_the_pretended_accelerator_is_strict(wrong):
    with strict(), pytest.raises((RuntimeError, TypeError)):
        wrong(torch.ones(4))


def test_the_pretended_accelerator_computes():
    with strict():
        x = torch.ones(4).to("meta")
        x[1:3] += torch.tensor([1.0, 2.0], device="meta")
        assert isinstance(x, Elsewhere) and x.device.type == "meta" and float(x.sum()) == 7
