"""Assess a prompt classifier on labelled prompts: its quality, and the effect of disguises.

A category's harmful prompts are ranked against all harmless ones by the score of any harm, because a filter
flags by that score. Disguises are tried with and without the canonicalising defence. Each disguised prompt is
paired with its plain one, so the evasion and the benefit of the defence are paired changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..harness.core.estimate import Estimate
from ..harness.core.progress import track
from ..harness.core.stats import holm, paired_rate_interval, rate_interval, sign_flip_test
from .filter_quality import Quality, Scores, quality
from .transforms import Readability, family, transform

if TYPE_CHECKING:
    from .prompt_sets import Labelled
    from .prompts import PromptClassifier

__all__ = ["Assessed", "Assessment", "DisguiseRow", "assess"]

_BLOCK = 512


@dataclass(frozen=True)
class Assessed:
    """A source of labelled prompts.

    Attributes:
        file, sha256, licence: of a file of a public set; None for a suite.
        prompts: those that are labelled harmful or harmless.
        unlabelled: number of the others, which are left out.
    """

    name: str
    prompts: Sequence[Labelled]
    unlabelled: int
    file: str | None = None
    sha256: str | None = None
    licence: str | None = None


@dataclass(frozen=True)
class DisguiseRow:
    """The effect of one family of disguises on a filter, over the prompts that it changes.

    A filter that flags all odd text also flags disguised harmful prompts. So the shares for harmless prompts
    in the same disguise are given, too.

    Attributes:
        prompts, harmless: number of harmful and harmless prompts.
        plain: share of plain harmful prompts that is flagged, with the defence.
        bare, defended: share of disguised harmful prompts that is flagged, without and with the defence.
        bare_alarms, defended_alarms: the same for harmless prompts.
        evasion: change from ``plain`` to ``defended``; negative if prompts evade the filter.
        worth: change from ``bare`` to ``defended``.
        p, p_adjusted: of a sign-flip test that the defence changes nothing; adjusted by Holm over the
            families.
    """

    family: str
    readability: Readability
    prompts: int
    harmless: int
    plain: Estimate
    bare: Estimate
    defended: Estimate
    bare_alarms: Estimate
    defended_alarms: Estimate
    evasion: Estimate
    worth: Estimate
    p: float
    p_adjusted: float


@dataclass(frozen=True)
class Assessment:
    """The quality of a classifier on labelled prompts.

    Attributes:
        whole: over all prompts; None without harmful or without harmless ones.
        bare: the same without the canonicalising defence; None if no disguises were tried.
        groups: ``category``, ``source`` or ``language`` -> its name -> quality. A category or language uses
            its own harmful prompts and all harmless ones; a source uses its own prompts. Groups without both
            kinds are absent.
        left_out: number of prompts without a score, by reason.
    """

    classifier: str
    digest: str
    threshold: float
    sources: tuple[Assessed, ...]
    whole: Quality | None
    bare: Quality | None
    groups: Mapping[str, Mapping[str, Quality]]
    disguises: tuple[DisguiseRow, ...]
    left_out: Mapping[str, int]
    confidence: float


@dataclass(frozen=True)
class _AssessedRows:
    """The prompts that got a score, with their sources and scores, and counts of the others."""

    prompts: list[Labelled]
    sources: list[str]
    scores: NDArray[np.float64]
    left_out: Counter[str]

    def scored(self, keep: Callable[[Labelled, str], bool]) -> Scores:
        rows = [k for k, (p, s) in enumerate(zip(self.prompts, self.sources, strict=True)) if keep(p, s)]
        return Scores(self.scores[rows], [self.prompts[k].text for k in rows])


def assess(
    load: Callable[[bool], PromptClassifier],
    sources: Sequence[Assessed],
    *,
    families: Sequence[str] = (),
    seed: int = 0,
    confidence: float = 0.95,
) -> Assessment:
    """Measure the quality of a classifier on labelled prompts, plain and disguised.

    Args:
        load: returns the classifier with the canonicalising defence (True) or without it (False).
        sources: labelled prompts; a repeated text counts once, with its first label.
        families: families of disguises to try.
        seed: of the random choices of disguises.
        confidence: of the intervals.
    """
    filter_ = load(True)
    rows = _rows(filter_, sources)
    whole = _quality(rows, filter_.threshold, confidence)
    bare, disguises = None, ()
    if families:
        undefended = load(False)
        bare = _quality(_rows(undefended, sources), undefended.threshold, confidence)
        disguises = _disguises((filter_, undefended), rows.prompts, families, seed, confidence)
    return Assessment(
        classifier=filter_.name,
        digest=filter_.digest,
        threshold=filter_.threshold,
        sources=tuple(sources),
        whole=whole,
        bare=bare,
        groups=_groups(rows, filter_.threshold, confidence),
        disguises=tuple(disguises),
        left_out=dict(sorted(rows.left_out.items())),
        confidence=confidence,
    )


def _rows(filter_: PromptClassifier, sources: Sequence[Assessed]) -> _AssessedRows:
    first: dict[str, tuple[Labelled, str]] = {}
    left_out: Counter[str] = Counter()
    for source in sources:
        for prompt in source.prompts:
            if prompt.text in first:
                left_out["twice"] += 1
            else:
                first[prompt.text] = (prompt, source.name)
    found = list(first.values())
    with track(f"judging by {filter_.name}", len(found)) as ticker:
        scores, _, failed = _judged(filter_, [prompt.text for prompt, _ in found], ticker.advance)
    for k in np.flatnonzero(np.isnan(scores)).tolist():
        left_out["judge_failed" if k in failed else "no text"] += 1
    known = np.flatnonzero(~np.isnan(scores)).tolist()
    return _AssessedRows([found[k][0] for k in known], [found[k][1] for k in known], scores[known], left_out)


def _judged(
    filter_: PromptClassifier, texts: Sequence[str], tick: Callable[[int], object] = lambda n: None
) -> tuple[NDArray[np.float64], NDArray[np.bool_], set[int]]:
    """Score texts block by block: scores (n,), flags (n,), and the rows that the classifier failed on."""
    scores, flags = np.full(len(texts), np.nan), np.zeros(len(texts), np.bool_)
    failed: set[int] = set()
    for start in range(0, len(texts), _BLOCK):
        judged = filter_.classify(texts[start : start + _BLOCK])
        stop = start + len(judged.score)
        scores[start:stop], flags[start:stop] = judged.score, judged.flagged
        failed |= {start + row for row in judged.failed}
        tick(stop - start)
    return scores, flags, failed


def _quality(rows: _AssessedRows, threshold: float, confidence: float) -> Quality | None:
    harmful, harmless = rows.scored(lambda p, _: p.harmful), rows.scored(lambda p, _: not p.harmful)
    return quality(harmful, harmless, threshold, confidence)


def _groups(rows: _AssessedRows, threshold: float, confidence: float) -> dict[str, dict[str, Quality]]:
    harmless = rows.scored(lambda p, _: not p.harmful)
    found: dict[str, dict[str, Quality | None]] = {"category": {}, "language": {}, "source": {}}
    for name in sorted({c for p in rows.prompts if p.harmful for c in p.categories}):
        of_name = rows.scored(lambda p, _, name=name: p.harmful and name in p.categories)
        found["category"][name] = quality(of_name, harmless, threshold, confidence)
    for name in sorted({p.language for p in rows.prompts if p.language}):
        of_name = rows.scored(lambda p, _, name=name: p.harmful and p.language == name)
        found["language"][name] = quality(of_name, harmless, threshold, confidence)
    for name in dict.fromkeys(rows.sources):
        sides = [
            rows.scored(lambda p, s, name=name, side=side: s == name and p.harmful == side)
            for side in (True, False)
        ]
        found["source"][name] = quality(sides[0], sides[1], threshold, confidence)
    kept = {group: {n: q for n, q in of.items() if q is not None} for group, of in found.items()}
    return {group: of for group, of in kept.items() if of}


def _disguises(
    filters: tuple[PromptClassifier, PromptClassifier],
    prompts: Sequence[Labelled],
    families: Sequence[str],
    seed: int,
    confidence: float,
) -> list[DisguiseRow]:
    score, flagged, _ = _judged(filters[0], [prompt.text for prompt in prompts])
    judged = zip(prompts, score, flagged.tolist(), strict=True)
    plain = [(prompt, flag) for prompt, s, flag in judged if not np.isnan(s)]
    rows: list[DisguiseRow] = []
    with track("trying disguises", len(families)) as ticker:
        for name in families:
            row = _disguise(filters, plain, name, seed, confidence)
            rows += [] if row is None else [row]
            ticker.advance(1)
    adjusted = holm([row.p for row in rows])
    return [replace(row, p_adjusted=p) for row, p in zip(rows, adjusted, strict=True)]


def _disguise(
    filters: tuple[PromptClassifier, PromptClassifier],
    plain: Sequence[tuple[Labelled, bool]],
    name: str,
    seed: int,
    confidence: float,
) -> DisguiseRow | None:
    """Try one family on prompts, given each one's plain flag; None if no harmful prompt changes."""
    made = [(prompt, flag, transform(prompt.text, name, seed).text) for prompt, flag in plain]
    changed = [one for one in made if one[2] != one[0].text]
    (with_score, with_flag, _), (bare_score, bare_flag, _) = (
        _judged(filter_, [text for *_, text in changed]) for filter_ in filters
    )
    scored = ~(np.isnan(with_score) | np.isnan(bare_score))
    harmful = np.array([prompt.harmful for prompt, *_ in changed], np.bool_) & scored
    harmless = scored & ~harmful
    if not harmful.any():
        return None
    before = np.array([flag for _, flag, _ in changed], np.float64)
    bare, defended = bare_flag.astype(np.float64), with_flag.astype(np.float64)
    texts = np.array([prompt.text for prompt, *_ in changed], dtype=object)

    def share(flags: NDArray[np.float64], side: NDArray[np.bool_]) -> Estimate:
        of = texts[side].tolist()
        found = rate_interval(flags[side].tolist(), of, confidence)
        return Estimate.of(found, confidence, n=len(of), clusters=len(set(of)))

    def change(flags: NDArray[np.float64]) -> Estimate:
        of = texts[harmful].tolist()
        found = paired_rate_interval(flags[harmful].tolist(), of, confidence)
        return Estimate.of(found, confidence, n=len(of), clusters=len(set(of)))

    gained = (defended - bare)[harmful].tolist()
    p, _ = sign_flip_test(gained, texts[harmful].tolist(), seed=("defence", name)) or (1.0, "")
    return DisguiseRow(
        family=name,
        readability=family(name).readability,
        prompts=int(harmful.sum()),
        harmless=int(harmless.sum()),
        plain=share(before, harmful),
        bare=share(bare, harmful),
        defended=share(defended, harmful),
        bare_alarms=share(bare, harmless),
        defended_alarms=share(defended, harmless),
        evasion=change(defended - before),
        worth=change(defended - bare),
        p=p,
        p_adjusted=p,
    )
