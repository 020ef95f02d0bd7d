"""SmoothGrad: the gradient, averaged over noisy copies of the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..batching import Progress, batches, real, select, whole
from ..deprecation import renamed
from ..layers.target import Target, settle
from .gradients import slopes

if TYPE_CHECKING:
    from ..models.network import Network


@renamed(chunk="batch_size")
def smoothgrad(
    net: Network,
    images: torch.Tensor,
    target: Target = None,
    *,
    samples: int = 50,
    noise: float = 0.15,
    rule: str = "gradient",
    seed: int = 0,
    batch_size: int = 8,
    progress: Progress | None = None,
) -> torch.Tensor:
    """SmoothGrad: the mean gradient over noisy copies of each picture, (N, 3, H, W), signed.

    M = 1/n sum_i dS/dx at x + e_i, e_i ~ N(0, sigma^2), sigma = noise * (max x - min x). Noisy copies may
    leave [0, 1]; they are not clipped. A target of None is each picture's own top class throughout.

    images: (N, 3, H, W) in [0, 1].
    target: a class, a label, one per picture, vz.unit(...), a function of the logits, or None for each
        picture's top class.
    samples: n, 1 or more.
    noise: the standard deviation as a share of the picture's own range; the paper recommends 0.1 to 0.2.
    rule: what ReLUs do on the way back, as in `backward`: "guided" smooths guided backpropagation.
    seed: of the noise, the same on every device and for every batch_size.
    batch_size: pictures per pass.
    progress: progress(done, total, preview), called after every pass; when it returns False, the mean of what
        there is comes back, zeros for a picture of which there is nothing yet.

    Raises VizlibError for pictures, classes, layers and numbers that cannot be used.

    Smilkov, Thorat, Kim, Viegas & Wattenberg 2017, "SmoothGrad: removing noise by adding noise", section 3.

        >>> net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
        >>> vz.smoothgrad(net, photo, "goldfish", samples=4).shape
        torch.Size([1, 3, 64, 64])
    """
    samples = whole(samples, "samples is a number of noisy copies")
    noise = real(noise, "noise is a share of the picture's range")
    generator = torch.Generator().manual_seed(whole(seed, "seed is a whole number", least=0))
    images, target = settle(net, images, target)
    n = len(images)
    sigma = noise * (images.amax((1, 2, 3)) - images.amin((1, 2, 3))).view(-1, 1, 1, 1)
    total, counts = torch.zeros_like(images), images.new_zeros(n, 1, 1, 1)
    for batch in batches(samples * n, batch_size, progress):  # a copy of every picture, then another of each
        i = (batch % n).to(images.device)
        # drawn one by one: the same for every batch_size
        e = [torch.randn(images.shape[1:], generator=generator, dtype=torch.float32) for _ in batch]
        noisy = images[i] + sigma[i] * torch.stack(e).to(images.device)
        total.index_add_(0, i, slopes(net, noisy, select(target, i), rule))
        counts.index_add_(0, i, torch.ones_like(counts[i]))
    return total / counts.clamp(min=1)
