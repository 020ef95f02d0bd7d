"""What does the code keep?  Units and the patches they answer to, codes as points, pictures read back from codes."""

from .decoder import Decoder
from .embedding import embed, neighbour_agreement, neighbours
from .strongest import Strongest, strongest

__all__ = ["Decoder", "Strongest", "embed", "neighbour_agreement", "neighbours", "strongest"]
