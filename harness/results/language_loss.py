"""What a run loses in other languages than the one its prompts were written in, pair by pair."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..core.errors import UsageError
from ..core.items import Item
from ..core.run_data import RunData, value_of
from ..core.stats import cluster_bootstrap_mean, newcombe_interval, sign_flip_test
from ..core.stats.interval import difference_bounds

__all__ = ["LanguageLoss", "language_losses"]

LANGUAGE: Final = "language"


@dataclass(frozen=True)
class LanguageLoss:
    """A measure in a language, less the same prompts and seeds in the first language.

    Attributes:
        pairs, prompts: number of pairs of clips that both have a value, and of base prompts.
        missing: pairs of which one clip has none.
        change: mean difference, with its interval; p of the sign-flip test by base prompt.
    """

    measure: str
    language: str
    pairs: int
    prompts: int
    missing: int
    first: float
    value: float
    change: float
    low: float | None
    high: float | None
    p: float | None


def language_losses(
    run: RunData, measures: Sequence[str] | None = None, first: str = "en", confidence: float = 0.95
) -> list[LanguageLoss]:
    """Compare every language of a run with the ``first``, paired by the label ``base`` and the seed.

    Raises:
        UsageError: the run has no prompts of two languages with one base, or lacks a measure.
    """
    items = {
        (base, item.seed, item.label(LANGUAGE)): item
        for item in run.items.values()
        if (base := item.label("base")) is not None
    }
    languages = sorted({language for _, _, language in items if language not in (None, first)}, key=str)
    pairs = {
        language: [
            (items[base, seed, first], item)
            for (base, seed, other), item in sorted(items.items(), key=str)
            if other == language and (base, seed, first) in items
        ]
        for language in languages
    }
    if not any(pairs.values()):
        raise UsageError(
            f"{run.name} has no prompts of two languages with one label 'base'; 'screentest suite translate' "
            "makes a suite of them"
        )
    kinds = {name: fields for name, fields in run.measures.items() if fields["kind"] in ("mean", "rate")}
    for name in measures or ():
        if name not in kinds:
            raise UsageError(f"{run.name} has no values of {name!r} for single clips; score it first")
    found: list[LanguageLoss] = []
    for name in measures or kinds:
        for language, both in pairs.items():
            loss = _loss(run, name, str(language), both, confidence)
            if loss is not None:
                found.append(loss)
    return found


def _loss(
    run: RunData, measure: str, language: str, pairs: Sequence[tuple[Item, Item]], confidence: float
) -> LanguageLoss | None:
    first: list[float] = []
    second: list[float] = []
    bases: list[str] = []
    for one, two in pairs:
        values = [_value(run, measure, item) for item in (one, two)]
        if values[0] is not None and values[1] is not None:
            first.append(values[0])
            second.append(values[1])
            bases.append(str(one.label("base")))
    if not first:
        return None
    fields = run.measures[measure]
    seed = ("language", measure, language)
    changes = [b - a for a, b in zip(first, second, strict=True)]
    if fields["kind"] == "rate":
        interval = newcombe_interval(first, second, bases, confidence)
    else:
        bounds = difference_bounds(fields["bounds"])
        interval = cluster_bootstrap_mean(changes, bases, confidence, seed=seed, bounds=bounds)
    p, _ = sign_flip_test(changes, bases, seed=seed) or (None, "")
    means = [math.fsum(values) / len(values) for values in (first, second)]
    return LanguageLoss(
        measure,
        language,
        len(first),
        len(set(bases)),
        len(pairs) - len(first),
        means[0],
        means[1],
        means[1] - means[0],
        interval.low,
        interval.high,
        p,
    )


def _value(run: RunData, measure: str, item: Item) -> float | None:
    score = run.scores.get((measure, item.id))
    return None if score is None or score.status != "ok" else value_of(score)
