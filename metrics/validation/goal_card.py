"""Validity of the measures of puzzles: how often they are right of solved clips and of planted failures.

Clips of the world ``stage``: each failure beside the same scene solved, in several looks and sizes. No limit
of the rules was set on the seeds of a card. The measures see the pictures alone, and what is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from ...generators.worlds.registry import find_world
from ...harness.core.config import Config
from ...harness.core.estimate import Estimate
from ...harness.core.items import ClipSettings
from ...harness.core.keys import seeded_rng
from ...harness.core.stats import Interval, rate_interval
from ...harness.core.templates import render_markdown
from ..base import MEASURES, NotApplicable
from ..encoders.base import Record
from ..expectation import read_expectation
from ..goals.encoder import HueEncoder, color_regions
from ..goals.measures import PUZZLES, judge_clip
from ..surprise.pairwise import area_under_curve

__all__ = [
    "LOOKS",
    "SOLVED",
    "GoalCard",
    "GoalRow",
    "GoalTrial",
    "goal_rows",
    "goal_settings",
    "goal_text",
    "goal_trials",
    "run_goal_trial",
]

LOOKS: Final[dict[str, tuple[dict[str, str], ClipSettings]]] = {
    "as drawn": ({}, ClipSettings(frames=20, height=128, width=128, fps=10.0)),
    "noise": ({"noise": "8"}, ClipSettings(frames=20, height=128, width=128, fps=10.0)),
    "crf 35": ({"crf": "35"}, ClipSettings(frames=20, height=128, width=128, fps=10.0)),
    "64 x 64": ({}, ClipSettings(frames=16, height=64, width=64, fps=8.0)),
    "256 x 144": ({}, ClipSettings(frames=24, height=144, width=256, fps=12.0)),
}
"""Look -> what is fixed of its scenes, and their clips."""
SOLVED: Final = "solved"
ALL: Final = "all"
SEVERITIES: Final = (0.3, 0.6)
_WORLD: Final = "stage"
_CONFIDENCE: Final = 0.95
_TEMPLATE: Final = Path(__file__).parent / "templates" / "goal_card.md.j2"


@dataclass(frozen=True)
class GoalTrial:
    """One clip: a scene of a puzzle in a look, solved or with a failure of a severity."""

    seed: int
    family: str
    number: int
    look: str
    fault: str
    severity: float


class GoalRow(Estimate):
    """How a measure takes clips of one puzzle in one look.

    Attributes:
        kind: ``sensitivity``, the share of clips with the failure that are not called solved;
            ``specificity``, the share of solved clips that are; or ``AUC``, the chance that a clip with the
            failure is farther from right than a solved one.
        fault: the failure, `SOLVED` for none or ``all`` for any.
        look: one of `LOOKS`, or ``all``.
    """

    family: str
    kind: str
    fault: str
    look: str


class GoalCard(Config):
    """Rows of `goal_rows`, and the seed and numbers that made them."""

    settings: dict[str, Any]
    clips: int
    rows: tuple[GoalRow, ...]

    def get(self, family: str, kind: str, fault: str, look: str = ALL) -> GoalRow | None:
        """Find a row."""
        wanted = (family, kind, fault, look)
        return next((r for r in self.rows if (r.family, r.kind, r.fault, r.look) == wanted), None)

    @property
    def families(self) -> tuple[str, ...]:
        """The puzzles that it is of."""
        return tuple(dict.fromkeys(row.family for row in self.rows))

    def claims(self, measure: str) -> tuple[list[str], list[str]]:
        """List the failures that a measure of one puzzle, or of all, sees, and those that it does not.

        A failure is seen if the intervals of its sensitivity and of the false alarms on solved clips lie
        apart.
        """
        family = measure.removeprefix("goals.")
        if family == SOLVED:
            each = [(one, self.claims(f"goals.{one}")) for one in self.families]
            told = ([f"{fault} of a {one}" for one, claims in each for fault in claims[k]] for k in (0, 1))
            return next(told), next(told)
        right = self.get(family, "specificity", SOLVED)
        wrong = 1.0 if right is None or right.low is None else 1 - right.low
        seen: list[str] = []
        missed: list[str] = []
        for row in self.rows:
            if (row.family, row.kind, row.look) == (family, "sensitivity", ALL) and row.fault != ALL:
                (seen if row.low is not None and row.low > wrong else missed).append(row.fault)
        return seen, missed

    def is_of(self, measure: str, version: object) -> bool:
        """Say whether the card is of a measure at a version."""
        known: dict[str, int] = self.settings.get("measures", {})
        return measure in known and known[measure] == version


def goal_settings(n: int, seed: int) -> dict[str, Any]:
    """List what makes a card: numbers, and the versions of the measures and of their encoder."""
    MEASURES.load()
    names = [*(f"goals.{name}" for name in PUZZLES), "goals.solved"]
    return {
        "n": n,
        "seed": seed,
        "severities": list(SEVERITIES),
        "measures": {name: MEASURES.get(name).version for name in names},
        "encoder": HueEncoder().digest,
    }


def goal_trials(n: int, seed: int) -> list[GoalTrial]:
    """List ``n`` scenes of each puzzle and look: solved, and with each failure, at severities in turn."""
    world = find_world(_WORLD)
    trials: list[GoalTrial] = []
    for look in LOOKS:
        for family in PUZZLES:
            for number in range(n):
                trials.append(GoalTrial(seed, family, number, look, SOLVED, 0.0))
                severity = SEVERITIES[number % len(SEVERITIES)]
                trials += [
                    GoalTrial(seed, family, number, look, fault, severity)
                    for fault in world.breakable(family)
                ]
    return trials


def run_goal_trial(trial: GoalTrial) -> dict[str, Any]:
    """Draw a clip and judge it.

    Returns:
        ``ratio``, how far it is from right in tolerances, ``rule`` and ``reached``; or ``why`` it is not
        applicable.
    """
    world = find_world(_WORLD)
    asked, clip = LOOKS[trial.look]
    key = ("goal card", trial.seed, trial.family, trial.number, trial.look)
    scene = world.sample(seeded_rng(*key), clip, trial.family, asked)
    expect = read_expectation(world.scene_clip(scene, clip).expect)
    if trial.fault != SOLVED:
        scene = world.violate(scene, trial.fault, trial.severity, seeded_rng(*key, trial.fault), clip)
    frames = world.scene_clip(scene, clip).draw()
    regions = np.stack([color_regions(frame) for frame in frames])
    record = Record({"regions": regions}, {"aspect": clip.width / clip.height, "height": clip.height})
    try:
        found = judge_clip(record, expect)
    except NotApplicable as why:
        return {"why": str(why)}
    return {"ratio": found.worst.ratio, "rule": found.worst.rule, "reached": found.reached}


def goal_rows(rows: Sequence[Mapping[str, Any]]) -> list[GoalRow]:
    """Reduce the rows of `run_goal_trial` to sensitivity, specificity and AUC, in each look and in all."""
    found: list[GoalRow] = []
    for family in PUZZLES:
        for look in (ALL, *LOOKS):
            here = [row for row in rows if row["family"] == family and look in (ALL, row["look"])]
            solved = [row for row in here if row["fault"] == SOLVED]
            found.append(_share(family, "specificity", SOLVED, look, solved, right=False))
            failed = [row for row in here if row["fault"] != SOLVED]
            faults = dict.fromkeys(row["fault"] for row in failed)
            for fault in (ALL, *faults):
                part = [row for row in failed if fault in (ALL, row["fault"])]
                found.append(_share(family, "sensitivity", fault, look, part, right=True))
                found.append(_area(family, fault, look, solved, part))
    return found


def _scene(row: Mapping[str, Any]) -> str:
    return f"{row['look']}-{row['number']}"


def _share(
    family: str, kind: str, fault: str, look: str, rows: Sequence[Mapping[str, Any]], *, right: bool
) -> GoalRow:
    judged = [row for row in rows if "why" not in row]
    flags = [float((row["ratio"] > 1) == right) for row in judged]
    scenes = [_scene(row) for row in judged]
    interval = rate_interval(flags, scenes, _CONFIDENCE)
    return _row(interval, rows, scenes, family=family, kind=kind, fault=fault, look=look)


def _area(
    family: str,
    fault: str,
    look: str,
    solved: Sequence[Mapping[str, Any]],
    failed: Sequence[Mapping[str, Any]],
) -> GoalRow:
    """Compare each failure with the solved clip of its scene, and with those of all others."""
    twins = {_scene(row): float(row["ratio"]) for row in solved if "why" not in row}
    pairs = [row for row in failed if "why" not in row and _scene(row) in twins]
    scenes = [_scene(row) for row in pairs]
    area = area_under_curve(
        [twins[scene] for scene in scenes], [float(row["ratio"]) for row in pairs], scenes, _CONFIDENCE
    )
    return _row(area, failed, scenes, family=family, kind="AUC", fault=fault, look=look)


def _row(
    interval: Interval, rows: Sequence[Mapping[str, Any]], scenes: Sequence[str], **names: str
) -> GoalRow:
    reasons = Counter(row["why"] for row in rows if "why" in row)
    return GoalRow.of(
        interval,
        _CONFIDENCE,
        n=len(scenes),
        clusters=len(set(scenes)),
        left_out={"not_applicable": reasons.total()} if reasons else {},
        reasons=dict(sorted(reasons.items())),
        **names,
    )


def goal_text(card: GoalCard) -> str:
    """Write a card as Markdown."""
    faults = {
        family: list(dict.fromkeys(r.fault for r in card.rows if r.family == family and r.kind == "AUC"))
        for family in PUZZLES
    }
    reasons: Counter[tuple[str, str]] = Counter()
    for row in card.rows:
        if row.look == ALL and row.kind != "AUC" and row.fault != ALL:
            reasons.update({(row.family, why): count for why, count in row.reasons.items()})
    return render_markdown(
        _TEMPLATE, card=card, faults=faults, looks=list(LOOKS), reasons=reasons, all=ALL, solved=SOLVED
    )
