"""Measures of generated video and the features they read.

Importing this package needs NumPy only; an encoder brings its libraries when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .base import (
    MEASURES,
    Measure,
    MeasureFailed,
    NotApplicable,
    Outcome,
    Reference,
    RunSample,
    RunScored,
    Sample,
    Scored,
    Value,
    measure,
    set_measure,
)
from .encoders.base import Encoder, EncoderOptions, Feature, FrameEncoder, Incomplete, Stream, TextEncoder
from .encoders.registry import (
    ENCODERS,
    EncoderEntry,
    encoder_of,
    encoder_roles,
    frame_feature,
    make_encoder,
    role_of,
)
from .rooms import ROOMS

if TYPE_CHECKING:
    from .distribution.frechet import frechet_distance, frechet_distance_from_moments
    from .distribution.frechet_metric import FrechetVideoDistance
    from .distribution.i3d import I3D
    from .distribution.kernel import polynomial_mmd
    from .distribution.kernel_metric import KernelVideoDistance
    from .distribution.neighbours import precision_recall_density_coverage
    from .distribution.vendi import vendi_score

__all__ = [
    "ENCODERS",
    "I3D",
    "MEASURES",
    "Encoder",
    "EncoderEntry",
    "EncoderOptions",
    "Feature",
    "FrameEncoder",
    "FrechetVideoDistance",
    "Incomplete",
    "KernelVideoDistance",
    "Measure",
    "MeasureFailed",
    "NotApplicable",
    "Outcome",
    "Reference",
    "RunSample",
    "RunScored",
    "Sample",
    "Scored",
    "Stream",
    "TextEncoder",
    "Value",
    "encoder_of",
    "encoder_roles",
    "frame_feature",
    "frechet_distance",
    "frechet_distance_from_moments",
    "make_encoder",
    "measure",
    "polynomial_mmd",
    "precision_recall_density_coverage",
    "role_of",
    "set_measure",
    "vendi_score",
]

ROOMS.add(
    *(
        f"{__name__}.{room}"
        for room in (
            "captions.encoder",
            "captions.measures",
            "distribution.diversity",
            "distribution.frame_measures",
            "distribution.measures",
            "encoders",
            "goals.encoder",
            "goals.measures",
            "hallucination.measures",
            "instructions.measures",
            "judge.encoder",
            "judge.measures",
            "judge.yes_probability",
            "laws.measures",
            "laws.velocity",
            "quality",
            "signs.encoder",
            "signs.measures",
            "sound.clap",
            "sound.encoder",
            "sound.measures",
            "starts.encoder",
            "starts.measures",
            "surprise.encoder",
            "tracking.encoder",
        )
    )
)
"""Rooms of measures and encoders: new modules in these packages are found automatically."""


_LAZY = {
    "FrechetVideoDistance": "frechet_metric",
    "I3D": "i3d",
    "KernelVideoDistance": "kernel_metric",
    "frechet_distance": "frechet",
    "frechet_distance_from_moments": "frechet",
    "polynomial_mmd": "kernel",
    "precision_recall_density_coverage": "neighbours",
    "vendi_score": "vendi",
}
"""Public names of `distribution` and their modules; imported at first use, because some import torch."""


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(f".distribution.{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
