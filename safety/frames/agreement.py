"""Agreement of judged frames: the score that several frames in a row all reach."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["agreed_score"]


def agreed_score(score_T: NDArray[np.float64], agreeing: int) -> float:
    """Return the highest score that ``agreeing`` judged frames in a row all reach.

    If fewer frames were judged, all of them must reach it.

    Raises:
        ValueError: no frame was judged.

    Example:
        >>> agreed_score(np.array([0.9, 0.1, 0.5, 0.6]), 2)
        0.5
    """
    if not len(score_T):
        raise ValueError("no frame was judged")
    rows = np.lib.stride_tricks.sliding_window_view(score_T, min(agreeing, len(score_T)))
    return float(rows.min(axis=1).max())
