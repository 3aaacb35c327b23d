"""Tables of the packaged validity cards: how often measures are right, and what they see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from ..harness.core.presentation import Cell, estimate_cell
from ..metrics.laws.conditions import APPLIES_TO
from ..metrics.laws.evaluation import LAWS
from ..metrics.laws.thresholds import ANY
from ..metrics.validation.law_card import EVERYDAY, MEDIUM, Alarms, LawCard
from ..metrics.validation.looks import RECONSTRUCTED
from ..metrics.validation.measure_report import COLUMNS
from ..metrics.validation.packaged_cards import packaged_card, packaged_skills
from .measure_validity import measure_rows
from .text import DASH, page_cell

if TYPE_CHECKING:
    from ..harness.core.estimate import Estimate
    from ..harness.core.run_data import Score

__all__ = ["ValidityTable", "validity_tables"]

_LAWS: Final = "physics."
_SKILLS: Final = "follows."


_MEASURES: Final = (
    "What measures see: true clips are corrupted in grades of severity. Seen: the value moves with the "
    "severity as the measure claims, within clips and against clean clips (AUC 0.7 or more), both with "
    "95% intervals. A corruption that is rewarded moves the value to its better side; one that a measure is "
    "blind to must be seen by another. The encoders of a run may differ from the cards'."
)

UNKNOWN = Cell(DASH)


@dataclass(frozen=True)
class ValidityTable:
    """The rows of a card for the measures of some runs; without a card, ``missing`` says so.

    ``of_words`` says that the cells are words, which may be set in several lines.
    """

    letters: tuple[str, ...]
    about: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    missing: str = ""
    of_words: bool = False


class ScoredRun(Protocol):
    """The parts of a run that are read."""

    @property
    def letter(self) -> str:
        """Its letter on the page."""
        ...

    @property
    def measures(self) -> Mapping[str, Mapping[str, Any]]:
        """The measures of the run: name -> record."""
        ...

    @property
    def scores(self) -> Mapping[str, Mapping[str, Score]]:
        """Item -> measure -> score."""
        ...


def validity_tables(runs: Sequence[tuple[ScoredRun, Mapping[str, Any]]]) -> list[ValidityTable]:
    """Build one table of laws and one of skills for each tracker, and one of what other measures see.

    Args:
        runs: each with its record.
    """
    tables: list[ValidityTable] = []
    for prefix, table in ((_LAWS, _laws), (_SKILLS, _skills)):
        of_source: dict[str, tuple[Mapping[str, Any], list[ScoredRun]]] = {}
        for run, record in runs:
            identity = _identity(record)
            if identity is not None and any(name.startswith(prefix) for name in run.measures):
                name = " ".join(str(identity[key]) for key in ("source", "version") if key in identity)
                of_source.setdefault(name, (identity, []))[1].append(run)
        tables += [table(name, identity, part) for name, (identity, part) in of_source.items()]
    seen: dict[str, Mapping[str, Any]] = {}
    for run, _ in runs:
        seen |= run.measures
    rows = measure_rows(seen)
    if rows:
        letters = tuple(run.letter for run, _ in runs)
        tables.append(ValidityTable(letters, _MEASURES, COLUMNS, tuple(rows), of_words=True))
    return tables


def _identity(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    encoder = (record.get("encoders") or {}).get("tracks")
    return encoder.get("identity") if isinstance(encoder, Mapping) else None


def _laws(source: str, identity: Mapping[str, Any], runs: Sequence[ScoredRun]) -> ValidityTable:
    letters = tuple(run.letter for run in runs)
    card = packaged_card(identity)
    if card is None:
        missing = (
            f"The package has no validity card for the tracker {source}, so it is not known how often these "
            "measures are wrong; 'screentest validate --probes' measures it."
        )
        return ValidityTable(letters, "", (), (), missing)
    digest = str(card.settings["thresholds"]["digest"])[:12]
    others = sorted({found for run in runs for found in _thresholds(run)} - {digest})
    missing = (
        f"The scores use the thresholds {', '.join(others)}, and the card uses {digest}." if others else ""
    )
    about = (
        f"Laws, with the tracker {source}: measured on {card.clips:,} clips of the reference world, with "
        f"seeds, colors, sizes and severities that were not used for the thresholds. AUC and found: for "
        f"violations of severity {MEDIUM:g}. False alarms: lawful clips that are said to break the law, as "
        "drawn, in lawful everyday motion that the thresholds were not made from, and after the reference "
        "autoencoder. A violation rate up to the latter says nothing about a generator. A law applies only "
        "to clips of its kind, and only where the prompt's expect states it."
    )
    columns = (
        *("applies to", "AUC", "found", "false alarms, drawn", "false alarms, everyday motion"),
        "false alarms, reconstructed",
    )
    return ValidityTable(letters, about, columns, tuple(_law_row(card, law) for law in (*LAWS, ANY)), missing)


def _thresholds(run: ScoredRun) -> set[str]:
    """Find the digests of the thresholds that a run was scored with."""
    return {
        str(score.evidence["thresholds"])
        for of_item in run.scores.values()
        for name, score in of_item.items()
        if name.startswith(_LAWS) and "thresholds" in score.evidence
    }


def _law_row(card: LawCard, law: str) -> tuple[str, tuple[Cell, ...]]:
    wanted = (law, "plain", "native", MEDIUM)
    cell = next((c for c in card.cells if (c.law, c.look, c.variety, c.severity) == wanted), None)
    of_cell = (UNKNOWN, UNKNOWN)
    if cell is not None:
        of_cell = (_share_cell(cell.auc), _share_cell(cell.found))
    kinds = (("plain", "native"), ("all but reconstructed", EVERYDAY), (RECONSTRUCTED, "native"))
    alarms = tuple(_alarms(card, law, look, variety) for look, variety in kinds)
    applies = Cell(APPLIES_TO.get(law, "every clip to which a law applies"))
    return f"{_LAWS}{law}", (applies, *of_cell, *alarms)


def _alarms(card: LawCard, law: str, look: str, variety: str) -> Cell:
    wanted = (law, look, variety)
    found: Alarms | None = next((a for a in card.alarms if (a.law, a.look, a.variety) == wanted), None)
    return UNKNOWN if found is None else _share_cell(found.rate)


def _skills(source: str, identity: Mapping[str, Any], runs: Sequence[ScoredRun]) -> ValidityTable:
    letters = tuple(run.letter for run in runs)
    card = packaged_skills(identity)
    if card is None:
        missing = f"The package has no skills card for the tracker {source}."
        return ValidityTable(letters, "", (), (), missing)
    about = (
        f"Skills, with the tracker {source}: how often each says yes to clips that follow their prompt (1 is "
        "right), to the same clips after the reference autoencoder, and to clips that do not follow their "
        "prompt (0 is right)."
    )
    kinds = (("kept", "plain"), ("kept", RECONSTRUCTED), ("turned", "plain"))
    columns = ("yes if followed, drawn", "yes if followed, reconstructed", "yes if not followed")
    rows: list[tuple[str, tuple[Cell, ...]]] = []
    for skill in dict.fromkeys(row.skill for row in card.rows):
        found = [card.get(skill, asked, looks) for asked, looks in kinds]
        cells = tuple(UNKNOWN if row is None else _share_cell(row) for row in found)
        rows.append((f"{_SKILLS}{skill}", cells))
    return ValidityTable(letters, about, columns, tuple(rows))


def _share_cell(estimate: Estimate) -> Cell:
    return page_cell(replace(estimate_cell(estimate), n=str(estimate.n)))
