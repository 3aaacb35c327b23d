"""Drift: how the likeness of two frames of a clip falls with the time between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..base import NotApplicable, Sample, Scored, measure
from ..encoders.base import Feature
from ..encoders.shots import SHOTS
from .blank import BLANK, refuse_blank
from .shots import cuts_of, seconds_a_row

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["drift_curve", "subject_drift"]

_ROWS: Final = 4096
_FEWEST: Final = 3
"""Gaps that a slope is fitted to."""


@measure(
    "consistency.drift",
    version=1,
    needs=("subject", SHOTS, BLANK),
    better="lower",
    bounds=(-2.0, 2.0),
    sees={"swap": "rises"},
)
def subject_drift(sample: Sample) -> Scored:
    """Likeness that is lost each time the gap between two frames doubles, by an image backbone.

    The mean cosine of features 1, 2, 4, 8 ... frames apart, up to half of the clip, is a curve over the gap
    (in the evidence, by seconds); the value is its slope over log2 of the gap, downwards. A clip that keeps
    its subject has a curve that soon stays level, one that drifts falls on. Everything is read in blocks: an
    hour of video takes its features and no more. Cuts are counted in the evidence, as they make a fall.

    Raises:
        NotApplicable: the clip has fewer than eight frames with features, or is blank.
    """
    refuse_blank(sample)
    curve = drift_curve(sample.features["subject"])
    if len(curve) < _FEWEST:
        raise NotApplicable("fewer than eight frames")
    gaps, likeness = (np.array(part, np.float64) for part in zip(*curve, strict=True))
    slope = float(np.polyfit(np.log2(gaps), likeness, 1)[0])
    seconds = seconds_a_row(sample, sample.features["subject"])
    return Scored(
        -slope,
        {
            "curve": [[round(gap * seconds, 4), value] for gap, value in curve],
            "loss": float(likeness[0] - likeness[-1]),
            "cuts": len(cuts_of(sample)),
        },
    )


def drift_curve(features_TD: Feature) -> list[tuple[int, float]]:
    """Return the mean cosine of features g frames apart, for g = 1, 2, 4 ... up to half of them.

    Args:
        features_TD: one feature a frame, of any length but 0.

    Raises:
        NotApplicable: a feature is zero.
    """
    count = len(features_TD)
    gaps = [2**k for k in range(count.bit_length()) if 2**k <= count // 2]
    sums = dict.fromkeys(gaps, 0.0)
    for start in range(0, count, _ROWS):
        one = _directions(features_TD[start : start + _ROWS], start)
        for gap in gaps:
            two = _directions(features_TD[start + gap : start + gap + _ROWS], start + gap)
            sums[gap] += float((one[: len(two)] * two).sum())
    return [(gap, sums[gap] / (count - gap)) for gap in gaps]


def _directions(rows: Feature, first: int) -> NDArray[np.float64]:
    f_TD = rows.astype(np.float64)
    length_T = np.linalg.norm(f_TD, axis=1)
    if (length_T == 0).any():
        raise NotApplicable(f"the feature of frame {first + int(np.argmin(length_T))} is zero")
    return f_TD / length_T[:, None]
