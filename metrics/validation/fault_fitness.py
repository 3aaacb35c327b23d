"""Which sign of generated physics, and which measure of puzzles, is fit: by the rule of the laws.

Each fault that its card was made from is one record: fit or blunt, as of the laws at a medium severity (of
puzzles, at those of their card). All these measures have a threshold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..signs.measures import LIMITS
from .law_card import MEDIUM
from .law_fitness import fitness_of, numbers, share_of
from .packaged_cards import packaged_goals, packaged_signs

if TYPE_CHECKING:
    from ...harness.core.estimate import Estimate

__all__ = ["goal_records", "sign_records"]

_SIGNS: Final = "world stage"
_GOALS: Final = "drawn puzzles of the world stage"


def sign_records() -> dict[str, list[dict[str, Any]]]:
    """Say what the packaged card makes of each sign: name -> a mapping a planted fault, for JSON."""
    card = packaged_signs()
    if card is None:
        return {}
    alarms = {one.sign: one for one in card.alarms}
    listed: dict[str, list[dict[str, Any]]] = {f"signs.{name}": [] for name in LIMITS}
    for cell in card.cells:
        if cell.severity == MEDIUM:
            alarm = alarms.get(cell.sign)
            listed[f"signs.{cell.sign}"].append(
                _record(_SIGNS, cell.fault, (cell.auc, cell.found), None if alarm is None else alarm.rate)
            )
    return listed


def goal_records() -> dict[str, list[dict[str, Any]]]:
    """Say what the packaged card makes of each measure of puzzles: name -> a mapping a puzzle, for JSON."""
    card = packaged_goals()
    if card is None:
        return {}
    listed: dict[str, list[dict[str, Any]]] = {}
    for family in card.families:
        area, found = card.get(family, "AUC", "all"), card.get(family, "sensitivity", "all")
        right = card.get(family, "specificity", "solved")
        if area is not None and found is not None:
            alarm = None if right is None else _turned(right)
            made = _record(_GOALS, f"failures of a {family}", (area, found), alarm)
            listed[f"goals.{family}"] = [made]
            listed.setdefault("goals.solved", []).append(made)
    return listed


def _record(
    clips: str, fault: str, judged: tuple[Estimate, Estimate], alarms: Estimate | None
) -> dict[str, Any]:
    area, found = judged
    word = fitness_of(area, found)
    told = "-" if area.value is None else f"{area.value:.2f}"
    text = f"{clips}, {fault}: {word}, AUC {told}, finds {share_of(found)}"
    if alarms is not None:
        text += f", false alarms {share_of(alarms)}"
    return {
        "tracker": None,
        "clips": clips,
        "fault": fault,
        "fitness": word,
        "violations": found.n,
        "auc": numbers(area),
        "found": numbers(found),
        "lawful": 0 if alarms is None else alarms.n,
        "false_alarms": numbers(alarms),
        "why": None,
        "text": text,
    }


def _turned(share: Estimate) -> Estimate:
    """Give the share of the others."""
    value, low, high = (None if x is None else 1 - x for x in (share.value, share.high, share.low))
    return share.model_copy(update={"value": value, "low": low, "high": high})
