"""What a picture is optimized for: readings of a network that add, subtract and scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from ..errors import VizlibError
from ..images import photo, photos, resize
from ..layers import record, tap
from ..layers.target import prepare, score_of_logits, unit
from ..scalars import real

if TYPE_CHECKING:
    from ..layers.target import Target
    from ..models.network import Network

PIXELS = "pixels"


@dataclass(frozen=True)
class Objective:
    """An objective function: a score for each picture, read from the activations of some layers; higher is
    better.

    layers: the names to record; "logits" is what the network returns. read: {layer: activation} -> (N,);
    under the key "pixels" it also finds the pictures themselves.
    Objectives add, subtract and take factors. Those of several networks add up once each is bound to its
    own by `on`.

        >>> goal = vz.synthesis.channel("relu3", 5) + 0.5 * vz.synthesis.channel("relu3", 9)
        >>> (goal - 0.1 * vz.synthesis.energy("relu1")).layers
        ('relu3', 'relu1')
    """

    layers: tuple[str, ...]
    read: Callable[[dict[str, torch.Tensor]], torch.Tensor]
    name: str = "objective"

    def __add__(self, other: Any) -> Objective:
        if not isinstance(other, Objective):
            return NotImplemented
        both = tuple(dict.fromkeys(self.layers + other.layers))
        return Objective(both, lambda a: self.read(a) + other.read(a), f"{self.name} + {other.name}")

    def __radd__(self, other: Any) -> Objective:
        return self if isinstance(other, int) and other == 0 else NotImplemented  # sum([...]) begins with 0

    def __sub__(self, other: Any) -> Objective:
        return self + -1.0 * other

    def __mul__(self, factor: float) -> Objective:
        factor = real(factor, "An objective takes a number as a factor")
        return replace(self, read=lambda a: factor * self.read(a), name=f"{factor:g} {self.name}")

    __rmul__ = __mul__

    def __neg__(self) -> Objective:
        return -1.0 * self

    def on(self, net: Network) -> Objective:
        """The same objective, asked of `net`, whichever network the loop is given: for a picture on which
        several networks agree (an ensemble).

            >>> one, other = vz.load("zfnet"), vz.load("zfnet-b")
            >>> goal = vz.synthesis.channel("relu3", 5) + vz.synthesis.channel("relu3", 9).on(other)
            >>> vz.visualize(one, goal, steps=2).image.shape
            torch.Size([1, 3, 64, 64])
        """

        def read(a: dict[str, torch.Tensor]) -> torch.Tensor:
            score = self.read(seen(net, a[PIXELS], self.layers))
            return score.to(a[PIXELS].device)

        return Objective((), read, f"{self.name} of {net.name}")


def seen(net: Network, images: torch.Tensor, layers: Sequence[str]) -> dict[str, torch.Tensor]:
    """What an Objective reads: the activations of `layers`, differentiable, and under "pixels" the pictures.
    Nothing is computed that no layer needs.
    """
    taken: dict[str, torch.Tensor] = {}
    if layers:
        with tap(net, layers, stop=True) as taken:
            net(images)
    return {PIXELS: images, **taken}


def objective(net: Network, target: Target | Objective) -> Objective:
    """An Objective from what the course calls a target: a class, a label, vz.unit(...), a function of the
    logits, or an Objective. Raises VizlibError for what is none of these, and for unknown classes and layers.

        >>> vz.synthesis.objective(vz.load("zfnet"), "goldfish").layers
        ('logits',)
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
        return Objective(
            ("logits",), lambda a: score_of_logits(a["logits"], target), "a function of the logits"
        )
    # on the CPU: a picture that nobody looks at
    _, classes = prepare(net, torch.full((1, 3, 8, 8), 0.5), target)
    k = int(classes[0])
    return Objective(("logits",), lambda a: a["logits"][:, k], net.labels[k])


