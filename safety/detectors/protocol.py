"""How detectors are tried: a generator, or a source of real footage, is held out as a whole.

Clips are dealt into four parts by scene. For each held-out generator and each part, the detector is fit on
the other generators and on two parts of the real clips; the threshold is fixed on the third; and it is tried
on the held-out generator and the real clips of the part that is left. So no clip, scene or generator that is
tried was seen, nor did it have a say in the threshold. Scores of the four fits are put on one scale by the
mean and spread of the real clips that fixed each threshold.

With a source of real footage held out, its clips are tried by a detector that was fit, and whose threshold
was fixed, on the other sources.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from ...harness.core.arrays import Bools, Floats, Ints
from ..calibration import threshold_at_fpr
from .corpus import folds
from .features import FeatureTable
from .head import Head, fit_deviation, fit_head
from .separation import Separation, clusters_of, separation

__all__ = ["FALSE_ALARMS", "Fitted", "Trial", "fit_and_fix", "held_out", "try_detector"]

FALSE_ALARMS: Final = 0.01
"""Share of the real clips of the calibration part that a threshold may flag."""


@dataclass(frozen=True)
class Fitted:
    """A head with the threshold that was fixed on real clips it was not fit on.

    Attributes:
        threshold: of the log odds.
        centre, spread: of the log odds of those real clips.
        calibration: how many they were.
    """

    head: Head
    threshold: float
    centre: float
    spread: float
    calibration: int

    def standard(self, vectors: Floats) -> Floats:
        """Score vectors on the scale of the real clips: 0 is their mean, 1 their spread."""
        return (self.head.log_odds(vectors) - self.centre) / self.spread

    def flags(self, vectors: Floats) -> Bools:
        """Say which vectors are at or above the threshold."""
        return self.head.log_odds(vectors) >= self.threshold


@dataclass(frozen=True)
class Trial:
    """The results of one detector.

    Attributes:
        detector: its name.
        generators: held-out generator -> result; empty with one generator alone.
        all_generators: all of them together, each clip tried by a detector that never saw its generator;
            with one generator alone, clips that the detector did not see.
        real_sources: held-out source of real clips -> result; empty with one source.
        all_real_sources: all of them together; None with one source.
        unprepared: as ``all_generators``, on clips without the preparation; None if not asked for.
        deliveries: delivery -> as ``all_generators``, fit on clips that were not delivered.
        calibration: real clips that fixed a threshold, the fewest of all fits.
    """

    detector: str
    generators: Mapping[str, Separation]
    all_generators: Separation | None
    real_sources: Mapping[str, Separation]
    all_real_sources: Separation | None
    calibration: int
    unprepared: Separation | None = None
    deliveries: Mapping[str, Separation] = field(default_factory=dict[str, Separation])


def fit_and_fix(
    table: FeatureTable,
    detector: str,
    fit: Bools,
    fix: Bools,
    falling: bool | None = None,
    groups: Sequence[int] = (),
) -> Fitted:
    """Fit a head on some rows, and fix its threshold on others, of real clips.

    Args:
        table: of prepared clips.
        detector: the name of its vectors.
        fit, fix: which rows.
        falling, groups: as the extractor has them.

    Raises:
        UsageError: the rows to fit on lack a class.
    """
    vectors, sources = table.vectors[detector], np.array(table.sources, dtype=np.str_)
    learned = fit_head(vectors[fit], table.generated[fit], sources[fit].tolist(), falling)
    held = vectors[fix & ~table.generated]
    deviation = None
    if groups:
        of_real = fit_deviation(vectors[fit & ~table.generated], groups)
        deviation = of_real.matched(held, learned.log_odds(held))
    head = Head(learned=learned, deviation=deviation)
    real = head.log_odds(held)
    spread = float(real.std())
    return Fitted(
        head,
        threshold_at_fpr(real, FALSE_ALARMS),
        float(real.mean()),
        spread if spread > 1e-12 else 1.0,
        len(real),
    )


def held_out(table: FeatureTable, parts: Ints) -> Iterator[tuple[str, Bools, Bools, Bools]]:
    """List (generator, rows to fit on, rows to fix on, rows to try) of every fit.

    The real rows to try of a part are shared out among the generators, so that all fits together try each
    once. With one generator it is not held out, only the scenes are.
    """
    generated, sources = table.generated, np.array(table.sources, dtype=np.str_)
    names = sorted(set(sources[generated].tolist()))
    count = int(parts.max()) + 1
    for name in names:
        others = ~generated | (sources != name) if len(names) > 1 else np.ones(len(parts), dtype=np.bool_)
        of_it = generated & (sources == name)
        for part in range(count):
            last = (part + 1) % count
            fit = others & (parts != part) & (parts != last)
            yield name, fit, (parts == last) & ~generated, (parts == part) & (of_it | ~generated)


def try_detector(
    table: FeatureTable,
    detector: str,
    *,
    falling: bool | None = None,
    groups: Sequence[int] = (),
    confidence: float = 0.95,
    unprepared: FeatureTable | None = None,
    deliveries: Mapping[str, FeatureTable] | None = None,
) -> Trial:
    """Try one detector with generators, and then real sources, held out.

    Args:
        table: of prepared clips.
        detector: the name of its vectors.
        falling, groups: as the extractor has them.
        confidence: of the intervals.
        unprepared: the same clips without the preparation; it is fit on them, too.
        deliveries: delivery -> the same clips after it.

    Raises:
        UsageError: there are too few scenes of real clips.
    """
    parts = folds(table.scenes, (~table.generated).tolist())
    fits = [
        (name, fit_and_fix(table, detector, fit, fix, falling, groups), t)
        for name, fit, fix, t in held_out(table, parts)
    ]
    names = sorted({name for name, _, _ in fits})

    def together(of: FeatureTable, fitted: Sequence[tuple[str, Fitted, Bools]]) -> Separation | None:
        return _pooled(of, detector, _shared_out(of, fitted, names), confidence)

    single = {
        name: found
        for name in names
        if len(names) > 1
        and (found := _pooled(table, detector, [(f, t) for n, f, t in fits if n == name], confidence))
        is not None
    }
    plain = None
    if unprepared is not None:
        of_plain = folds(unprepared.scenes, (~unprepared.generated).tolist())
        plain_fits = [
            (name, fit_and_fix(unprepared, detector, fit, fix, falling, groups), tried)
            for name, fit, fix, tried in held_out(unprepared, of_plain)
        ]
        plain = together(unprepared, plain_fits)
    delivered = {
        name: found
        for name, other in (deliveries or {}).items()
        if (found := together(other, _carried(other, table, fits))) is not None
    }
    by_source, all_sources = _real_sources(table, detector, parts, (falling, groups), confidence)
    return Trial(
        detector,
        single,
        together(table, fits),
        by_source,
        all_sources,
        min(f.calibration for _, f, _ in fits),
        plain,
        delivered,
    )


def _pooled(
    table: FeatureTable, detector: str, tried: Sequence[tuple[Fitted, Bools]], confidence: float
) -> Separation | None:
    """Measure the rows that several fits tried, on one scale."""
    vectors = table.vectors[detector]
    rows = [np.flatnonzero(of) for _, of in tried]
    if not rows or not sum(map(len, rows)):
        return None
    index = np.concatenate(rows)
    scores = np.concatenate([f.standard(vectors[of]) for (f, _), of in zip(tried, rows, strict=True)])
    flagged = np.concatenate([f.flags(vectors[of]) for (f, _), of in zip(tried, rows, strict=True)])
    generated = table.generated[index]
    clusters = np.empty(len(index), dtype=object)
    for of in (generated, ~generated):
        where = index[of]
        clusters[of] = clusters_of([table.sources[k] for k in where], [table.scenes[k] for k in where])
    return separation(scores, flagged, generated, clusters.tolist(), confidence)


def _shared_out(
    table: FeatureTable, fits: Sequence[tuple[str, Fitted, Bools]], names: Sequence[str]
) -> list[tuple[Fitted, Bools]]:
    """Give each real row to the fits of one generator, in turn by scene, so that none is counted twice."""
    scenes = {scene: place for place, scene in enumerate(sorted(set(table.scenes)))}
    turn = np.array([scenes[scene] % len(names) for scene in table.scenes])
    return [(fitted, tried & (table.generated | (turn == names.index(name)))) for name, fitted, tried in fits]


def _carried(
    other: FeatureTable, table: FeatureTable, fits: Sequence[tuple[str, Fitted, Bools]]
) -> list[tuple[str, Fitted, Bools]]:
    """Find the tried rows in a table of delivered clips, some of which may have been left out."""
    return [
        (name, fitted, np.array([clip in wanted for clip in other.clips], dtype=np.bool_))
        for name, fitted, tried in fits
        for wanted in ({table.clips[k] for k in np.flatnonzero(tried)},)
    ]


def _real_sources(
    table: FeatureTable,
    detector: str,
    parts: Ints,
    how: tuple[bool | None, Sequence[int]],
    confidence: float,
) -> tuple[dict[str, Separation], Separation | None]:
    generated, sources = table.generated, np.array(table.sources, dtype=np.str_)
    names = sorted(set(sources[~generated].tolist()))
    if len(names) < 2:
        return {}, None
    count = int(parts.max()) + 1
    found: dict[str, Separation] = {}
    tried: list[tuple[Fitted, Bools]] = []
    for place, name in enumerate(names):
        of_it = ~generated & (sources == name)
        part = place % count
        fix = ~generated & ~of_it & (parts == part)
        fit = ~of_it & (parts != part)
        if not fix.any() or not (fit & ~generated).any() or not (fit & generated).any():
            continue
        fitted = fit_and_fix(table, detector, fit, fix, *how)
        rows = of_it | (generated & (parts == part))
        one = _pooled(table, detector, [(fitted, rows)], confidence)
        if one is not None:
            found[name] = one
        tried.append((fitted, of_it | (generated & (parts == part) & (place < count))))
    return found, _pooled(table, detector, tried, confidence)
