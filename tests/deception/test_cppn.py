"""The indirect encoding: what a CPPN draws, worked out by hand and by plain loops, and what mutation may make
of it.
"""

import math

import pytest
import torch

from vizlib.deception import CPPN
from vizlib.deception.cppn import EMPTY, GAUSSIAN, HIDDEN, INPUTS, LINEAR, SIGMOID, SINE

X, Y, DISTANCE, ONE, FIRST = 0, 1, 2, 3, 4  # places of nodes
FUNCTIONS = {
    SINE: math.sin,
    SIGMOID: lambda s: math.tanh(s / 2),
    GAUSSIAN: lambda s: math.exp(-min(s * s, 700)),
    LINEAR: lambda s: s,
}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def genome(side, connections, kinds):
    """A grey CPPN of one genome from {(from, to): weight} and {node: kind}; the output is the last node."""
    encoding = CPPN(side, grey=True)
    weight, kind = (
        torch.zeros(1, encoding.places, encoding.places),
        torch.full((1, encoding.places), EMPTY, dtype=torch.int8),
    )
    kind[:, :INPUTS] = LINEAR
    for (i, j), w in connections.items():
        weight[0, j, i] = w
    for node, which in kinds.items():
        kind[0, node] = which
    return encoding, {"weight": weight, "kind": kind}


def bred(grey, generations, count=40, side=6):
    encoding = CPPN(side, grey)
    genomes = encoding.draw(count, seeded())
    for g in range(generations):
        genomes = encoding.mutate(genomes, seeded(g + 1))
    return encoding, genomes


def drawn_slowly(encoding, weight, kind):
    """The outputs of one genome, pixel by pixel and node by node."""
    side, last = encoding.height, encoding.places - encoding.outputs
    picture = torch.zeros(encoding.outputs, side, side)
    for row in range(side):
        for column in range(side):
            x, y = 2 * column / (side - 1) - 1, 2 * row / (side - 1) - 1
            value = {X: x, Y: y, DISTANCE: math.hypot(x, y), ONE: 1.0}
            for j in range(INPUTS, encoding.places):
                if kind[j] != EMPTY:
                    total = sum(weight[j, i].item() * value[i] for i in value if weight[j, i] != 0)
                    value[j] = FUNCTIONS[int(kind[j])](total)
            picture[:, row, column] = torch.tensor(
                [min(1.0, abs(value[j])) for j in range(last, encoding.places)]
            )
    return picture


def test_a_ramp_is_folded_in_the_middle():
    """output = x, linear: -1, -0.5, 0, 0.5, 1 become 255, 128, 0, 128, 255."""
    encoding, genomes = genome(5, {(X, -1): 1.0}, {-1: LINEAR})
    assert encoding.pictures(genomes)[0, 0, 0].tolist() == [255, 128, 0, 128, 255]


def test_a_gaussian_of_a_node_is_drawn_as_on_paper():
    """hidden = 2 y, output = exp(-(hidden - 1)^2): at y = 0 exp(-1) = 0.368, at y = 1 exp(-1), at y = 0.5 it
    is 1.
    """
    encoding, genomes = genome(
        5, {(Y, FIRST): 2.0, (FIRST, -1): 1.0, (ONE, -1): -1.0}, {FIRST: LINEAR, -1: GAUSSIAN}
    )
    assert encoding.pictures(genomes)[0, 0, 2:, 0].tolist() == [
        round(255 * math.exp(-1)),
        255,
        round(255 * math.exp(-1)),
    ]


@pytest.mark.parametrize("connections, mirrored", [({(DISTANCE, -1): 3.0}, (2, 3)), ({(Y, -1): 4.0}, (3,))])
def test_pictures_of_symmetric_inputs_are_symmetric(connections, mirrored):
    encoding, genomes = genome(9, connections, {-1: SINE})
    picture = encoding.pictures(genomes)
    assert torch.equal(picture, picture.flip(mirrored)) and picture.unique().numel() > 3


