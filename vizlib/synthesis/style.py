"""Content of one picture, style of another (Gatys, Ecker & Bethge 2015/16), and textures from noise."""

import torch

from ..errors import VizlibError
from ..images.convert import resize
from ..layers.pooling import average_pooling
from .ascent import ascend
from .canvas import Pixels, noise
from .colours import luminance, match_colours, one_picture, with_luminance_of
from .objectives import same_code, same_style
from .priors import outside, total_variation

COLOURS = ("style", "matched", "luminance")


def style_transfer(
    net,
    content,
    style,
    *,
    content_layers=None,
    style_layers=None,
    content_weight=1.0,
    style_weight=20.0,
    mix=None,
    start="content",
    colours="style",
    average=True,
    smoothness=20.0,
    optimizer="lbfgs",
    rate=None,
    steps=150,
    seed=0,
    progress=None,
    **options,
):
    """A picture with the content of one picture and the style of another. Returns a Result.

        loss = content_weight * sum_l v_l ||A_l - P_l||^2 / ||P_l||^2  +  style_weight * sum_i m_i sum_l w_l
        ||G_l - S_il||^2 / ||S_il||^2
               + smoothness * total variation per pixel + 10 * squares outside [0, 1] per pixel

    A_l: (1, K, h, w), the activations of layer l; P_l those of `content`. G_l: (K, K), the mean over
        positions of a a^T, the Gram matrix;
    S_il that of style picture i. The weights of layers and of styles are scaled to add up to 1. Gatys divides
        by 4 N^2 M^2 and not by the
    target; here a loss of 1 means as wrong as an activation of zero, for every layer and network, so that
        weights carry over.

    content: (1, 3, H, W). style: (1, 3, h, w), of any size (which is that of its strokes), or a list of them,
        with mix: a weight each.
    content_layers, style_layers: names, or {name: weight}; default: see `style_layers_of`. start: "content",
        "noise", "style" or a picture.
    colours: "style"; "matched": the style picture first gets the content's mean colour and covariance;
        "luminance": only the brightness is
    painted, and the content's colours are put back (Gatys et al. 2016, "Preserving Color in Neural Artistic
        Style Transfer").
    average: take means where the net takes maxima over windows. rate: 1 for L-BFGS, else 0.03. optimizer,
        steps, progress, options: as in
    `ascend`; history holds minus the two weighted losses. Raises VizlibError for what does not fit, and a
        loss that is no number, in words.
    Gatys, Ecker & Bethge 2016, "Image Style Transfer Using Convolutional Neural Networks", section 2.
    """
    content, (styles, mix) = one_picture(content, "content"), _styles(style, mix)
    if colours not in COLOURS:
        raise VizlibError(f"colours is one of {', '.join(COLOURS)}; this is {colours!r}.")
    share = _shares({"content_weight": content_weight, "style_weight": style_weight}, "The weights")
    seen, finish = content, None
    if colours == "luminance":
        seen, styles = _grey(content), [_grey(s) for s in styles]
        finish = lambda image: with_luminance_of(content, image)  # noqa: E731
    if colours != "style":
        styles = [match_colours(s, seen) for s in styles]
    of_content, of_style = style_layers_of(net)
    of_content, of_style = _layers(content_layers or of_content), _layers(style_layers or of_style)
    with average_pooling(average):
        goals = [
            (content_weight * v, same_code(net, seen, name))
            for name, v in of_content.items()
            if share["content_weight"]
        ]
        for m, s in zip(mix, styles, strict=True):
            goals += [
                (style_weight * m * w, same_style(net, s, [name]))
                for name, w in of_style.items()
                if share["style_weight"]
            ]
        first = _start(start, seen, styles[0], seed)
        canvas = Pixels(_grey(first) if colours == "luminance" else first, clip=False)
        return _paint(net, goals, canvas, smoothness, optimizer, rate, steps, seed, progress, finish, options)


