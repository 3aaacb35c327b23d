"""The validity card of the probes: how well each law's severity tells broken clips from lawful ones.

Everything is measured on the stage ``card``, whose seeds, colors, sizes and severities no threshold has seen.
A violation is compared with lawful twins in the same look: the area under the ROC curve says how well any one
threshold would do, the share found how well the shipped one does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from pydantic import Field

from ...harness.core.config import Config
from ...harness.core.estimate import Estimate
from ...harness.core.stats import Interval, rate_interval
from ..laws.evaluation import LAWS
from ..laws.thresholds import ANY, SourceThresholds
from ..surprise.pairwise import area_under_curve
from .law_trials import VARIETIES, WORLD, Trial, broken_trials, lawful_trials
from .looks import DEGRADED, RECONSTRUCTED

__all__ = [
    "EVERYDAY",
    "MEDIUM",
    "SEVERITIES",
    "Alarms",
    "Condition",
    "Floor",
    "LawCard",
    "LawCell",
    "Phenomenon",
    "card_trials",
    "conditions",
    "make_card",
]

Row = Mapping[str, Any]
SEVERITIES: Final = (0.2, 0.35, 0.5, 0.75, 1.0)
MEDIUM: Final = 0.5
EVERYDAY: Final = "everyday"
_CONFIDENCE: Final = 0.95


class Condition(Config):
    """A look of a variety of scenes, and the severities that are planted in it."""

    look: str
    variety: str
    severities: tuple[float, ...] = (MEDIUM,)

    def holds(self, row: Row) -> bool:
        """Say whether a row was made under this condition."""
        return row["look"] == self.look and row["variety"] == self.variety


class LawCell(Config):
    """One law at one severity under one condition.

    Attributes:
        n: violations to which the law applies.
        scenes: how many scenes they are of.
        auc: share of all pairs of a broken and a lawful clip in which the broken one is the more severe.
        found: share of the broken ones above the threshold.
        families: "violation/family" -> share found.
        left_out: reason -> violations of which the law says nothing.
    """

    law: str
    look: str
    variety: str
    severity: float
    n: int
    scenes: int
    auc: Estimate
    found: Estimate
    families: dict[str, float]
    left_out: dict[str, int]


class Alarms(Config):
    """Lawful clips above the threshold of a law (or of ``any``), under one condition or all of them."""

    law: str
    look: str
    variety: str
    n: int
    alarms: int
    rate: Estimate


class Floor(Config):
    """How severe a law seems broken in lawful clips of a look."""

    law: str
    look: str
    n: int
    median: float
    q95: float
    q99: float


class Phenomenon(Config):
    """Lawful clips of one kind of everyday motion, in every look: how many there are, and what is broken.

    Attributes:
        n: clips.
        discarded: of them, how many say nothing of laws.
        broken: law (or ``any``) -> clips above its threshold; what is not named is broken in none.
    """

    name: str
    n: int
    discarded: int
    broken: dict[str, int]


class LawCard(Config):
    """Everything that the card says; see the Markdown for the words.

    Attributes:
        settings: seed, numbers and digests that made it.
        milliseconds: of processor time on one core for a clip of 16 x 64 x 64: median and 95 % quantile of
            ``tracks``, ``laws`` and both.
        left_out: look/variety -> reason -> lawful clips of which no law says anything.
        missing: law -> why it has no threshold, so that nothing is measured of it.
    """

    settings: dict[str, Any]
    clips: int
    cells: tuple[LawCell, ...]
    alarms: tuple[Alarms, ...]
    floors: tuple[Floor, ...]
    milliseconds: dict[str, tuple[float, float]]
    left_out: dict[str, dict[str, int]]
    phenomena: tuple[Phenomenon, ...] = ()
    missing: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class _Held:
    """A severity, and the scene it is of."""

    scene: str
    severity: float


def conditions(world: str = WORLD) -> tuple[Condition, ...]:
    """List what the card is measured under: grades of severity, degradations, and other distributions.

    Scenes of another world than the reference world have looks of their own: there are grades alone.
    """
    if world != WORLD:
        return (Condition(look="plain", variety="native", severities=SEVERITIES),)
    others = [name for name in VARIETIES if name not in ("native", EVERYDAY)]
    return (
        Condition(look="plain", variety="native", severities=SEVERITIES),
        *(Condition(look=look, variety="native") for look in (*DEGRADED, RECONSTRUCTED)),
        *(Condition(look="plain", variety=name) for name in others),
        *(Condition(look=look, variety=EVERYDAY, severities=()) for look in ("plain", *DEGRADED)),
    )


def card_trials(seed: int, n: int, world: str = WORLD) -> list[Trial]:
    """List the trials of a card: of each law ``n`` violations a grade of severity, half as many elsewhere.

    Under each condition there are lawful twins of all of them, and at least n / 2 scenes of each family.
    """
    planned: list[Trial] = []
    for condition in conditions(world):
        count = n if len(condition.severities) > 1 else max(1, n // 2)
        here: dict[str, Any] = {"variety": condition.variety, "look": condition.look, "world": world}
        planned += lawful_trials("card", seed, max(1, n // 2), **here)
        for severity in condition.severities:
            template = Trial("card", seed, "", 0, severity=severity, **here)
            for law in LAWS:
                broken = broken_trials(template, law, count)
                planned += [trial.twin for trial in broken] + broken
    return list(dict.fromkeys(planned))


def make_card(
    rows: Sequence[Row], limits: SourceThresholds, settings: Mapping[str, Any], world: str = WORLD
) -> LawCard:
    """Reduce the rows of a card's trials to what the card says."""
    cells: list[LawCell] = []
    alarms: list[Alarms] = []
    floors: list[Floor] = []
    left_out: dict[str, dict[str, int]] = {}
    limited = [law for law in LAWS if law in limits.laws]
    for condition in conditions(world):
        here = [row for row in rows if condition.holds(row)]
        lawful = [row for row in here if row["law"] is None]
        by_scene = {_scene(row): row for row in lawful}
        for law in limited:
            for severity in condition.severities:
                broken = [row for row in here if row["law"] == law and row["severity"] == severity]
                if broken:
                    cells.append(_cell(broken, by_scene, limits.laws[law].threshold))
        alarms += _alarms(lawful, limits, condition.look, condition.variety)
        if condition.variety == "native":
            floors += [floor for law in limited if (floor := _floor(law, lawful, condition.look)) is not None]
        reasons = Counter(row["found"]["permanence"] for row in lawful if _says_nothing(row))
        left_out[f"{condition.look}/{condition.variety}"] = dict(sorted(reasons.items()))
    calibrated = [
        row
        for row in rows
        if row["law"] is None and row["variety"] == "native" and row["look"] != RECONSTRUCTED
    ]
    alarms += _alarms(calibrated, limits, "all but reconstructed", "native")
    everyday = [row for row in rows if row["variety"] == EVERYDAY]
    alarms += _alarms(everyday, limits, "all but reconstructed", EVERYDAY)
    return LawCard(
        settings=dict(settings),
        clips=len(rows),
        cells=tuple(cells),
        alarms=tuple(alarms),
        floors=tuple(floors),
        milliseconds=_milliseconds(rows),
        left_out=left_out,
        phenomena=_phenomena(everyday, limits),
        missing=dict(limits.missing),
    )


