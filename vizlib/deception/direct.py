"""The direct encoding of a picture for `evolve`: every pixel is a gene. And how numbers mutate, and how genes
become 8-bit colours.

An encoding draws genomes, mutates them, and turns them into pictures, a whole batch at a time, on the CPU.
Genomes are a dict of tensors (N, ...).
"""

from __future__ import annotations

import torch

from ..scalars import sides


def polynomial_mutation(
    values: torch.Tensor, generator: torch.Generator, *, rate: float = 0.1, strength: float = 15.0
) -> torch.Tensor:
    """Polynomial mutation: change each value in [0, 1] with probability `rate` by d, then clip.

        d = (2 r)^(1 / (s + 1)) - 1 if r < 1/2, else 1 - (2 - 2 r)^(1 / (s + 1))

    with r uniform in [0, 1] and the strength s. |d| <= 1, its mean is 0, and the mean of |d| is 1 / (s +
    2): 15 of 255 grey levels for s = 15. Deb 2001, section 4.2; Nguyen et al. 2015, section 2.

        >>> polynomial_mutation(torch.full((2, 3), 0.5), torch.Generator().manual_seed(0), rate=0.0).unique()
        tensor([0.5000])
    """
    hit = torch.rand(values.shape, generator=generator) < rate
    r = torch.rand(int(hit.sum()), generator=generator)
    root = 1 / (strength + 1)
    step = torch.where(r < 0.5, (2 * r) ** root - 1, 1 - (2 - 2 * r) ** root)
    mutated = values.clone()
    mutated[hit] = (values[hit] + step).clamp(0, 1)
    return mutated


class Direct:
    """Every pixel is a gene: pixels (N, 1, H, W), grey, or (N, 3, H, W), hue, saturation and value, all in
    [0, 1].

    A tenth of the genes mutates, half as many after each 1000 generations. Nguyen et al. 2015, section 2.
    """

    def __init__(self, side: int | tuple[int, int], grey: bool) -> None:
        (self.height, self.width), self.grey = sides(side), grey

    def draw(self, count: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """`count` genomes at random."""
        planes = 1 if self.grey else 3
        return {"pixels": torch.rand(count, planes, self.height, self.width, generator=generator)}

    def mutate(
        self, genomes: dict[str, torch.Tensor], generator: torch.Generator, generation: int = 0
    ) -> dict[str, torch.Tensor]:
        """A mutated copy of each genome."""
        rate = 0.1 * 0.5 ** (generation // 1000)
        return {"pixels": polynomial_mutation(genomes["pixels"], generator, rate=rate)}

    def pictures(self, genomes: dict[str, torch.Tensor]) -> torch.Tensor:
        """(N, 3, H, W), uint8."""
        return rgb(genomes["pixels"])


def rgb(planes: torch.Tensor) -> torch.Tensor:
    """Grey (N, 1, H, W), or hue, saturation and value (N, 3, H, W), in [0, 1], as red, green and blue:
    (N, 3, H, W), uint8.
    """
    if planes.shape[1] == 1:
        return (255 * planes).round().byte().expand(-1, 3, -1, -1)
    hue, saturation, value = planes[:, :1], planes[:, 1:2], planes[:, 2:]
    sector = (torch.tensor([5.0, 3.0, 1.0]).view(1, 3, 1, 1) + 6 * hue) % 6
    colour = torch.minimum(sector, 4 - sector).clamp(0, 1)
    return (255 * value * (1 - saturation * colour)).round().byte()
