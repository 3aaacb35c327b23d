"""Recall of planted copies: clips of the training set, changed as copies commonly are, and looked up again.

A threshold says how seldom a clip that is no copy is called one. How many copies it finds is another
question, whose answer depends on the training set: this card answers it for the sets that a user has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.config import Config
from ...harness.core.estimate import Estimate
from ...harness.core.keys import seeded_rng
from ...harness.core.media import ClipInfo, Window
from ...harness.core.stats import rate_interval
from ...metrics.encoders.base import Encoder, Feature, NotApplicable
from .training_sets import QUANTILE, Calibration, TrainingSets
from .transformations import TRANSFORMATIONS, transform_clip

__all__ = [
    "CopyTrial",
    "RecallCard",
    "RecallRow",
    "ThresholdRow",
    "copy_trials",
    "recall_rows",
    "run_copy_trial",
    "threshold_row",
]

FOUND: Final = "found"
RIGHT: Final = "right"


@dataclass(frozen=True)
class CopyTrial:
    """One planted copy.

    Attributes:
        number: of the clip in the training set.
        transformation: of `TRANSFORMATIONS`.
        severity: in the unit of the transformation; None where it has none.
    """

    number: int
    transformation: str
    severity: float | None


class RecallRow(Estimate):
    """How many copies are above the threshold, of those that a measure can compare.

    Attributes:
        feature: that clips are compared by.
        transformation, severity, unit: what was done to the copies, and how much.
        nearest_is_right: of how many the nearest clip is the one that was copied, whatever the threshold.
    """

    feature: str
    transformation: str
    severity: float | None
    unit: str
    nearest_is_right: Estimate


class ThresholdRow(Config):
    """The threshold of one feature, and what held-out clips say of it.

    Attributes:
        feature: that clips are compared by.
        threshold: of the relative similarity.
        held_out: clips that it was computed from.
        note: what it is.
        false_alarms: of each half of those clips, at the threshold that the other half gives.
        closest: the held-out clips that are most like a training clip: their name, the training clip, and the
            relative similarity. They set the threshold; look whether one is a copy.
    """

    feature: str
    threshold: float
    held_out: int
    note: str
    false_alarms: Estimate
    closest: tuple[tuple[str, str, float], ...]


class RecallCard(Config):
    """Rows of `recall_rows` and `threshold_row`, and the settings that made them."""

    settings: dict[str, Any]
    thresholds: tuple[ThresholdRow, ...]
    rows: tuple[RecallRow, ...]


def copy_trials(clips: int, n: int, seed: int) -> list[CopyTrial]:
    """Plan the copies of ``n`` of the training set's clips, drawn at random, in every way."""
    rng = seeded_rng("recall card", seed)
    drawn = sorted(int(k) for k in rng.choice(clips, size=min(n, clips), replace=False))
    return [
        CopyTrial(number, name, severity)
        for number in drawn
        for name, one in TRANSFORMATIONS.items()
        for severity in one.severities or (None,)
    ]


def run_copy_trial(
    trial: CopyTrial,
    clip: tuple[str, NDArray[np.uint8], float],
    encoders: Mapping[str, Encoder],
    sets: TrainingSets,
) -> dict[str, Any]:
    """Copy a clip, change the copy, and look it up.

    Args:
        trial: what is done.
        clip: its name in the training set, uint8 frames (T, H, W, 3), and frames a second.
        encoders: by feature, those that clips are compared by.
        sets: the training set and the held-out set.

    Returns:
        ``answers``: feature -> whether the copy is above the threshold, whether its nearest clip is the one
        that was copied, and its relative similarity; or why it cannot be compared.
    """
    name, frames_THWC, fps = clip
    made = transform_clip(frames_THWC, trial.transformation, f"{name} {trial.number}", trial.severity)
    answers: dict[str, Any] = {}
    for feature, encoder in encoders.items():
        try:
            near = sets.nearest(feature, _encoded(encoder, made, fps))
        except NotApplicable as why:
            answers[feature] = str(why)
            continue
        answers[feature] = {
            FOUND: bool(near.relative > sets.calibration(feature).threshold),
            RIGHT: near.match.clip == name,
            "relative": round(near.relative, 6),
        }
    return {"clip": name, "answers": answers}


def recall_rows(rows: Sequence[Mapping[str, Any]], confidence: float = 0.95) -> list[RecallRow]:
    """Count the answers of trials by feature, transformation and severity."""
    features = list(dict.fromkeys(feature for row in rows for feature in row["answers"]))
    found: list[RecallRow] = []
    for feature in features:
        for name, one in TRANSFORMATIONS.items():
            for severity in one.severities or (None,):
                mine = [r for r in rows if (r["transformation"], r["severity"]) == (name, severity)]
                if not mine:
                    continue
                judged = [r for r in mine if not isinstance(r["answers"][feature], str)]
                answers = [r["answers"][feature] for r in mine]
                reasons = dict(Counter(answer for answer in answers if isinstance(answer, str)))
                recall, right = (_share(judged, feature, key, confidence) for key in (FOUND, RIGHT))
                left_out = {"not_applicable": sum(reasons.values())} if reasons else {}
                row = RecallRow.model_validate(
                    {
                        **recall.model_dump(),
                        "left_out": left_out,
                        "reasons": reasons,
                        "feature": feature,
                        "transformation": name,
                        "severity": severity,
                        "unit": one.unit,
                        "nearest_is_right": right.model_dump(),
                    }
                )
                found.append(row)
    return found


def threshold_row(feature: str, calibration: Calibration, confidence: float = 0.95) -> ThresholdRow:
    """Describe a threshold, with false alarms by cross-validation over two halves of its held-out clips."""
    values = np.array(calibration.values)
    halves = (values[::2], values[1::2])
    alarms = [
        float(value > np.quantile(other, QUANTILE, method="higher"))
        for mine, other in (halves, halves[::-1])
        for value in mine
    ]
    interval = rate_interval(alarms, [str(k) for k in range(len(alarms))], confidence)
    return ThresholdRow(
        feature=feature,
        threshold=calibration.threshold,
        held_out=calibration.n,
        note=calibration.note,
        false_alarms=Estimate.of(interval, confidence, n=len(alarms), clusters=len(alarms)),
        closest=calibration.closest,
    )


def _share(rows: Sequence[Mapping[str, Any]], feature: str, key: str, confidence: float) -> Estimate:
    if not rows:
        return Estimate(value=None, confidence=confidence, n=0)
    values = [float(row["answers"][feature][key]) for row in rows]
    clips = [str(row["number"]) for row in rows]
    interval = rate_interval(values, clips, confidence)
    return Estimate.of(interval, confidence, n=len(values), clusters=len(set(clips)))


def _encoded(encoder: Encoder, frames_THWC: NDArray[np.uint8], fps: float) -> Feature:
    count, height, width = frames_THWC.shape[:3]
    stream = encoder.open(ClipInfo(height, width, fps, count, count / fps, "raw", "memory"))
    stream.push(Window(frames_THWC, np.arange(count) / fps, 0))
    made = stream.finish()
    if not isinstance(made, np.ndarray):
        raise TypeError(f"the encoder {encoder.name!r} gives records, which cannot be looked up")
    return made
