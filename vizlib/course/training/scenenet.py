"""Training scenenet: a name for the scene is all it is told; no object is ever named or outlined."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from ...images.collage import Collages, collages, scenes
from ...models.architectures import PLAIN, PlainNet
from .batches import MEAN, STD
from .classifier import sgd, untrained
from .fitting import Run, fit
from .weights import accuracy, card_of_run, folded, write_weights

SIDE = 96
TRIALS = {
    "fresh collages": {},
    "held-out cut-outs": {"held_out": True},
    "objects alone": {"show": "objects"},
    "backgrounds alone": {"show": "background"},
}
FRESH = 1_000_000  # seeds from here on are for measuring, those below for training


@dataclass(frozen=True)
class SceneRecipe:
    """`steps` batches of `batch` new collages each; keep: steps after which a copy is kept; the rest as in
    the classifier's Recipe.
    """

    steps: int = 1200
    batch: int = 128
    rate: float = 0.1
    decay: float = 5e-4
    keep: tuple[int, ...] = (0, 100, 300)
    seed: int = 0


def prepared(made: Collages) -> tuple[torch.Tensor, torch.Tensor]:
    """Collages as scenenet's first convolution takes them: (inputs, labels)."""
    return (made.images - MEAN[0]).div_(STD[0]).contiguous(memory_format=torch.channels_last), made.labels


def fresh_batches(
    count: int, seed: int = FRESH, **options: Any
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """(inputs, labels) pairs of 100 collages that no training has seen."""
    for i in range(count // 100):
        yield prepared(collages(100, (seed, i), size=SIDE, **options))


def train_on_collages(
    model: PlainNet, name: str, made: Callable, recipe: Any, out: str | Path, **options: Any
) -> Run:
    """Fit the model by a recipe to pictures that are made as they are needed, made(count, seed, size=...);
    its checkpoint goes to `out`. options: of `fit`.
    """
    return fit(
        model,
        lambda step: prepared(made(recipe.batch, (recipe.seed, step), size=SIDE)),
        F.cross_entropy,
        sgd(model, recipe.rate, recipe.decay),
        recipe.steps,
        path=f"{out}/{name}.checkpoint",
        fingerprint=f"{name} {recipe}",
        every=50,
        **options,
    )


def train_scenenet(
    out: str | Path,
    *,
    recipe: SceneRecipe | None = None,
    tell: Callable[[str], object] = print,
    count: int = 2000,
) -> Path:
    """Train scenenet; write weights, cards and checkpoint to `out`. Returns the path of the weights.

    count: collages to measure it on. A stopped training goes on when this is called again.
    """
    recipe = recipe or SceneRecipe()
    kinds = [row["kind"] for row in scenes()]
    model = untrained("scenenet", len(kinds), recipe.seed)
    card = {
        "name": "scenenet",
        "what": "five convolutions, eight scenes of collages, told the scene's name only",
        "architecture": [asdict(conv) for conv in PLAIN["scenenet"]],
        "data": "collages of data/cutouts and data/backgrounds, 96 x 96 pixels",
        "recipe": asdict(recipe),
        "command": "python -m vizlib.training scenenet",
        "input_size": SIDE,
        "mean": MEAN,
        "std": STD,
        "labels": kinds,
    }

    def finish(label, steps, **more):
        plain = folded(model, torch.zeros(1, 3, SIDE, SIDE))
        measured = {
            what: accuracy(plain, fresh_batches(count, **options), top=(1,))[0]
            for what, options in TRIALS.items()
        }
        tell(f"{label}: " + ", ".join(f"{what} {top1:.3f}" for what, top1 in measured.items()))
        described = {**card, "name": label, "steps": steps, "top-1": measured, **more}
        return write_weights(out, label, plain, described, small=not more)

    def after(step):
        if step in recipe.keep:
            model.eval()
            finish(f"scenenet@{step}", step)
            model.train()

    run = train_on_collages(model, "scenenet", collages, recipe, out, after=after, tell=tell)
    return finish("scenenet", recipe.steps, **card_of_run(run))