def _phenomena(rows: Sequence[Row], limits: SourceThresholds) -> tuple[Phenomenon, ...]:
    found: list[Phenomenon] = []
    for name in dict.fromkeys(row["family"] for row in rows):
        here = [row for row in rows if row["family"] == name]
        broken: Counter[str] = Counter()
        for row in here:
            broken.update(
                law
                for law in limits.laws
                if law in row["found"] and _is_above(row["found"][law], limits, law)
            )
            ratio = _worst_ratio(row, limits)
            broken.update([ANY] if ratio is not None and ratio > limits.laws[ANY].threshold else [])
        silent = sum(_says_nothing(row) for row in here)
        found.append(
            Phenomenon(name=name, n=len(here), discarded=silent, broken=dict(sorted(broken.items())))
        )
    return tuple(found)


def _is_above(severity: Any, limits: SourceThresholds, law: str) -> bool:
    held = law in limits.laws and not isinstance(severity, str)
    return held and float(severity) > limits.laws[law].threshold


def _scene(row: Row) -> str:
    return f"{row['family']}-{row['index']}"


def _says_nothing(row: Row) -> bool:
    return all(isinstance(found, str) for found in row["found"].values())


def _held(rows: Sequence[Row], law: str) -> list[_Held]:
    return [_Held(_scene(row), float(s)) for row in rows if not isinstance(s := row["found"][law], str)]


