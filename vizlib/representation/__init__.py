"""What does the code keep?  Units and the patches they answer to, codes as points, pictures read back from
codes.
"""

from ..deprecation import moved
from .convergent import Matching, match_units, unit_correlations
from .decoding import Autoencoder, Decoder, autoencoder, decode, decoder, thumbnail_size
from .dissection import Dissection, dissect
from .embedding import embed, neighbour_agreement, neighbours
from .equivariance import EquivariantMap, fit_equivariance, logits_through, map_error, train_equivariance
from .fields import EmpiricalField, empirical_receptive_field
from .minimal import Minimal, minimal_image, smooth_fill
from .regression import forward_selection, least_squares, moments
from .stitching import Stitch, fit_stitch, franken, train_stitch
from .top_activations import TopPatches, top_patches

__all__ = [
    "Autoencoder",
    "Decoder",
    "Dissection",
    "EmpiricalField",
    "EquivariantMap",
    "Matching",
    "Minimal",
    "Stitch",
    "TopPatches",
    "autoencoder",
    "decode",
    "decoder",
    "dissect",
    "embed",
    "empirical_receptive_field",
    "fit_equivariance",
    "fit_stitch",
    "forward_selection",
    "franken",
    "least_squares",
    "logits_through",
    "map_error",
    "match_units",
    "minimal_image",
    "moments",
    "neighbour_agreement",
    "neighbours",
    "smooth_fill",
    "thumbnail_size",
    "top_patches",
    "train_equivariance",
    "train_stitch",
    "unit_correlations",
]

__getattr__ = moved(
    __name__,
    {
        "Detectors": "vizlib.representation.Dissection",
        "detectors": "vizlib.representation.dissect",
        "Strongest": "vizlib.representation.TopPatches",
        "strongest": "vizlib.representation.top_patches",
    },
)
