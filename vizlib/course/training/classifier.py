"""Training zfnet and its relatives on Tiny ImageNet."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from ...models.architectures import PLAIN, PlainNet
from ...models.devices import find_device
from ...models.seeded import seeded_init
from .batches import MEAN, STD, Attacked, Batches, attacked, in_unit_range, normalized, validation
from .fitting import Run, fit
from .tiny_imagenet import SIDE, Pictures, read_tiny_imagenet
from .weights import accuracy, card_of_run, dead_units, folded, write_weights


@dataclass(frozen=True)
class Recipe:
    """How a classifier is trained.

    crops: stages (epochs, side). The first epochs see a smaller part of each picture at its full resolution,
        which costs less.
    rate, decay: highest learning rate and weight decay. smoothing: of the labels.
    epsilon, attack_steps: adversarial training, if epsilon is not 0: on pictures that differ by up to so much
        per value, found in so many steps. Both are told the plain labels then, without smoothing.
    keep: epochs after which a copy is kept.
    """

    crops: tuple[tuple[int, int], ...] = ((11, 48), (5, 64))
    batch: int = 128
    rate: float = 0.2
    decay: float = 5e-4
    smoothing: float = 0.1
    epsilon: float = 0.0
    attack_steps: int = 3
    keep: tuple[int, ...] = ()
    seed: int = 0

    @property
    def epochs(self) -> int:
        return sum(epochs for epochs, _ in self.crops)

    def side(self, epoch: int) -> int:
        """The side of the pictures in this epoch, counted from 0."""
        for epochs, side in self.crops:
            if epoch < epochs:
                return side
            epoch -= epochs
        raise IndexError("the training is over")


RECIPES = {
    "zfnet": Recipe(keep=(0, 1, 2, 3, 5, 8, 12)),
    "zfnet-b": Recipe(seed=1),
    "zfnet-coarse": Recipe(),
    "zfnet-robust": Recipe(crops=((40, 64),), batch=256, smoothing=0.0, epsilon=4 / 255),
}
# Then three epochs more at a quarter of the rate, with other batches. The mean of the weights at both ends is
# better than either end.
SECOND = Recipe(crops=((3, 64),), rate=0.05)


WHAT = {
    "zfnet": "five convolutions, 200 classes of Tiny ImageNet, after Zeiler & Fergus (2014)",
    "zfnet-b": "zfnet trained once more, from another seed",
    "zfnet-coarse": "zfnet with 11 x 11 filters at stride 4 in its first layer",
    "zfnet-robust": "zfnet by adversarial training, after Madry et al. (2018)",
}


def untrained(name: str, classes: int, seed: int) -> PlainNet:
    """A network of the family of zfnet before its training, on the device that there is."""
    with seeded_init(seed):
        model = PlainNet(PLAIN[name], classes, norm=True)
    return model.to(find_device()).to(memory_format=torch.channels_last)


def sgd(model: nn.Module, rate: float, decay: float) -> torch.optim.SGD:
    """Stochastic gradient descent with Nesterov's momentum; biases and batch-norm are not decayed."""
    weights = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": weights, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, rate, momentum=0.9, nesterov=True)


@torch.no_grad()
def average(
    model: nn.Module,
    state: dict[str, torch.Tensor],
    batch: Callable[[int], tuple[torch.Tensor, torch.Tensor]],
    count: int,
) -> None:
    """Stochastic weight averaging of two ends: give `model` the mean of its own weights and those of `state`,
    and batch-norm statistics that fit them, from `count` batches.

    Izmailov, Podoprikhin, Garipov, Vetrov & Wilson 2018, "Averaging Weights Leads to Wider Optima and Better
    Generalization".
    """
    for key, value in model.state_dict().items():
        if value.is_floating_point():
            value.lerp_(state[key], 0.5)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over the batches
    device = next(model.parameters()).device
    model.train()
    for step in range(count):
        model(batch(step)[0].to(device))
    model.eval()


