"""Looking inside: recorded activations, targets, the backward rules of rectifiers, receptive fields."""

from .pooling import average_pooling
from .receptive import ReceptiveField, receptive_field
from .recording import record, resume, tap
from .rules import RULES, relu_rule
from .target import prepare, scores, unit

__all__ = [
    "RULES",
    "ReceptiveField",
    "average_pooling",
    "prepare",
    "receptive_field",
    "record",
    "relu_rule",
    "resume",
    "scores",
    "tap",
    "unit",
]
