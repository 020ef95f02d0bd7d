"""What does the code keep?  Units and the patches they answer to, codes as points, pictures read back from codes."""

from .decoding import Autoencoder, Decoder, autoencoder, decode, decoder
from .embedding import embed, neighbour_agreement, neighbours
from .strongest import Strongest, strongest

__all__ = [
    "Autoencoder",
    "Decoder",
    "Strongest",
    "autoencoder",
    "decode",
    "decoder",
    "embed",
    "neighbour_agreement",
    "neighbours",
    "strongest",
]
