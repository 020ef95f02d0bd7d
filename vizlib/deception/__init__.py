"""Which picture lies?  Photographs changed so little that nobody sees it, and pictures of nothing that a
network is sure of.
"""

from .adversarial import fgsm, pgd
from .archive import Archive
from .ball import Ball, distortion, eight_bits
from .cppn import CPPN
from .direct import Direct, polynomial_mutation
from .evolution import evolve
from .smallest import lbfgs_attack

__all__ = [
    "Archive",
    "Ball",
    "CPPN",
    "Direct",
    "distortion",
    "eight_bits",
    "evolve",
    "fgsm",
    "lbfgs_attack",
    "pgd",
    "polynomial_mutation",
]
