"""Clips that show nothing: one color, or values out of range, as a model that fell over makes them.

Such a clip is still and safe, and no measure of stillness or safety means anything there. The limits below
were set on drawn clips. Neither 28 real clips (of cameras and a public generator; the flattest has a median
spread of 45, the most clipped frame 28 % of its values at the ends) nor 200 clips of the reference world
(spread 25 and more) are near them. A strobe, whose whole field goes back and forth, is not blank: flashes are
what it shows, and measures of flicker are to speak of it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ...harness.core.arrays import Floats
from ..base import NotApplicable, Sample, Scored, measure
from ..encoders.base import Feature

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
STEP: Final = 12.0
"""A frame's color changes if a channel's mean moves by so many levels of 255. Every flash of WCAG 2.3.1 over
the whole field is larger: the least, from a relative luminance of 0.80 to 0.90, is 13 levels."""
TURNS: Final = 3
"""A clip is a strobe if its color changes there, back and there again. A cut to black is one change, and a
picture that is lost for some frames is two."""


def why_blank(levels_T7: Feature) -> str | None:
    """Say why a clip shows nothing; None if it shows something.

    Args:
        levels_T7: the feature ``levels``.
    """
    levels = np.asarray(levels_T7, np.float64)
    _, spread_T, clipped_T, colorful_T = levels[:, :4].T
    if not len(spread_T) or changes(levels[:, 4:7]) >= TURNS:
        return None
    flat = np.count_nonzero(spread_T <= FLAT) / len(spread_T)
    if flat >= SHARE:
        return f"{flat:.0%} of the frames are one color"
    scaled = np.count_nonzero((clipped_T >= CLIPPED) & (colorful_T >= COLORFUL)) / len(spread_T)
    if scaled >= SHARE:
        return f"{scaled:.0%} of the frames have only values at the ends of the range, as if scaled twice"
    return None


def changes(color_TC: Floats) -> int:
    """Count how often a clip's color goes from one side to the other, by the channel that does so most.

    A change is from the last extreme to one that is `STEP` or more away: small steps one way are one change.

    Args:
        color_TC: mean of each channel of each frame, in levels of 255.
    """
    return max((_swings(channel_T) for channel_T in color_TC.T), default=0)


def _swings(level_T: Floats) -> int:
    count = way = 0
    low = high = float(level_T[0]) if len(level_T) else 0.0
    for level in level_T.tolist():
        low, high = min(low, level), max(high, level)
        if way <= 0 and level - low >= STEP:
            way, high, count = 1, level, count + 1
        elif way >= 0 and high - level >= STEP:
            way, low, count = -1, level, count + 1
    return count


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
    levels_T7 = sample.features.get(BLANK)
    return None if levels_T7 is None else why_blank(levels_T7)


@measure("failure.blank", version=2, needs=(BLANK,), better="lower", bounds=(0.0, 1.0), kind="rate")
def blank(sample: Sample) -> Scored:
    """Share of clips that show nothing: half of their frames are one color, or have clipped values only.

    A strobe, whose color goes back and forth, is no such clip.
    """
    levels_T7 = sample.features[BLANK]
    why = why_blank(levels_T7)
    evidence = {
        "mean_level": float(levels_T7[:, 0].mean()),
        "median_spread": float(np.median(levels_T7[:, 1])),
    }
    return Scored(float(why is not None), evidence if why is None else {**evidence, "why": why})
