"""Training objectnet: the counterpart of scenenet that is told objects. The same cut-outs, one to a picture,
each with its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from ...images.collage import portraits, scene_objects
from ...models.architectures import PLAIN
from .batches import MEAN, STD
from .classifier import untrained
from .scenenet import FRESH, SIDE, prepared, train_on_collages
from .weights import accuracy, card_of_run, folded, write_weights


@dataclass(frozen=True)
class ObjectRecipe:
    """`steps` batches of `batch` new pictures each; the rest as in the classifier's Recipe."""

    steps: int = 400
    batch: int = 96
    rate: float = 0.1
    decay: float = 5e-4
    seed: int = 0


def train_objectnet(
    out: str | Path,
    *,
    recipe: ObjectRecipe | None = None,
    tell: Callable[[str], object] = print,
    count: int = 2000,
) -> Path:
    """Train objectnet; write weights, card and checkpoint to `out`. Returns the path of the weights.

    count: pictures to measure it on. A stopped training goes on when this is called again.
    """
    recipe, names = recipe or ObjectRecipe(), scene_objects()
    model = untrained("objectnet", len(names), recipe.seed)
    run = train_on_collages(model, "objectnet", portraits, recipe, out, tell=tell)
    plain = folded(model, torch.zeros(1, 3, SIDE, SIDE))
    fresh = (prepared(portraits(100, (FRESH, i), size=SIDE)) for i in range(count // 100))
    top1, top5 = accuracy(plain, fresh)
    tell(f"objectnet: fresh pictures {top1:.3f}, among the best five {top5:.3f}")
    card = {
        "name": "objectnet",
        "what": f"five convolutions, {len(names)} objects, one to a picture, told the object's name",
        "architecture": [asdict(conv) for conv in PLAIN["objectnet"]],
        "data": "single cut-outs of data/cutouts on data/backgrounds, 96 x 96 pixels",
        "recipe": asdict(recipe),
        "command": "python -m vizlib.training objectnet",
        "input_size": SIDE,
        "mean": MEAN,
        "std": STD,
        "labels": names,
        "steps": recipe.steps,
        "top-1": {"fresh pictures": top1},
        "top-5": {"fresh pictures": top5},
        **card_of_run(run),
    }
    return write_weights(out, "objectnet", plain, card)
