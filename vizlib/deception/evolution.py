"""Pictures that a network is sure of and nobody would recognize, found by breeding: MAP-Elites, one champion
per class.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..batching import goes_on
from ..errors import VizlibError
from ..files import write_whole
from .cppn import CPPN
from .direct import Direct

ENCODINGS = {"direct": Direct, "cppn": CPPN}
PIXELS_AT_ONCE = 400_000  # in one forward pass: eight pictures of 224 x 224, or five hundred of 28 x 28


@dataclass(frozen=True)
class Archive:
    """The champions of a run of `evolve`: K classes, one cell each.

    labels: their names. scores: (K,), the network's probability for each, of the 8-bit picture. genomes:
        tensors (K, ...).
    history: (generations + 1, K), the scores after each generation. settings: what the run was asked for.
        stopped: did it end early?
    """

    labels: tuple
    scores: torch.Tensor
    genomes: dict
    history: torch.Tensor
    settings: dict
    stopped: bool = False

    @property
    def image(self):
        """The champions' pictures, (K, 3, side, side) in [0, 1], of 256 levels."""
        return _encoding(self.settings).pictures(self.genomes).float() / 255

    @property
    def generation(self):
        """How many generations have been bred; the first, drawn at random, is number 0."""
        return len(self.history) - 1

    @property
    def evaluations(self):
        """How many pictures the network has judged."""
        return len(self.history) * self.settings["population"]

    def save(self, path):
        """Write everything to a .safetensors file, from which `load` and a later `evolve` go on."""
        words = {"labels": self.labels, "settings": self.settings, "stopped": self.stopped}
        tensors = {
            "scores": self.scores,
            "history": self.history,
            **{f"genome.{name}": g for name, g in self.genomes.items()},
        }
        write_whole(
            path,
            lambda file: save_file(
                {k: t.contiguous() for k, t in tensors.items()}, file, {"archive": json.dumps(words)}
            ),
        )

    @classmethod
    def load(cls, path):
        """What `save` has written. Raises VizlibError for a file that is missing, broken, or something
        else.
        """
        if not Path(path).is_file():
            raise VizlibError(f"There is no archive {str(path)!r}.")
        try:
            with safe_open(path, "pt") as file:
                words = json.loads(file.metadata()["archive"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no dict
            genomes = {
                name.removeprefix("genome."): t for name, t in tensors.items() if name.startswith("genome.")
            }
            scores, history = tensors["scores"], tensors["history"]
            return cls(tuple(words["labels"]), scores, genomes, history, words["settings"], words["stopped"])
        except (SafetensorError, KeyError, TypeError, ValueError, OSError) as problem:
            raise VizlibError(
                f"{str(path)!r} is not an archive that `save` wrote ({type(problem).__name__})."
            ) from problem


def evolve(
    net,
    target=None,
    *,
    encoding="cppn",
    generations=200,
    population=200,
    grey=False,
    size=None,
    seed=0,
    archive=None,
    progress=None,
):
    """Breed a picture for each class by MAP-Elites. Returns an Archive.

    Generation 0 is drawn at random. In each further one, `population` children are mutated copies of
        champions chosen at random; the
    network judges their pictures for all classes, and a child takes the cell of every class for which it
        scores above the champion there.

    target: the classes or labels that have a cell, None for all. encoding: "direct" (each pixel is a gene) or
        "cppn" (a small network draws
    the picture). grey: without colours. size: the side of the pictures, by default the network's. archive: an
        earlier Archive of the same
    settings, to go on from; `generations` counts its generations too. A run that was stopped and went on ends
        where one that was not
    ends: every generation draws from a generator of its own, seeded by (seed, generation).
    progress: a function (done, total, archive) -> bool, called after each generation; False ends the run, an
        interrupt does too, and the
    Archive of the last whole generation comes back.
    Raises VizlibError for an unknown encoding, classes that do not exist, numbers that are no counts, or an
        archive of another run.
    Mouret & Clune 2015; Nguyen, Yosinski & Clune 2015, section 2.
    """
    side = net.input_size if size is None else size
    for name, value, least in (
        ("generations", generations, 1),
        ("population", population, 1),
        ("size", side, 1),
        ("seed", seed, 0),
    ):
        if not (isinstance(value, int) and value >= least):
            raise VizlibError(f"{name} is a whole number, at least {least}; this is {value!r}.")
    if encoding not in ENCODINGS:
        raise VizlibError(f"encoding is one of {', '.join(ENCODINGS)}; this is {encoding!r}.")
    classes = _classes(net, target)
    settings = {
        "network": net.name,
        "classes": classes,
        "encoding": encoding,
        "side": side,
        "grey": bool(grey),
        "population": population,
        "seed": seed,
    }
    if archive is None:
        archive = Archive(
            tuple(net.labels[k] for k in classes),
            torch.zeros(len(classes)),
            {},
            torch.empty(0, len(classes)),
            settings,
        )
    _same_run(archive.settings, settings)
    archive, encoder = replace(archive, stopped=archive.generation < generations), _encoding(settings)
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


def compete(archive, children, scores):
    """The archive after `children` (M genomes) have scored `scores` (M, K): each cell goes to the best child
    if it beats the champion.
    """
    best, who = scores.max(0)
    better = best > archive.scores
    if archive.genomes:
        shaped = {name: better.view(-1, *[1] * (g.dim() - 1)) for name, g in children.items()}
        genomes = {
            name: torch.where(shaped[name], g[who], archive.genomes[name]) for name, g in children.items()
        }
    else:
        genomes = {name: g[who] for name, g in children.items()}
    scores = torch.where(better, best, archive.scores)
    return replace(
        archive, genomes=genomes, scores=scores, history=torch.cat([archive.history, scores[None]])
    )


def _children(archive, encoder, generator):
    count = archive.settings["population"]
    if not archive.genomes:
        return encoder.draw(count, generator)
    parents = torch.randint(len(archive.labels), (count,), generator=generator)
    return encoder.mutate(
        {name: g[parents] for name, g in archive.genomes.items()}, generator, archive.generation
    )


@torch.no_grad()
def _judge(net, encoder, genomes, classes):
    """The probabilities that the network gives `classes` for the 8-bit picture of each genome: (N, K)."""
    count, scores = len(next(iter(genomes.values()))), []
    for part in torch.arange(count).split(max(1, PIXELS_AT_ONCE // encoder.side**2)):
        pictures = encoder.pictures({name: g[part] for name, g in genomes.items()})
        scores.append(net(pictures.float() / 255).softmax(1)[:, classes])
    return torch.cat(scores)


def _encoding(settings):
    return ENCODINGS[settings["encoding"]](settings["side"], settings["grey"])


def _classes(net, target):
    if target is None:
        return list(range(len(net.labels)))
    classes = [net.index(t) for t in ([target] if isinstance(target, (str, int)) else target)]
    if not classes or len(set(classes)) < len(classes):
        raise VizlibError(f"The classes to breed for are one or more different ones; these are {classes}.")
    return classes


def _same_run(there, here):
    for name, value in here.items():
        if there[name] != value:
            raise VizlibError(
                f"The archive is of a run with {name}={there[name]!r}, not {value!r}. Leave archive out to "
                "start afresh."
            )
