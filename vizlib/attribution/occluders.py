"""Occlusion: cover a part of the picture and see what the network says then."""

import torch

from ..batching import batches, check_batch_size, select
from ..errors import VizlibError
from ..images.check import check_images
from ..layers.local import LocalChange, output_of
from ..layers.target import settle, unit


def occlusion(
    net, images, target=None, *, patch=32, stride=8, fill=None, upsample=True, batch_size=8, progress=None
):
    """M_ij = S(x) - S(x with the patch at i, j covered): how much the score falls, signed.

    images: (N, 3, H, W) in [0, 1]. target: a class, a label, one per picture, vz.unit(...), a function of the
        logits (such as a
    probability), or None for each picture's top class. patch, stride: side of the square and its step, in
        pixels, or (rows, columns);
    the last patches may be cut by the border. fill: the patch's colour, a number or one per colour, by
        default what the network sees as
    zero. upsample: True gives (N, 1, H, W), each pixel the mean over the patches that covered it; False one
        value per patch, (N, 1, h, w).
    batch_size: patches per pass. progress: a function (done, total) -> bool; when it returns False, patches
    not
        yet tried count as no fall.
    The layers near the pixels are computed only where a patch can change them (vizlib.layers.local); the
        result is the same.
    Raises VizlibError for pictures, classes, layers, patches or colours that cannot be used.
    Zeiler & Fergus 2014, "Visualizing and Understanding Convolutional Networks", section 4.2.
    """
    images, target = settle(net, images, target)
    check_batch_size(batch_size)
    boxes, grid = patches(images, patch, stride)
    layer = target.layer if isinstance(target, unit) else "logits"
    whole = _score(target, _uncovered(net, images, layer, batch_size))
    drop = torch.zeros(len(images), len(boxes))
    for i, b, outputs in answers(net, images, boxes, layer, fill, batch_size, progress):
        drop[i, b] = whole[i] - _score(select(target, i), outputs)
    if not upsample:
        return drop.view(-1, 1, *grid)
    total, times = torch.zeros_like(images[:, :1]), torch.zeros(images.shape[-2:])
    for b, (rows, columns) in enumerate(boxes):
        total[:, 0, rows, columns] += drop[:, b, None, None]
        times[rows, columns] += 1
    return total / times.clamp(min=1)


def occluded(net, images, *, layer="logits", patch=32, stride=8, fill=None, batch_size=8, progress=None):
    """What `layer` says at every position of the patch: (N, h, w, K), each channel's mean over its grid,
    logits as they are.

    For questions that one score does not answer: which label wins behind each patch, how strong is a feature
        map, which signs change?
    Arguments and errors as in `occlusion`; patches not yet tried when progress returns False give what the
        whole picture gives.
    """
    images = check_images(images)
    check_batch_size(batch_size)
    boxes, grid = patches(images, patch, stride)
    result = _means(_uncovered(net, images, layer, batch_size))[:, None].repeat(1, len(boxes), 1)
    for i, b, outputs in answers(net, images, boxes, layer, fill, batch_size, progress):
        result[i, b] = _means(outputs)
    return result.view(len(images), *grid, -1)


def answers(net, images, boxes, layer, fill=None, batch_size=8, progress=None):
    """Yields (which pictures, which boxes, outputs of `layer`), a batch at a time, for every picture with
    every box covered.
    """
    colour = net.neutral if fill is None else torch.as_tensor(fill, dtype=torch.float32)
    if colour.numel() not in (1, 3) or not bool(((colour >= 0) & (colour <= 1)).all()):
        raise VizlibError(f"fill is a colour: a number or three, in [0, 1]; this is {fill!r}.")
    height, width = (max(box[axis].stop - box[axis].start for box in boxes) for axis in (0, 1))
    change = LocalChange(net, images, layer, height, width)
    for piece in batches(len(images) * len(boxes), batch_size, progress):
        i, b = piece // len(boxes), piece % len(boxes)
        yield i, b, change(i, [boxes[k] for k in b.tolist()], colour.view(-1, 1, 1))


def patches(images, patch, stride):
    """The boxes, pairs of slices row by row, and the grid (h, w) they form."""
    sides = []
    for what, n, p, s in zip(
        ("rows", "columns"), images.shape[-2:], _pair(patch, "patch"), _pair(stride, "stride"), strict=True
    ):
        if p > n:
            raise VizlibError(f"A patch of {p} {what} does not fit a picture of {n}.")
        sides.append([slice(start, min(start + p, n)) for start in range(0, n - p + s, s)])
    return [(rows, columns) for rows in sides[0] for columns in sides[1]], (len(sides[0]), len(sides[1]))


def _pair(value, name):
    pair = (
        (value, value) if isinstance(value, int) else tuple(value) if isinstance(value, (list, tuple)) else ()
    )
    if len(pair) != 2 or not all(isinstance(v, int) and not isinstance(v, bool) and v > 0 for v in pair):
        raise VizlibError(f"{name} is a number of pixels or (rows, columns); this is {value!r}.")
    return pair


def _uncovered(net, images, layer, batch_size):
    """What `layer` says of the pictures as they are."""
    return torch.cat([output_of(net, layer, lambda x=x: net(x)) for x in images.split(batch_size)])


def _means(outputs):
    """(N, K): of maps their means over the grid."""
    return outputs.flatten(2).mean(2) if outputs.dim() > 2 else outputs


def _score(target, outputs):
    if isinstance(target, unit):
        return target.read(outputs)
    if isinstance(target, torch.Tensor):
        return outputs.gather(1, target[:, None])[:, 0]
    return target(outputs).float()
