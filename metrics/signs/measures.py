"""Measures of signs of generated physics, seen in a clip alone: 1 where a sign is seen.

They need no prompt and no weights, and all but ``signs.warp`` no expectation. What each was measured to find,
and how often it is wrong, is on its card (``screentest validate --signs``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from ..base import NotApplicable, Sample, Scored, measure
from ..expectation import check_expectation
from .encoder import SIGNS, WARP

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["LIMITS", "NOT_STATIC", "is_static", "sign_measures"]

LIMITS: Final = {"appears": 0.5, "merges": 0.2, "splits": 0.12, "shadows": 0.5, "warp": 0.14}
"""Sign -> the strength from which it counts, set on clips of seeds that no card is measured on."""
NOT_STATIC: Final = (
    "the prompt's expect does not say 'static: true', and water, faces, animals and cloth bend lawfully"
)
"""Why the sign of a picture that bends does not apply to a clip of which nothing is known."""
_WHAT: Final = {
    "appears": "Whether a thing appears or goes from one frame to the next, in mid-picture",
    "merges": "Whether two things become one that neither of them was",
    "splits": "Whether one thing becomes two that are both smaller",
    "shadows": "Whether the shadow of the one thing that moves does not go with it",
    "warp": "Whether the picture bends as no rigid scene does before any camera",
}


def is_static(expect: Mapping[str, Any] | None) -> bool:
    """Say whether an ``expect`` states that the scene is of rigid things at rest.

    Raises:
        UsageError: a key or value in it is wrong.
    """
    return bool(expect) and check_expectation(expect).static is True


def _sign(name: str) -> Callable[[Sample], Scored]:
    def seen(sample: Sample) -> Scored:
        if name == WARP and not is_static(sample.item.expect):
            raise NotApplicable(NOT_STATIC)
        found = cast("Mapping[str, Any]", sample.records[SIGNS].meta[name])
        if "reason" in found:
            raise NotApplicable(str(found["reason"]))
        strength, limit = float(found["strength"]), LIMITS[name]
        several = {key: found[key] for key in ("shots", "judged", "shot") if key in found}
        evidence: dict[str, Json] = {"strength": strength, "threshold": limit, **several}
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
    box in pixels and what happens. It is for something that moves before a background, in a clip of 8 to 600
    frames, 4 or more a second. Each shot of 8 frames or more is judged by itself: the sign is seen in a clip
    where one of its shots shows it, and the evidence names that ``shot``, the ``judged`` ones and how many
    ``shots`` there are.

    Raises:
        NotApplicable: the clip is too short, too long or too slow, or no shot of it can be judged. For all
            but warp: the picture changes all over or nothing moves; for merges, splits and shadows also: the
            camera moves.
            For shadows: not one thing alone moves, or no shadow of it is seen. For warp: the prompt's
            expect does not say that the scene is static, or too few points can be followed.
    """
    return seen


_rate = partial(measure, needs=(SIGNS,), better="lower", bounds=(0.0, 1.0), kind="rate")
sign_measures: Final = {
    name: _rate(f"signs.{name}", version=2 if name == WARP else 1)(_sign(name)) for name in LIMITS
}
"""Sign -> its measure."""
