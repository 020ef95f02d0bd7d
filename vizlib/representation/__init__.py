"""What does the code keep?  Reading pictures back from it."""

from .decoder import Decoder

__all__ = ["Decoder"]
