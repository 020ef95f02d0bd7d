"""What style transfer is asked for, checked: layers, weights, style pictures, colours, the start."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch

from ..errors import VizlibError
from ..images.convert import resize
from ..scalars import real
from .canvas import noise
from .colours import luminance, match_colours, one_picture, with_luminance_of

if TYPE_CHECKING:
    from ..models.network import Network

COLOURS = ("style", "matched", "luminance")
Layers = str | Sequence[str] | dict[str, float]


def palette(
    colours: str, content: torch.Tensor, styles: list[torch.Tensor]
) -> tuple[torch.Tensor, list[torch.Tensor], Callable]:
    """The content and the styles as they are to be seen, and what is done to the painting in the end."""
    if colours not in COLOURS:
        raise VizlibError(f"colours is one of {', '.join(COLOURS)}; this is {colours!r}.")
    if colours == "style":
        return content, styles, lambda image: image
    if colours == "matched":
        return content, [match_colours(s, content) for s in styles], lambda image: image
    seen = grey(content)
    return (
        seen,
        [match_colours(grey(s), seen) for s in styles],
        lambda image: with_luminance_of(content, image),
    )


def shares(weights: dict, what: str) -> dict:
    """Weights of 0 or more, scaled to add up to 1."""
    rule = f"{what} are 0 or more, and not all 0"
    weights = {name: real(w, rule, lambda value: 0 <= value < math.inf) for name, w in weights.items()}
    total = sum(weights.values())
    if not total > 0:
        raise VizlibError(f"{rule}; these are {weights}.")
    return {name: w / total for name, w in weights.items()}


def layer_weights(layers: Layers) -> dict[str, float]:
    """{name: weight}, the weights scaled to add up to 1."""
    layers = [layers] if isinstance(layers, str) else layers
    return shares(layers if isinstance(layers, dict) else dict.fromkeys(layers, 1.0), "The weights of layers")


def styles_and_mix(
    net: Network, style: Any, mix: Sequence[float] | None
) -> tuple[list[torch.Tensor], list[float]]:
    """The style pictures on the network's device, and a weight for each; the weights add up to 1."""
    styles = style if isinstance(style, (list, tuple)) else [style]
    styles = [one_picture(s, "A style", net.device) for s in styles]
    mix = [1.0] * len(styles) if mix is None else list(mix)
    if not styles or len(mix) != len(styles):
        raise VizlibError(
            f"mix has one weight for each style; there are {len(styles)} styles and mix = {mix}."
        )
    return styles, list(shares(dict(enumerate(mix)), "The weights in mix").values())


def grey(image: torch.Tensor) -> torch.Tensor:
    """The picture's luminance in all three colours."""
    return luminance(image).clamp(0, 1).expand_as(image)


def starting_picture(start: Any, content: torch.Tensor, style: torch.Tensor, seed: int) -> torch.Tensor:
    """The picture that a painting begins with, of the content's size."""
    size = (content.shape[-2], content.shape[-1])
    if isinstance(start, torch.Tensor):
        if one_picture(start, "start").shape != content.shape:
            raise VizlibError(
                f"start has the size of the content, {tuple(content.shape)}; this is {tuple(start.shape)}."
            )
        return start.to(content)
    starts = {
        "content": lambda: content,
        "noise": lambda: noise(size, seed=seed, spread=0.2, device=content.device),
        "style": lambda: resize(style, size),
    }
    if not isinstance(start, str) or start not in starts:
        raise VizlibError(f"start is one of {', '.join(starts)}, or a picture; this is {start!r}.")
    return starts[start]()