def under_attack(
    model: nn.Module, pictures: Pictures, epsilon: float, *, steps: int = 20, most: int = 2000
) -> float:
    """Top-1 accuracy on about `most` pictures that were changed by up to `epsilon` to lead the model astray,
    by projected gradient ascent in `steps` steps.
    """
    device = next(model.parameters()).device
    chosen = torch.arange(len(pictures))[:: max(1, len(pictures) // most)]
    parts = chosen.split(200)

    def changed(part):
        x, y = in_unit_range(pictures.images[part]), torch.from_numpy(pictures.labels)[part]
        return normalized(attacked(model, x.to(device), y.to(device), epsilon, steps, seed=0)), y.to(device)

    return accuracy(model, map(changed, parts), top=(1,))[0]


def train_classifier(
    name: str,
    data: str | Path,
    out: str | Path,
    *,
    recipe: Recipe | None = None,
    second: Recipe | None = None,
    tell: Callable[[str], object] = print,
) -> Path:
    """Train "zfnet", "zfnet-b", "zfnet-coarse" or "zfnet-robust" on Tiny ImageNet in the folder
    `data`; write weights, cards and checkpoints to `out`.

    recipe, second: how, and how it goes on from there (default: RECIPES[name] and SECOND; a recipe of your
        own has no second part).
    Returns the path of the weights. A stopped training goes on when this is called again with the same `out`.
    """
    if recipe is None:
        recipe, second = RECIPES[name], None if RECIPES[name].epsilon else SECOND
    if second is not None:
        second = replace(second, seed=recipe.seed + 100)  # other batches than in the first part
    tell("reading the pictures ...")
    train, val = read_tiny_imagenet(data, "train"), read_tiny_imagenet(data, "val")
    model = untrained(name, len(train.names), recipe.seed)
    device = next(model.parameters()).device
    place = device if device.type != "cpu" else None
    batch = Attacked(train, recipe, model, place) if recipe.epsilon else Batches(train, recipe, place)
    card = {
        "name": name,
        "what": WHAT[name],
        "architecture": [asdict(conv) for conv in PLAIN[name]],
        "data": "Tiny ImageNet: 200 classes, 64 x 64 pixels",
        "training pictures": len(train),
        "recipe": asdict(recipe),
        "then": second and asdict(second),
        "command": f"python -m vizlib.training {name} --data PATH",
        "input_size": SIDE,
        "mean": MEAN,
        "std": STD,
        "labels": train.names,
    }

    def finish(label, epoch, **more):
        plain = folded(model, torch.zeros(1, 3, SIDE, SIDE))
        top1, top5 = accuracy(plain, validation(val))
        tell(f"{label}: top-1 {top1:.4f}, top-5 {top5:.4f} on {len(val)} validation pictures")
        measured = {"epoch": epoch, "validation top-1": top1, "validation top-5": top5, **more}
        if not more:  # a copy along the way
            return write_weights(
                out, label, plain, {**card, **measured, "name": label, **card_of_run(None)}, small=True
            )
        if recipe.epsilon:
            measured |= {
                "validation top-1 under attack": under_attack(
                    copy.deepcopy(plain).to(device), val, recipe.epsilon
                )
            }
            tell(f"{label}: {measured['validation top-1 under attack']} under attack")
        return write_weights(
            out, label, plain, {**card, **measured, "dead units": dead_units(plain, validation(val))}
        )

    def after(step):
        epoch, rest = divmod(step, batch.per_epoch)
        if rest or epoch == recipe.epochs:
            return
        model.eval()
        if epoch in recipe.keep:
            finish(f"{name}@{epoch}", epoch)
        else:
            (top1,) = accuracy(
                folded(model, torch.zeros(1, 3, SIDE, SIDE)), validation(val, most=2000), top=(1,)
            )
            tell(
                f"after epoch {epoch} of {recipe.epochs}: top-1 {top1:.3f} on a part of the validation "
                "pictures"
            )
        model.train()

    def loss(logits, labels):
        return F.cross_entropy(logits, labels, label_smoothing=recipe.smoothing)

    def go(recipe, batch, checkpoint, after=None):
        return fit(
            model,
            batch,
            loss,
            sgd(model, recipe.rate, recipe.decay),
            recipe.epochs * batch.per_epoch,
            path=f"{out}/{checkpoint}.checkpoint",
            fingerprint=f"{name} {recipe}",
            after=after,
            cost=lambda step: recipe.side(step // batch.per_epoch) ** 2,
            tell=tell,
        )

    tell(f"training {name} on {device}, started {time.strftime('%H:%M')}")
    run, epochs = go(recipe, batch, name, after), recipe.epochs
    if second is not None:
        first, batch = copy.deepcopy(model.state_dict()), Batches(train, second, place)
        more = go(second, batch, f"{name}-second")
        average(model, first, batch, count=min(80, second.epochs * batch.per_epoch))
        run, epochs = Run(run.losses + more.losses, run.seconds + more.seconds), recipe.epochs + second.epochs
    return finish(name, epochs, **card_of_run(run))
