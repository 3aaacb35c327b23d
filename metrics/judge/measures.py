"""Measures from the answers of a vision-language judge, and of the judge's reliability.

All read the encoder ``vlm``. A question without an answer is a failure of the judge (``judge_failed``), never
a no: shares leave it out, and if a question of a prompt has no answer at all, the clip has no `judge.vlm`.
Read it with `judge.control_accuracy`, on questions with known answers: on drawn controls a judge that says
yes to everything has 1/2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..base import MeasureFailed, NotApplicable, Sample, Scored, measure
from .answers import SOURCES, JudgeAnswer, answers_of
from .questions import read_questions

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = [
    "agreement",
    "control_accuracy",
    "cost",
    "failure_rate",
    "judged",
    "latency",
    "rating",
    "yes_rate",
]


@measure("judge.vlm", version=1, needs=("vlm",), better="higher", bounds=(0.0, 1.0))
def judged(sample: Sample) -> Scored:
    """Share of a prompt's questions that the judge answers as expected for a faithful clip.

    A question that is asked several times counts by its share of expected answers (2 of 3 count 2/3); the
    value is the mean over questions.

    Raises:
        NotApplicable: the prompt asks nothing.
        MeasureFailed: a question has no answer.
    """
    own = _yes_or_no(sample)
    shares: list[float] = []
    told: list[Json] = []
    asked = read_questions(sample.item)
    for number in sorted({answer.number for answer in own}):
        part = [answer for answer in own if answer.number == number]
        good = _answered(part)
        shares.append(sum(answer.right for answer in good) / len(good))
        yes = sum(answer.answer is True for answer in good)
        told.append(
            {
                "ask": asked[number].ask,
                "expected": "yes" if part[0].expected else "no",
                "yes": yes,
                "no": len(good) - yes,
                "judge_failed": len(part) - len(good),
            }
        )
    return Scored(sum(shares) / len(shares), {"questions": told, **_effort(sample.derived(answers_of))})


@measure("judge.yes_rate", version=1, needs=("vlm",), better="neither", bounds=(0.0, 1.0))
def yes_rate(sample: Sample) -> float:
    """Share of the answers to a prompt's own questions that are yes, whatever is expected.

    Raises:
        NotApplicable: the prompt asks nothing.
        MeasureFailed: there is no answer.
    """
    return _yes_share(_answered(_yes_or_no(sample)))


@measure("judge.rating", version=1, needs=("vlm",), better="higher", bounds=(0.0, 1.0))
def rating(sample: Sample) -> Scored:
    """Mean rating of a clip by a prompt's questions with a scale; 0 is the worst of a scale and 1 the best.

    A question that is asked several times counts by its mean rating; the value is the mean over questions of
    (rating - 1) / (scale - 1). What a step of it is worth to people is calibrated on votes, by
    `harness.votes.ratings`.

    Raises:
        NotApplicable: the prompt asks for no rating.
        MeasureFailed: a question has no rating.
    """
    own = [answer for answer in sample.derived(answers_of) if answer.scale]
    if not own:
        raise NotApplicable("the prompt asks for no rating")
    asked = read_questions(sample.item)
    values: list[float] = []
    told: list[Json] = []
    for number in sorted({answer.number for answer in own}):
        part = [answer for answer in own if answer.number == number]
        good = [answer.rating for answer in _answered(part) if answer.rating is not None]
        scale = part[0].scale
        values.append((sum(good) / len(good) - 1) / (scale - 1))
        told.append(
            {
                "ask": asked[number].ask,
                "scale": scale,
                "ratings": [*good],
                "judge_failed": len(part) - len(good),
            }
        )
    return Scored(sum(values) / len(values), {"ratings": told, **_effort(sample.derived(answers_of))})


@measure("judge.control_accuracy", version=1, needs=("vlm",), better="higher", bounds=(0.0, 1.0))
def control_accuracy(sample: Sample) -> Scored:
    """Share of the controls (questions with a known answer) that the judge answers correctly.

    Raises:
        NotApplicable: no control was asked.
        MeasureFailed: no control was answered.
    """
    _questions(sample)
    controls = [answer for answer in sample.derived(answers_of) if answer.source != "question"]
    if not controls:
        raise NotApplicable("no controls were asked")
    good = _answered(controls)
    evidence: dict[str, Json] = {}
    for source in SOURCES:
        part = [answer.right for answer in good if answer.source == source]
        if part:
            evidence[source] = f"{sum(part)} of {len(part)}"
    evidence["answers"] = {
        f"{'true' if right else 'false'} {'yes' if said else 'no'}": sum(
            answer.right == right and (answer.answer is True) == said for answer in good
        )
        for right in (True, False)
        for said in (True, False)
    }
    return Scored(sum(answer.right for answer in good) / len(good), evidence)


@measure("judge.agreement", version=1, needs=("vlm",), better="higher", bounds=(0.5, 1.0))
def agreement(sample: Sample) -> float:
    """Mean over questions of the share of repeats that agree with the more frequent answer; 1/2 is a coin.

    Raises:
        NotApplicable: the prompt asks nothing, or each question once.
        MeasureFailed: no question has two answers.
    """
    own = _yes_or_no(sample)
    if max(Counter(answer.number for answer in own).values()) == 1:
        raise NotApplicable("each question was asked once")
    good = _answered(own)
    by_question = [
        [answer for answer in good if answer.number == number]
        for number in sorted({answer.number for answer in good})
    ]
    yes = [_yes_share(part) for part in by_question if len(part) > 1]
    if not yes:
        raise MeasureFailed(f"judge_failed: no question has two answers; {_why(own)}")
    return float(np.mean([max(share, 1 - share) for share in yes]))


@measure("judge.failure_rate", version=1, needs=("vlm",), better="lower", bounds=(0.0, 1.0))
def failure_rate(sample: Sample) -> Scored:
    """Share of all that was asked about a clip, controls included, to which the judge gave no answer.

    Raises:
        NotApplicable: the prompt asks nothing.
    """
    _questions(sample)
    told = sample.derived(answers_of)
    return Scored(sum(answer.missing for answer in told) / len(told), {"failures": dict(_failures(told))})


@measure("judge.latency", version=1, needs=("vlm",), better="lower", bounds=(0.0, None), unit="s")
def latency(sample: Sample) -> float:
    """Mean seconds to an answer, including waits and retries, when the question was asked.

    Raises:
        NotApplicable: the prompt asks nothing.
        MeasureFailed: there is no answer.
    """
    _questions(sample)
    return float(np.mean([answer.seconds for answer in _answered(sample.derived(answers_of))]))


@measure("judge.cost", version=1, needs=("vlm",), better="lower", bounds=(0.0, None), unit="USD")
def cost(sample: Sample) -> float:
    """Dollars for all answers about a clip, controls included, by the prices in the judge's settings.

    Raises:
        NotApplicable: the prompt asks nothing, or no price is given.
    """
    _questions(sample)
    usd = _dollars(sample.derived(answers_of))
    if usd is None:
        raise NotApplicable("the judge's settings give no price")
    return usd


def _questions(sample: Sample) -> list[JudgeAnswer]:
    own = [answer for answer in sample.derived(answers_of) if answer.source == "question"]
    if not own:
        raise NotApplicable("the prompt asks no questions")
    return own


def _yes_or_no(sample: Sample) -> list[JudgeAnswer]:
    own = [answer for answer in _questions(sample) if not answer.scale]
    if not own:
        raise NotApplicable("the prompt asks for ratings only")
    return own


def _answered(answers: Sequence[JudgeAnswer]) -> list[JudgeAnswer]:
    good = [answer for answer in answers if not answer.missing]
    if not good:
        raise MeasureFailed(f"judge_failed: {_why(answers)}")
    return good


def _yes_share(answers: Sequence[JudgeAnswer]) -> float:
    return sum(answer.answer is True for answer in answers) / len(answers)


def _failures(answers: Sequence[JudgeAnswer]) -> list[tuple[str, int]]:
    counted = Counter(answer.failure for answer in answers if answer.failure)
    return sorted(counted.items(), key=lambda part: (-part[1], part[0]))


def _why(answers: Sequence[JudgeAnswer]) -> str:
    return ", ".join(f"{what} ({count} times)" for what, count in _failures(answers))


def _dollars(answers: Sequence[JudgeAnswer]) -> float | None:
    """Add up what was paid; None where no price is given."""
    paid = [answer.usd for answer in answers if answer.usd is not None]
    return float(np.sum(paid)) if len(paid) == len(answers) else None


def _effort(answers: Sequence[JudgeAnswer]) -> dict[str, Json]:
    usd = _dollars(answers)
    found: dict[str, Json] = {
        "asked": len(answers),
        "judge_failed": sum(answer.missing for answer in answers),
        "seconds": round(float(np.sum([answer.seconds for answer in answers])), 6),
        "tokens": sum(answer.tokens for answer in answers),
    }
    return found if usd is None else {**found, "usd": round(usd, 6)}
