"""Things that are driven along a plan, as by a hand that is not seen: what puzzles are solved by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Drive", "turned_quaternion"]

_F = NDArray[np.float64]
V3 = tuple[float, float, float]


@dataclass(frozen=True)
class Drive:
    """The course of one thing through a clip, even between its stations.

    Attributes:
        shares: of the clip's time, rising; before the first and after the last station it stands.
        places: of the point that it turns about, at each station, in metres.
        turns: about the axis y, at each station, in radians; clockwise as the camera sees it.
        arm: from the point that it turns about to its centre, before it turns.
        gone: the share from which on it is not to be seen; None for never.
    """

    shares: tuple[float, ...]
    places: tuple[V3, ...]
    turns: tuple[float, ...] = ()
    arm: V3 = (0.0, 0.0, 0.0)
    gone: float | None = None

    def at(self, shares_S: _F) -> tuple[_F, _F]:
        """Give the centre (S, 3) in metres and the turn (S,) in radians at shares of the clip."""
        stations = np.array(self.places, np.float64)
        pivot = np.stack([np.interp(shares_S, self.shares, stations[:, k]) for k in range(3)], axis=1)
        turn = np.interp(shares_S, self.shares, self.turns) if self.turns else np.zeros(len(shares_S))
        x, y, z = self.arm
        sine, cosine = np.sin(turn), np.cos(turn)
        arm = np.stack([cosine * x + sine * z, np.full(len(turn), y), cosine * z - sine * x], axis=1)
        return pivot + arm, turn

    def shown(self, shares_S: _F) -> NDArray[np.bool_]:
        """Say at which shares of the clip it is to be seen, (S,)."""
        return np.ones(len(shares_S), bool) if self.gone is None else shares_S < self.gone - 1e-9


def turned_quaternion(turn_S: _F) -> _F:
    """Give the quaternions (w, x, y, z) of turns about the axis y, (S, 4)."""
    zero = np.zeros(len(turn_S))
    return np.stack([np.cos(turn_S / 2), zero, np.sin(turn_S / 2), zero], axis=1)
