"""Measure how well a clip's motion follows the law of its caption, from the object's trajectory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...worlds.plane import GRAVITY
from .shapes import Reading, in_flight

__all__ = ["LawReading", "read_law"]

_FALLS: Final = ("fall", "bounce", "throw-left", "throw-right")
_ALONG: Final = {"left": (1.0, 0.0), "right": (1.0, 0.0), "rise": (0.0, 1.0), "stay": (0.0, 0.0)}
_FEWEST: Final = 5  # frames in flight: fewer tell no acceleration

_F = NDArray[np.float64]


@dataclass(frozen=True)
class LawReading:
    """The errors of a motion; None if they cannot be determined.

    Attributes:
        velocity_error: mean distance, in sides a second, between the velocity that is seen and the
            law's, with its free constants fitted: the speed of a uniform motion, the first velocity of a
            flight. Motion across the asked direction is error (Kang et al. 2024, "How far is video
            generation from world model", section 3.1, where the constants are known).
        gravity_error: the acceleration that is seen, relative to the world's: 0.1 is 10 % too much. Only of
            motions in which something falls.
        frames: how many frames it was read from: of a fall, those before the ground is touched.
    """

    velocity_error: float | None
    gravity_error: float | None
    frames: int


def read_law(reading: Reading, motion: str, fps: float = 8.0) -> LawReading:
    """Compare a trajectory with the law of ``motion``, one of `MOTIONS`, ``throw-left`` or ``throw-right``.

    Raises:
        KeyError: no such motion.
    """
    falls = motion in _FALLS
    there = in_flight(reading) if falls else np.flatnonzero(~np.isnan(reading.position_T2[:, 0]))
    place_T2, times = reading.position_T2[there] / reading.side, there / fps
    velocity_error = _velocity_error(place_T2, times, motion) if len(there) >= 3 else None
    gravity_error = None
    if falls and len(there) >= _FEWEST:
        gravity_error = float(2 * np.polyfit(times, place_T2[:, 1], 2)[0] / GRAVITY - 1)
    return LawReading(velocity_error, gravity_error, len(there))


def _velocity_error(place_T2: _F, times: _F, motion: str) -> float:
    seen = np.diff(place_T2, axis=0) / np.diff(times)[:, None]  # of the spans between frames
    law = np.zeros_like(seen)
    if motion in _FALLS:
        law[:, 1] = GRAVITY * 0.5 * (times[1:] + times[:-1])
        law[:, 1] += np.mean(seen[:, 1] - law[:, 1])
        if motion.startswith("throw"):
            law[:, 0] = np.mean(seen[:, 0])
    else:
        law[:] = np.mean(seen, axis=0) * _ALONG[motion]
    return float(np.mean(np.linalg.norm(seen - law, axis=1)))
