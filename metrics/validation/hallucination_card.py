"""Validity of the measures of hallucination: how often they find planted faults, and alarm without any.

Scenes of a simulated world show faults of known kinds (`fault_scenes` of the world); their faithful twins in
kind are other scenes, of every family. What is asked for is the faithful scene each time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ...generators.worlds.registry import find_world
from ...harness.core.config import Config
from ...harness.core.estimate import Estimate
from ...harness.core.keys import seeded_rng
from ...harness.core.stats import rate_interval
from ...harness.core.templates import render_markdown
from ..expectation import read_expectation
from ..hallucination.measures import KINDS, observe
from ..tracking.role_assignment import assign_roles
from ..tracking.shape_tracker import WorldSource
from .looks import Reconstruct, dress
from .skill_card import GROUPS
from .skill_trials import track

__all__ = [
    "FAITHFUL",
    "FAULT_OF",
    "FaultTrial",
    "HallucinationCard",
    "HallucinationRow",
    "fault_rows",
    "fault_trials",
    "hallucination_text",
    "run_fault_trial",
]

FAITHFUL: Final = "none"
"""The fault of clips that show none."""
FAULT_OF: Final[dict[str, tuple[str, ...]]] = {
    "extra_thing": ("another", "twice", "flash"),
    "missing_thing": ("removed", "replaced"),
    "extra_event": ("flash", "vanish", "double", "split"),
    "mirrored": ("mirror",),
    "no_mark": ("whole", "heal"),
}
"""Kind of measure -> the planted faults that it should find."""
_TEMPLATE: Final = Path(__file__).parent / "templates" / "hallucination_card.md.j2"


@dataclass(frozen=True)
class FaultTrial:
    """One clip to look at.

    Attributes:
        fault: what is planted, or `FAITHFUL`.
        family: of its scene.
    """

    seed: int
    fault: str
    family: str
    index: int
    look: str = "plain"
    world: str = "reference"


class HallucinationRow(Estimate):
    """How often a measure says that a fault is there, of the clips that it judges; Wilson intervals.

    Attributes:
        kind: of `KINDS`.
        fault: what is planted (1 is right), `FAITHFUL` for clips without any (0 is right), or ``all`` for
            all the faults that the measure should find.
        looks: one of `GROUPS`.
    """

    kind: str
    fault: str
    looks: str


class HallucinationCard(Config):
    """Rows of `fault_rows`, and the seed, numbers and digests that made them."""

    settings: dict[str, Any]
    rows: tuple[HallucinationRow, ...]

    def get(self, kind: str, fault: str, looks: str = "plain") -> HallucinationRow | None:
        """Find a row."""
        wanted = (kind, fault, looks)
        return next((row for row in self.rows if (row.kind, row.fault, row.looks) == wanted), None)


def fault_trials(n: int, seed: int = 0, *, groups: Sequence[str] = tuple(GROUPS)) -> list[FaultTrial]:
    """Plan the trials of the card.

    Args:
        n: clips of each fault and group of looks, in turn from the families that can show it, and as many
            faithful clips of the families that are asked for something that can be mirrored or bitten; of
            the other families a quarter as many each.
        seed: of the scenes.
        groups: of `GROUPS`; the looks of a group alternate.
    """
    world = find_world("reference")
    planned: list[FaultTrial] = []
    for group in groups:
        looks = GROUPS[group]
        for fault, families in world.fault_families.items():
            planned += [
                FaultTrial(
                    seed, fault, families[k % len(families)], k // len(families), looks[k % len(looks)]
                )
                for k in range(n)
            ]
        for family in world.families:
            number = n if family == "biscuit" else max(1, n // 4)
            planned += [FaultTrial(seed, FAITHFUL, family, k, looks[k % len(looks)]) for k in range(number)]
    return planned


def run_fault_trial(trial: FaultTrial, reconstruct: Reconstruct | None = None) -> dict[str, Any]:
    """Look for every kind of fault in one clip.

    Returns:
        ``answers``: kind -> whether a fault of it is found, or why it cannot be judged.

    Raises:
        ValueError: the trial's look needs an autoencoder, and none was given.
    """
    world = find_world(trial.world)
    planted = None if trial.fault == FAITHFUL else trial.fault
    name = ("hallucination card", trial.seed, trial.fault, trial.family)
    clip = world.fault_clip(planted, trial.family, name, trial.index)
    rng = seeded_rng("fault look", *name, trial.index, trial.look)
    tracks = track(dress(clip, trial.look, rng, reconstruct), clip.clip.fps, WorldSource())
    found = observe(assign_roles(tracks, read_expectation(clip.expect)))
    return {"answers": {kind: one if isinstance(one, str) else bool(one) for kind, one in found.items()}}


def fault_rows(rows: Sequence[Mapping[str, Any]], confidence: float = 0.95) -> list[HallucinationRow]:
    """Count the answers of trials by kind of measure, fault and group of looks."""
    found: list[HallucinationRow] = []
    for looks, names in GROUPS.items():
        mine = [row for row in rows if row["look"] in names]
        for kind in KINDS if mine else ():
            faults = FAULT_OF[kind]
            groups = {"all": faults, **{fault: (fault,) for fault in faults}, FAITHFUL: (FAITHFUL,)}
            for name, of in groups.items():
                said = [row["answers"][kind] for row in mine if row["fault"] in of]
                found.append(_row(kind, name, looks, said, confidence))
    return found


def _row(
    kind: str, fault: str, looks: str, said: Sequence[bool | str], confidence: float
) -> HallucinationRow:
    values = [float(answer) for answer in said if isinstance(answer, bool)]
    reasons = Counter(answer for answer in said if isinstance(answer, str))
    interval = rate_interval(values, [str(k) for k in range(len(values))], confidence)
    return HallucinationRow.of(
        interval,
        confidence,
        kind=kind,
        fault=fault,
        looks=looks,
        n=len(values),
        clusters=len(values),
        reasons=dict(reasons),
        left_out={"not_applicable": sum(reasons.values())} if reasons else {},
    )


def hallucination_text(card: HallucinationCard) -> str:
    """Write the card in Markdown."""
    return render_markdown(
        _TEMPLATE,
        card=card,
        looks=list(GROUPS),
        faults={kind: ("all", *faults, FAITHFUL) for kind, faults in FAULT_OF.items()},
        faithful=FAITHFUL,
    )
