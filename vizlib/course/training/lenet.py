"""Training lenet on digits, in the seconds between two cells of a notebook."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F

from ...batching import whole
from ...errors import VizlibError
from ...images.drawn_digits import SIDE, digits
from ...models.architectures import LeNet
from ...models.network import Network
from ...models.seeded import seeded_init
from .fitting import fit

MEAN, STD, BATCH = (0.5,) * 3, (0.5,) * 3, 64


@torch.inference_mode(False)
def train_lenet(
    images: torch.Tensor | None = None,
    labels: torch.Tensor | None = None,
    *,
    epochs: int = 3,
    seed: int = 0,
    names: Sequence[str] | None = None,
    tell: Callable[[str], object] | None = None,
) -> Network:
    """Train lenet and return it as a Network.

    images, labels: (N, 3, 28, 28) in [0, 1] and (N,); None draws 12,000 digits.
    epochs: how often it sees every picture. seed: of its first weights and of the order of the pictures.
    names: one per class; None names them "0", "1", ...
    Raises VizlibError for pictures and labels that do not belong together, or a loss that is not finite.
    """
    epochs, seed = whole(epochs, "epochs is a number of rounds"), whole(seed, "seed is a whole number", 0)
    if images is None:
        images, labels = digits(12_000, seed)
    images, labels = _checked(images, labels, names)
    classes = len(names) if names else int(labels.max()) + 1
    with seeded_init(seed):
        model = LeNet(classes)
    size = min(BATCH, len(images))
    per_epoch = len(images) // size

    def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        order = torch.Generator().manual_seed(1000 * seed + step // per_epoch)
        chosen = torch.randperm(len(images), generator=order)[step % per_epoch * size :][:size]
        return (images[chosen] - MEAN[0]) / STD[0], labels[chosen]

    steps, rates = epochs * per_epoch, torch.optim.Adam(model.parameters(), 2e-3)
    fit(model, batch, F.cross_entropy, rates, steps, tell=tell)
    what = "two convolutions and two linear layers, digits"
    card = {"what": what, "pictures": len(images), "epochs": epochs, "seed": seed}
    names = names or [str(k) for k in range(classes)]
    return Network(model, name="lenet", mean=MEAN, std=STD, input_size=SIDE, labels=names, card=card)


def _checked(
    images: torch.Tensor, labels: torch.Tensor | None, names: Sequence[str] | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures as float32 and class numbers, both on the CPU."""
    labels = torch.as_tensor([] if labels is None else labels).detach().cpu()
    if not isinstance(images, torch.Tensor) or images.shape[1:] != (3, SIDE, SIDE) or not len(images):
        shape = tuple(images.shape) if isinstance(images, torch.Tensor) else type(images).__name__
        raise VizlibError(f"lenet looks at pictures (N, 3, {SIDE}, {SIDE}); these are {shape}.")
    if labels.shape != images.shape[:1] or labels.is_floating_point():
        raise VizlibError(
            f"labels are one whole number for each of the {len(images)} pictures; these are {labels.dtype}, "
            f"{tuple(labels.shape)}."
        )
    least, most = int(labels.min()), int(labels.max())
    if least < 0 or names and most >= len(names):
        there = f"; there are {len(names)} names" if names else ""
        raise VizlibError(f"labels count classes from 0; these run from {least} to {most}{there}.")
    return images.detach().cpu().float(), labels.long()
