"""Measures of signs of generated physics, for clips of which nothing is expected: 1 where a sign is seen.

They need no prompt, no expectation and no weights. What each was measured to find, and how often it is wrong,
is on its card (``screentest validate --signs``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from ..base import NotApplicable, Sample, Scored, measure
from .encoder import SIGNS

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["LIMITS", "sign_measures"]

LIMITS: Final = {"appears": 0.5, "merges": 0.2, "splits": 0.12, "shadows": 0.5, "warp": 0.14}
"""Sign -> the strength from which it counts, set on clips of seeds that no card is measured on."""
_WHAT: Final = {
    "appears": "Whether a thing appears or goes from one frame to the next, in mid-picture",
    "merges": "Whether two things become one that neither of them was",
    "splits": "Whether one thing becomes two that are both smaller",
    "shadows": "Whether the shadow of the one thing that moves does not go with it",
    "warp": "Whether the picture bends as no rigid scene does before any camera",
}


def _sign(name: str) -> Callable[[Sample], Scored]:
    def seen(sample: Sample) -> Scored:
        found = cast("Mapping[str, Any]", sample.records[SIGNS].meta[name])
        if "reason" in found:
            raise NotApplicable(str(found["reason"]))
        strength, limit = float(found["strength"]), LIMITS[name]
        evidence: dict[str, Json] = {"strength": strength, "threshold": limit}
        if strength < limit or "first_frame" not in found:
            return Scored(0.0, evidence)
        where: dict[str, Json] = {"first_frame": found["first_frame"]}
        if sample.clip is not None and sample.clip.fps:
            second = round(found["first_frame"] / sample.clip.fps, 6)
            where |= {"first_s": second, "last_s": second}
        return Scored(1.0, {**where, "box": found["box"], "kind": found["kind"], **evidence})

    seen.__name__ = name
    seen.__doc__ = f"""{_WHAT[name]}: 1 where it is seen, else 0.

    The evidence has the strength (0 to 1), the threshold and, where the sign is seen, the first frame, the
    box in pixels and what happens. It is for one shot of something that moves before a background, of 8 to
    600 frames, 4 or more a second.

    Raises:
        NotApplicable: the clip is too short, too long or too slow. For all but warp: it has a cut, the
            picture changes all over or nothing moves; for merges, splits and shadows also: the camera moves.
            For shadows: not one thing alone moves, or no shadow of it is seen. For warp: too few points can
            be followed.
    """
    return seen


_rate = partial(measure, version=1, needs=(SIGNS,), better="lower", bounds=(0.0, 1.0), kind="rate")
sign_measures: Final = {name: _rate(f"signs.{name}")(_sign(name)) for name in LIMITS}
"""Sign -> its measure."""
