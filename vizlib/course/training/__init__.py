"""How the networks of this course were trained: python -m vizlib.training NAME --data PATH"""

from .classifier import RECIPES, Recipe, train_classifier
from .decoders import DecoderRecipe, train_decoders
from .fitting import Run, fit, one_cycle
from .objectnet import ObjectRecipe, train_objectnet
from .scenenet import SceneRecipe, train_scenenet
from .tiny_imagenet import Pictures, read_tiny_imagenet

__all__ = [
    "DecoderRecipe",
    "ObjectRecipe",
    "Pictures",
    "RECIPES",
    "Recipe",
    "Run",
    "SceneRecipe",
    "fit",
    "one_cycle",
    "read_tiny_imagenet",
    "train_classifier",
    "train_decoders",
    "train_objectnet",
    "train_scenenet",
]
