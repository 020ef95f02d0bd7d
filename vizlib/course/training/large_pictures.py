"""Pictures of 128 x 128 pixels to train decoders on, from pictures of Tiny ImageNet (64 x 64, many) and
photographs (large, few).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from .batches import in_unit_range

LARGE_SIDE = 128


class LargePictures:
    """batch(step) -> (pictures, pictures), (batch, 3, 128, 128) in [0, 1]; the same for the same step and
    seed. There are three kinds, because each lacks something:

    - pictures of Tiny ImageNet, enlarged: things of a thousand kinds, but no fine detail (two in five);
    - four of them side by side: as sharp as they are, but small (two in five);
    - squares from photographs, of every size: sharp and large, but of a few hundred photographs only.

    small: (N, 64, 64, 3) uint8. photos: (3, H, W) uint8 each, both on the device where the batches are made.
    """

    def __init__(
        self, small: torch.Tensor, photos: Sequence[torch.Tensor], batch: int = 60, seed: int = 0
    ) -> None:
        self.small, self.photos, self.batch, self.seed = small, photos, batch, seed

    def __call__(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        rng, two_in_five = np.random.default_rng((self.seed, step)), 2 * self.batch // 5
        chosen = torch.from_numpy(rng.integers(0, len(self.small), 5 * two_in_five)).to(self.small.device)
        x = in_unit_range(self.small[chosen])
        x = torch.where(
            torch.from_numpy(rng.random(len(x)) < 0.5).to(x.device)[:, None, None, None], x, x.flip(3)
        )
        x = torch.cat(
            [
                enlarged(x[:two_in_five]),
                side_by_side(x[two_in_five:]),
                *(self.square(rng) for _ in range(self.batch - 2 * two_in_five)),
            ]
        )
        return x, x

    def square(self, rng: np.random.Generator) -> torch.Tensor:
        """A random square of a random photograph, flipped half of the time: (1, 3, 128, 128)."""
        photo = self.photos[int(rng.integers(len(self.photos)))]
        height, width = photo.shape[-2:]
        side = int(np.exp(rng.uniform(np.log(LARGE_SIDE), np.log(min(height, width)))))
        top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
        x = photo[None, :, top : top + side, left : left + side].float().div(255)
        x = F.interpolate(x, LARGE_SIDE, mode="bilinear", antialias=True)
        return x.flip(3) if rng.random() < 0.5 else x


def enlarged(x: torch.Tensor) -> torch.Tensor:
    """(N, 3, 64, 64) -> (N, 3, 128, 128), bicubic."""
    return F.interpolate(x, LARGE_SIDE, mode="bicubic").clamp(0, 1)


def side_by_side(x: torch.Tensor) -> torch.Tensor:
    """(4 N, 3, 64, 64) -> (N, 3, 128, 128): two rows of two."""
    upper = torch.cat([x[0::4], x[1::4]], 3)
    lower = torch.cat([x[2::4], x[3::4]], 3)
    return torch.cat([upper, lower], 2)
