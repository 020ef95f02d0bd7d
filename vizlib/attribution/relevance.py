"""Layer-wise relevance propagation: the score is handed back, layer by layer, until every pixel has its
share.
"""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

import torch

from ..batching import in_batches, real
from ..deprecation import renamed
from ..errors import VizlibError
from ..layers.relevance_rules import Rule, relevance_rules
from ..layers.target import Target, leaf, prepare, score_of_logits, scores, slope, unit, with_slopes
from ..table import Table

if TYPE_CHECKING:
    from ..models.network import Network

RULES = ("composite", "zero", "epsilon", "gamma")


@renamed(chunk="batch_size")
def lrp(
    net: Network,
    images: torch.Tensor,
    target: Target = None,
    *,
    rule: str = "composite",
    gamma: float = 0.25,
    epsilon: float = 0.25,
    batch_size: int = 8,
) -> torch.Tensor:
    """Layer-wise relevance propagation (LRP): the relevance of every pixel and colour, (N, 3, H, W), signed.

    The score S(x) is shared out from the logits down. Every layer hands to each of its inputs what that input
    contributed to its sums; R_j = sum_k z_jk / (sum_j z_jk + b_k) R_k with z_jk = a_j w_jk, and the rules
    differ in z.

    rule: "zero", LRP-0: as above, and without biases the same as gradient times input.
        "epsilon", LRP-epsilon: `epsilon` times the layer's root mean square is added to every sum, away
            from zero, which takes from weak, contradictory evidence.
        "gamma", LRP-gamma: w + gamma max(0, w) in the place of w where a sum is positive (and its mirror
            image where it is negative), which favours what agrees with the sum.
        "composite", the usual mixture: LRP-epsilon in linear layers; z-plus (LRP-gamma with gamma =
            infinity, the same as LRP-alpha1-beta0) and no biases in convolutions and sums of branches; in
            the first layer z-box (z^B, the rule of deep Taylor decomposition for pixels), which knows that
            pixels lie in [0, 1].
    gamma: 0 or more, for "gamma". epsilon: 0 or more, for "epsilon" and "composite".
    images: (N, 3, H, W) in [0, 1].
    target: a class, a label, one per picture, vz.unit(...), a function of the logits, or None for each
        picture's top class. Of a function each logit gets logit times slope, so that the difference of two
        logits has the difference of their maps.
    batch_size: pictures per pass.

    Biases and epsilon keep a share, so that the map adds up to less than the score; `relevance_table` shows
    how much, and where. Raises VizlibError for networks with functions that have no rule, such as gates and
    attention.

    Bach et al. 2015, "On Pixel-Wise Explanations for Non-Linear Classifier Decisions by Layer-Wise Relevance
    Propagation", section 2; Montavon et al. 2017, "Explaining NonLinear Classification Decisions with Deep
    Taylor Decomposition"; Montavon et al. 2019, "Layer-Wise Relevance Propagation: An Overview", sections
    10.2 and 10.3.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.lrp(net, photo, "goldfish").shape
        torch.Size([1, 3, 64, 64])
    """
    images, target = prepare(net, images, target)
    choose = _chooser(net, rule, gamma, epsilon, images.shape[-2:])
    return in_batches(lambda x, t: _propagate(net, x, t, choose), images, target, batch_size)


def relevance_table(
    net: Network,
    image: torch.Tensor,
    target: Target = None,
    *,
    rule: str = "composite",
    gamma: float = 0.25,
    epsilon: float = 0.25,
) -> Table:
    """The conservation of relevance in LRP, layer by layer from the logits down: a Table.

    Its columns are layer, arriving, passed on, kept by its bias, and lost: what the other three do not
    account for, which is epsilon's share, that of units which nothing but their bias excites where the rule
    leaves biases out, and rounding. A sum of two branches has a row, "sum"; inside a branch only what went
    into it arrives.

    image: (1, 3, H, W) in [0, 1]; other arguments and errors as in `lrp`.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.relevance_table(net, photo, "goldfish")["layer"]
        ['fc', 'adaptive_avg_pool2d', 'conv5', 'conv4', 'conv3', 'conv2', 'conv1']
    """
    image, target = prepare(net, image, target)
    choose = _chooser(net, rule, gamma, epsilon, image.shape[-2:])
    if len(image) != 1:
        raise VizlibError(f"relevance_table follows one picture; this batch holds {len(image)}.")
    rows, paths = Table(), {id(p): path for path, p in net.model.named_parameters()}

    def note(kind, weight):
        layer = paths.get(id(weight), kind).removesuffix(".weight")

        def write(R, relevance, kept):
            row = {"arriving": R.sum(), "passed on": relevance.sum(), "kept by its bias": kept.sum()}
            row = {column: float(value) for column, value in row.items()}
            lost = row["arriving"] - row["passed on"] - row["kept by its bias"]
            rows.append({"layer": layer, **row, "lost": lost})

        return write

    _propagate(net, image, target, choose, note)
    return rows


def _propagate(net, x, target, choose, note=None):
    with with_slopes():
        x = leaf(x)
        with relevance_rules(choose, *([note] if note else [])):
            out = scores(net, x, target) if isinstance(target, unit) else net(x)
        R = out.detach() if isinstance(target, unit) else _shares_of_logits(out, target)
        (relevance,) = torch.autograd.grad(out, x, R)
    return relevance


def _shares_of_logits(logits, target):
    """What each logit adds to the score, (N, K): logit times slope."""
    logits = leaf(logits)
    if isinstance(target, torch.Tensor):
        target = target.clone()  # it may have been made in inference mode, and is needed on the way back
    return logits.detach() * slope(score_of_logits(logits, target), logits)


def _chooser(net, rule, gamma, epsilon, size):
    """(kind, number, inputs) -> Rule, for `relevance_rules`. size: height and width of the pictures."""
    if rule not in RULES:
        raise VizlibError(f"rule is one of {', '.join(RULES)}; this is {rule!r}.")
    gamma, epsilon = (real(value, "gamma and epsilon are numbers") for value in (gamma, epsilon))
    if rule != "composite":
        one = {"zero": Rule(), "epsilon": Rule(epsilon=epsilon), "gamma": Rule(gamma=gamma)}[rule]
        return lambda kind, number, inputs: one
    box = _bounds(net, size)

    def choose(kind, number, inputs):
        if kind != "sum" and number == 0:
            return Rule(box=box, bias=False)
        return Rule(epsilon=epsilon) if kind == "linear" else Rule(gamma=math.inf, bias=False)

    return choose


class _Seen(Exception):
    """Ends a forward pass when the first layer has its input."""


def _bounds(net, size):
    """The bounds of the z-box rule, (1, ...) each: the least and the most that the first layer can get.

    That is what it gets for a black and for a white picture.
    """
    seen = []

    def look(kind, number, inputs):
        if kind == "sum":
            return Rule()
        seen.extend(half[:1] for half in inputs.detach().chunk(2))
        raise _Seen

    with with_slopes(), contextlib.suppress(_Seen), relevance_rules(look):
        black_and_white = torch.zeros(2, 3, *size, device=net.device)
        black_and_white[1] = 1
        net(black_and_white.requires_grad_())
    return (torch.minimum(*seen), torch.maximum(*seen)) if seen else None
