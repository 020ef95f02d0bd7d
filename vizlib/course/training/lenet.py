"""Training lenet on digits, in the seconds between two cells of a notebook."""

import torch
import torch.nn.functional as F

from ...images.drawn_digits import SIDE, digits
from ...models.architectures import LeNet
from ...models.network import Network
from .fitting import fit

MEAN, STD = (0.5,) * 3, (0.5,) * 3


def train_lenet(images=None, labels=None, *, epochs=3, seed=0, names=None, tell=None):
    """Train lenet and return it as a Network.

    images, labels: (N, 3, 28, 28) in [0, 1] and (N,); None draws 12,000 digits. names: one per class; None
    names them "0", "1", ...
    """
    if images is None:
        images, labels = digits(12_000, seed)
    classes = len(names) if names else int(labels.max()) + 1
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LeNet(classes)
    size, per_epoch = 64, len(images) // 64

    def batch(step):
        order = torch.randperm(
            len(images), generator=torch.Generator().manual_seed(1000 * seed + step // per_epoch)
        )
        chosen = order[step % per_epoch * size :][:size]
        return (images[chosen] - MEAN[0]) / STD[0], labels[chosen]

    fit(
        model,
        batch,
        F.cross_entropy,
        torch.optim.Adam(model.parameters(), 2e-3),
        epochs * per_epoch,
        tell=tell,
    )
    card = {
        "what": "two convolutions and two linear layers, digits",
        "pictures": len(images),
        "epochs": epochs,
        "seed": seed,
    }
    names = names or [str(k) for k in range(classes)]
    return Network(model, name="lenet", mean=MEAN, std=STD, input_size=SIDE, labels=names, card=card)
