"""Answers of a vision-language model about a clip, and their record by the encoder ``vlm``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from ..base import Sample
from ..encoders.base import Record
from .questions import Source

__all__ = ["LAYOUT", "SOURCES", "JudgeAnswer", "answers_of", "answers_record"]

LAYOUT: Final = 2
SOURCES: Final[tuple[Source, ...]] = ("question", "control", "elsewhere", "drawn")
"""Origin of a question: the prompt, its controls, other prompts, or a drawn clip."""


@dataclass(frozen=True)
class JudgeAnswer:
    """One question and its answer.

    Attributes:
        source: where the question comes from.
        number: of the question, from 0; the same for all its repeats.
        expected: whether a faithful clip has the answer yes.
        answer: whether the judge said yes; None without an answer, and for a rating.
        failure: why there is no answer, one of `endpoint.FAILURES`; empty if there is one.
        seconds: of all attempts, including waits.
        tokens: in and out.
        usd: dollars; None if no price is given.
        scale: the best number of a rating; 0 for yes or no.
        rating: from 1 to ``scale``; None without one.
    """

    source: Source
    number: int
    expected: bool
    answer: bool | None
    failure: str
    seconds: float
    tokens: int
    usd: float | None
    scale: int = 0
    rating: int | None = None

    @property
    def missing(self) -> bool:
        """Whether there is neither an answer nor a rating."""
        return self.answer is None and self.rating is None

    @property
    def right(self) -> bool:
        """Whether the answer is the expected one."""
        return self.answer == self.expected


def answers_record(answers: Sequence[JudgeAnswer]) -> Record:
    """Write answers as a record, in their order; only ratings have a scale."""
    return Record({}, {"layout": LAYOUT, "answers": [_fields(answer) for answer in answers]})


def _fields(answer: JudgeAnswer) -> dict[str, Any]:
    fields = asdict(answer)
    if not answer.scale:
        del fields["scale"], fields["rating"]
    return fields


def answers_of(sample: Sample) -> tuple[JudgeAnswer, ...]:
    """Read all answers about a clip; use it with `Sample.derived`.

    Raises:
        ValueError: the feature is no record of answers of this layout.
    """
    meta: Any = sample.records["vlm"].meta
    if meta.get("layout") != LAYOUT:
        raise ValueError(f"the feature 'vlm' is no record of answers of layout {LAYOUT}")
    return tuple(JudgeAnswer(**answer) for answer in meta["answers"])
