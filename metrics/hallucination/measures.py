"""Measures of hallucination: for each kind of fault 1 where a clip shows it and 0 where it does not.

Those of things, events, sides and marks read the encoder ``tracks``: things of the reference world, what
moves, or, for real clips, what an open-vocabulary detector finds by the nouns that it is given. Those of text
read the encoder ``text``. All read the prompt's ``expect``, and an extra thing is one only where it says
``others: none``. For what no detector finds, ask a vision-language judge (``questions``, `judge.vlm`).

`validation.hallucination_card` measures on planted faults how often each is right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from ..base import NotApplicable, Sample, Scored, measure
from ..encoders.ocr import TEXT, TextReading
from ..expectation import read_expectation
from ..instructions.limits import DIGEST
from ..laws.evaluation import unfit
from ..tracking.role_assignment import RoleAssignment, roles_of
from .directions import mirrored
from .events import extra_events
from .marks import no_mark
from .observation import Observation
from .things import extra, missing
from .words import absent_words, extra_lines, lasting_lines

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["KINDS", "observe", "reading_of"]

_VERSION: Final = 1
Look: TypeAlias = Callable[[RoleAssignment], Observation]
KINDS: Final[dict[str, Look]] = {
    "extra_thing": extra,
    "missing_thing": missing,
    "extra_event": extra_events,
    "mirrored": mirrored,
    "no_mark": no_mark,
}
"""Kind of fault -> what looks for it in tracks; each is the measure ``hallucination.<kind>``."""


def _fit_roles(sample: Sample) -> RoleAssignment:
    """Assign the tracks of a clip that its tracker is fit for.

    Raises:
        NotApplicable: the prompt does not say what to expect, or the tracker is not fit for the clip.
    """
    cast = sample.derived(roles_of)
    if (why := unfit(cast.tracks)) is not None:
        raise NotApplicable(why)
    return cast


def observe(cast: RoleAssignment) -> dict[str, Observation | str]:
    """Look for every kind of fault: what was found, or one sentence that says why it cannot be judged."""
    found: dict[str, Observation | str] = {}
    for kind, look in KINDS.items():
        try:
            found[kind] = look(cast)
        except NotApplicable as why:
            found[kind] = str(why)
    return found


def _evidence(sample: Sample, seen: Observation) -> dict[str, Json]:
    """Tell the faults, and from which frame on the page shows them."""
    when: dict[str, Json] = {}
    if seen.first_frame is not None:
        second = round(float(sample.derived(roles_of).tracks.times_T[seen.first_frame]), 6)
        when = {"first_frame": seen.first_frame, "first_s": second, "last_s": second}
    return {**when, "faults": [dict(fault) for fault in seen.faults], **seen.notes, "limits": DIGEST[:12]}


def _rate(kind: str, look: Look, summary: str) -> None:
    def shows(sample: Sample) -> Scored:
        seen = look(sample.derived(_fit_roles))
        return Scored(float(bool(seen)), _evidence(sample, seen))

    shows.__doc__ = summary
    measure(
        f"hallucination.{kind}",
        version=_VERSION,
        needs=("tracks",),
        better="lower",
        bounds=(0.0, 1.0),
        kind="rate",
    )(shows)


_WHAT: Final[Mapping[str, str]] = {
    "extra_thing": "Whether a clip shows a thing that nobody asked for, or one once too often: 1, else 0.",
    "missing_thing": "Whether a thing that was asked for is not seen, or too briefly: 1, else 0.",
    "extra_event": "Whether a thing appears, vanishes or splits in the middle of a clip: 1, else 0.",
    "mirrored": "Whether a clip shows left for right, in a motion, a relation or a pan: 1, else 0.",
    "no_mark": "Whether a bite that was asked for leaves no lasting mark: 1, else 0.",
}
for _kind, _look in KINDS.items():
    _rate(_kind, _look, _WHAT[_kind])


@measure(
    "hallucination.extra_things", version=_VERSION, needs=("tracks",), better="lower", bounds=(0.0, None)
)
def extra_number(sample: Sample) -> float:
    """Count the things in a clip that nobody asked for, those that are there once too often included.

    Raises:
        NotApplicable: as of `hallucination.extra_thing`.
    """
    return float(len(extra(sample.derived(_fit_roles)).faults))


@measure(
    "hallucination.missing_things", version=_VERSION, needs=("tracks",), better="lower", bounds=(0.0, None)
)
def missing_number(sample: Sample) -> float:
    """Count the things that were asked for and are not seen, each copy on its own.

    Raises:
        NotApplicable: as of `hallucination.missing_thing`.
    """
    return float(len(missing(sample.derived(_fit_roles)).faults))


@measure(
    "hallucination.any",
    version=_VERSION,
    needs=("tracks",),
    better="lower",
    bounds=(0.0, 1.0),
    kind="rate",
)
def any_fault(sample: Sample) -> Scored:
    """Whether a clip shows any fault of things, events, sides or marks: 1, else 0. Text is not among them.

    A clip that is held against several kinds is the likelier to have one: compare like prompts.

    Raises:
        NotApplicable: no kind can be judged.
    """
    found = observe(sample.derived(_fit_roles))
    seen = {kind: one for kind, one in found.items() if isinstance(one, Observation)}
    if not seen:
        raise NotApplicable(next(str(why) for why in found.values()))
    kinds = [kind for kind, one in seen.items() if one]
    if not kinds:
        return Scored(0.0, {"judged": list(seen), "limits": DIGEST[:12]})
    worst = seen[kinds[0]]
    return Scored(1.0, {"kinds": list(kinds), "judged": list(seen), **_evidence(sample, worst)})


def reading_of(sample: Sample) -> TextReading:
    """Read the lines of a clip; use it with `Sample.derived`."""
    return TextReading.from_record(sample.records[TEXT])


def _text_evidence(seen: Observation, reading: TextReading) -> dict[str, Json]:
    first = seen.faults[0].get("second") if seen.faults else None
    when: dict[str, Json] = {} if first is None else {"first_s": first, "last_s": first}
    return {
        **when,
        "faults": [dict(fault) for fault in seen.faults],
        **seen.notes,
        "read_frames": len(reading.frames),
    }


@measure(
    "hallucination.text", version=_VERSION, needs=(TEXT,), better="lower", bounds=(0.0, 1.0), kind="rate"
)
def extra_text(sample: Sample) -> Scored:
    """Whether a clip shows text that nobody asked for: 1, else 0.

    Raises:
        NotApplicable: the prompt does not say what text may be seen.
    """
    reading = sample.derived(reading_of)
    seen = extra_lines(reading, read_expectation(sample.item.expect))
    return Scored(float(bool(seen)), _text_evidence(seen, reading))


@measure(
    "hallucination.missing_text",
    version=_VERSION,
    needs=(TEXT,),
    better="lower",
    bounds=(0.0, 1.0),
    kind="rate",
)
def missing_text(sample: Sample) -> Scored:
    """Whether words that were asked for cannot be read in any frame: 1, else 0.

    Raises:
        NotApplicable: no words are asked for.
    """
    reading = sample.derived(reading_of)
    seen = absent_words(reading, read_expectation(sample.item.expect))
    return Scored(float(bool(seen)), _text_evidence(seen, reading))


@measure("text.shown", version=_VERSION, needs=(TEXT,), better="neither", bounds=(0.0, 1.0), kind="rate")
def text_shown(sample: Sample) -> Scored:
    """Whether text can be read in a clip, whatever its prompt asks for: 1, else 0."""
    reading = sample.derived(reading_of)
    lines: list[Json] = [
        max(group, key=lambda line: line.confidence).text for group in lasting_lines(reading)
    ]
    return Scored(float(bool(lines)), {"lines": lines, "read_frames": len(reading.frames)})
