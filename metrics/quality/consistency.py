"""Measures of temporal consistency of subject and background.

A frozen clip scores 1: read these together with ``motion.dynamic_degree``. A hard cut lowers them, as it does
VBench's; where `find_cuts` finds one, the evidence names it and has the value within the shots beside.
"""

from __future__ import annotations

import numpy as np

from ..base import NotApplicable, Sample, Scored, measure
from ..encoders.base import Feature
from ..encoders.shots import SHOTS
from .blank import BLANK, refuse_blank
from .shots import cuts_of, shots_of

__all__ = ["background_consistency", "frame_consistency", "subject_consistency"]


@measure(
    "consistency.subject",
    version=2,
    needs=("subject", SHOTS, BLANK),
    better="higher",
    bounds=(0.0, 1.0),
    sees={"swap": "falls"},
)
def subject_consistency(sample: Sample) -> Scored:
    """Similarity of each frame to the one before and to the first, by an image backbone (DINO).

    VBench (Huang et al. 2024, "subject consistency"); see `frame_consistency` for the formula.

    Raises:
        NotApplicable: the clip has one frame, or is blank.
    """
    return _over_cuts(sample, sample.features["subject"])


@measure(
    "consistency.background",
    version=2,
    needs=("clip", SHOTS, BLANK),
    better="higher",
    bounds=(0.0, 1.0),
    sees={"swap": "falls"},
)
def background_consistency(sample: Sample) -> Scored:
    """Similarity of each frame to the one before and to the first, by CLIP.

    VBench (Huang et al. 2024, "background consistency"); see `frame_consistency` for the formula.

    Raises:
        NotApplicable: the clip has one frame, or is blank.
    """
    return _over_cuts(sample, sample.features["clip"])


def _over_cuts(sample: Sample, features_TD: Feature) -> Scored:
    """Measure a whole clip, and within its shots if there are several."""
    refuse_blank(sample)
    scored = frame_consistency(features_TD)
    found = cuts_of(sample)
    if not found:
        return scored
    evidence = {**scored.evidence, "cuts": found}
    shots = [features_TD[a:b] for a, b in shots_of(len(features_TD), found) if b - a > 1]
    every_frame = len(sample.features[SHOTS]) + 1 == len(features_TD)  # not of sampled frames
    if every_frame and shots:
        pairs = [len(shot) - 1 for shot in shots]
        within = np.average([frame_consistency(shot).value for shot in shots], weights=pairs)
        evidence["within_shots"] = float(within)
    return Scored(scored.value, evidence)


def frame_consistency(features_TD: Feature) -> Scored:
    """Average (max(0, cos(f_t, f_t-1)) + max(0, cos(f_t, f_1))) / 2 over t >= 2.

    The clip's mean is the value, so that each clip counts once whatever its length; VBench weights by frames
    on one process and by clips on several.

    Args:
        features_TD: one feature a frame, of any length.

    Raises:
        NotApplicable: fewer than two frames, or a frame without direction (a feature of length 0).
    """
    if len(features_TD) < 2:
        raise NotApplicable("one frame")
    f_TD = features_TD.astype(np.float64)
    length_T = np.linalg.norm(f_TD, axis=1)
    if (length_T == 0).any():
        raise NotApplicable(f"the feature of frame {int(np.argmin(length_T))} is zero")
    f_TD = f_TD / length_T[:, None]
    before_T = np.clip((f_TD[1:] * f_TD[:-1]).sum(axis=1), 0.0, 1.0)
    first_T = np.clip(f_TD[1:] @ f_TD[0], 0.0, 1.0)
    both_T = (before_T + first_T) / 2
    return Scored(
        float(both_T.mean()),
        {
            "to_previous": float(before_T.mean()),
            "to_first": float(first_T.mean()),
            "worst_frame": int(both_T.argmin()) + 1,
            "worst_value": float(both_T.min()),
        },
    )
