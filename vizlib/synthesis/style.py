"""Content of one picture, style of another (Gatys, Ecker & Bethge 2015/16), and textures from noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch

from ..batching import whole
from ..deprecation import renamed
from ..errors import VizlibError
from ..layers.pooling import average_pooling
from ..scalars import real
from .account import Account
from .ascent import Result, ascend, options_for_ascend
from .canvas import Pixels, noise
from .colours import one_picture
from .grams import same_style
from .objectives import Objective, same_code
from .priors import outside, total_variation
from .style_inputs import Layers, grey, layer_weights, palette, shares, starting_picture, styles_and_mix
from .transformations import enlarged

if TYPE_CHECKING:
    from ..models.network import Network


@renamed(optimiser="optimizer")
@torch.inference_mode(False)
def style_transfer(
    net: Network,
    content: torch.Tensor,
    style: torch.Tensor | Sequence[torch.Tensor],
    *,
    content_layers: Layers | None = None,
    style_layers: Layers | None = None,
    content_weight: float = 1.0,
    style_weight: float = 20.0,
    mix: Sequence[float] | None = None,
    start: str | torch.Tensor = "content",
    colours: str = "style",
    average: bool | None = None,
    smoothness: float = 20.0,
    enlarge: float | None = None,
    **options: Any,
) -> Result:
    """Neural style transfer: a picture with the content of one picture and the style of another. Returns a
    Result.

        loss = content_weight * sum_l v_l ||A_l - P_l||^2 / ||P_l||^2
             + style_weight * sum_i m_i sum_l w_l ||G_l - S_il||^2 / ||S_il||^2
             + smoothness * total variation per pixel + 10 * squares outside [0, 1] per pixel

    A_l: (K, h, w), the activations of layer l; P_l those of `content`. G_l: (K, K), the mean over positions
    of a a^T, the Gram matrix; S_il that of style picture i. The weights of layers and of styles are scaled
    to add up to 1. Gatys divides by 4 N^2 M^2 and not by the target; here a loss of 1 means as wrong as an
    activation of zero, for every layer and network, so that weights carry over.

    What to paint:
    content: (1, 3, H, W) in [0, 1]. style: (1, 3, h, w), of any size (which is that of its strokes), or a
    list.
    content_layers, style_layers: names, or {name: weight}; default: see `style_layers_of`.
    content_weight, style_weight: of the two losses. mix: of several styles, a weight each.
    start: "content", "noise", "style" or a picture.
    colours: "style"; "matched": the style picture first gets the content's mean colour and covariance;
    "luminance": only the brightness is painted, and the content's colours are put back (Gatys et al. 2016,
    "Preserving Color in Neural Artistic Style Transfer").
    average: take means where the network takes maxima over windows. enlarge: the network looks at all
    pictures so many times as large. Default: True and 1; for SqueezeNet False and 1.5, see `style_layers_of`.
    smoothness: the weight of total variation.

    How to get there:
    options: of `ascend`; by default 150 steps of L-BFGS, at a rate of 1 (0.03 for another optimizer);
    penalties come on top. history holds minus the two weighted losses.

    Raises VizlibError for what does not fit, layers in which a picture leaves nothing, and a loss that is
    no number.
    Gatys, Ecker & Bethge 2016, "Image Style Transfer Using Convolutional Neural Networks", section 2.

        >>> photo, painting, net = vz.photo("dahlia", 64), vz.photo("style_great_wave", 64), vz.load("zfnet")
        >>> vz.style_transfer(net, photo, painting, style_weight=5, steps=2).image.shape
        torch.Size([1, 3, 64, 64])
    """
    average, enlarge = _usual_look(net, average, enlarge)
    options = _options(options, smoothness, enlarge, steps=150)
    content, (styles, mix) = one_picture(content, "content", net.device), styles_and_mix(net, style, mix)
    shares({"content_weight": content_weight, "style_weight": style_weight}, "The weights")
    seen, styles, finish = palette(colours, content, styles)
    usual_content, usual_style = style_layers_of(net)
    first = starting_picture(start, seen, styles[0], options["seed"])
    with average_pooling(average):
        goals = []
        if content_weight:
            weights = layer_weights(content_layers or usual_content).items()
            goals += [
                content_weight * v * same_code(net, enlarged(seen, enlarge), name) for name, v in weights
            ]
        for m, s in zip(mix, styles, strict=True):
            picture = enlarged(s, enlarge)
            goals += _style_goals(net, picture, style_layers or usual_style, style_weight * m)
        first = grey(first) if colours == "luminance" else first
        return _paint(net, goals, first, options, finish)


@renamed(optimiser="optimizer")
@torch.inference_mode(False)
def texture(
    net: Network,
    style: torch.Tensor,
    *,
    size: int | tuple[int, int] = 256,
    layers: Layers | None = None,
    average: bool = True,
    smoothness: float = 0.0,
    enlarge: float | None = None,
    **options: Any,
) -> Result:
    """Texture synthesis: a picture from noise with the Gram matrices of `style`, and nothing of where
    things are.
    Returns a Result.

        loss = sum_l w_l ||G_l - S_l||^2 / ||S_l||^2,   as in `style_transfer` without the content

    style: (1, 3, h, w) in [0, 1], the texture.
    size: side, or (height, width), in pixels, of the picture.
    layers: names, or {name: weight}; default: the style layers of `style_layers_of`.
    average, smoothness, enlarge, options: as in `style_transfer`; by default 200 steps. Means are taken for
    SqueezeNet, too: the slope of a maximum reaches one pixel of a window, and noise stays in the others.
    A network with random weights ("squeezenet@0") is the control of Ustyuzhaninov, Brendel, Gatys & Bethge
    2016, "Texture Synthesis Using Shallow Convolutional Networks with Random Filters".
    Gatys, Ecker & Bethge 2015, "Texture Synthesis Using Convolutional Neural Networks", section 3.

        >>> vz.texture(vz.load("zfnet"), vz.background("gravel_grey", 64), size=(48, 64), steps=2).image.shape
        torch.Size([1, 3, 48, 64])
    """
    enlarge = _usual_look(net, average, enlarge)[1]
    options = _options(options, smoothness, enlarge, steps=200)
    style = one_picture(style, "style", net.device)
    with average_pooling(average):
        goals = _style_goals(net, enlarged(style, enlarge), layers or style_layers_of(net)[1])
        start = noise(size, seed=options["seed"], spread=0.2, device=net.device)
        return _paint(net, goals, start, options)


def style_layers_of(net: Network) -> tuple[list[str], list[str]]:
    """The content layers and the style layers where nobody names them: two lists.

    A VGG: relu4_2, and the first of each block, as in the paper. Another network: its ReLUs, and blocks such
    as SqueezeNet's Fire modules (or, where ReLUs have no names, the named layers with positions), but no
    maps of classes; five of them at most, evenly chosen; the content is the one in the middle. Raises
    VizlibError for a network without such layers.

    SqueezeNet: relu1, the Fire modules 2 to 5 and 7; content: fire7. Chosen by eye, with two settings that
    matter more. In style transfer its max-pooling stays: with means its paintings fill with embossed worms.
    It looks at pictures enlarged by 1.5, see `enlarged` in transformations.py: 1 takes half the time and
    leaves a grain; 2 takes twice the time, draws the cleanest lines, and makes leather of the broad strokes
    of oil.
    What VGG-19 ("torchvision/vgg19", for those online) adds: it is the network of the paper, and its defaults
    are the paper's. All its filters have stride 1 and only pooling makes grids coarser, so it needs no
    enlargement; up to relu5_1 it asks for 92 times the multiplications that SqueezeNet needs up to fire7,
    41 times with the enlargement.

        >>> vz.synthesis.style_layers_of(vz.load("zfnet"))
        (['relu3'], ['relu1', 'relu2', 'relu3', 'relu4', 'relu5'])
    """
    names = [n for n in net.layers["name"] if net.layer(n).spatial]
    if "relu4_2" in names:
        return ["relu4_2"], [f"relu{i}_1" for i in range(1, 6)]
    if _is_squeezenet(net):
        return ["fire7"], ["relu1", *(f"fire{i}" for i in (2, 3, 4, 5, 7))]
    if any(n.startswith("relu") for n in names):
        names = [n for n in names if n.startswith("relu") or any(net.layer(n).module.children())]
    names = [n for n in names if net.layer(n).shape[0] != len(net.labels)] or names
    if not names:
        raise VizlibError(
            f"{net.name} has no layer with a grid of positions, and style is what does not depend on them."
        )
    count = min(5, len(names))
    names = [names[round(i * (len(names) - 1) / max(1, count - 1))] for i in range(count)]
    return [names[count // 2]], names


def _style_goals(net: Network, picture: torch.Tensor, layers: Layers, weight: float = 1.0) -> list[Objective]:
    """The style loss of each layer that has a weight, negated."""
    weights = layer_weights(layers).items() if weight else ()
    return [weight * w * same_style(net, picture, [name]) for name, w in weights if w]


def _is_squeezenet(net: Network) -> bool:
    return {"relu1", "fire7", "fire9"} <= set(net.layers["name"])


def _usual_look(net: Network, average: bool | None, enlarge: float | None) -> tuple[bool, float]:
    """How the network looks at pictures, where nobody says it: see `style_layers_of`."""
    fire = _is_squeezenet(net)
    return not fire if average is None else average, (1.5 if fire else 1.0) if enlarge is None else enlarge


def _options(given: dict[str, Any], smoothness: float, enlarge: float, steps: int) -> dict[str, Any]:
    """All options of `ascend`: its `penalties` are functions of the picture that count per pixel; its last
    look is from nearer.
    """
    given = {name: value for name, value in given.items() if value is not None}
    given["jitter"] = {"enlarge": enlarge} | given.get("jitter", {})
    options = options_for_ascend(given, steps=steps, optimizer="lbfgs", seed=0, penalties=())
    options["steps"] = whole(options["steps"], "steps is a whole number")
    options.setdefault("rate", 1.0 if options["optimizer"] == "lbfgs" else 0.03)
    smoothness = real(smoothness, "smoothness is a weight, 0 or more", lambda value: value >= 0)
    usual = [(10.0, _per_pixel(outside)), (smoothness, _per_pixel(total_variation))]
    return options | {"penalties": [*usual[: 1 + (smoothness > 0)], *options["penalties"]]}


def _per_pixel(penalty: Callable) -> Callable:
    return lambda image: penalty(image) / image[0, 0].numel()


def _paint(
    net: Network,
    goals: list[Objective],
    start: torch.Tensor,
    options: dict[str, Any],
    finish: Callable[[torch.Tensor], torch.Tensor] = lambda image: image,
) -> Result:
    """The climb. finish: what is done to each picture before anybody sees it."""
    account = Account(options.get("progress"), options["steps"])
    options = options | {"progress": account.run(finish)}
    result = ascend(net, sum(goals[1:], goals[0]), Pixels(start, clip=False), **options)
    result.image, result.images = finish(result.image), finish(result.images)
    return result