def likelihood(net: Network, target: int | str) -> Objective:
    """The objective of a class picture: the log-probability of a class at a temperature T,

        2 log softmax(z / T)_k,   T = 2 x the spread of the logits z

    T is the network's own: the spread is the standard deviation of the logits of a photograph, the mean over
    ten of the library. Divided by it, networks with large and with small logits count alike, and with so much
    temperature the score goes on growing after the class has won: its slope is that of the logit, minus a
    share of the slopes of all classes that the picture shows too. Of a network whose labels are not
    exclusive, the logarithm of the sigmoid.

    Raises VizlibError for what is no class. Temperature: Hinton, Vinyals & Dean 2015, "Distilling the
    Knowledge in a Neural Network", section 2.

        >>> vz.synthesis.likelihood(vz.load("zfnet"), "goldfish").name
        'likelihood of goldfish'
    """
    k = net.index(target)
    temperature = 2 * _spread(net)
    return Objective(
        ("logits",),
        lambda a: 2 * net.log_probabilities(a["logits"] / temperature)[:, k],
        f"likelihood of {net.labels[k]}",
    )


def _spread(net: Network) -> float:
    """The standard deviation of the logits of a photograph, mean over ten of the library."""
    ten = photos()["name"][::9][:10]
    with torch.no_grad():
        logits = net(torch.cat([resize(photo(name), net.input_shape) for name in ten]))
    return max(float(logits.std(1).mean()), 1e-6)


def channel(layer: str, k: int) -> Objective:
    """A channel objective: the mean of channel `k` of `layer` over its grid."""
    return Objective((layer,), lambda a: unit(layer, k).read(a[layer]), f"{layer} {k}")


def energy(layer: str) -> Objective:
    """The objective of DeepDream, half the mean square of a layer: its slope is the activation itself,
    whatever is there grows. Mordvintsev et al. 2015.
    """
    return Objective((layer,), lambda a: 0.5 * a[layer].pow(2).flatten(1).mean(1), f"energy of {layer}")


def best_match(net: Network, guide: torch.Tensor, layer: str) -> Objective:
    """The objective of guided dreams: mean over positions i of max_j <a_i, b_j>, b_j the features of `guide`
    (1, 3, H, W), of any size, at its position j.

    The slope at position i is the guide's feature that fits best, b_j(i): what is there becomes more like
    that.
    Mordvintsev et al. 2015, "guided dreams".
    """
    b = record(net, guide, layer)[layer]
    b = b.reshape(*b.shape[:2], -1).transpose(1, 2).flatten(0, 1)  # (positions, K)

    def read(a: dict[str, torch.Tensor]) -> torch.Tensor:
        x = a[layer].reshape(*a[layer].shape[:2], -1).transpose(1, 2)
        with torch.no_grad():
            best = torch.cat([(part @ b.T).argmax(2) for part in x.split(512, 1)], 1)
        return (x * b[best]).sum(2).mean(1)

    return Objective((layer,), read, f"a guide's {layer}")


def direction(layer: str, v: torch.Tensor | Sequence[float]) -> Objective:
    """A direction objective (as of concept vectors): <mean over positions of a, v>, for a direction v (K,)
    among the channels.
    """

    def read(a: dict[str, torch.Tensor]) -> torch.Tensor:
        means = a[layer].flatten(2).mean(2) if a[layer].dim() > 2 else a[layer]
        return means @ torch.as_tensor(v).to(means)

    return Objective((layer,), read, f"a direction in {layer}")


def same_code(net: Network, images: torch.Tensor, layer: str) -> Objective:
    """The objective of feature inversion, and the content loss of style transfer: -||phi(x) - phi_0||^2 /
    ||phi_0||^2, phi_0 the code of `images` (1 or N). 0 is reached by a picture with the same code.

    Raises VizlibError for a code of zeros. Mahendran & Vedaldi 2015, section 3.
    """
    goal = record(net, images, layer)[layer]
    scale = goal.flatten(1).pow(2).sum(1)
    if not bool((scale > 0).all()):
        raise VizlibError(
            f"The code of {layer} is zero for one of these pictures, and everything and nothing has that "
            "code. Choose another layer or picture."
        )
    return Objective(
        (layer,), lambda a: -(a[layer] - goal).flatten(1).pow(2).sum(1) / scale, f"the code of {layer}"
    )
