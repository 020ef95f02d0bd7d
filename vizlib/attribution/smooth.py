"""SmoothGrad: the gradient, averaged over noisy copies of the picture."""

import torch

from ..batching import batches, select
from ..errors import VizlibError
from ..layers.target import settle
from .gradients import slopes


def smoothgrad(
    net, images, target=None, *, samples=50, noise=0.15, rule="gradient", seed=0, batch_size=8, progress=None
):
    """M = 1/n sum_i dS/dx at x + e_i, e_i ~ N(0, sigma^2), sigma = noise * (max x - min x), (N, 3, H, W),
    signed.

    images: (N, 3, H, W) in [0, 1]. target: a class, a label, one per picture, vz.unit(...), a function of the
        logits, or None for each
    picture's top class. samples: n. noise: the standard deviation as a share of the picture's own range; the
        paper recommends 0.1 to 0.2.
    Noisy copies may leave [0, 1]; they are not clipped. rule: as in `backward`, to smooth guided
        backpropagation as well.
    batch_size: pictures per pass. progress: a function (done, total) -> bool; when it returns False, the mean
    of
        what there is comes back.
    Raises VizlibError for pictures, classes or layers that cannot be used, samples below 1, or noise below 0.
    Smilkov, Thorat, Kim, Viegas & Wattenberg 2017, "SmoothGrad: removing noise by adding noise", section 3.
    """
    if not (isinstance(samples, int) and samples > 0):
        raise VizlibError(f"samples is a positive number of noisy copies; this is {samples!r}.")
    if not noise >= 0:
        raise VizlibError(f"noise is a share of the picture's range, 0 or more; this is {noise!r}.")
    images, target = settle(net, images, target)
    sigma = noise * (images.amax((1, 2, 3)) - images.amin((1, 2, 3))).view(-1, 1, 1, 1)
    generator = torch.Generator().manual_seed(seed)
    total, counts = torch.zeros_like(images), torch.zeros(len(images))
    for piece in batches(samples * len(images), batch_size, progress):
        i = piece % len(images)  # one copy of every picture, then the next of every picture
        e = torch.stack(
            [torch.randn(images.shape[1:], generator=generator) for _ in i]
        )  # one by one: the same for every batch
        total.index_add_(0, i, slopes(net, images[i] + sigma[i] * e, select(target, i), rule))
        counts += torch.bincount(i, minlength=len(images))
    return total / counts.clamp(min=1).view(-1, 1, 1, 1)
