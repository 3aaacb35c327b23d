"""Measures of what a vision-language judge says of a clip, and of how far the judge can be trusted.

All read the encoder ``vlm``. A question without an answer is a failure of the judge (``judge_failed``),
never a no: it has no part in a share, and where a question of a prompt has no answer at all the clip has no
`judge.vlm`. Read that beside `judge.control_accuracy`, on questions with known answers: on drawn controls a
judge that says yes to everything has 1/2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..base import MeasureFailed, NotApplicable, Sample, Scored, measure
from ..encoders.base import Feature
from .encoder import SOURCES
from .endpoint import FAILURES
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
    "yes_rate",
]

_QUESTION = SOURCES.index("question")


@measure("judge.vlm", version=1, needs=("vlm",), better="higher", bounds=(0.0, 1.0))
def judged(sample: Sample) -> Scored:
    """Share of a prompt's questions that the judge answers as a faithful clip would have it.

    Of a question asked several times it is the share of answers, so that 2 of 3 count 2/3; then the mean over
    questions.

    Raises:
        NotApplicable: the prompt asks nothing.
        MeasureFailed: a question has no answer.
    """
    rows = _questions(sample)
    shares: list[float] = []
    told: list[Json] = []
    asked = read_questions(sample.item)
    for number in sorted({int(number) for number in rows[:, 1]}):
        part = rows[rows[:, 1] == number]
        good = part[~np.isnan(part[:, 3])]
        if not len(good):
            raise MeasureFailed(f"judge_failed: {_why(part)}")
        shares.append(float((good[:, 3] == good[:, 2]).mean()))
        yes = int(good[:, 3].sum())
        told.append(
            {
                "ask": asked[number].ask,
                "expected": "yes" if part[0, 2] else "no",
                "yes": yes,
                "no": len(good) - yes,
                "judge_failed": len(part) - len(good),
            }
        )
    return Scored(sum(shares) / len(shares), {"questions": told, **_effort(sample.features["vlm"])})


@measure("judge.yes_rate", version=1, needs=("vlm",), better="neither", bounds=(0.0, 1.0))
def yes_rate(sample: Sample) -> float:
    """Share of the answers to a prompt's own questions that are yes, whatever is expected.

    Raises:
        NotApplicable: the prompt asks nothing.
        MeasureFailed: there is no answer.
    """
    return float(_answered(_questions(sample))[:, 3].mean())


@measure("judge.control_accuracy", version=1, needs=("vlm",), better="higher", bounds=(0.0, 1.0))
def control_accuracy(sample: Sample) -> Scored:
    """Share of the controls, questions with a known answer, that the judge answers rightly.

    Raises:
        NotApplicable: no control was asked.
        MeasureFailed: no control was answered.
    """
    _questions(sample)
    rows = sample.features["vlm"]
    controls = rows[rows[:, 0] != _QUESTION]
    if not len(controls):
        raise NotApplicable("no controls were asked")
    good = _answered(controls)
    right = good[:, 3] == good[:, 2]
    evidence: dict[str, Json] = {
        name: f"{int(right[good[:, 0] == k].sum())} of {int((good[:, 0] == k).sum())}"
        for k, name in enumerate(SOURCES)
        if (good[:, 0] == k).any()
    }
    return Scored(float(right.mean()), evidence)


@measure("judge.agreement", version=1, needs=("vlm",), better="higher", bounds=(0.5, 1.0))
def agreement(sample: Sample) -> float:
    """Mean over questions of the share of repeats that agree with the more frequent answer; 1/2 is a coin.

    Raises:
        NotApplicable: the prompt asks nothing, or each question once.
        MeasureFailed: no question has two answers.
    """
    rows = _questions(sample)
    if not any(count > 1 for count in Counter(rows[:, 1].tolist()).values()):
        raise NotApplicable("each question was asked once")
    good = _answered(rows)
    yes = [good[good[:, 1] == number][:, 3] for number in sorted(set(good[:, 1].tolist()))]
    shares = [max(part.mean(), 1 - part.mean()) for part in yes if len(part) > 1]
    if not shares:
        raise MeasureFailed(f"judge_failed: no question has two answers; {_why(rows)}")
    return float(np.mean(shares))


@measure("judge.failure_rate", version=1, needs=("vlm",), better="lower", bounds=(0.0, 1.0))
def failure_rate(sample: Sample) -> Scored:
    """Share of all that was asked about a clip, controls included, to which the judge gave no answer.

    Raises:
        NotApplicable: the prompt asks nothing.
    """
    _questions(sample)
    rows = sample.features["vlm"]
    return Scored(float(np.isnan(rows[:, 3]).mean()), {"failures": dict(_failures(rows))})


@measure("judge.latency", version=1, needs=("vlm",), better="lower", bounds=(0.0, None), unit="s")
def latency(sample: Sample) -> float:
    """Mean seconds to an answer, waits and further attempts included, as it was when the question was asked.

    Raises:
        NotApplicable: the prompt asks nothing.
        MeasureFailed: there is no answer.
    """
    _questions(sample)
    return float(_answered(sample.features["vlm"])[:, 5].mean())


@measure("judge.cost", version=1, needs=("vlm",), better="lower", bounds=(0.0, None), unit="USD")
def cost(sample: Sample) -> float:
    """Dollars for all answers about a clip, controls included, by the prices in the judge's settings.

    Raises:
        NotApplicable: the prompt asks nothing, or no price is given.
    """
    _questions(sample)
    usd = sample.features["vlm"][:, 7]
    if np.isnan(usd).any():
        raise NotApplicable("the judge's settings give no price")
    return float(usd.sum())


def _questions(sample: Sample) -> Feature:
    rows = sample.features["vlm"]
    own = rows[rows[:, 0] == _QUESTION]
    if not len(own):
        raise NotApplicable("the prompt asks no questions")
    return own


def _answered(rows: Feature) -> Feature:
    good = rows[~np.isnan(rows[:, 3])]
    if not len(good):
        raise MeasureFailed(f"judge_failed: {_why(rows)}")
    return good


def _failures(rows: Feature) -> list[tuple[str, int]]:
    counted = Counter(FAILURES[int(code) - 1] for code in rows[:, 4] if code)
    return sorted(counted.items(), key=lambda part: (-part[1], part[0]))


def _why(rows: Feature) -> str:
    return ", ".join(f"{what} ({count} times)" for what, count in _failures(rows))


def _effort(rows: Feature) -> dict[str, Json]:
    usd = rows[:, 7]
    found: dict[str, Json] = {
        "asked": len(rows),
        "judge_failed": int(np.isnan(rows[:, 3]).sum()),
        "seconds": _rounded(rows[:, 5]),
        "tokens": int(rows[:, 6].sum()),
    }
    return found if np.isnan(usd).any() else {**found, "usd": _rounded(usd)}


def _rounded(values: Sequence[float] | Feature) -> float:
    return round(float(np.sum(values)), 6)
