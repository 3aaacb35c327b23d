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
from ..metrics.validation.law_fitness import FOOTAGE, KINDS, RULES, UNMEASURED, kind_of, law_fitness
from ..metrics.validation.looks import RECONSTRUCTED
from ..metrics.validation.measure_report import COLUMNS
from ..metrics.validation.packaged_cards import law_cards, packaged_skills
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
    "blind to must be seen by another. The encoders of a run may differ from the cards'. Of signs, a planted "
    "fault is seen where clips with it rank above lawful ones (AUC 0.7 or more), with its interval above one "
    "half, or the share found above the false alarms; docs/stage.md has both, and those on footage."
)

_RECONSTRUCTED: Final = " A violation rate up to the latter says nothing about a generator."
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
    """Build the tables of laws and one of skills for each tracker, and one of what other measures see.

    Of laws there is one of the clips for which each is fit, and one of each card's numbers.

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
        for name, (identity, part) in of_source.items():
            tables += table(name, identity, part)
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


def _laws(source: str, identity: Mapping[str, Any], runs: Sequence[ScoredRun]) -> list[ValidityTable]:
    letters = tuple(run.letter for run in runs)
    cards = law_cards(identity)
    if not cards:
        missing = (
            f"The package has no validity card for the tracker {source}, so it is not known how often these "
            "measures are wrong; 'screentest validate --probes' measures it."
        )
        return [ValidityTable(letters, "", (), (), missing)]
    of_cards = {str(card.settings["thresholds"]["digest"])[:12] for card in cards}
    others = sorted({found for run in runs for found in _thresholds(run)} - of_cards)
    missing = (
        f"The scores use the thresholds {', '.join(others)}, and the card uses {', '.join(sorted(of_cards))}."
        if others
        else ""
    )
    return [
        _fitness(source, cards, letters, missing),
        *(_law_table(source, card, letters) for card in cards),
    ]


def _fitness(source: str, cards: Sequence[LawCard], letters: tuple[str, ...], missing: str) -> ValidityTable:
    """Say of each law for which clips it is fit, with the tracker of some runs."""
    of_kind = {kind_of(card): card for card in cards}
    kinds = (*dict.fromkeys((*KINDS.values(), *of_kind)), FOOTAGE)
    rows = tuple(
        (f"{_LAWS}{law}", tuple(_fit_cell(of_kind.get(kind), law) for kind in kinds)) for law in LAWS
    )
    about = (
        f"For which clips laws are fit, with the tracker {source}. {RULES} A law that is blunt or has no "
        "threshold says little of clips that it does not call broken."
    )
    return ValidityTable(letters, about, kinds, rows, missing, of_words=True)


def _fit_cell(card: LawCard | None, law: str) -> Cell:
    if card is None:
        return Cell(UNMEASURED)
    found = law_fitness(card, law)
    if found.auc is None:
        return Cell(found.fitness)
    area = estimate_cell(found.auc)
    return Cell(f"{found.fitness}, AUC {area.value}", area.interval, str(found.n))


def _law_table(source: str, card: LawCard, letters: tuple[str, ...]) -> ValidityTable:
    """Give the numbers of a card; columns that it has nothing in are left out."""
    everyday = any(alarms.variety == EVERYDAY for alarms in card.alarms)
    reconstructed = any(alarms.look == RECONSTRUCTED for alarms in card.alarms)
    kinds = [("as drawn", "false alarms, drawn", "plain", "native")]
    if everyday:
        told = "in lawful everyday motion that the thresholds were not made from"
        kinds.append((told, "false alarms, everyday motion", "all but reconstructed", EVERYDAY))
    if reconstructed:
        told = "after the reference autoencoder"
        kinds.append((told, "false alarms, reconstructed", RECONSTRUCTED, "native"))
    drawn = [words for words, *_ in kinds]
    last = [f"and {drawn[-1]}"] if len(drawn) > 1 else drawn
    about = (
        f"Laws, with the tracker {source}: measured on {card.clips:,} clips of the {kind_of(card)}, with "
        f"seeds, colors, sizes and severities that were not used for the thresholds. AUC and found: for "
        f"violations of severity {MEDIUM:g}. False alarms: lawful clips that are said to break the law, "
        f"{', '.join(drawn[:-1] + last)}."
        f"{_RECONSTRUCTED if reconstructed else ''} A law applies only to clips of its kind, and only where "
        "the prompt's expect states it."
    )
    columns = ("applies to", "AUC", "found", *(column for _, column, *_ in kinds))
    looks = [(look, variety) for *_, look, variety in kinds]
    rows = tuple(_law_row(card, law, looks) for law in (*LAWS, ANY))
    return ValidityTable(letters, about, columns, rows)


def _thresholds(run: ScoredRun) -> set[str]:
    """Find the digests of the thresholds that a run was scored with."""
    return {
        str(score.evidence["thresholds"])
        for of_item in run.scores.values()
        for name, score in of_item.items()
        if name.startswith(_LAWS) and "thresholds" in score.evidence
    }


def _law_row(card: LawCard, law: str, kinds: Sequence[tuple[str, str]]) -> tuple[str, tuple[Cell, ...]]:
    wanted = (law, "plain", "native", MEDIUM)
    cell = next((c for c in card.cells if (c.law, c.look, c.variety, c.severity) == wanted), None)
    of_cell = (UNKNOWN, UNKNOWN)
    if cell is not None:
        of_cell = (_share_cell(cell.auc), _share_cell(cell.found))
    alarms = tuple(_alarms(card, law, look, variety) for look, variety in kinds)
    applies = Cell(APPLIES_TO.get(law, "every clip to which a law applies"))
    return f"{_LAWS}{law}", (applies, *of_cell, *alarms)


def _alarms(card: LawCard, law: str, look: str, variety: str) -> Cell:
    wanted = (law, look, variety)
    found: Alarms | None = next((a for a in card.alarms if (a.law, a.look, a.variety) == wanted), None)
    return UNKNOWN if found is None else _share_cell(found.rate)


def _skills(source: str, identity: Mapping[str, Any], runs: Sequence[ScoredRun]) -> list[ValidityTable]:
    letters = tuple(run.letter for run in runs)
    card = packaged_skills(identity)
    if card is None:
        missing = f"The package has no skills card for the tracker {source}."
        return [ValidityTable(letters, "", (), (), missing)]
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
    return [ValidityTable(letters, about, columns, tuple(rows))]


def _share_cell(estimate: Estimate) -> Cell:
    return page_cell(replace(estimate_cell(estimate), n=str(estimate.n)))
