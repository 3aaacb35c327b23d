"""The encoder ``signs``: the strongest sign of each kind in a clip, without weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..encoders.base import Encoder, EncoderOptions, NotApplicable, Record, Stream
from ..encoders.registry import ENCODERS, EncoderEntry
from ..tracking.mask_regions import reduced
from ..tracking.registration import Step, shots_between, steps_between
from .appearance import appearance
from .findings import Sign
from .movers import Movers, find_movers
from .parts import merging, splitting
from .shadow import stray_shadow
from .warp import warping

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window

__all__ = ["FINDERS", "SIGNS", "WARP", "SignsEncoder", "signs_of"]

Found = Sign | str | None
"""A sign that is seen, why nothing can be said, or that none is seen."""
SIGNS: Final = "signs"
FINDERS: Final[dict[str, Callable[[Movers], Sign | None]]] = {
    "appears": appearance,
    "merges": merging,
    "splits": splitting,
    "shadows": stray_shadow,
}
"""Sign -> what looks for it among what moves."""
WARP: Final = "warp"
"""The sign that is looked for in the whole picture."""
_PAIR: Final = 0.5  # seconds between the frames of which it is told whether the picture bends
_VERSION: Final = 3
_LONGEST: Final = 256  # pixels of the longer side
_MOST: Final = 600  # frames
_FEWEST: Final = 8  # frames
_SLOWEST: Final = 0.26  # seconds from frame to frame: in more, a thing may come and go unseen


class SignsEncoder(Encoder):
    """Look for signs of generated physics in each shot of a clip of 8 to 600 frames, 4 or more a second.

    A shot of fewer than 8 frames is left out. Frames whose longer side has more than 256 pixels are reduced
    by area. The feature is a record without arrays; its metadata has, for each sign, the ``reason`` why it
    does not apply, or ``strength`` (0 to 1), and of what is found ``first_frame``, ``box`` (left, top, right,
    bottom in the clip's pixels) and ``kind``. Where there are several ``shots``, it has their number, the
    first and last frame of each that was ``judged``, and those of the ``shot`` that shows what is found.
    """

    name = SIGNS
    trial = "none"

    def identity(self) -> Mapping[str, Json]:
        """List the version, the signs and the settings."""
        return {
            "version": _VERSION,
            "signs": [*FINDERS, WARP],
            "settings": [_LONGEST, _MOST, _FEWEST, _SLOWEST, _PAIR],
        }

    @property
    def fewest_frames(self) -> int:
        """Frames that a clip needs."""
        return _FEWEST

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip."""
        del info
        return _Stream()


class _Stream:
    def __init__(self) -> None:
        self._frames: list[NDArray[np.uint8]] = []
        self._scale = 1.0
        self._last: float | None = None
        self._gaps: list[float] = []
        self._more = False

    def push(self, window: Window) -> None:
        for frame, time in zip(window.frames_THWC, window.times_T, strict=True):
            if len(self._frames) == _MOST:
                self._more = True
                return
            small, self._scale = reduced(frame, _LONGEST)
            self._frames.append(small)
            if self._last is not None:
                self._gaps.append(float(time) - self._last)
            self._last = float(time)

    def finish(self) -> Record:
        if self._more:
            raise NotApplicable(f"signs are looked for in at most {_MOST} frames; cut the clip into parts")
        if len(self._frames) < _FEWEST:
            raise NotApplicable(f"a clip of fewer than {_FEWEST} frames shows no sign")
        gap = float(np.median(self._gaps))
        if gap > _SLOWEST:
            raise NotApplicable(
                "fewer than 4 frames a second: between two of them a thing may come and go unseen"
            )
        shots = _shots(np.stack(self._frames), 1 / max(gap, 1e-3))
        return Record({}, {name: _plain(name, shots, self._scale) for name in (*FINDERS, WARP)})


def signs_of(frames_THWC: NDArray[np.uint8], fps: float) -> dict[str, Found]:
    """Look for every sign in a clip, uint8 RGB (T, H, W, 3): what is found, or why nothing can be said.

    Of a clip of several shots it is the strongest that one of them shows.
    """
    shots = _shots(frames_THWC, fps)
    return {name: _strongest(name, shots) for name in (*FINDERS, WARP)}


@dataclass(frozen=True)
class _Shot:
    """What is found in a shot, from its first frame to its last, or None where it is too short."""

    first: int
    last: int
    found: Mapping[str, Found] | None


def _shots(frames_THWC: NDArray[np.uint8], fps: float) -> list[_Shot]:
    steps = steps_between(frames_THWC)
    shots: list[_Shot] = []
    for first, end in shots_between(steps):
        long = end - first >= _FEWEST
        found = _of_shot(frames_THWC[first:end], steps[first : end - 1], fps) if long else None
        shots.append(_Shot(first, end - 1, found))
    return shots


def _of_shot(frames_THWC: NDArray[np.uint8], steps: Sequence[Step], fps: float) -> dict[str, Found]:
    found: dict[str, Found]
    try:
        movers = find_movers(frames_THWC, steps)
        if not any(movers.blobs):
            raise NotApplicable("nothing is seen to move, to appear or to go")
    except NotApplicable as why:
        found = dict.fromkeys(FINDERS, str(why))
    else:
        found = {name: _found(partial(find, movers)) for name, find in FINDERS.items()}
    stride = max(1, round(_PAIR * fps))
    return {**found, WARP: _found(partial(warping, frames_THWC, stride))}


def _found(find: Callable[[], Sign | None]) -> Found:
    try:
        return find()
    except NotApplicable as why:
        return str(why)


def _judged(name: str, shots: Sequence[_Shot]) -> list[_Shot]:
    """List the shots of which a sign says something."""
    return [shot for shot in shots if shot.found is not None and not isinstance(shot.found[name], str)]


def _strongest(name: str, shots: Sequence[_Shot]) -> Found:
    """Give the strongest sign of the shots of a clip, with frames of the clip; or why nothing can be said."""
    judged = _judged(name, shots)
    if not judged:
        longest = max(shots, key=lambda shot: shot.last - shot.first)
        if longest.found is None:
            return (
                f"there are cuts, the first before frame {shots[1].first}, and no shot has {_FEWEST} frames"
            )
        why = str(longest.found[name])
        return (
            why if len(shots) == 1 else f"none of its {len(shots)} shots can be judged: in the longest, {why}"
        )
    best: Sign | None = None
    for shot in judged:
        assert shot.found is not None
        sign = shot.found[name]
        if isinstance(sign, Sign) and (best is None or sign.strength > best.strength):
            where = None if len(shots) == 1 else (shot.first, shot.last)
            best = replace(sign, frame=sign.frame + shot.first, shot=where)
    return best


def _plain(name: str, shots: Sequence[_Shot], scale: float) -> dict[str, Json]:
    sign = _strongest(name, shots)
    if isinstance(sign, str):
        return {"reason": sign}
    several: dict[str, Json] = {}
    if len(shots) > 1:
        several = {"shots": len(shots), "judged": [[shot.first, shot.last] for shot in _judged(name, shots)]}
    if sign is None:
        return {"strength": 0.0, **several}
    if sign.shot is not None:
        several["shot"] = list(sign.shot)
    return {
        "strength": round(sign.strength, 6),
        "first_frame": sign.frame,
        "box": [round(edge * scale) for edge in sign.box],
        "kind": sign.kind,
        **several,
    }


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    del source, options
    return SignsEncoder()


ENCODERS.add(SIGNS, EncoderEntry("signs of generated physics, no weights", _build))
