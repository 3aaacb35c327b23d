"""Measures of three-dimensional consistency under a moving camera, without weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..base import NotApplicable, Sample, Scored, measure
from ..encoders.epipolar import EPIPOLAR, FEWEST_MATCHES, STILL
from .blank import BLANK, refuse_blank

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["epipolar_inliers", "sampson_error"]

_NEEDS: Final = (EPIPOLAR, BLANK)


@measure(
    "geometry.epipolar",
    version=1,
    needs=_NEEDS,
    better="higher",
    bounds=(0.0, 1.0),
    sees={"wobble": "falls", "bend": "falls"},
)
def epipolar_inliers(sample: Sample) -> Scored:
    """Share of matches that two views of one rigid scene would have, median over pairs 1/2 s apart.

    Corners are followed between the frames, and an epipolar geometry is fitted to them; a match agrees if its
    Sampson distance is at most 1 pixel. Frames whose longer side is over 512 are first reduced to 512. It is
    for still scenes under a moving camera: what moves by itself does not agree, and need not be wrong.

    Raises:
        NotApplicable: too few points can be followed, the camera does not move, there are no two sampled
            frames, or the clip is blank.
    """
    return _median(sample, 0)


@measure(
    "geometry.sampson_error",
    version=1,
    needs=_NEEDS,
    better="lower",
    bounds=(0.0, None),
    unit="pixels",
    sees={"wobble": "rises", "bend": "rises"},
)
def sampson_error(sample: Sample) -> Scored:
    """Median Sampson distance of all matches to the epipolar geometry that fits them, median over pairs.

    In pixels of the frame that `geometry.epipolar` measures in.

    Raises:
        NotApplicable: as `geometry.epipolar`.
    """
    return _median(sample, 1)


def _median(sample: Sample, column: int) -> Scored:
    refuse_blank(sample)
    pairs = np.asarray(sample.features[EPIPOLAR], np.float64)
    if not len(pairs):
        raise NotApplicable("fewer than two frames 1/2 s apart")
    inliers, sampson, matches, motion, homography, _ = pairs.T
    known = ~np.isnan(inliers)
    if not known.any():
        if (matches < FEWEST_MATCHES).mean() > 0.5:
            raise NotApplicable(f"fewer than {FEWEST_MATCHES} points can be followed for 1/2 s")
        if (motion < STILL).mean() >= 0.5:
            raise NotApplicable("most of the picture stays in place: there is no camera motion")
        raise NotApplicable("no epipolar geometry fits")
    planes = homography[known & (homography > 0)]  # 0 where no plane fits any of the matches
    evidence: dict[str, Json] = {
        "inliers": float(np.median(inliers[known])),
        "sampson": float(np.median(sampson[known])),
        "by_one_plane": float(np.median(planes)) if len(planes) else None,
        "matches": int(np.median(matches[known])),
        "pairs": int(known.sum()),
        "pairs_left_out": int((~known).sum()),
    }
    return Scored(float(np.median((inliers, sampson)[column][known])), evidence)
