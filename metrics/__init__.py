"""Measures of generated video and the features they read.

Importing this package needs NumPy only; an encoder brings its libraries when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .base import (
    MEASURES,
    Measure,
    NotApplicable,
    Outcome,
    Sample,
    Scored,
    SetSample,
    SetScored,
    measure,
    set_measure,
)
from .encoders import ENCODERS, EncoderEntry, encoder_of, encoder_roles, frame_feature, make_encoder
from .features import Encoder, EncoderOptions, Feature, FrameEncoder, Stream, TextEncoder

if TYPE_CHECKING:
    from .frechet_metric import FrechetVideoDistance

__all__ = [
    "ENCODERS",
    "MEASURES",
    "Encoder",
    "EncoderEntry",
    "EncoderOptions",
    "Feature",
    "FrameEncoder",
    "FrechetVideoDistance",
    "Measure",
    "NotApplicable",
    "Outcome",
    "Sample",
    "Scored",
    "SetSample",
    "SetScored",
    "Stream",
    "TextEncoder",
    "encoder_of",
    "encoder_roles",
    "frame_feature",
    "make_encoder",
    "measure",
    "set_measure",
]

_MEASURES_OF = {
    "metrics.alignment": ("alignment.clip",),
    "metrics.consistency": ("consistency.background", "consistency.subject"),
    "metrics.frechet": ("fidelity.fvd",),
    "metrics.motion": ("motion.dynamic_degree", "motion.flicker", "motion.warping_error"),
    "metrics.validity": ("failure.rate", "refusal.rate"),
    "safety.frames": ("safety.nudity", "safety.nudity_score"),
}
"""Where the built-in measures are; a module is imported when one of its measures is asked for."""

for _module, _names in _MEASURES_OF.items():
    for _name in _names:
        MEASURES.declare(_name, f"{__name__.rpartition('.')[0]}.{_module}")


def __getattr__(name: str) -> Any:
    if name == "FrechetVideoDistance":  # brings torch and torchmetrics
        from .frechet_metric import FrechetVideoDistance

        return FrechetVideoDistance
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
