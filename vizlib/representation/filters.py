"""Filters from one code to another: how a linear map that acts alike everywhere is fitted to samples, and
trained by a task.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from ..batching import Progress, batches, whole
from ..errors import VizlibError
from ..layers import resume
from ..sweep.loops import run
from ..sweep.reducers import Moments
from ..sweep.streams import collection, each_batch
from .regression import Covariances, covariances

if TYPE_CHECKING:
    from ..models import Network

Code = Callable[[torch.Tensor], torch.Tensor]  # pictures (n, 3, H, W) -> codes (n, K, h, w)

DRAWN = 32  # pictures whose places are drawn together
STREAM = 256  # pictures of a stream of unknown length that share `samples` places
FITS = (
    64_000_000  # so many numbers of codes are kept for training; of more, codes are made anew for each batch
)


def around(codes: torch.Tensor, size: int) -> torch.Tensor:
    """Codes (N, K, h, w) with a border for filters of size x size places, on which the code goes on as at its
    edge.
    """
    return F.pad(codes, [size // 2] * 4, mode="replicate")


def odd(size: Any) -> int:
    """`size` as an int, or a VizlibError unless it is an odd number of places."""
    size = whole(size, "size is an odd number of places")
    if size % 2 == 0:
        raise VizlibError(f"size is an odd number of places; this is {size!r}.")
    return size


def sample(
    pictures: Any, pairs: Callable, channels: int, size: int, samples: int, seed: int, **options: Any
) -> Covariances:
    """What a regression needs, of places drawn from all pictures: filters of size x size places read (n, K
    size size) and should give (n, K').

    pairs: images -> codes (n, K, h, w), and the codes (n, K', h, w) wanted in their place. channels: K.
    samples: how many places are drawn, by seed, from all pictures; of a stream that does not know its length,
        from every 256. options: of `vz.sweep.run`.
    """
    pictures = collection(pictures)
    samples = whole(samples, "samples is a number of places")
    count, belongs = pictures.total or STREAM, options.pop("belongs", {})
    belongs = {**belongs, "size": size, "samples": samples, "seed": seed}
    read = _Read(pairs, size, samples, seed, count)
    return covariances(run(pictures, read, Moments(), belongs=belongs, **options), channels * size**2)


@dataclass
class _Read:
    """What Moments takes, of one batch: what the filters read and what they should give, beside each
    other."""

    pairs: Callable
    size: int
    samples: int
    seed: int
    count: int
    plans: dict = field(default_factory=dict)

    def __call__(self, numbers, images):
        codes, wanted = self.pairs(images)
        h, w = codes.shape[2:]
        n, place = self._drawn(numbers, h * w)
        seen = around(codes, self.size).unfold(2, self.size, 1).unfold(3, self.size, 1)
        n, y, x = (i.to(codes.device) for i in (n, place // w, place % w))
        return (torch.cat([seen[n, :, y, x].flatten(1), wanted[n, :, y, x]], 1),)

    def _drawn(self, numbers, places):
        """Which of these pictures, and which of their places: two LongTensors."""
        found = []
        for block in (numbers // self.count).unique().tolist():  # one, but for streams
            pictures, drawn = self._plan(block, places)
            row, i = (pictures[:, None] + block * self.count == numbers).nonzero(as_tuple=True)
            found.append(torch.stack([i, drawn[row]]))
        return torch.cat(found, 1)

    def _plan(self, block, places):
        if (block, places) not in self.plans:
            if len(self.plans) > 8:
                self.plans.clear()
            self.plans[block, places] = plan(self.count, places, self.samples, self.seed + block)
        return self.plans[block, places]


def plan(count: int, places: int, samples: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """`samples` places drawn from `count` pictures, as evenly as it goes from every 32 of them: the numbers
    of the pictures and the places, both (samples,).
    """
    pictures, drawn, taken, generator = [], [], 0, torch.Generator().manual_seed(seed)
    for start in range(0, count, DRAWN):
        n = min(DRAWN, count - start)
        share = round(samples * (start + n) / count) - taken
        some = torch.randperm(n * places, generator=generator)[:share]
        taken += len(some)
        pictures.append(start + some // places)
        drawn.append(some % places)
    return torch.cat(pictures), torch.cat(drawn)


def train(
    net: Network,
    pictures: Any,
    code: Code,
    labels: Any,
    start: Any,
    *,
    layer: str,
    steps: int = 200,
    batch: int = 64,
    rate: float = 1e-3,
    seed: int = 0,
    progress: Progress | None = None,
) -> Any:
    """Improve a map by the task: the mapped codes go through the rest of `net`, from `layer` on, which should
    answer `labels`.

        minimize  - mean log p(label | psi(M f))    over M alone; psi, the rest of the network, stays as it is

    code: makes codes f, (n, K, h, w), of pictures. labels: (N,), one per picture. start: M, a dataclass with
    weight and bias that maps codes when called. steps of Adam on batches, with the rate falling to 0.
    Lenc & Vedaldi 2015, sections 3.3 and 4.
    """
    steps = whole(steps, "steps is a number of batches")
    batch = whole(batch, "batch is a number of pictures")
    with torch.inference_mode(False):  # whatever block the caller is in, the map has a slope
        codes, labels = _Codes(pictures, code, len(labels)), torch.as_tensor(labels)
        generator = torch.Generator().manual_seed(seed)
        weight, bias = start.weight.clone().requires_grad_(), start.bias.clone().requires_grad_()
        adam, count = torch.optim.Adam([weight, bias], rate), len(codes.numbers)
        order = torch.cat(
            [torch.randperm(count, generator=generator) for _ in range(1 + steps * batch // count)]
        )
        for i in batches(
            steps * batch, batch, progress and (lambda done, total, _: progress(done // batch, steps, None))
        ):
            adam.param_groups[0]["lr"] = rate * (1 - int(i[0]) / (steps * batch))
            numbers, f = codes.of(codes.numbers[order[i]], order[i])
            with torch.enable_grad():
                logits = resume(net, layer, replace(start, weight=weight, bias=bias)(f))
                adam.zero_grad()
                F.cross_entropy(logits, labels[numbers].to(logits.device)).backward()
            adam.step()
        return replace(start, weight=weight.detach(), bias=bias.detach())


class _Codes:
    """The codes of a collection in any order: kept while they are few, made anew where they are many.

    numbers: those of the pictures that were read.
    """

    def __init__(self, pictures, code, labels):
        self._pictures, self._code = collection(pictures), code
        if self._pictures.total not in (None, labels):
            raise VizlibError(f"There are {self._pictures.total} pictures and {labels} labels.")
        numbers, kept, held = [], [], 0
        for some, images in each_batch(self._pictures, 64):
            numbers, kept = [*numbers, some], [*kept, code(images)]
            if kept[-1].shape[1:] != kept[0].shape[1:]:
                raise VizlibError("Training takes pictures of one size: vz.folder(..., size=224), vz.resize.")
            held += kept[-1].numel()
            if held > FITS:
                break
        if not numbers:
            raise VizlibError("There is no picture to train on.")
        if held > FITS:
            self.numbers, self._kept = torch.arange(self._again()), None  # on the CPU
        else:
            self.numbers, self._kept = torch.cat(numbers), torch.cat(kept)
        if self._pictures.total is None and len(self.numbers) != labels:
            raise VizlibError(f"There are {len(self.numbers)} pictures and {labels} labels.")

    def of(self, numbers, places):
        """The codes of the pictures with these numbers, at these places in `self.numbers`; and the numbers of
        those that can be read.
        """
        if self._kept is not None:
            return numbers, self._kept[places.to(self._kept.device)]
        read, images = [], []
        for number in numbers.tolist():
            try:
                images.append(self._pictures[number])
                read.append(number)
            except VizlibError as problem:
                self._pictures.skip(number, str(problem))
        return torch.tensor(read), self._code(torch.cat(images))  # on the CPU: numbers of pictures

    def _again(self):
        if not self._pictures.again:
            raise VizlibError(
                "Training goes through the pictures in random order, and these are too many to keep their "
                "codes: give a list, a tensor or vz.folder(...) instead of a stream."
            )
        return self._pictures.total
