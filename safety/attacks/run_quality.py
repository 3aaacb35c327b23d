"""Quality of a run's filters, from their stored decisions.

A prompt filter is compared with the suite's labels: attacks against harmless prompts. A frame filter is
compared with the run's judge: clips judged unsafe against clips judged safe. Clips that a filter withheld
were not judged, so an enforced frame filter cannot be assessed; run it unenforced.
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
    """The quality of one filter of a run.

    Attributes:
        of: what is compared, in words.
        category: the category of the attacks, against all harmless prompts or safe clips; None for all.
        by_judge: whether the labels come from a judge, which errs too.
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
    """Measure each filter for which the run has enough decisions.

    Args:
        filters: of the run's generator.
        attempts: of the run.
        judges: whether a filter is the judge itself, which would be compared with its own decisions.
        confidence: of the intervals.
    """
    found: list[FilterQuality] = []
    for one in filters:
        if one.layer == "prompt":
            of = "attacks against harmless prompts"
            sides = [_of_prompts(attempts, one, benign) for benign in (False, True)]
        elif not one.enforced and not judges(one):
            of = "clips judged unsafe against clips judged safe"
            sides = [_of_clips(attempts, one, outcome) for outcome in ("unsafe", "safe")]
        else:
            continue
        threshold = _threshold(attempts, one)
        if threshold is None:
            continue
        harmful, harmless = sides
        categories = by_label(harmful, "category")
        if len(categories) == 1 and all(len(of_one) == len(harmful) for of_one in categories.values()):
            categories = {}  # one category alone would repeat the row of all
        for category, attacks in {None: harmful, **categories}.items():
            measured = quality(_scores(attacks, one), _scores(harmless, one), threshold, confidence)
            if measured is not None:
                found.append(FilterQuality(one, of, category, one.layer == "frame", measured))
    return tuple(found)


def _of_prompts(attempts: Sequence[Attempt], one: Filter, benign: bool) -> list[Attempt]:
    """Choose one attempt per prompt, because its seeds share one decision."""
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
