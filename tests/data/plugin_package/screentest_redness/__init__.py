"""How red a clip is: a frame feature and the measure that reads it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from screentest.metrics import Sample, frame_feature, measure

__all__ = ["redness", "reds"]


@frame_feature("example.reds", version=1)
def reds(frames_THWC: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Red's share of the light of each frame."""
    totals_TC = frames_THWC.sum(axis=(1, 2), dtype=np.float64)
    return totals_TC[:, 0] / np.maximum(totals_TC.sum(axis=1), 1)  # (T,)


@measure("example.redness", version=1, needs=("example.reds",), better="neither", bounds=(0.0, 1.0))
def redness(sample: Sample) -> float:
    """Mean share of red in the light of a clip: 1/3 for grey, 1 for pure red."""
    return float(sample.features["example.reds"].mean())
