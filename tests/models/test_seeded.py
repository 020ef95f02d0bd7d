"""Weights from a seed: the numbers of torch.manual_seed, and nobody else notices that they were drawn."""

import threading

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from vizlib.models.seeded import seeded_init


def _draws():
    """One of everything that draws, in an order that would tell if one of them took too many numbers."""
    ones, square = torch.ones(5), torch.empty(3, 3)
    return {
        "randn": torch.randn(3),
        "rand": torch.rand(2, 2),
        "complex randn": torch.randn(2, dtype=torch.cfloat),
        "randint": torch.randint(5, (4,)),
        "randint from": torch.randint(2, 9, (4,)),
        "randperm": torch.randperm(6),
        "randn_like": torch.randn_like(ones),
        "rand_like": torch.rand_like(ones),
        "randint_like": torch.randint_like(ones, 2, 9),
        "randint_like with a tensor": torch.randint_like(ones, torch.tensor(9)),
        "normal": torch.normal(0.0, 1.0, (2,)),
        "normal of tensors": torch.normal(ones, 2 * ones),
        "bernoulli": torch.bernoulli(0.4 * ones),
        "multinomial": torch.multinomial(ones, 3),
        "poisson": torch.poisson(ones),
        "dropout": F.dropout(ones),
        **{
            name: getattr(torch.empty(4), name)(*given)
            for name, given in {
                "normal_": (),
                "uniform_": (1, 2),
                "bernoulli_": (0.3,),
                "random_": (9,),
                "exponential_": (),
                "cauchy_": (),
                "log_normal_": (),
                "geometric_": (0.3,),
            }.items()
        },
        "truncated": nn.init.trunc_normal_(square.clone()),
        "orthogonal": nn.init.orthogonal_(square.clone()),
        "kaiming": nn.init.kaiming_uniform_(square.clone()),
        "xavier": nn.init.xavier_normal_(square.clone()),
        "sparse": nn.init.sparse_(square.clone(), 0.3),
        "after all": torch.rand(1),
    }


def test_the_numbers_are_those_of_manual_seed_and_the_global_generator_does_not_move():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        expected, state = _draws(), torch.get_rng_state()
        with seeded_init(3):
            seen = _draws()
        assert [name for name in expected if not torch.equal(expected[name], seen[name])] == []
        assert torch.equal(torch.get_rng_state(), state)


def test_a_generator_that_is_named_is_used():
    with seeded_init(0):
        a = torch.randn(3, generator=torch.Generator().manual_seed(5))
    assert torch.equal(a, torch.randn(3, generator=torch.Generator().manual_seed(5)))


def test_after_it_also_after_an_error_the_global_generator_draws_again():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        expected = torch.rand(2)
        torch.manual_seed(1)
        with pytest.raises(KeyError), seeded_init(0):
            torch.rand(1)
            raise KeyError
        assert torch.equal(torch.rand(2), expected)


def test_other_threads_draw_as_if_nothing_happened():
    """Their numbers come from the global generator, once each, while it is open here."""
    opened, drawn, seen = threading.Event(), threading.Event(), []

    def other():
        opened.wait(10)
        seen.append(torch.rand(1000))
        drawn.set()

    thread = threading.Thread(target=other)
    thread.start()
    with torch.random.fork_rng():
        torch.manual_seed(7)
        expected = torch.rand(1000)
        torch.manual_seed(7)
        with seeded_init(7):
            mine = torch.rand(500)
            opened.set()
            assert drawn.wait(10)
            mine = torch.cat([mine, torch.rand(500)])
    thread.join(10)
    assert torch.equal(seen[0], expected) and torch.equal(mine, expected)