def texture(
    net,
    style,
    *,
    size=256,
    layers=None,
    average=True,
    smoothness=0.0,
    optimizer="lbfgs",
    rate=None,
    steps=200,
    seed=0,
    progress=None,
    **options,
):
    """A picture from noise with the Gram matrices of `style`, and nothing of where things are. Returns a
    Result.

    loss = sum_l w_l ||G_l - S_l||^2 / ||S_l||^2, as in `style_transfer` without the content. size: side, or
        (height, width), in pixels.
    layers: names, or {name: weight}; default: the style layers of `style_layers_of`. Everything else as in
        `style_transfer`.
    Gatys, Ecker & Bethge 2015, "Texture Synthesis Using Convolutional Neural Networks", section 3.
    """
    style, layers = one_picture(style, "style"), _layers(layers or style_layers_of(net)[1])
    with average_pooling(average):
        goals = [(w, same_style(net, style, [name])) for name, w in layers.items()]
        canvas = Pixels(noise(size, seed=seed, spread=0.2), clip=False)
        return _paint(net, goals, canvas, smoothness, optimizer, rate, steps, seed, progress, None, options)


def style_layers_of(net):
    """The layers for content and for style where nobody names them: two lists.

    A VGG: relu4_2, and the first of each block, as in the paper. Another network: its ReLUs (or, where these
        have no names, the named
    layers with positions), five of them at most, evenly chosen; the content is the one in the middle.
    """
    names = [n for n in net.layers["name"] if net.layer(n).spatial]
    if "relu4_2" in names:
        return ["relu4_2"], [f"relu{i}_1" for i in range(1, 6)]
    names = [n for n in names if n.startswith("relu")] or names
    if not names:
        raise VizlibError(
            f"{net.name} has no layer with a grid of positions, and style is what does not depend on them."
        )
    count = min(5, len(names))
    names = [names[round(i * (len(names) - 1) / max(1, count - 1))] for i in range(count)]
    return [names[count // 2]], names


def _paint(net, goals, canvas, smoothness, optimizer, rate, steps, seed, progress, finish, options):
    goals = [weight * goal for weight, goal in goals if weight]
    pixels, finish = canvas.knobs[0, 0].numel(), finish or (lambda image: image)
    penalties = [(10 / pixels, outside), (smoothness / pixels, total_variation)][: 1 + (smoothness > 0)]
    rate = rate or (1.0 if optimizer == "lbfgs" else 0.03)
    shown = progress and (lambda done, total, preview: progress(done, total, finish(preview)))
    result = ascend(
        net,
        sum(goals[1:], goals[0]),
        canvas,
        steps=steps,
        optimizer=optimizer,
        rate=rate,
        penalties=penalties,
        seed=seed,
        progress=shown,
        **options,
    )
    result.image, result.images = finish(result.image), finish(result.images)
    return result


def _shares(weights, what):
    """Weights of 0 or more, scaled to add up to 1."""
    total = sum(weights.values())
    if not all(w >= 0 for w in weights.values()) or not 0 < total < float("inf"):
        raise VizlibError(f"{what} are 0 or more, and not all 0; these are {weights}.")
    return {name: w / total for name, w in weights.items()}


def _layers(layers):
    layers = [layers] if isinstance(layers, str) else layers
    return _shares(
        layers if isinstance(layers, dict) else dict.fromkeys(layers, 1.0), "The weights of layers"
    )


def _styles(style, mix):
    styles = [one_picture(s, "A style") for s in (style if isinstance(style, (list, tuple)) else [style])]
    mix = [1.0] * len(styles) if mix is None else list(mix)
    if not styles or len(mix) != len(styles):
        raise VizlibError(
            f"mix has one weight for each style; there are {len(styles)} styles and mix = {mix}."
        )
    return styles, list(_shares(dict(enumerate(mix)), "The weights in mix").values())


def _grey(image):
    return luminance(image).clamp(0, 1).expand_as(image)


def _start(start, content, style, seed):
    if isinstance(start, torch.Tensor):
        if one_picture(start, "start").shape != content.shape:
            raise VizlibError(
                f"start has the size of the content, {tuple(content.shape)}; this is {tuple(start.shape)}."
            )
        return start
    size = tuple(content.shape[-2:])
    starts = {
        "content": lambda: content,
        "noise": lambda: noise(size, seed=seed, spread=0.2),
        "style": lambda: resize(style, size),
    }
    if start not in starts:
        raise VizlibError(f"start is one of {', '.join(starts)}, or a picture; this is {start!r}.")
    return starts[start]()
