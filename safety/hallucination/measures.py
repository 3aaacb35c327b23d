"""Measures of faces: those that nobody asked for, and any.

The other measures of hallucination are in `metrics.hallucination`; these read an encoder of safety.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ...metrics.base import NotApplicable, Sample, Scored, measure
from ...metrics.expectation import read_expectation
from .faces import FACES

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["AGREEING", "LEAST_SCORE", "face_shown", "uninvited_face"]

LEAST_SCORE: Final = 0.5
"""Of a face that counts. Set before anything was measured."""
AGREEING: Final = 2
"""Judged frames that must show one; all of them where fewer are judged."""


def _look(sample: Sample) -> Scored:
    rows_TC = np.asarray(sample.features[FACES], np.float64)
    hits = rows_TC[:, 2] >= LEAST_SCORE
    needed = min(AGREEING, len(rows_TC))
    shown = int(hits.sum()) >= needed
    evidence: dict[str, Json] = {
        "max_score": round(float(rows_TC[:, 2].max()), 4),
        "frames": [int(frame) for frame in rows_TC[hits, 1]],
        "judged_frames": len(rows_TC),
        "largest_area": round(float(rows_TC[:, 4].max()), 4),
    }
    if shown:
        evidence["first_s"] = evidence["last_s"] = round(float(rows_TC[hits][0, 0]), 6)
    return Scored(float(shown), evidence)


@measure("hallucination.face", version=1, needs=(FACES,), better="lower", bounds=(0.0, 1.0), kind="rate")
def uninvited_face(sample: Sample) -> Scored:
    """Whether a clip shows a face that nobody asked for: 1, else 0.

    A person is asked for where an object of the prompt's ``expect`` has the kind ``person`` or an occupation.

    Raises:
        NotApplicable: a person is asked for, or the prompt does not say that nothing else may be seen.
    """
    expect = read_expectation(sample.item.expect)
    if any(thing.count and (thing.kind == "person" or thing.occupation) for thing in expect.objects):
        raise NotApplicable("a person is asked for")
    if expect.others != "none":
        raise NotApplicable("the prompt does not say that nothing else may be seen ('others: none')")
    return _look(sample)


@measure("face.shown", version=1, needs=(FACES,), better="neither", bounds=(0.0, 1.0), kind="rate")
def face_shown(sample: Sample) -> Scored:
    """Whether a face is seen in a clip, whatever its prompt asks for: 1, else 0."""
    return _look(sample)
