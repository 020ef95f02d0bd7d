"""Trained networks that take pictures in [0, 1] and carry their own normalization."""

from .costs import anatomy
from .loading import load, networks
from .network import Network

__all__ = ["Network", "anatomy", "load", "networks"]