@pytest.mark.parametrize("grey", [True, False])
def test_a_batch_draws_what_plain_loops_draw(grey):
    encoding, genomes = bred(grey, 12)
    fast = encoding._outputs(*encoding._useful(genomes["weight"], genomes["kind"]))
    for n in range(0, 40, 8):
        torch.testing.assert_close(
            fast[n], drawn_slowly(encoding, genomes["weight"][n], genomes["kind"][n]), atol=2e-3, rtol=0
        )


@pytest.mark.parametrize("grey", [True, False])
def test_whatever_mutates_the_nodes_stay_in_order_and_signals_go_forwards(grey):
    encoding, genomes = bred(grey, 80)
    weight, kind, outputs = genomes["weight"], genomes["kind"], encoding.outputs
    there = kind != EMPTY
    hidden = there[:, INPUTS:-outputs]
    assert there[:, :INPUTS].all() and there[:, -outputs:].all()
    assert torch.equal(
        hidden, hidden.sort(dim=1, descending=True, stable=True).values
    )  # the empty places come last
    connected = weight != 0
    assert (
        not connected.triu().any()
        and not connected[:, :INPUTS].any()
        and not connected[:, :, -outputs:].any()
    )
    assert not (connected & ~(there[:, :, None] & there[:, None, :])).any()
    assert weight.abs().max() <= 10 and bool(((kind >= EMPTY) & (kind <= LINEAR)).all())
    assert 0 < hidden.sum(1).float().mean() <= HIDDEN  # they have grown


def test_a_new_node_lies_between_the_two_it_connects():
    encoding, genomes = genome(
        5,
        {(X, FIRST): 1.0, (FIRST, FIRST + 1): 2.0, (FIRST + 1, -1): 3.0},
        {FIRST: SINE, FIRST + 1: SINE, -1: SINE},
    )
    for seed in range(20):
        weight, kind = genomes["weight"].clone(), genomes["kind"].clone()
        encoding.ADD_NODE = 1.0
        encoding._add_node(weight, kind, seeded(seed))
        assert (kind != EMPTY).sum() == INPUTS + 3 + 1 and (weight != 0).sum() == 4
        assert (
            weight[0, FIRST].count_nonzero() == 1
        )  # a chain still: x to the first, each to the next, the last to the output
        assert (
            weight[0, FIRST + 1, FIRST] != 0
            and weight[0, FIRST + 2, FIRST + 1] != 0
            and weight[0, -1, FIRST + 2] != 0
        )
        assert {1.0, 2.0, 3.0} <= set(weight[weight != 0].tolist())


def test_a_removed_node_takes_its_connections_with_it():
    encoding, genomes = genome(
        5,
        {(X, FIRST): 1.0, (FIRST, -1): 2.0, (Y, FIRST + 1): 3.0, (FIRST + 1, -1): 4.0},
        {FIRST: SINE, FIRST + 1: GAUSSIAN, -1: SINE},
    )
    encoding.REMOVE_NODE = 1.0
    left = set()
    for seed in range(10):
        weight, kind = genomes["weight"].clone(), genomes["kind"].clone()
        encoding._remove_node(weight, kind, seeded(seed))
        left.add((int(kind[0, FIRST]), *sorted(weight[weight != 0].tolist())))
        assert kind[0, FIRST + 1] == EMPTY
    assert left == {(SINE, 1.0, 2.0), (GAUSSIAN, 3.0, 4.0)}


def test_mutation_leaves_the_parents_alone_and_the_same_seed_gives_the_same_children():
    encoding, genomes = bred(True, 5)
    before = {name: g.clone() for name, g in genomes.items()}
    once, twice = encoding.mutate(genomes, seeded(7)), encoding.mutate(genomes, seeded(7))
    for name in before:
        assert torch.equal(genomes[name], before[name]) and torch.equal(once[name], twice[name])
        assert not torch.equal(once[name], before[name])
