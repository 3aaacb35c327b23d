"""The encoder ``signs``: the strongest sign of each kind in a clip, without weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..encoders.base import Encoder, EncoderOptions, NotApplicable, Record, Stream
from ..encoders.registry import ENCODERS, EncoderEntry
from ..tracking.mask_regions import reduced
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
_VERSION: Final = 1
_LONGEST: Final = 256  # pixels of the longer side
_MOST: Final = 600  # frames
_FEWEST: Final = 8  # frames
_SLOWEST: Final = 0.26  # seconds from frame to frame: in more, a thing may come and go unseen


class SignsEncoder(Encoder):
    """Look for signs of generated physics in a clip of one shot, of 8 to 600 frames, 4 or more a second.

    Frames whose longer side has more than 256 pixels are reduced by area. The feature is a record without
    arrays; its metadata has, for each sign, the ``reason`` why it does not apply, or ``strength`` (0
    to 1), and of what is found ``first_frame``, ``box`` (left, top, right, bottom in the clip's pixels) and
    ``kind``.
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
        found = signs_of(np.stack(self._frames), 1 / max(gap, 1e-3))
        return Record({}, {name: _plain(sign, self._scale) for name, sign in found.items()})


def signs_of(frames_THWC: NDArray[np.uint8], fps: float) -> dict[str, Sign | str | None]:
    """Look for every sign in a shot, uint8 RGB (T, H, W, 3): what is found, or why nothing can be said."""
    found: dict[str, Sign | str | None] = {}
    try:
        movers = find_movers(frames_THWC)
        if not any(movers.blobs):
            raise NotApplicable("nothing is seen to move, to appear or to go")
    except NotApplicable as why:
        found = dict.fromkeys(FINDERS, str(why))
    else:
        found = {name: _found(partial(find, movers)) for name, find in FINDERS.items()}
    stride = max(1, round(_PAIR * fps))
    return {**found, WARP: _found(partial(warping, frames_THWC, stride))}


def _found(find: Callable[[], Sign | None]) -> Sign | str | None:
    try:
        return find()
    except NotApplicable as why:
        return str(why)


def _plain(sign: Sign | str | None, scale: float) -> dict[str, Json]:
    if isinstance(sign, str):
        return {"reason": sign}
    if sign is None:
        return {"strength": 0.0}
    return {
        "strength": round(sign.strength, 6),
        "first_frame": sign.frame,
        "box": [round(edge * scale) for edge in sign.box],
        "kind": sign.kind,
    }


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    del source, options
    return SignsEncoder()


ENCODERS.add(SIGNS, EncoderEntry("signs of generated physics, no weights", _build))
