"""python -m vizlib.training NAME: the short way to `vizlib.course.training`, where all of it is."""

from ..course import training
from ..deprecation import moved

__getattr__ = moved(__name__, {name: f"vizlib.course.training.{name}" for name in training.__all__})
