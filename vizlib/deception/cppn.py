"""The indirect encoding of a picture for `evolve`: a small network that draws it, a compositional
pattern-producing network (CPPN).
"""

from __future__ import annotations

import torch

from ..scalars import sides
from .direct import polynomial_mutation, rgb

# what a node does with its sum; EMPTY: there is no node in this place
SINE, SIGMOID, GAUSSIAN, LINEAR, EMPTY = 0, 1, 2, 3, -1
INPUTS, HIDDEN, WIDEST = 4, 20, 10.0  # x, y, distance, 1; the most hidden nodes; weights lie in [-10, 10]
# values of a node (genomes x pixels) computed together: more would not stay in the processor's cache
AT_A_TIME = 60_000


class CPPN:
    """A picture is what a small network makes of the coordinates of each pixel; so it comes out regular:
    symmetric, repeated, in bands.

    weight: (N, V, V), the one from node i to node j at [j, i], 0 where they are not connected. kind: (N,
    V), what
    a node does with its sum s: sin(s), tanh(s / 2) (the sigmoid, from -1 to 1), exp(-s^2), or s. The nodes:
    x and y in [-1, 1], the distance from the centre, a constant 1; up to 20 hidden ones, in an order in
    which signals only go forwards, the empty places last; one output for grey, or three for hue, saturation
    and value, each |output|, at most 1.
    Stanley 2007, "Compositional pattern producing networks". The rates are those in the code of Nguyen et
    al. 2015, which feeds in plain pixel numbers and knows no bound of 20.
    """

    CONNECT, DISCONNECT, REDIRECT, ADD_NODE, REMOVE_NODE, RETYPE, REWEIGH = 0.5, 0.3, 0.5, 0.5, 0.2, 0.1, 0.1

    def __init__(self, side: int | tuple[int, int], grey: bool) -> None:
        (self.height, self.width), self.outputs = sides(side), 1 if grey else 3
        self.places = INPUTS + HIDDEN + self.outputs
        y, x = (torch.linspace(-1, 1, n) for n in (self.height, self.width))
        y, x = torch.meshgrid(y, x, indexing="ij")
        self.inputs = torch.stack([x, y, (x**2 + y**2).sqrt(), torch.ones_like(x)]).flatten(1)

    def draw(self, count: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """No hidden node yet; every input goes to every output."""
        weight = torch.zeros(count, self.places, self.places)
        kind = torch.full((count, self.places), EMPTY, dtype=torch.int8)
        weight[:, -self.outputs :, :INPUTS] = _weights((count, self.outputs, INPUTS), generator)
        kind[:, :INPUTS] = LINEAR
        kind[:, -self.outputs :] = _kinds((count, self.outputs), generator)
        return {"weight": weight, "kind": kind}

    def mutate(
        self, genomes: dict[str, torch.Tensor], generator: torch.Generator, generation: int = 0
    ) -> dict[str, torch.Tensor]:
        """Each kind of change happens to a genome with its own probability; besides, a tenth of the weights
        and of the kinds changes.
        """
        weight, kind = genomes["weight"].clone(), genomes["kind"].clone()
        self._add_node(weight, kind, generator)
        self._remove_node(weight, kind, generator)
        self._redirect(weight, kind, generator)
        weight[_pick(weight != 0, self.DISCONNECT, generator)] = 0
        chosen = _pick(self._absent(weight, kind), self.CONNECT, generator)
        weight[chosen] = _weights(len(chosen[0]), generator)
        moved = polynomial_mutation(0.5 + weight / (2 * WIDEST), generator, rate=self.REWEIGH)
        weight = torch.where(weight != 0, 2 * WIDEST * (moved - 0.5), 0)
        other = (kind != EMPTY) & (torch.rand(kind.shape, generator=generator) < self.RETYPE)
        other[:, :INPUTS] = False
        kind[other] = _kinds(int(other.sum()), generator)
        return {"weight": weight, "kind": kind}

    def _add_node(self, weight, kind, generator):
        """A new node in the middle of a connection i -> j: i -> new keeps the weight, new -> j gets its
        own.
        """
        room = (kind == EMPTY).any(1)[:, None, None]
        n, j, i = _pick((weight != 0) & room, self.ADD_NODE, generator)
        new = (kind[n] == EMPTY).int().argmax(1)
        weight[n, new, i] = weight[n, j, i]
        weight[n, j, new] = _weights(len(n), generator)
        weight[n, j, i] = 0
        kind[n, new] = _kinds(len(n), generator)
        _arrange(weight, kind, n, new, torch.minimum(j - 0.5, new))

    def _remove_node(self, weight, kind, generator):
        hidden = kind != EMPTY
        hidden[:, :INPUTS] = hidden[:, -self.outputs :] = False
        n, old = _pick(hidden, self.REMOVE_NODE, generator)
        weight[n, old], weight[n, :, old], kind[n, old] = 0, 0, EMPTY
        _arrange(weight, kind, n, old, torch.full((len(n),), INPUTS + HIDDEN - 0.5))

    def _redirect(self, weight, kind, generator):
        """A connection i -> j comes from another node k from now on."""
        n, j, i = _pick(weight != 0, self.REDIRECT, generator)
        some, k = _pick(self._absent(weight, kind)[n, j], 1.0, generator)
        n, j, i = n[some], j[some], i[some]
        weight[n, j, k], weight[n, j, i] = weight[n, j, i], 0

    def _absent(self, weight, kind):
        """(N, V, V): the connections that could be added."""
        there = kind != EMPTY
        forwards = torch.ones(self.places, self.places).tril(-1).bool()
        free = (weight == 0) & there[:, :, None] & there[:, None, :] & forwards
        free[:, :INPUTS] = free[:, :, -self.outputs :] = False
        return free

    def pictures(self, genomes: dict[str, torch.Tensor]) -> torch.Tensor:
        """(N, 3, H, W), uint8."""
        weight, kind = self._useful(genomes["weight"], genomes["kind"])
        pictures = torch.empty(len(kind), 3, self.height, self.width, dtype=torch.uint8)
        by_size = (kind != EMPTY).sum(1).argsort()
        for part in by_size.split(max(1, AT_A_TIME // (self.height * self.width))):
            pictures[part] = rgb(self._outputs(weight[part], kind[part]))
        return pictures

    def _useful(self, weight, kind):
        """The same genomes without the nodes that lead nowhere: they cost time and draw nothing."""
        useful = torch.zeros(kind.shape, dtype=torch.bool)
        useful[:, :INPUTS] = useful[:, -self.outputs :] = True
        for j in range(self.places - 1, INPUTS - 1, -1):
            useful |= useful[:, j, None] & (weight[:, j] != 0)
        order = (~useful[:, : -self.outputs]).int().argsort(dim=1, stable=True)
        order = torch.cat(
            [order, torch.arange(self.places - self.outputs, self.places).expand(len(kind), -1)], 1
        )
        return _reordered(weight, order), kind.where(useful, EMPTY).gather(1, order)

    def _outputs(self, weight, kind):
        """What the outputs of some genomes say for each pixel: (N, outputs, H, W) in [0, 1]."""
        last = int((kind[:, : -self.outputs] != EMPTY).sum(1).max())
        values = torch.empty(len(kind), last + self.outputs, self.height * self.width)
        values[:, :INPUTS] = self.inputs
        nodes = [*range(INPUTS, last), *range(self.places - self.outputs, self.places)]
        for at, j in enumerate(nodes, INPUTS):
            before = min(at, last)
            values[:, at] = _activate((weight[:, j : j + 1, :before] @ values[:, :before])[:, 0], kind[:, j])
        return values[:, last:].abs().clamp(max=1).unflatten(2, (self.height, self.width))


def _activate(sums, kind):
    """sums: (N, P). kind: (N,)."""
    for which, function in (
        (SINE, torch.sin),
        (SIGMOID, lambda s: torch.tanh(s / 2)),
        (GAUSSIAN, lambda s: torch.exp(-s * s)),
    ):
        rows = kind == which
        if rows.all():
            return function(sums)
        if rows.any():
            sums[rows] = function(sums[rows])
    return sums


def _pick(mask, rate, generator):
    """In each genome, with probability `rate`, one of the places where mask (N, ...) is true: a tuple of
    index tensors, genomes first.
    """
    flat = mask.flatten(1)
    genomes = (flat.any(1) & (torch.rand(len(flat), generator=generator) < rate)).nonzero()[:, 0]
    lots = torch.rand(len(genomes), flat.shape[1], generator=generator)
    return genomes, *torch.unravel_index(lots.masked_fill_(~flat[genomes], -1).argmax(1), mask.shape[1:])


def _arrange(weight, kind, n, node, place):
    """In the genomes n, move `node` to where `place` lies between the others' numbers."""
    key = torch.arange(kind.shape[1], dtype=torch.float32).repeat(len(n), 1)
    key[torch.arange(len(n)), node] = place.float()
    order = key.argsort(1)
    weight[n], kind[n] = _reordered(weight[n], order), kind[n].gather(1, order)


def _reordered(weight, order):
    return weight[torch.arange(len(order))[:, None, None], order[:, :, None], order[:, None, :]]


def _weights(shape, generator):
    return WIDEST * (2 * torch.rand(shape, generator=generator) - 1)


def _kinds(shape, generator):
    return torch.randint(4, shape if isinstance(shape, tuple) else (shape,), generator=generator).to(
        torch.int8
    )
