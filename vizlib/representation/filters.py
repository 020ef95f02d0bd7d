"""Filters from one code to another: how a linear map that acts alike everywhere is fitted to samples, and
trained by a task.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F

from ..batching import batches
from ..errors import VizlibError
from ..layers import resume
from .regression import moments


def around(codes, size):
    """Codes (N, K, h, w) with a border for filters of size x size places, on which the code goes on as at its
    edge.
    """
    return F.pad(codes, [size // 2] * 4, mode="replicate")


def sample(pairs, count, size, samples, seed):
    """Moments, at places drawn from all pictures, of what filters of size x size places read, (n, K size
    size), and should give, (n, K').

    pairs: yields codes (n, K, h, w) and the codes (n, K', h, w) wanted in their place, a few pictures at a
    time. count: pictures in all.
    """
    rows, columns, generator, done = [], [], torch.Generator().manual_seed(seed), 0
    for codes, wanted in pairs:
        seen, done = F.unfold(around(codes, size), size), done + len(codes)
        share = round(samples * done / count) - sum(map(len, rows))
        drawn = torch.randperm(len(codes) * seen.shape[2], generator=generator)[:share]
        rows.append(seen.transpose(1, 2).flatten(0, 1)[drawn])
        columns.append(wanted.flatten(2).transpose(1, 2).flatten(0, 1)[drawn])
    return moments(torch.cat(rows), torch.cat(columns))


def train(net, codes, labels, start, *, layer, steps=200, batch=64, rate=1e-3, seed=0, progress=None):
    """Improve a map by the task: the mapped codes go through the rest of `net`, from `layer` on, which should
    answer `labels`.

        minimize  - mean log p(label | psi(M f))        over M alone; psi, the rest of the network, stays as
        it is

    codes: f, (N, K, h, w). labels: (N,). start: M, a dataclass with weight and bias that maps codes when
        called. steps of Adam on batches,
    with the rate falling to 0. progress: a function (done, total) -> bool; False ends it. Lenc & Vedaldi
        2015, sections 3.3 and 4.
    """
    if len(labels) != len(codes):
        raise VizlibError(f"There are {len(codes)} pictures and {len(labels)} labels.")
    generator = torch.Generator().manual_seed(seed)
    weight, bias = start.weight.clone().requires_grad_(), start.bias.clone().requires_grad_()
    adam = torch.optim.Adam([weight, bias], rate)
    order = torch.cat(
        [torch.randperm(len(codes), generator=generator) for _ in range(1 + steps * batch // len(codes))]
    )
    for i in batches(
        steps * batch, batch, progress and (lambda done, total, _: progress(done // batch, steps, None))
    ):
        adam.param_groups[0]["lr"] = rate * (1 - int(i[0]) / (steps * batch))
        with torch.enable_grad():
            logits = resume(net, layer, replace(start, weight=weight, bias=bias)(codes[order[i]]))
            adam.zero_grad()
            F.cross_entropy(logits, labels[order[i]]).backward()
        adam.step()
    return replace(start, weight=weight.detach(), bias=bias.detach())
