"""The archive of a run of MAP-Elites: the champions of all classes, and the files they are kept in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..errors import VizlibError
from ..files import write_whole
from .cppn import CPPN
from .direct import Direct

ENCODINGS: dict[str, type[Direct] | type[CPPN]] = {"direct": Direct, "cppn": CPPN}


@dataclass(frozen=True)
class Archive:
    """The archive (the elites, or champions) of a run of `evolve`: K classes, one cell each. On the CPU.

    labels: their names. scores: (K,), the network's probability for each, of the 8-bit picture. genomes:
    tensors (K, ...). history: (generations + 1, K), the scores after each generation. settings: what the
    run was asked
    for. stopped: did it end early?
    """

    labels: tuple[str, ...]
    scores: torch.Tensor
    genomes: dict[str, torch.Tensor]
    history: torch.Tensor
    settings: dict[str, Any]
    stopped: bool = False

    @property
    def image(self) -> torch.Tensor:
        """The champions' pictures, (K, 3, H, W) in [0, 1], of 256 levels."""
        return encoding_of(self.settings).pictures(self.genomes).float() / 255

    @property
    def generation(self) -> int:
        """How many generations have been bred; the first, drawn at random, is number 0."""
        return len(self.history) - 1

    @property
    def evaluations(self) -> int:
        """How many pictures the network has judged."""
        return len(self.history) * self.settings["population"]

    def save(self, path: str | Path) -> None:
        """Write everything to a .safetensors file, from which `load` and a later `evolve` go on."""
        words = {"labels": self.labels, "settings": self.settings, "stopped": self.stopped}
        tensors = {
            "scores": self.scores,
            "history": self.history,
            **{f"genome.{name}": g for name, g in self.genomes.items()},
        }
        tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
        write_whole(path, lambda file: save_file(tensors, file, {"archive": json.dumps(words)}))

    @classmethod
    def load(cls, path: str | Path) -> Archive:
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


def encoding_of(settings: dict[str, Any]) -> Direct | CPPN:
    """The encoding of a run with these settings: how genomes are drawn, mutated and turned into pictures."""
    return ENCODINGS[settings["encoding"]](settings["side"], settings["grey"])
