"""The minimal image: what is left when everything that can go without changing the class has gone."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..batching import check_batch_size, goes_on
from ..errors import VizlibError
from ..images import check_images


@dataclass(frozen=True)
class Minimal:
    """image (1, 3, H, W): the minimal image. kept (1, 1, H, W): 1 where the picture is as it was. label: the
    class that holds.

    segments (H, W): the pieces, numbered from 0. order: the pieces removed, in turn. history: the score
        before, and after each removal.
    stopped: whether progress ended it early.
    """

    image: torch.Tensor
    kept: torch.Tensor
    label: str
    segments: torch.Tensor
    order: list
    history: list
    stopped: bool

    @property
    def share(self):
        """How much of the picture's area is left, in [0, 1]."""
        return float(self.kept.mean())


def minimal_image(net, image, target=None, *, segments=40, fill="smooth", batch_size=20, progress=None):
    """Remove the segment whose loss lowers the score least, again and again, as long as the class stays on
    top.

    image: (1, 3, H, W) in [0, 1]. target: a class or a label, by default the top class; the score is its
        logit. segments: about how many
    pieces to cut the picture into (SLIC), or a map (H, W) of whole numbers that says which pixel belongs to
        which. fill: "smooth" fills
    what is removed from its surroundings, so that no edge is left behind (see `smooth_fill`); a number or
        three in [0, 1] paint it.
    batch_size: pictures per pass; each removal costs as many passes as there are segments left.
    progress: a function (done, total) -> bool, called after each removal; when it returns False, the loop
        ends there.
    Returns a Minimal. Raises VizlibError for several pictures, and if the class is not on top to begin with.
    Zhou et al. 2015, "Object Detectors Emerge in Deep Scene CNNs", section 3.1 (there: gradients removed,
        Poisson reconstruction).
    """
    image = check_images(image)
    if len(image) != 1:
        raise VizlibError(f"A minimal image is made of one picture; these are {len(image)}.")
    check_batch_size(batch_size)
    with torch.no_grad():
        logits = net(image)[0]
    k = int(logits.argmax()) if target is None else net.index(target)
    if int(logits.argmax()) != k:
        top = net.labels[int(logits.argmax())]
        raise VizlibError(
            f"The network sees {top!r} here, not {net.labels[k]!r}: there is no class to hold on to."
        )
    pieces = cut_up(image, segments)
    left, order, history = list(range(int(pieces.max()) + 1)), [], [float(logits[k])]
    kept, current, total, stopped = torch.ones_like(image[:, :1]), image, int(pieces.max()), False
    while len(left) > 1:
        masks = torch.cat([kept * (pieces != s) for s in left])
        outputs = torch.cat([_logits(net, _removed(image, m, fill)) for m in masks.split(batch_size)])
        best = int(outputs[:, k].argmax())
        if int(outputs[best].argmax()) != k:
            break
        kept, current = masks[best : best + 1], _removed(image, masks[best : best + 1], fill)
        order.append(left.pop(best))
        history.append(float(outputs[best, k]))
        if not goes_on(progress, len(order), total):
            stopped = True
            break
    return Minimal(current, kept, net.labels[k], pieces, order, history, stopped)


@torch.no_grad()
def _logits(net, images):
    return net(images)


def _removed(image, masks, fill):
    images = image.expand(len(masks), -1, -1, -1)
    if isinstance(fill, str):
        if fill != "smooth":
            raise VizlibError(f"fill is 'smooth' or a colour, a number or three in [0, 1]; this is {fill!r}.")
        return smooth_fill(images, masks)
    colour = torch.as_tensor(fill, dtype=torch.float32)
    if colour.numel() not in (1, 3) or not bool(((colour >= 0) & (colour <= 1)).all()):
        raise VizlibError(f"fill is 'smooth' or a colour, a number or three in [0, 1]; this is {fill!r}.")
    return masks * images + (1 - masks) * colour.view(1, -1, 1, 1)


def smooth_fill(images, known):
    """Fill the pixels where `known` is 0 with a smooth continuation of those where it is 1: a pyramid of
        averages of what is known, read
    from coarse to fine. No edge appears, and no colour that was not there. images (N, 3, H, W), known (N, 1,
        H, W).

    Gortler, Grzeszczuk, Szeliski & Cohen 1996, "The Lumigraph", section 3.5 (pull and push); a quick relative
    of Poisson reconstruction.
    """
    levels, c, w = [], images * known, known
    while True:
        levels.append((c / w.clamp(min=1e-6), w.clamp(max=1)))
        if max(w.shape[-2:]) == 1:
            break
        # sums over 2 x 2 pixels; a coarse pixel is fully known as soon as one fine pixel below it is
        c, w = (4 * F.avg_pool2d(F.pad(x, (0, x.shape[-1] % 2, 0, x.shape[-2] % 2)), 2) for x in (c, w))
    result = levels[-1][0]
    for colour, sure in reversed(levels[:-1]):
        above = F.interpolate(result, colour.shape[-2:], mode="bilinear")
        result = sure * colour + (1 - sure) * above
    return known * images + (1 - known) * result


def cut_up(image, segments=40):
    """The pieces of a picture (1, 3, H, W) as a map (H, W) of whole numbers from 0: `segments` by SLIC, or
        fewer (it merges small ones),
    or the pieces of a map that says which pixel belongs together."""
    size = tuple(image.shape[-2:])
    if isinstance(segments, torch.Tensor):
        if tuple(segments.shape) != size or segments.is_floating_point():
            raise VizlibError(
                f"segments is a map of whole numbers of the picture's size {size}; this one has "
                f"{tuple(segments.shape)}."
            )
        return torch.unique(segments, return_inverse=True)[1]
    if not (isinstance(segments, int) and segments > 1):
        raise VizlibError(
            f"segments is a number above 1, or a map (H, W) of whole numbers; this is {segments!r}."
        )
    from skimage.segmentation import (
        slic,
    )  # here, because it takes a second to import, and only this file needs it

    pixels = image[0].permute(1, 2, 0).double().numpy()
    return torch.from_numpy(slic(pixels, n_segments=segments, compactness=10, sigma=1, start_label=0)).long()
