"""Clocks: do the hands go on, the right way and joined, to the time that is asked?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..base import NotApplicable
from ..expected_goals import ExpectedClock
from .rules import LOST, Broken, Verdict, region_of

__all__ = ["judge_clock"]

_F = NDArray[np.float64]
_START: Final = 20.0  # degrees between a hand at first and the time that is stated
_TIME, _HIDDEN = 10.0, 20.0  # degrees at the end, and where one hand hides a part of the other
_BACK: Final = {
    "hour": 25.0,
    "minute": 12.0,
}  # degrees by which a hand may fall back: the short one is coarse
_TURN: Final = 45.0  # degrees by which the whole turn may differ
_JOINT: Final = 0.2  # radii between the middle and the inner end of a hand
_FRAYED: Final = 1.0  # pixels that compression takes from a hand's end
_LENGTH: Final = 0.3  # of the hand's length
_APART: Final = 30.0  # degrees between two hands of which neither hides the other
_UNSEEN: Final = 0.25  # of the frames


@dataclass(frozen=True)
class _Hand:
    """A hand in the K frames in which it is seen.

    Attributes:
        frames_K: their numbers.
        angle_K: degrees clockwise from the top, unwrapped.
        inner_K2: its inner end, seen from the centre of the face, in radii.
        length_K: in radii.
        clear_K: whether the other hand is far from it.
        unseen: share of the frames in which it is not seen.
    """

    name: str
    frames_K: NDArray[np.int64]
    angle_K: _F
    inner_K2: _F
    length_K: _F
    clear_K: NDArray[np.bool_]
    unseen: float


def judge_clock(regions_TKC: _F, aspect: float, clock: ExpectedClock, pixel: float = 0.0) -> Verdict:
    """Hold a clip against a clock.

    Args:
        regions_TKC: of the encoder ``hues``.
        aspect: width over height of the picture.
        clock: what is asked.
        pixel: of the frames that were read, in heights of the picture.

    Raises:
        NotApplicable: the clip does not begin with the clock at its first time.
    """
    first, after = clock.minutes
    speeds = {"hour": 0.5, "minute": 6.0}  # degrees a minute
    colors = {"hour": clock.hour, "minute": clock.minute}
    hands = {name: _hand(regions_TKC, aspect, clock, name, color) for name, color in colors.items()}
    for name, hand in hands.items():
        if not len(hand.frames_K) or hand.frames_K[0] != 0:
            raise NotApplicable(f"no {colors[name]} {name} hand is seen in the first frame")
        if abs(_between(float(hand.angle_K[0]), first * speeds[name])) > _START:
            raise NotApplicable(f"the clip does not begin with the {name} hand at {clock.begins}")
    hour, minute = _clear(hands["hour"], hands["minute"])
    count = len(regions_TKC)
    right = [
        _time(hand, other, (first + after) * speeds[hand.name], count)
        for hand, other in ((hour, minute), (minute, hour))
    ]
    return Verdict(
        (
            max(right, key=lambda one: one.ratio),
            *(_back(hand) for hand in (hour, minute)),
            _turn(minute, after * speeds["minute"]),
            *(_joint(hand, _JOINT + _FRAYED * pixel / clock.radius) for hand in (hour, minute)),
            *(_length(hand) for hand in (hour, minute)),
            *(Broken(f"the {h.name} hand is not seen", h.unseen / _UNSEEN) for h in (hour, minute)),
        )
    )


def _hand(regions_TKC: _F, aspect: float, clock: ExpectedClock, name: str, color: str) -> _Hand:
    region = region_of(regions_TKC, color)
    frames = np.flatnonzero(region.seen_T)
    hub = np.array([clock.centre[0] * aspect, clock.centre[1]])
    ends = (region[("x1", "y1", "x2", "y2")][frames].reshape(-1, 2, 2) - hub) / clock.radius
    away = np.hypot(ends[:, :, 0], ends[:, :, 1])
    outer = away.argmax(axis=1)
    row = np.arange(len(frames))
    tip, inner = ends[row, outer], ends[row, 1 - outer]
    along = tip - inner
    angle = np.degrees(np.arctan2(along[:, 0], -along[:, 1]))
    angle = np.degrees(np.unwrap(np.radians(angle))) if len(angle) else angle
    clear = np.ones(len(frames), bool)
    return _Hand(name, frames, angle, inner, np.hypot(along[:, 0], along[:, 1]), clear, region.unseen)


def _clear(hour: _Hand, minute: _Hand) -> tuple[_Hand, _Hand]:
    """Say in which frames neither hand hides the other."""
    made: list[_Hand] = []
    for one, other in ((hour, minute), (minute, hour)):
        of_other = np.interp(one.frames_K, other.frames_K, other.angle_K)
        apart = np.abs((one.angle_K - of_other + 180) % 360 - 180)
        clear = apart > _APART
        made.append(_Hand(one.name, one.frames_K, one.angle_K, one.inner_K2, one.length_K, clear, one.unseen))
    return made[0], made[1]


def _between(one: float, two: float) -> float:
    return (one - two + 180) % 360 - 180


def _time(hand: _Hand, other: _Hand, degrees: float, count: int) -> Broken:
    rule = f"the {hand.name} hand does not end at the time"
    last = float(hand.angle_K[-1])
    hidden = abs(_between(last, float(other.angle_K[-1]))) < _APART  # by the other hand
    if hand.frames_K[-1] < count - 2 and not hidden:
        return Broken(rule, LOST, int(hand.frames_K[-1]) + 1)
    ratio = abs(_between(last, degrees)) / (_HIDDEN if hidden else _TIME)
    return Broken(rule, ratio, count - 1 if ratio > 1 else None)


def _back(hand: _Hand) -> Broken:
    rule = f"the {hand.name} hand turns back"
    if not hand.clear_K.any():
        return Broken(rule, 0.0)
    angle = _smooth(hand.angle_K[hand.clear_K])
    fallen = np.maximum.accumulate(angle) - angle
    return _first(rule, fallen / _BACK[hand.name], hand.frames_K[hand.clear_K])


def _turn(hand: _Hand, degrees: float) -> Broken:
    off = abs(float(hand.angle_K[-1] - hand.angle_K[0]) - degrees)
    rule = f"the {hand.name} hand does not turn by as much as the time goes on"
    return Broken(rule, off / _TURN, int(hand.frames_K[-1]) if off > _TURN else None)


def _joint(hand: _Hand, limit: float) -> Broken:
    rule = f"the {hand.name} hand leaves the middle"
    if not hand.clear_K.any():
        return Broken(rule, 0.0)
    far = _smooth(np.hypot(*hand.inner_K2[hand.clear_K].T))
    return _first(rule, far / limit, hand.frames_K[hand.clear_K])


def _length(hand: _Hand) -> Broken:
    rule = f"the {hand.name} hand changes its length"
    if not hand.clear_K.any():
        return Broken(rule, 0.0)
    length = _smooth(hand.length_K[hand.clear_K])
    ratios = np.abs(length / np.median(length) - 1) / _LENGTH
    return _first(rule, ratios, hand.frames_K[hand.clear_K])


def _smooth(values_K: _F) -> _F:
    """Take the median of each value and its neighbours: compression frays single frames."""
    padded = np.pad(values_K, 1, mode="edge")
    return np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)


def _first(rule: str, ratios_K: _F, frames_K: NDArray[np.int64]) -> Broken:
    over = np.flatnonzero(ratios_K > 1)
    return Broken(rule, float(ratios_K.max()), int(frames_K[over[0]]) if len(over) else None)
