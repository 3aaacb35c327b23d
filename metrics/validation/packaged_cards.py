"""The packaged validity cards, found by the identity of a run's tracker."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ...harness.core.config import Config
from .goal_card import GoalCard
from .hallucination_card import HallucinationCard
from .law_card import LawCard
from .measure_card import MeasureCard
from .sign_card import SignCard
from .skill_report import SkillsCard
from .sound_card import SoundCard

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = [
    "CARRIED",
    "is_same_encoder",
    "law_cards",
    "packaged_card",
    "packaged_goals",
    "packaged_hallucination",
    "packaged_measures",
    "packaged_signs",
    "packaged_skills",
    "packaged_sound",
]

DATA: Final = Path(__file__).parent / "data"
C = TypeVar("C", bound=Config)
CARRIED: Final = {
    ("levels", "7ae82fb475"): "version 1: without the means of the channels, by which a strobe is not blank",
}
"""Encoders without weights at the versions that cards were made with, by the start of their digest, whose
later versions change no value of the card's clips -> why."""


def is_same_encoder(feature: str, of_card: str | None, of_run: str) -> bool:
    """Say whether a card of one encoder holds for a run with another, both by their digests."""
    return of_card == of_run or (of_card is not None and (feature, of_card[:10]) in CARRIED)


def law_cards(identity: Mapping[str, Json] | None = None) -> tuple[LawCard, ...]:
    """List the laws' cards, of the reference world first; with an identity, those of that tracker alone."""
    return tuple(card for card in _cards() if identity is None or _same(card.settings["source"], identity))


def packaged_card(identity: Mapping[str, Json]) -> LawCard | None:
    """Find the laws' card of a tracker by its identity; None if there is none."""
    return next(iter(law_cards(identity)), None)


def packaged_skills(identity: Mapping[str, Json]) -> SkillsCard | None:
    """Find the skills' card of a tracker by its identity; only the tracker ``world`` has one."""
    card = _skills()
    return card if card is not None and _same(card.settings["source"], identity) else None


def packaged_hallucination(identity: Mapping[str, Json]) -> HallucinationCard | None:
    """Find the card of hallucination of a tracker by its identity; only the tracker ``world`` has one."""
    card = _hallucination()
    return card if card is not None and _same(card.settings["source"], identity) else None


@cache
def packaged_measures(source: str) -> MeasureCard | None:
    """Read the card of what measures see on ``world``, ``real`` or ``stage`` clips; None if there is none."""
    return _read(MeasureCard, source, "measures.json")


@cache
def packaged_sound() -> SoundCard | None:
    """Read the card of what the measures of sound see of planted faults; None if there is none."""
    return _read(SoundCard, "world", "sound.json")


@cache
def packaged_goals() -> GoalCard | None:
    """Read the card of the measures of puzzles; None if there is none."""
    return _read(GoalCard, "stage", "goals.json")


@cache
def packaged_signs() -> SignCard | None:
    """Read the card of the signs of generated physics on the world ``stage``; None if there is none."""
    return _read(SignCard, "stage", "signs.json")


@cache
def _cards() -> tuple[LawCard, ...]:
    read = (LawCard.model_validate_json(path.read_bytes()) for path in sorted(DATA.glob("*/card.json")))
    return tuple(sorted(read, key=lambda card: "world" in card.settings))


@cache
def _skills() -> SkillsCard | None:
    return _read(SkillsCard, "world", "skills.json")


@cache
def _hallucination() -> HallucinationCard | None:
    return _read(HallucinationCard, "world", "hallucination.json")


def _read(model: type[C], *where: str) -> C | None:
    path = DATA.joinpath(*where)
    return model.model_validate_json(path.read_bytes()) if path.is_file() else None


def _same(source: Mapping[str, Any], identity: Mapping[str, Json]) -> bool:
    return all(source.get(key) == identity.get(key) for key in ("source", "version"))
