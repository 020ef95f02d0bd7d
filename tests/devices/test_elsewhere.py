"""Every public function computes where the network is: on an accelerator that mixes nothing, refuses doubles
and never guesses.
"""

import copy

import pytest
import torch
from calls import CALLS, numbers, scenes
from elsewhere import Elsewhere, home, move, strict

import vizlib as vz


@pytest.fixture(scope="module")
def here():
    net = copy.deepcopy(vz.load("scenenet"))
    net.layers  # noqa: B018  (the table of layers is made on the first question)
    return net


@pytest.mark.parametrize("name", CALLS)
def test_it_gives_the_same_numbers_elsewhere(here, name):
    expected = numbers(CALLS[name](here, scenes()))
    with strict():
        found = numbers(CALLS[name](move(copy.deepcopy(here)), scenes()))
        found = [home(value) for value in found]
    assert len(found) == len(expected) and found
    for a, b in zip(found, expected, strict=True):
        if isinstance(b, torch.Tensor):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
        else:
            assert a == (pytest.approx(b, rel=1e-5, abs=1e-6) if isinstance(b, float) else b)


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