def _cell(broken: Sequence[Row], lawful: Mapping[str, Row], threshold: float) -> LawCell:
    first = broken[0]
    law = str(first["law"])
    high = _held(broken, law)
    twins = {scene: row["found"][law] for scene, row in lawful.items()}
    paired = [held for held in high if not isinstance(twins.get(held.scene, ""), str)]
    low = [float(twins[held.scene]) for held in paired]
    scenes = [held.scene for held in high]
    flags = [float(held.severity > threshold) for held in high]
    area = area_under_curve(low, [h.severity for h in paired], [h.scene for h in paired], _CONFIDENCE)
    kinds: dict[str, list[bool]] = {}
    for row in broken:
        severity = row["found"][law]
        if not isinstance(severity, str):
            kinds.setdefault(f"{row['violation']}/{row['family']}", []).append(severity > threshold)
    return LawCell(
        law=law,
        look=first["look"],
        variety=first["variety"],
        severity=first["severity"],
        n=len(high),
        scenes=len(set(scenes)),
        auc=_estimate(area, [one.scene for one in paired]),
        found=_estimate(rate_interval(flags, scenes, _CONFIDENCE), scenes),
        families={kind: float(np.mean(found)) for kind, found in sorted(kinds.items())},
        left_out=dict(Counter(row["found"][law] for row in broken if isinstance(row["found"][law], str))),
    )


def _estimate(interval: Interval, scenes: Sequence[str]) -> Estimate:
    """Speak of scenes where the statistics speak of prompts."""
    method = "; ".join((interval.method, *interval.notes)).replace("prompt", "scene")
    told = replace(interval, method=method, notes=())
    return Estimate.of(told, _CONFIDENCE, n=len(scenes), clusters=len(set(scenes)))


def _alarms(lawful: Sequence[Row], limits: SourceThresholds, look: str, variety: str) -> list[Alarms]:
    found: list[Alarms] = []
    held = {law: _held(lawful, law) for law in LAWS if law in limits.laws}
    held[ANY] = [
        _Held(_scene(row), ratio) for row in lawful if (ratio := _worst_ratio(row, limits)) is not None
    ]
    for law, part in held.items():
        if part:
            flags = [float(h.severity > limits.laws[law].threshold) for h in part]
            scenes = [one.scene for one in part]
            rate = rate_interval(flags, scenes, _CONFIDENCE)
            found.append(
                Alarms(
                    law=law,
                    look=look,
                    variety=variety,
                    n=len(part),
                    alarms=int(sum(flags)),
                    rate=_estimate(rate, scenes),
                )
            )
    return found


def _worst_ratio(row: Row, limits: SourceThresholds) -> float | None:
    found = {law: s for law, s in row["found"].items() if law in limits.laws and not isinstance(s, str)}
    ratios = [severity / limits.laws[law].threshold for law, severity in found.items()]
    return max(ratios, default=None)


def _floor(law: str, lawful: Sequence[Row], look: str) -> Floor | None:
    severities = [held.severity for held in _held(lawful, law)]
    if not severities:
        return None
    middle, high, highest = (float(q) for q in np.quantile(severities, (0.5, 0.95, 0.99)))
    return Floor(law=law, look=look, n=len(severities), median=middle, q95=high, q99=highest)


def _milliseconds(rows: Sequence[Row]) -> dict[str, tuple[float, float]]:
    spent = np.array([row["ms"] for row in rows if row["look"] == "plain" and row["variety"] == "native"])
    parts: dict[str, Callable[[], Any]] = {
        "tracks": lambda: spent[:, 0],
        "laws": lambda: spent[:, 1],
        "both": lambda: spent.sum(axis=1),
    }
    if not len(spent):
        return {}
    return {
        name: (round(float(np.median(part())), 2), round(float(np.quantile(part(), 0.95)), 2))
        for name, part in parts.items()
    }
