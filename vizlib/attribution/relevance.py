"""Layer-wise relevance propagation: the score is handed back, layer by layer, until every pixel has its
share.
"""

import contextlib
import math

import torch

from ..batching import in_batches
from ..errors import VizlibError
from ..layers.relevance_rules import Rule, relevance_rules
from ..layers.target import prepare, scores, slope, unit
from ..table import Table

RULES = ("composite", "zero", "epsilon", "gamma")


def lrp(net, images, target=None, *, rule="composite", gamma=0.25, epsilon=0.25, batch_size=8):
    """Relevance of every pixel and colour, (N, 3, H, W), signed: what is left of the score S(x), shared out
    from the logits down.

    rule: "zero", LRP-0: R_j = sum_k a_j w_jk / (sum_j a_j w_jk + b_k) R_k. "epsilon" adds `epsilon` times the
        layer's root mean square to
    every sum, which takes from weak, contradictory evidence. "gamma" favours what agrees with a sum, w +
        gamma max(0, w) where it is
    positive. "composite", the usual mixture: epsilon in linear layers; in convolutions and sums only what
        agrees (gamma without limit)
    and no biases; in the first layer the z-box rule, which knows that pixels lie in [0, 1].
    Biases and epsilon keep a share, so that the map adds up to less than the score: `relevance_table` shows
        how much, and where.
    images, target, batch_size: as in `gradient`; of a function of the logits each logit gets logit times
    slope, so
        that the difference of two
    logits has the difference of their maps. Raises VizlibError for networks with functions that have no rule,
        such as gates and attention.
    Bach et al. 2015, "On Pixel-Wise Explanations for Non-Linear Classifier Decisions by Layer-Wise Relevance
        Propagation", section 2;
    Montavon, Binder, Lapuschkin, Samek & Mueller 2019, "Layer-Wise Relevance Propagation: An Overview",
        sections 10.2 and 10.3.
    """
    choose = _chooser(net, rule, gamma, epsilon)
    images, target = prepare(net, images, target)
    return in_batches(lambda x, t: _propagate(net, x, t, choose), images, target, batch_size)


def relevance_table(net, image, target=None, *, rule="composite", gamma=0.25, epsilon=0.25):
    """How relevance flows, layer by layer from the logits down: a Table with layer, arriving, passed on, kept
    by its bias, lost.

    A sum of two branches has a row, "sum"; inside a branch only what went into it arrives. Lost is what the
        other three do not account
    for: epsilon's share, that of units which nothing but their bias excites where the rule leaves biases out,
        and rounding.
    """
    choose = _chooser(net, rule, gamma, epsilon)
    image, target = prepare(net, image, target)
    if len(image) != 1:
        raise VizlibError(f"relevance_table follows one picture; this batch holds {len(image)}.")
    rows, paths = Table(), {id(p): path for path, p in net.model.named_parameters()}

    def note(kind, weight):
        layer = paths.get(id(weight), kind).removesuffix(".weight")

        def write(R, relevance, kept):
            arriving, passed = float(R.sum()), float(relevance.sum())
            lost = arriving - passed - float(kept)
            rows.append(
                {
                    "layer": layer,
                    "arriving": arriving,
                    "passed on": passed,
                    "kept by its bias": float(kept),
                    "lost": lost,
                }
            )

        return write

    _propagate(net, image, target, choose, note)
    return rows


def _propagate(net, x, target, choose, note=None):
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        with relevance_rules(choose, *([note] if note else [])):
            out = scores(net, x, target) if isinstance(target, unit) else net(x)
        R = out.detach() if isinstance(target, unit) else _shares_of_logits(out, target)
    (relevance,) = torch.autograd.grad(out, x, R)
    return relevance


def _shares_of_logits(logits, target):
    """What each logit adds to the score, (N, K): logit times slope, which is all of the score if that is a
    weighted sum of logits.
    """
    logits = logits.detach().requires_grad_()
    return logits.detach() * slope(scores(lambda given: given, logits, target), logits)


def _chooser(net, rule, gamma, epsilon):
    if rule not in RULES:
        raise VizlibError(f"rule is one of {', '.join(RULES)}; this is {rule!r}.")
    if not (gamma >= 0 and epsilon >= 0):
        raise VizlibError(f"gamma and epsilon are 0 or more; these are {gamma!r} and {epsilon!r}.")
    if rule != "composite":
        one = {"zero": Rule(), "epsilon": Rule(epsilon=epsilon), "gamma": Rule(gamma=gamma)}[rule]
        return lambda kind, number, inputs: one
    low, high = _bounds(net)

    def choose(kind, number, inputs):
        if number == 0:
            return Rule(box=(low, high), bias=False)
        return Rule(epsilon=epsilon) if kind == "linear" else Rule(gamma=math.inf, bias=False)

    return choose


class _Seen(Exception):
    """Ends a forward pass when the first layer has its input."""


def _bounds(net):
    """What the first weighted layer gets for a black and for a white picture: the bounds of the z-box rule,
    (1, C, 1, 1) each.
    """
    seen = []

    def look(kind, number, inputs):
        seen.append(inputs.detach().mean((2, 3), keepdim=True))
        raise _Seen

    black_and_white = torch.stack([torch.zeros(3, 32, 32), torch.ones(3, 32, 32)]).requires_grad_()
    with contextlib.suppress(_Seen), torch.enable_grad(), relevance_rules(look):
        net(black_and_white)
    return seen[0][:1], seen[0][1:]
