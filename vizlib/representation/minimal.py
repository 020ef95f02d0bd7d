"""The minimal image: what is left when everything that can go without changing the class has gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from ..batching import Progress, check_batch_size, goes_on, whole
from ..deprecation import renamed
from ..errors import VizlibError
from ..images.check import check_colour

if TYPE_CHECKING:
    from ..models.network import Network


@dataclass(frozen=True)
class Minimal:
    """What `minimal_image` found.

    image: (1, 3, H, W), the minimal image. kept: (1, 1, H, W), 1 where the picture is as it was.
    label: the class that holds.
    segments: (H, W), the pieces, numbered from 0. order: the pieces removed, in turn.
    history: the score before, and after each removal.
    stopped: whether progress ended it early.
    """

    image: torch.Tensor
    kept: torch.Tensor
    label: str
    segments: torch.Tensor
    order: list[int]
    history: list[float]
    stopped: bool

    @property
    def share(self) -> float:
        """How much of the picture's area is left, in [0, 1]."""
        return float(self.kept.mean())


@renamed(chunk="batch_size")
def minimal_image(
    net: Network,
    image: torch.Tensor,
    target: int | str | None = None,
    *,
    segments: int | torch.Tensor = 40,
    fill: Any = "smooth",
    batch_size: int = 20,
    progress: Progress | None = None,
) -> Minimal:
    """The minimal image, a simplified scene: remove the segment whose loss lowers the score least, again and
    again, as long as the class stays on top.

    image: (1, 3, H, W) in [0, 1].
    target: a class or a label, by default the top class; the score is its logit.
    segments: about how many pieces to cut the picture into (SLIC), or a map (H, W) of whole numbers that says
        which pixels belong together.
    fill: "smooth" fills what is removed from its surroundings, so that no edge is left behind (see
        `smooth_fill`); a number or three in [0, 1] paint it.
    batch_size: pictures per pass; each removal costs as many passes as there are segments left.
    progress: a function (done, total, preview) -> bool, called after each removal with the picture so far;
        when it returns False, the loop ends there.

    Returns a Minimal. Raises VizlibError for several pictures, and if the class is not on top to begin with.
    Zhou et al. 2015, "Object Detectors Emerge in Deep Scene CNNs", section 3.1 (there: gradients removed,
    Poisson reconstruction).

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.minimal_image(net, photo, segments=4, fill=0.5).label
        'goldfish'
    """
    image, batch_size = net.check(image), check_batch_size(batch_size)
    if len(image) != 1:
        raise VizlibError(f"A minimal image is made of one picture; these are {len(image)}.")
    colour = _colour_of(fill, image)
    logits = _logits(net, image)[0]
    k = int(logits.argmax()) if target is None else net.index(target)
    if int(logits.argmax()) != k:
        top = net.labels[int(logits.argmax())]
        raise VizlibError(
            f"The network sees {top!r} here, not {net.labels[k]!r}: there is no class to hold on to."
        )
    pieces = cut_up(image, segments)
    total = int(pieces.max())  # one piece always stays
    left, order, history = list(range(total + 1)), [], [float(logits[k])]
    kept, current, stopped = torch.ones_like(image[:, :1]), image, False
    while len(left) > 1 and not stopped:
        masks = torch.cat([kept * (pieces != s) for s in left])
        outputs = torch.cat([_logits(net, _removed(image, some, colour)) for some in masks.split(batch_size)])
        best = int(outputs[:, k].argmax())
        if int(outputs[best].argmax()) != k:
            break
        kept = masks[best : best + 1]
        current = _removed(image, kept, colour)
        order.append(left.pop(best))
        history.append(float(outputs[best, k]))
        stopped = not goes_on(progress, len(order), total, current)
    return Minimal(current, kept, net.labels[k], pieces, order, history, stopped)


@torch.no_grad()
def _logits(net: Network, images: torch.Tensor) -> torch.Tensor:
    return net(images)


def _colour_of(fill: Any, image: torch.Tensor) -> torch.Tensor | None:
    """The colour (1, 3, 1, 1) of what is removed; None for a smooth fill."""
    if isinstance(fill, str) and fill == "smooth":
        return None
    return check_colour(fill, "fill is 'smooth', or it").to(image)


def _removed(image: torch.Tensor, masks: torch.Tensor, colour: torch.Tensor | None) -> torch.Tensor:
    if colour is None:
        return smooth_fill(image.expand(len(masks), -1, -1, -1), masks)
    return masks * image + (1 - masks) * colour


def smooth_fill(images: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Inpainting by pull and push: fill the pixels where `known` is 0 with a smooth continuation of those
    where it is 1. No edge appears, and no colour that was not there.

    A pyramid of averages of what is known is made, and read from coarse to fine: where a level knows nothing,
    the coarser one above it, enlarged, speaks for it. images: (N, 3, H, W). known: (N, 1, H, W), of zeros and
    ones. Returns (N, 3, H, W). Gortler, Grzeszczuk, Szeliski & Cohen 1996, "The Lumigraph", section 3.5; a
    quick relative of Poisson reconstruction.

        >>> from vizlib.representation import smooth_fill
        >>> photo, known = vz.photo("goldfish", 64), torch.ones(1, 1, 64, 64)
        >>> known[..., 20:40, 20:40] = 0
        >>> smooth_fill(photo, known).shape
        torch.Size([1, 3, 64, 64])
    """
    colours, weights = images * known, known
    levels = []
    while True:
        levels.append((colours / weights.clamp(min=1e-6), weights.clamp(max=1)))
        if max(weights.shape[-2:]) == 1:
            break
        colours, weights = _halved(colours), _halved(weights)
    result = levels[-1][0]
    for colour, sure in reversed(levels[:-1]):
        above = F.interpolate(result, colour.shape[-2:], mode="bilinear")
        result = sure * colour + (1 - sure) * above
    return known * images + (1 - known) * result


def _halved(x: torch.Tensor) -> torch.Tensor:
    """Sums over 2 x 2 pixels: a coarse pixel is fully known as soon as one fine pixel below it is."""
    padded = F.pad(x, (0, x.shape[-1] % 2, 0, x.shape[-2] % 2))
    return 4 * F.avg_pool2d(padded, 2)


def cut_up(image: torch.Tensor, segments: int | torch.Tensor = 40) -> torch.Tensor:
    """Superpixels: the pieces of a picture (1, 3, H, W) as a map (H, W) of whole numbers from 0.

    segments: a number of pieces for SLIC (Achanta et al. 2012), which merges small ones, so that there may be
    fewer; or a map (H, W) that says which pixels belong together, by any whole numbers.
    """
    size = tuple(image.shape[-2:])
    if isinstance(segments, torch.Tensor) and segments.dim() > 0:
        if tuple(segments.shape) != size or segments.is_floating_point():
            raise VizlibError(
                f"segments is a map of whole numbers of the picture's size {size}; this one has "
                f"{tuple(segments.shape)} {str(segments.dtype).removeprefix('torch.')}."
            )
        return torch.unique(segments.to(image.device), return_inverse=True)[1]
    count = whole(segments, "segments is a number of pieces or a map (H, W) of whole numbers", least=2)
    from skimage.segmentation import slic  # here: it takes a second to import, and only this file needs it

    pixels = image[0].detach().permute(1, 2, 0).cpu().double().numpy()
    pieces = slic(pixels, n_segments=count, compactness=10, sigma=1, start_label=0)
    return torch.from_numpy(pieces).long().to(image.device)
