"""Measures of replication: how near each clip is to the training set, and whether it is a copy.

Content is by an image encoder that the suite names, or, under its own name, by thumbnails of frames that are
laid over each other; motion is by a hash of what changes between frames. `training_sets` defines the
similarity and its threshold.
"""

from __future__ import annotations

from typing import Final

from ...metrics.base import NotApplicable, Sample, Scored, measure
from .training_sets import TrainingSets, evidence_of

__all__ = [
    "SETTING",
    "content_replicated",
    "content_similarity",
    "hash_replicated",
    "motion_replicated",
    "named_replicated",
]

PAIR: Final = "pair"
"""Label of a prompt: the name of the training clip that it is a caption of, or describes with other words."""
SETTING: Final = "training_sets"
"""Name of the setting of a run that these measures read."""
_VERSION = 1


@measure(
    "memorisation.similarity",
    version=2,
    needs=("image",),
    better="lower",
    bounds=(-1.0, 1.0),
    settings=(SETTING,),
)
def content_similarity(sample: Sample) -> Scored:
    """Relative similarity to the nearest training clip by an image encoder: 1 for a copy, 0 for any clip."""
    return _similarity(sample, "image")


@measure(
    "memorisation.replicated",
    version=2,
    needs=("image",),
    better="lower",
    bounds=(0.0, 1.0),
    kind="rate",
    settings=(SETTING,),
)
def content_replicated(sample: Sample) -> Scored:
    """Whether a clip replicates a training clip, by an image encoder: 1 where it does, else 0."""
    return _replicated(sample, "image")


@measure(
    "memorisation.hash_replicated",
    version=2,
    needs=("thumbnails",),
    better="lower",
    bounds=(0.0, 1.0),
    kind="rate",
    settings=(SETTING,),
)
def hash_replicated(sample: Sample) -> Scored:
    """Whether a clip replicates a training clip, by thumbnails of frames: 1 where it does, else 0."""
    return _replicated(sample, "thumbnails")


@measure(
    "memorisation.motion_replicated",
    version=_VERSION,
    needs=("motion_hash_queries",),
    better="lower",
    bounds=(0.0, 1.0),
    kind="rate",
    settings=(SETTING,),
)
def motion_replicated(sample: Sample) -> Scored:
    """Whether a clip replicates the motion of a training clip, by a hash of changes: 1 where it does, else 0.

    Raises:
        NotApplicable: nothing moves.
    """
    return _replicated(sample, "motion_hash_queries")


@measure(
    "memorisation.named_replicated",
    version=_VERSION,
    needs=("thumbnails",),
    better="lower",
    bounds=(0.0, 1.0),
    kind="rate",
    settings=(SETTING,),
)
def named_replicated(sample: Sample) -> Scored:
    """Whether a clip replicates the training clip that the label ``pair`` names, by thumbnails: 1, else 0.

    Raises:
        NotApplicable: the prompt has no such label, or the training set has no clip of that name.
    """
    named = sample.setting(SETTING, TrainingSets).named
    name = sample.item.label(PAIR)
    if name is None:
        raise NotApplicable(f"the prompt names no training clip by the label {PAIR!r}")
    if name not in named:
        raise NotApplicable(f"the training set has no clip {name!r}, which the label {PAIR!r} names")
    near, limit = named.nearness(sample.features["thumbnails"], name), named.calibration
    told = {"threshold": round(limit.threshold, 6), "pairs": limit.pairs, "compared_held_out": limit.held_out}
    return Scored(float(near.relative > limit.threshold), {**told, **near.evidence()})


def _similarity(sample: Sample, feature: str) -> Scored:
    sets = sample.setting(SETTING, TrainingSets)
    near = sets.nearest(feature, sample.features[feature])
    return Scored(near.relative, evidence_of(near, sets.calibration(feature)))


def _replicated(sample: Sample, feature: str) -> Scored:
    scored = _similarity(sample, feature)
    limit = sample.setting(SETTING, TrainingSets).calibration(feature).threshold
    return Scored(float(scored.value > limit), scored.evidence)
