"""What a picture is optimized for: readings of a network that add, subtract and scale."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from ..errors import VizlibError
from ..layers import record
from ..layers.target import prepare, unit


@dataclass(frozen=True)
class Objective:
    """A score for each picture, read from the activations of some layers: higher is better.

    layers: the names to record. read: {layer: activation} -> (N,). Objectives add, subtract and take factors:
    channel("relu3", 5) + 0.5 * channel("relu3", 9) - 0.1 * energy("relu1").
    """

    layers: tuple
    read: object
    name: str = "objective"

    def __add__(self, other):
        both = tuple(dict.fromkeys(self.layers + other.layers))
        return Objective(both, lambda a: self.read(a) + other.read(a), f"{self.name} + {other.name}")

    def __sub__(self, other):
        return self + -1.0 * other

    def __mul__(self, factor):
        return replace(self, read=lambda a: factor * self.read(a), name=f"{factor:g} {self.name}")

    __rmul__ = __mul__

    def __neg__(self):
        return -1.0 * self


def objective(net, target):
    """An Objective from what the course calls a target: a class, a label, vz.unit(...), a function of the
    logits, or an Objective.
    """
    if isinstance(target, Objective):
        return target
    if target is None:
        raise VizlibError(
            "Say what the picture should be optimized for: a label, a class index, vz.unit(layer, channel), "
            "an objective."
        )
    if isinstance(target, unit):
        net.layer(target.layer)  # refuses an unknown layer now, with the nearest names
        return Objective(
            (target.layer,), lambda a: target.read(a[target.layer]), f"{target.layer} {target.channel}"
        )
    if callable(target):
        return Objective(("logits",), lambda a: target(a["logits"]), "a function of the logits")
    _, k = prepare(net, torch.full((1, 3, 8, 8), 0.5), target)
    k = int(k[0])
    return Objective(("logits",), lambda a: a["logits"][:, k], net.labels[k])


def channel(layer, k):
    """The mean of one channel over its grid."""
    return Objective((layer,), lambda a: unit(layer, k).read(a[layer]), f"{layer} {k}")


def energy(layer):
    """Half the mean square of a layer: its slope is the activation itself, whatever is there grows.
    Mordvintsev et al. 2015.
    """
    return Objective((layer,), lambda a: 0.5 * a[layer].pow(2).flatten(1).mean(1), f"energy of {layer}")


def best_match(net, guide, layer):
    """mean over positions i of max_j <a_i, b_j>, b_j the features of `guide` (1, 3, H, W), of any size, at
    its position j.

    The slope at position i is the guide's feature that fits best, b_j(i): what is there becomes more like
        that. Mordvintsev et al. 2015,
    "guided dreams".
    """
    b = record(net, guide, layer)[layer]
    b = b.reshape(*b.shape[:2], -1).transpose(1, 2).flatten(0, 1)  # (positions, K)

    def read(a):
        x = a[layer].reshape(*a[layer].shape[:2], -1).transpose(1, 2)
        with torch.no_grad():
            best = torch.cat([(part @ b.T).argmax(2) for part in x.split(512, 1)], 1)
        return (x * b[best]).sum(2).mean(1)

    return Objective((layer,), read, f"a guide's {layer}")


def direction(layer, v):
    """<mean over positions of a, v>, for a direction v (K,) among the channels."""
    return Objective(
        (layer,),
        lambda a: a[layer].flatten(2).mean(2) @ v if a[layer].dim() > 2 else a[layer] @ v,
        f"a direction in {layer}",
    )


def same_code(net, images, layer):
    """-||phi(x) - phi_0||^2 / ||phi_0||^2, phi_0 the code of `images` (1 or N): 0 is reached by a picture
    with the same code.

    Mahendran & Vedaldi 2015, section 3.
    """
    goal = record(net, images, layer)[layer]
    scale = goal.flatten(1).pow(2).sum(1).clamp(min=1e-12)
    return Objective(
        (layer,), lambda a: -(a[layer] - goal).flatten(1).pow(2).sum(1) / scale, f"the code of {layer}"
    )


def gram(features):
    """G_kl = mean over positions of a_k a_l: (N, K, h, w) -> (N, K, K). Gatys et al. 2015 divide the sum
    differently.
    """
    a = features.flatten(2)
    return a @ a.transpose(1, 2) / a.shape[2]


def same_style(net, image, layers):
    """-sum over layers of ||G - G_0||^2 / ||G_0||^2 with G the Gram matrices: 0 for the style picture itself,
    wherever its parts are.
    """
    goals = {layer: gram(a) for layer, a in record(net, image, list(layers)).items()}
    return Objective(
        tuple(layers), lambda a: -sum(_style_error(a[layer], goal) for layer, goal in goals.items()), "style"
    )


def _style_error(features, goal):
    """||gram(features) - goal||^2 / ||goal||^2, (N,), with as few products of matrices as it takes, which is
    where the time goes.

    A: (K, n), channels and positions. With fewer positions than channels, ||A A^T|| = ||A^T A||, the smaller
        of the two, and
    <A A^T, G_0> = <A, G_0 A>, whose slope in A is 2 G_0 A: what has just been computed.
    """
    a, scale = features.flatten(2), (goal**2).sum((1, 2))
    n = a.shape[2]
    if n >= a.shape[1]:
        return ((_with_itself(a.transpose(1, 2)) / n - goal) ** 2).sum((1, 2)) / scale
    squares = (_with_itself(a) ** 2).sum((1, 2)) / n**2
    b = goal @ a.detach()
    common = (2 * (a * b) - a.detach() * b).sum((1, 2)) / n
    return (squares - 2 * common + scale) / scale


def _with_itself(a):
    """a^T a, with half the work on the way back. Only for what treats both halves of this symmetric matrix
    alike.
    """
    half = a.detach().transpose(1, 2) @ a
    return 2 * half - half.detach()


def diversity(layer):
    """-sum over the other pictures j of the batch of cos(G_i, G_j): for several answers to one question. Olah
    et al. 2017.
    """

    def read(a):
        g = F.normalize(gram(a[layer]).flatten(1), dim=1)
        return -((g @ g.T).sum(1) - 1)

    return Objective((layer,), read, f"diversity in {layer}")
