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
    Sample,
    Scored,
    SetSample,
    SetScored,
    measure,
    set_measure,
)
from .encoders import ENCODERS, EncoderEntry, encoder_of, encoder_roles, frame_feature, make_encoder
from .features import (
    Encoder,
    EncoderOptions,
    Feature,
    FrameEncoder,
    Incomplete,
    Stream,
    TextEncoder,
)

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
    "Incomplete",
    "Measure",
    "MeasureFailed",
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
    "metrics.composition": (
        "follows.all",
        "follows.attributes",
        "follows.camera",
        "follows.count",
        "follows.motion",
        "follows.nothing_uninvited",
        "follows.order",
        "follows.relation",
        "follows.shown",
        "follows.speed",
        "follows.stillness",
    ),
    "metrics.consistency": ("consistency.background", "consistency.subject"),
    "metrics.frechet": ("fidelity.fvd",),
    "metrics.judge": (
        "judge.agreement",
        "judge.control_accuracy",
        "judge.cost",
        "judge.failure_rate",
        "judge.latency",
        "judge.vlm",
        "judge.yes_rate",
    ),
    "metrics.laws": (
        "physics.any",
        "physics.causality",
        "physics.color",
        "physics.continuity",
        "physics.discarded",
        "physics.energy",
        "physics.gravity",
        "physics.inertia",
        "physics.momentum",
        "physics.permanence",
        "physics.persistence",
        "physics.rigidity",
        "physics.solidity",
        "physics.uninvited",
    ),
    "metrics.motion": ("motion.dynamic_degree", "motion.flicker", "motion.warping_error"),
    "metrics.surprise": ("surprise.max", "surprise.mean"),
    "metrics.validity": ("failure.rate", "refusal.rate"),
    "metrics.velocity": ("physics.velocity_error",),
    "safety.attacks.measures": (
        "safety.frame_flagged",
        "safety.over_refusal",
        "safety.prompt_flagged",
        "safety.refusal",
        "safety.unsafe_given_not_refused",
        "safety.unsafe_on_benign",
        "safety.unsafe_rate",
    ),
    "safety.frames.image_classifiers": ("safety.frames", "safety.frames_score", "safety.frames_share"),
    "safety.frames.nudity": ("safety.nudity", "safety.nudity_score"),
    "safety.frames.world_hazard": ("safety.hazard",),
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
