"""The gradient of a score with respect to the pixels, and its two relatives.

Saliency, deconvnet and guided backpropagation are the same backward pass; they differ in the name of the rule
that every ReLU follows (vizlib.layers.rules), one word in the functions below.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from ..batching import in_batches
from ..deprecation import renamed
from ..errors import VizlibError
from ..layers.rules import relu_rule
from ..layers.target import Target, leaf, prepare, scores, slope, with_slopes

if TYPE_CHECKING:
    from ..models.network import Network


def backward(
    net: Network, images: torch.Tensor, target: Target, rule: str | Callable, batch_size: int = 8
) -> torch.Tensor:
    """d score / d pixels, (N, 3, H, W), with `rule` at every ReLU. The one backward pass behind every
    function here.
    """
    images, target = prepare(net, images, target)
    return in_batches(lambda x, t: slopes(net, x, t, rule), images, target, batch_size)


def slopes(net: Network, x: torch.Tensor, target: Any, rule: str | Callable = "gradient") -> torch.Tensor:
    """d score / d x for a prepared target, with values of x of any size: each picture's score depends on that
    picture alone.
    """
    with with_slopes(), relu_rule(rule):
        x = leaf(x)
        return slope(scores(net, x, target), x)


@renamed(chunk="batch_size")
def gradient(
    net: Network, images: torch.Tensor, target: Target = None, *, batch_size: int = 8
) -> torch.Tensor:
    """The gradient (vanilla gradient, sensitivity map): how the score answers to each pixel.

    Returns dS/dx, signed, (N, 3, H, W), in score per unit of brightness. The score is the logit, not the
    probability.
    images: (N, 3, H, W) in [0, 1].
    target: a class, a label, one per picture, vz.unit(...), a function of the logits, or None for each
        picture's top class.
    batch_size: pictures per pass.
    Raises VizlibError for pictures, classes or layers that cannot be used. Simonyan, Vedaldi & Zisserman
    2013, "Deep Inside Convolutional Networks", section 3.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.gradient(net, photo, "goldfish").shape
        torch.Size([1, 3, 64, 64])
    """
    return backward(net, images, target, "gradient", batch_size)


@renamed(chunk="batch_size")
def deconvnet(
    net: Network, images: torch.Tensor, target: Target = None, *, batch_size: int = 8
) -> torch.Tensor:
    """The deconvnet's signal at the pixels, (N, 3, H, W): on the way back each ReLU passes what is positive.

    Arguments and errors as in `gradient`, and VizlibError if the network has no ReLU. Zeiler & Fergus 2014,
    "Visualizing and Understanding Convolutional Networks", section 2.1; as a rule for the backward pass:
    Springenberg et al. 2015, section 3.4.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.deconvnet(net, photo, vz.unit("conv5", 3)).shape
        torch.Size([1, 3, 64, 64])
    """
    return backward(net, images, target, "deconvnet", batch_size)


@renamed(chunk="batch_size")
def guided_backprop(
    net: Network, images: torch.Tensor, target: Target = None, *, batch_size: int = 8
) -> torch.Tensor:
    """Guided backpropagation, (N, 3, H, W): each ReLU passes on what is positive on the way back where it was
    active on the way forward.

    Arguments and errors as in `gradient`, and VizlibError if the network has no ReLU. Springenberg,
    Dosovitskiy, Brox & Riedmiller 2015, "Striving for Simplicity", section 3.4.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.guided_backprop(net, photo, "goldfish").shape
        torch.Size([1, 3, 64, 64])
    """
    return backward(net, images, target, "guided", batch_size)


@renamed(chunk="batch_size")
def gradient_times_input(
    net: Network, images: torch.Tensor, target: Target = None, *, batch_size: int = 8
) -> torch.Tensor:
    """Gradient times input, x * dS/dx, (N, 3, H, W): each pixel's share if the score were linear and black
    meant nothing.

    Arguments and errors as in `gradient`. x is the picture in [0, 1], so that the zero point is black.
    Shrikumar, Greenside & Kundaje 2017, "Learning Important Features Through Propagating Activation
    Differences", section 2.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.gradient_times_input(net, photo, "goldfish").shape
        torch.Size([1, 3, 64, 64])
    """
    return gradient(net, images, target, batch_size=batch_size) * net.check(images)


@renamed(chunk="batch_size")
def saliency(
    net: Network,
    images: torch.Tensor,
    target: Target = None,
    *,
    part: str = "absolute",
    batch_size: int = 8,
) -> torch.Tensor:
    """The saliency map M_ij = max over colours of |dS/dx|, (N, 1, H, W), never negative.

    part: "absolute" as in the paper; "positive" takes max(0, dS/dx), where more light raises the score;
        "negative" max(0, -dS/dx). All three are in the same unit and can be compared.
    Other arguments and errors as in `gradient`. Simonyan, Vedaldi & Zisserman 2013, section 3.1.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.saliency(net, photo, "goldfish").shape
        torch.Size([1, 1, 64, 64])
    """
    parts = {
        "absolute": torch.abs,
        "positive": lambda g: g.clamp(min=0),
        "negative": lambda g: (-g).clamp(min=0),
    }
    if part not in parts:
        raise VizlibError(f"part is one of {', '.join(parts)}; this is {part!r}.")
    return parts[part](gradient(net, images, target, batch_size=batch_size)).amax(1, keepdim=True)
