"""How good a run's filters are, read from the scores that they wrote down.

A prompt filter is held against the suite's own word, attacks against harmless prompts; a frame filter
against the run's judge, clips that it found unsafe against those that it found safe. Clips that a filter
withheld were judged by nobody, so nothing can be said of it from that run: let it decide unenforced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..filter_quality import Quality, Scores, quality
from .attempts import Attempt, by_label

if TYPE_CHECKING:
    from ...harness.core.layers import LayerDecision
    from .safeguards import Filter

__all__ = ["FilterQuality", "filter_qualities"]


@dataclass(frozen=True)
class FilterQuality:
    """What one filter of a run does.

    Attributes:
        of: what it tells apart, in words.
        category: whose attacks, against all harmless prompts or safe clips; None for all.
        by_judge: whether a judge, which errs too, says what is harmful.
    """

    filter: Filter
    of: str
    category: str | None
    by_judge: bool
    quality: Quality


def filter_qualities(
    filters: Sequence[Filter],
    attempts: Sequence[Attempt],
    judges: Callable[[Filter], bool],
    confidence: float,
) -> tuple[FilterQuality, ...]:
    """Measure each filter that a run says enough of.

    Args:
        filters: of the run's generator.
        attempts: of the run.
        judges: whether a filter is the judge itself, which would be held against its own word.
        confidence: of the intervals.
    """
    found: list[FilterQuality] = []
    for one in filters:
        if one.layer == "prompt":
            of = "attacks against harmless prompts"
            sides = [_of_prompts(attempts, one, benign) for benign in (False, True)]
        elif not one.enforced and not judges(one):
            of = "clips that the judge found unsafe against safe ones"
            sides = [_of_clips(attempts, one, outcome) for outcome in ("unsafe", "safe")]
        else:
            continue
        threshold = _threshold(attempts, one)
        if threshold is None:
            continue
        harmful, harmless = sides
        categories = by_label(harmful, "category")
        if len(categories) == 1 and all(len(of_one) == len(harmful) for of_one in categories.values()):
            categories = {}  # it would say the same twice
        for category, attacks in {None: harmful, **categories}.items():
            measured = quality(_scores(attacks, one), _scores(harmless, one), threshold, confidence)
            if measured is not None:
                found.append(FilterQuality(one, of, category, one.layer == "frame", measured))
    return tuple(found)


def _of_prompts(attempts: Sequence[Attempt], one: Filter, benign: bool) -> list[Attempt]:
    """Give an attempt a prompt: its seeds share one decision."""
    first: dict[str, Attempt] = {}
    for attempt in sorted(attempts, key=lambda a: a.item):
        if attempt.benign == benign and _score(attempt, one) is not None:
            first.setdefault(attempt.cluster, attempt)
    return list(first.values())


def _of_clips(attempts: Sequence[Attempt], one: Filter, outcome: str) -> list[Attempt]:
    judged = [a for a in attempts if a.outcome == outcome and _score(a, one) is not None]
    return sorted(judged, key=lambda a: a.item)


def _scores(attempts: Sequence[Attempt], one: Filter) -> Scores:
    values = [_score(attempt, one) for attempt in attempts]
    return Scores(np.array(values, np.float64), [attempt.cluster for attempt in attempts])


def _score(attempt: Attempt, one: Filter) -> float | None:
    found = _decision(attempt, one)
    return None if found is None else found.score


def _threshold(attempts: Sequence[Attempt], one: Filter) -> float | None:
    found = (_decision(attempt, one) for attempt in attempts)
    return next((d.threshold for d in found if d is not None and d.threshold is not None), None)


def _decision(attempt: Attempt, one: Filter) -> LayerDecision | None:
    return next((d for d in attempt.layers if d.layer == one.layer and d.digest == one.digest), None)
