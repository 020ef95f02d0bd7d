"""Pictures that a network is sure of and nobody would recognize, found by breeding: MAP-Elites, one
champion per class.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from ..batching import Progress, goes_on, whole
from ..errors import VizlibError
from ..scalars import sides
from .archive import ENCODINGS, Archive, encoding_of
from .cppn import CPPN
from .direct import Direct

if TYPE_CHECKING:
    from ..models.network import Network

PIXELS_AT_ONCE = 400_000  # in one forward pass: eight pictures of 224 x 224, or five hundred of 28 x 28
LOOKED_AT = 50  # champions of an earlier archive that are judged again
ALLOWED = 0.02  # of their scores, by which the new ones may differ: other hardware rounds otherwise


@torch.inference_mode(False)
def evolve(
    net: Network,
    target: int | str | Iterable[int | str] | None = None,
    *,
    encoding: str = "cppn",
    generations: int = 200,
    population: int = 200,
    grey: bool = False,
    size: int | tuple[int, int] | None = None,
    seed: int = 0,
    archive: Archive | None = None,
    progress: Progress | None = None,
) -> Archive:
    """Fooling images by MAP-Elites (an evolutionary algorithm): breed a picture for each class. Returns an
    Archive.

    Generation 0 is drawn at random. In each further one, `population` children are mutated copies of
    champions chosen at random; the network judges their pictures for all classes, and a child takes the
    cell of every class for which it scores above the champion there. Genomes live on the CPU, wherever the
    network is.

    target: the classes or labels that have a cell, None for all.
    encoding: "direct" (each pixel is a gene) or "cppn" (a small network draws the picture).
    generations, population: how many, and how many children in each.
    grey: without colours. size: side, or (height, width), of the pictures, by default the network's.
    archive: an earlier Archive of the same settings and network, to go on from; `generations` counts its
    generations too. A run that was stopped and went on ends where one that was not ends: every generation
    draws from a generator of its own, seeded by (seed, generation).
    progress: a function (done, total, archive) -> bool, called after each generation; False ends the run, an
    interrupt does too, and the Archive of the last whole generation comes back.

    Raises VizlibError for an unknown encoding, classes that do not exist, numbers that are no counts, an
    archive of another run, and one whose champions this network gives other scores (up to 50 are judged
    again).
    Mouret & Clune 2015, "Illuminating search spaces by mapping elites"; Nguyen, Yosinski & Clune 2015, "Deep
    Neural Networks are Easily Fooled", section 2.

        >>> bred = vz.evolve(vz.load("zfnet"), ["goldfish", "teapot"], generations=2, population=5)
        >>> bred.image.shape, bred.generation
        (torch.Size([2, 3, 64, 64]), 2)
    """
    if encoding not in ENCODINGS:
        raise VizlibError(f"encoding is one of {', '.join(ENCODINGS)}; this is {encoding!r}.")
    generations = whole(generations, "generations is a whole number")
    height, width = sides(net.input_size if size is None else size)
    classes, seed = _classes(net, target), whole(seed, "seed is a whole number", 0)
    settings = {
        "network": net.name,
        "classes": classes,
        "encoding": encoding,
        "side": height if height == width else [height, width],
        "grey": bool(grey),
        "population": whole(population, "population is a whole number"),
        "seed": seed,
    }
    encoder = encoding_of(settings)
    if archive is None:
        labels, nobody = tuple(net.labels[k] for k in classes), torch.zeros(len(classes))
        archive = Archive(labels, nobody, {}, torch.empty(0, len(classes)), settings)
    else:
        _same_run(net, encoder, archive, settings)
    archive = replace(archive, stopped=archive.generation < generations)
    try:
        while archive.generation < generations:
            number = archive.generation + 1
            generator = torch.Generator().manual_seed(1_000_003 * seed + number)
            children = _children(archive, encoder, generator)
            scores = _judge(net, encoder, children, classes)
            archive = replace(compete(archive, children, scores), stopped=number < generations)
            if not goes_on(progress, number, generations, archive):
                break
    except KeyboardInterrupt:
        pass
    if not len(archive.history):
        raise KeyboardInterrupt  # before there was anything to return
    return archive


def compete(archive: Archive, children: dict[str, torch.Tensor], scores: torch.Tensor) -> Archive:
    """The archive after `children` (M genomes) have scored `scores` (M, K): each cell goes to the best
    child if it beats the champion.
    """
    best, who = scores.max(0)
    better = best > archive.scores
    genomes = {name: g[who] for name, g in children.items()}
    if archive.genomes:
        for name, g in genomes.items():
            genomes[name] = torch.where(better.view(-1, *[1] * (g.dim() - 1)), g, archive.genomes[name])
    scores = torch.where(better, best, archive.scores)
    history = torch.cat([archive.history, scores[None]])
    return replace(archive, genomes=genomes, scores=scores, history=history)


def _children(
    archive: Archive, encoder: Direct | CPPN, generator: torch.Generator
) -> dict[str, torch.Tensor]:
    count = archive.settings["population"]
    if not archive.genomes:
        return encoder.draw(count, generator)
    parents = torch.randint(len(archive.labels), (count,), generator=generator)
    chosen = {name: g[parents] for name, g in archive.genomes.items()}
    return encoder.mutate(chosen, generator, archive.generation)


@torch.no_grad()
def _judge(
    net: Network, encoder: Direct | CPPN, genomes: dict[str, torch.Tensor], classes: list[int]
) -> torch.Tensor:
    """The probabilities that the network gives `classes` for the 8-bit picture of each genome: (N, K), on
    the CPU.
    """
    count, scores = len(next(iter(genomes.values()))), []
    for part in torch.arange(count).split(max(1, PIXELS_AT_ONCE // (encoder.height * encoder.width))):
        pictures = encoder.pictures({name: g[part] for name, g in genomes.items()})
        scores.append(net.probabilities(net(pictures.to(net.device).float() / 255))[:, classes].cpu())
    return torch.cat(scores)


def _classes(net: Network, target: Any) -> list[int]:
    if target is None:
        return list(range(len(net.labels)))
    single = isinstance(target, str) or not hasattr(target, "__len__")
    classes = [net.index(t) for t in ([target] if single else target)]
    if not classes or len(set(classes)) < len(classes):
        raise VizlibError(f"The classes to breed for are one or more different ones; these are {classes}.")
    return classes


def _same_run(net: Network, encoder: Direct | CPPN, archive: Archive, settings: dict[str, Any]) -> None:
    """Refuse an archive that another run has bred, or another network: of that one the scores tell."""
    for name, value in settings.items():
        if archive.settings[name] != value:
            raise VizlibError(
                f"The archive is of a run with {name}={archive.settings[name]!r}, not {value!r}. Leave "
                "archive out to start afresh."
            )
    some = torch.linspace(0, len(archive.scores) - 1, min(LOOKED_AT, len(archive.scores))).round().long()
    champions = {name: g[some] for name, g in archive.genomes.items()}
    again = _judge(net, encoder, champions, settings["classes"]).gather(1, some[:, None])[:, 0]
    then = archive.scores[some]
    if (again - then).abs().sum() > ALLOWED * then.sum():
        raise VizlibError(
            f"The archive is of a network with other weights than this {net.name}: {len(some)} champions "
            f"scored {float(then.mean()):.3f} there on average, and score {float(again.mean()):.3f} here. "
            "Leave archive out to start afresh."
        )
