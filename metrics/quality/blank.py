"""Clips that show nothing: one color, or values out of range, as a model that fell over makes them.

Such a clip is still and safe, and no measure of stillness or safety means anything there. The limits below
were set on drawn clips. Neither 28 real clips (of cameras and a public generator; the flattest has a median
spread of 45, the most clipped frame 28 % of its values at the ends) nor 200 clips of the reference world
(spread 25 and more) are near them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..base import NotApplicable, Sample, Scored, measure
from ..encoders.base import Feature

if TYPE_CHECKING:
    pass

__all__ = ["BLANK", "blank", "reason_of", "refuse_blank", "why_blank"]

BLANK = "levels"
"""The feature that `refuse_blank` reads: a measure that calls it lists it among its ``needs``."""

SHARE = 0.5
"""A clip is blank if so many of its frames are: a fade from black is not."""
FLAT = 1.5
"""A frame has one color if no channel's standard deviation over it is larger, in levels of 255: what coding
leaves of a flat frame stays below."""
CLIPPED, COLORFUL = 0.95, 0.2
"""A frame was scaled twice if so many of its values are at the ends of the range and so many of its pixels
have channels far apart. A drawing in black and white has the first and not the second."""


def why_blank(levels_T4: Feature) -> str | None:
    """Say why a clip shows nothing; None if it shows something.

    Args:
        levels_T4: the feature ``levels``.
    """
    _, spread_T, clipped_T, colorful_T = np.asarray(levels_T4, np.float64).T
    if not len(spread_T):
        return None
    flat = float((spread_T <= FLAT).mean())
    if flat >= SHARE:
        return f"{flat:.0%} of the frames are one color"
    scaled = float(((clipped_T >= CLIPPED) & (colorful_T >= COLORFUL)).mean())
    if scaled >= SHARE:
        return f"{scaled:.0%} of the frames have only values at the ends of the range, as if scaled twice"
    return None


def refuse_blank(sample: Sample) -> None:
    """Keep a measure from speaking of a clip that shows nothing.

    Raises:
        NotApplicable: with the reason.
    """
    why = reason_of(sample)
    if why is not None:
        raise NotApplicable(f"the clip is blank: {why}")


def reason_of(sample: Sample) -> str | None:
    """Say why the clip of a sample shows nothing; None if it shows something, or there is no clip."""
    levels_T4 = sample.features.get(BLANK)
    return None if levels_T4 is None else why_blank(levels_T4)


@measure("failure.blank", version=1, needs=(BLANK,), better="lower", bounds=(0.0, 1.0), kind="rate")
def blank(sample: Sample) -> Scored:
    """Share of clips that show nothing: half of their frames are one color, or have clipped values only."""
    levels_T4 = sample.features[BLANK]
    why = why_blank(levels_T4)
    evidence = {
        "mean_level": float(levels_T4[:, 0].mean()),
        "median_spread": float(np.median(levels_T4[:, 1])),
    }
    return Scored(float(why is not None), evidence if why is None else {**evidence, "why": why})
