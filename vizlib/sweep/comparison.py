"""Many attribution methods on many pictures: which of them can be trusted, and how sure is that?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from ..attribution.curves import energy_inside, pointing_game
from ..attribution.evidence import rank_correlation
from ..attribution.randomization import randomize
from ..batching import whole
from ..errors import VizlibError
from ..table import Table
from .loops import run
from .mean_curves import Method, asked, check_maps, follow_all
from .reducers import Moments
from .streams import is_folder

if TYPE_CHECKING:
    from ..models import Network

LOW_IS_GOOD = ("deletion", "weights")
HEARD = 0.6  # a rank correlation above it: the map hardly noticed that the weights are random


@dataclass(frozen=True)
class Comparison:
    """How some methods answer some questions, over `moments.count` pictures.

    moments: the Moments of all answers, questions after each other, methods within; so the standard error of
    every difference is known.
    """

    methods: list
    questions: list
    moments: Moments

    def mean(self, method: str, question: str) -> float:
        return float(self.moments.mean[self._place(method, question)])

    def error(self, method: str, question: str) -> float:
        """The standard error of that mean."""
        return float(self.moments.error[self._place(method, question)])

    def difference(self, method: str, other: str, question: str) -> tuple[float, float]:
        """The mean of the differences, picture by picture, and its standard error, two floats."""
        a, b = (self._place(name, question) for name in (method, other))
        scatter, n = self.moments.scatter, self.moments.count
        spread = float(scatter[a, a] + scatter[b, b] - 2 * scatter[a, b])
        error = (max(spread, 0.0) / (n - 1) / n) ** 0.5 if n > 1 else float("nan")
        return float(self.moments.mean[a] - self.moments.mean[b]), error

    def table(self) -> Table:
        """The means, with twice their standard errors."""
        return Table(
            {
                "map": name,
                **{q: f"{self.mean(name, q):.3f} +- {2 * self.error(name, q):.3f}" for q in self.questions},
            }
            for name in self.methods
        )

    def verdicts(self, impostors: Iterable[str]) -> Table:
        """Which methods beat the best of those that never look at the network: a Table.

        finds: more energy on the object. predicts: lower at deletion and higher at insertion. knows the
        weights: a rank correlation under 0.6 with the map of a network with random weights. "yes" and "-"
        where the mean of the differences is more than twice its standard error away from 0, "?" otherwise.
        """
        impostors = list(impostors)
        if not impostors:
            raise VizlibError(f"Name the impostors among the methods, which are {', '.join(self.methods)}.")
        rows = []
        for name in self.methods:
            row = {"map": name}
            if "energy" in self.questions:
                row["finds"] = self._ahead(name, "energy", impostors)
            both = [self._ahead(name, q, impostors) for q in ("deletion", "insertion")]
            row["predicts"] = "-" if "-" in both else "?" if "?" in both else "yes"
            row["knows the weights"] = _decided(
                HEARD - self.mean(name, "weights"), self.error(name, "weights")
            )
            rows.append(row)
        return Table(rows)

    def _ahead(self, name, question, impostors):
        sign = -1 if question in LOW_IS_GOOD else 1
        rival = max(impostors, key=lambda i: sign * self.mean(i, question))
        mean, error = self.difference(name, rival, question)
        return _decided(sign * mean, error)

    def _place(self, method, question):
        for name, known in ((method, self.methods), (question, self.questions)):
            if name not in known:
                raise VizlibError(f"There is no {name!r} here; there are {', '.join(known)}.")
        return self.questions.index(question) * len(self.methods) + self.methods.index(method)


def _decided(mean, error):
    if abs(mean) <= 2 * error or error != error:
        return "?"
    return "yes" if mean > 0 else "-"


def compare(
    net: Network,
    pictures: Any,
    methods: Mapping[str, Method],
    target: Any = None,
    *,
    masks: Any = None,
    down_to: str | None = None,
    seed: int = 0,
    steps: int = 28,
    batch_size: int = 32,
    **options: Any,
) -> Comparison:
    """Compare attribution methods over many pictures: a benchmark with paired differences and their errors.

    Of every map it asks: deletion and insertion, the areas under the two curves; weights, the rank
    correlation of its size with that of the map of a network with random weights (Adebayo et al. 2018);
    and, where there are masks, points, whether its highest point lies on the object, and energy, the share
    of its positive part there in units of chance (Zhang et al. 2016; Wang et al. 2020).

    pictures, target, steps: as in `vz.sweep.curves`. methods: {name: a function (net, images, classes) ->
        maps}.
    masks: one per picture, (N, 1, H, W) of 0 and 1, or a `vz.folder` of as many black and white pictures.
    down_to, seed: what is drawn anew, as in `vz.randomize`; None: all weights.
    options: progress, client, checkpoint, as in `vz.sweep.run`. Returns a Comparison.

    >>> net, photos = vz.load("zfnet"), [vz.photo(name, 64) for name in ("goldfish", "giant_panda")]
    >>> methods = {"saliency": vz.saliency, "Grad-CAM": vz.grad_cam}
    >>> vz.sweep.compare(net, photos, methods, steps=4).questions
    ['deletion', 'insertion', 'weights']
    """
    if not isinstance(methods, Mapping) or not methods:
        raise VizlibError("methods is a dict of names and functions (net, images, classes) -> maps.")
    steps = whole(steps, "steps is a number of shares of the picture")
    questions = [*(("points", "energy") if masks is not None else ()), "deletion", "insertion", "weights"]
    other = randomize(net, down_to, seed=seed)
    belongs = {
        "question": ", ".join(questions),
        "network": net,
        "weights": other,
        "methods": ", ".join(methods),
        "steps": steps,
        "target": repr(target),
    }
    measure = _Answers(net, other, dict(methods), target, masks, steps, batch_size)
    found = run(pictures, measure, Moments(), batch_size=batch_size, belongs=belongs, **options)
    return Comparison(list(methods), questions, found.result())


@dataclass(frozen=True)
class _Answers:
    """What Moments takes, of one batch: (n, questions * methods)."""

    net: Network
    other: Network
    methods: dict
    target: Any
    masks: Any
    steps: int
    batch_size: int

    def __call__(self, numbers, images):
        images, classes, follow = asked(self.net, numbers, images, self.target)
        masks = None if self.masks is None else self._masks_of(numbers, images)
        answers = []
        for method in self.methods.values():
            maps, blind = (check_maps(method(n, images, classes), images) for n in (self.net, self.other))
            curves = follow_all(self.net, images, follow, maps, self.steps, self.batch_size)
            mine = [*(c.mean(1) for c in curves), rank_correlation(maps, blind, absolute=True)]
            if masks is not None:
                chance = masks.mean((1, 2, 3)).clamp(min=1e-30)
                mine = [pointing_game(maps, masks), energy_inside(maps, masks) / chance, *mine]
            answers.append(torch.stack([a.cpu().double() for a in mine], 1))  # (n, questions)
        return (torch.stack(answers, 2).flatten(1),)

    def _masks_of(self, numbers, images):
        if len(self.masks) <= int(numbers[-1]):
            raise VizlibError(
                f"There are {len(self.masks)} masks, and a picture number {int(numbers[-1])} "
                "(counted from 0)."
            )
        if is_folder(self.masks):
            masks = torch.cat([self.masks[i].mean(1, keepdim=True) for i in numbers.tolist()])
        else:
            masks = torch.stack([self.masks[i].view(1, *self.masks[i].shape[-2:]) for i in numbers.tolist()])
        return (masks > 0.5).to(images)
