"""The validity card of measures: which corruptions each sees, as it claims or not, and which it is blind to.

Two numbers say so of a measure and a corruption. The rank correlation of its value with the severity within
each clip (Spearman, 0 for the clip as it is), averaged over clips, asks whether a clip is told from its own
corrupted copies. The area under the ROC curve of corrupted against clean clips asks whether one threshold for
all clips would do. Intervals treat a clip with all its copies as one cluster.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from pydantic import field_validator

from ...harness.core.arrays import Floats
from ...harness.core.config import Config
from ...harness.core.estimate import Estimate
from ...harness.core.stats import Interval, cluster_bootstrap
from ..base import Measure, Moves
from ..surprise.pairwise import area_under_curve
from .corruptions import CORRUPTIONS, SET_CORRUPTIONS
from .measure_trials import CLEAN, ClipRow

__all__ = [
    "FEWEST",
    "TELLS",
    "Found",
    "MeasureAbout",
    "MeasureCard",
    "MeasureRow",
    "make_measure_card",
    "rank_correlation",
]

Found: TypeAlias = Literal[
    "seen", "faint", "opposite", "not seen", "sees", "rewards", "moves", "blind", "unknown"
]
"""What a row says: of a claim ``seen``, ``faint`` (within a clip only), ``opposite`` or ``not seen``; of
anything else ``sees`` (the value gets worse), ``rewards`` (it gets better), ``moves`` (neither is better),
``faint`` or ``blind``; ``unknown`` where too few clips have a value."""
_CONFIDENCE: Final = 0.95
_NO_SPREAD: Final = "the sample shows no spread: no interval can be given"
TELLS: Final = 0.7
"""Area under the curve from which a threshold tells acceptably (Hosmer and Lemeshow 2000, section 5.2.4)."""
FEWEST: Final = 11
"""Clips with a value that a row needs: of fewer, no area could be shown to lie off 0.5, not even one of 1."""


class MeasureRow(Config):
    """A measure under a corruption.

    Attributes:
        measure: its name.
        corruption: one of `CORRUPTIONS` or `SET_CORRUPTIONS`.
        claimed: how the value should move by what the measure claims; None if it claims nothing.
        rank: the rank correlation with the severity within a clip, averaged over clips, -1 to 1.
        severities: from mild to strong.
        areas: at each severity, the share of pairs of a corrupted and a clean clip in which the corrupted one
            has the higher value; 0.5 is chance.
        found: what that amounts to.
    """

    measure: str
    corruption: str
    claimed: Moves | None = None
    rank: Estimate
    severities: tuple[float, ...]
    areas: tuple[Estimate, ...]
    found: Found

    @field_validator("areas")
    @classmethod
    def _claim_no_certainty(cls, areas: tuple[Estimate, ...]) -> tuple[Estimate, ...]:
        """Take away an interval of no width, as the jackknife of older cards gave where no clip moved."""
        none = {"low": None, "high": None, "method": "none", "notes": (_NO_SPREAD,)}
        return tuple(
            area.model_copy(update=none) if area.low is not None and area.low == area.high else area
            for area in areas
        )


class MeasureAbout(Config):
    """What a measure is, as the card needs it."""

    version: int
    better: Literal["higher", "lower", "neither"]
    summary: str
    unit: str
    clean: float | None = None
    per: Literal["clip", "set"] = "clip"


class MeasureCard(Config):
    """Everything that the card says; see the Markdown for the words.

    Attributes:
        settings: what made it: clips, seed, encoders.
        measures: name -> what it is, with its median over clean clips.
        rows: a row a measure and corruption.
    """

    settings: dict[str, Any]
    measures: dict[str, MeasureAbout]
    rows: tuple[MeasureRow, ...]

    def of(self, measure: str) -> list[MeasureRow]:
        """List the rows of a measure."""
        return [row for row in self.rows if row.measure == measure]

    def failed(self, measure: str) -> list[str]:
        """List the corruptions that a measure claims to see and does not, or only within a clip."""
        wrong = ("faint", "opposite", "not seen")
        return [row.corruption for row in self.of(measure) if row.claimed and row.found in wrong]


def make_measure_card(
    rows: Sequence[ClipRow], measures: Mapping[str, Measure], settings: Mapping[str, Any]
) -> MeasureCard:
    """Reduce the rows of trials to what the card says.

    Args:
        rows: of clips or of sets, clean and corrupted.
        measures: the measures by the names of their values.
        settings: what made the rows.
    """
    grades: dict[str, list[float]] = {}
    for row in rows:
        if row.corruption != CLEAN and row.severity not in grades.setdefault(row.corruption, []):
            grades[row.corruption].append(row.severity)
    about: dict[str, MeasureAbout] = {}
    made: list[MeasureRow] = []
    for name, measure in measures.items():
        clean = {row.clip: row for row in rows if row.corruption == CLEAN and _concerns(row, name)}
        if not clean:
            continue
        values = [row.values[name] for row in clean.values() if name in row.values]
        about[name] = MeasureAbout(
            version=measure.version,
            better=measure.better,
            summary=measure.summary,
            unit=measure.unit,
            clean=float(np.median(values)) if values else None,
            per="set" if measure.kind == "set" else "clip",
        )
        for corruption in (*CORRUPTIONS, *SET_CORRUPTIONS):
            hit = [row for row in rows if row.corruption == corruption and _concerns(row, name)]
            if hit:
                severities = tuple(sorted(grades[corruption]))
                made.append(_row(name, measure, clean, hit, severities))
    return MeasureCard(settings=dict(settings), measures=about, rows=tuple(made))


def _concerns(row: ClipRow, name: str) -> bool:
    return name in row.values or name in row.reasons


def _row(
    name: str,
    measure: Measure,
    clean: Mapping[str, ClipRow],
    hit: Sequence[ClipRow],
    severities: tuple[float, ...],
) -> MeasureRow:
    corruption = hit[0].corruption
    start = {clip: row.values[name] for clip, row in clean.items() if name in row.values}
    at = {severity: {r.clip: r.values[name] for r in hit if r.severity == severity and name in r.values}
          for severity in severities}  # fmt: skip
    whole = [clip for clip in start if all(clip in at[severity] for severity in severities)]
    ranks = [rank_correlation((0.0, *severities), [start[c], *(at[s][c] for s in severities)]) for c in whole]
    seed = ("measure card", name, corruption)
    # Percentiles, not the bootstrap-t: where nearly all clips have the same rank, that knows no spread.
    totals = np.array([[rank, 1.0] for rank in ranks]).reshape(-1, 2)
    interval = cluster_bootstrap(totals, _mean, _CONFIDENCE, seed=seed, bounds=(-1.0, 1.0))
    reasons = Counter(row.reasons[name] for row in (*clean.values(), *hit) if name in row.reasons)
    rank = _estimate(interval, len(ranks), reasons)
    areas: list[Estimate] = []
    for severity in severities:
        both = [clip for clip in start if clip in at[severity]]
        area = area_under_curve(
            [start[clip] for clip in both], [at[severity][clip] for clip in both], both, _CONFIDENCE
        )
        areas.append(_estimate(area, len(both), Counter()))
    claimed = measure.sees.get(corruption)
    found = _found(claimed, measure.better, rank, areas[-1])
    return MeasureRow(
        measure=name,
        corruption=corruption,
        claimed=claimed,
        rank=rank,
        severities=severities,
        areas=tuple(areas),
        found=found,
    )


def _mean(totals: Floats) -> Floats:
    """Divide the sum of ranks by their number: (..., 2) to (...)."""
    return np.asarray(totals[..., 0] / totals[..., 1], np.float64)


def _estimate(interval: Interval, n: int, reasons: Counter[str]) -> Estimate:
    told = interval.over("clip")
    left_out = {"not_applicable": sum(reasons.values())} if reasons else {}
    return Estimate.of(told, _CONFIDENCE, n=n, clusters=n, left_out=left_out, reasons=dict(reasons))


def rank_correlation(severities: Sequence[float], values: Sequence[float]) -> float:
    """Return Spearman's rank correlation; 0 where the values do not change at all.

    Example:
        >>> round(rank_correlation([0, 1, 2], [3.0, 4.0, 9.0]), 9), rank_correlation([0, 1, 2], [5.0] * 3)
        (1.0, 0.0)
    """
    from scipy.stats import rankdata

    one, two = (rankdata(part) - (len(severities) + 1) / 2 for part in (severities, values))
    size = math.sqrt(float(one @ one) * float(two @ two))
    return float(one @ two) / size if size > 0 else 0.0


def _found(claimed: Moves | None, better: str, rank: Estimate, area: Estimate) -> Found:
    if rank.n < FEWEST or rank.low is None or rank.high is None or area.value is None:
        return "unknown"
    within = 1 if rank.low > 0 else -1 if rank.high < 0 else 0
    across = 0
    if area.low is not None and area.high is not None:  # else no clip moves, so that no threshold is shown
        above, below = area.low > 0.5 and area.value >= TELLS, area.high < 0.5 and area.value <= 1 - TELLS
        across = 1 if above else -1 if below else 0
    if claimed is not None:
        wanted = 1 if claimed == "rises" else -1
        if within == wanted:
            return "seen" if across == wanted else "faint"
        return "opposite" if within == -wanted else "not seen"
    if within == 0:
        return "blind"
    if across != within:
        return "faint"
    if better == "neither":
        return "moves"
    return "sees" if (within == 1) == (better == "lower") else "rewards"
