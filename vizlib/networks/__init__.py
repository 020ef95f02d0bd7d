"""Trained networks that take pictures in [0, 1] and carry their own normalisation."""

from .anatomy import anatomy
from .load import load, networks
from .network import Network

__all__ = ["Network", "anatomy", "load", "networks"]
