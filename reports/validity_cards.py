"""How far the probes behind a page's scores can be trusted, read from the validity cards of the package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from ..metrics.laws.evaluation import LAWS
from ..metrics.laws.thresholds import ANY
from ..metrics.validation.law_card import MEDIUM, Alarms, LawCard
from ..metrics.validation.packaged_cards import packaged_card, packaged_skills
from ..metrics.validation.trial_clips import RECONSTRUCTED
from .text import DASH, estimate

if TYPE_CHECKING:
    from ..harness.core.run_data import Score

__all__ = ["Told", "TrustTable", "trust_tables"]

_LAWS: Final = "physics."
_SKILLS: Final = "follows."


@dataclass(frozen=True)
class Told:
    """A share with its interval and n as text; a dash where nothing is known."""

    value: str = DASH
    interval: str = ""
    n: str = ""


@dataclass(frozen=True)
class TrustTable:
    """What a card says of the measures of some runs, a row a measure; without a card, ``missing`` says so."""

    letters: tuple[str, ...]
    about: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Told, ...]], ...]
    missing: str = ""


class Probed(Protocol):
    """What is read of a run."""

    @property
    def letter(self) -> str:
        """Its letter on the page."""
        ...

    @property
    def measures(self) -> Mapping[str, Mapping[str, Any]]:
        """The measures that were taken."""
        ...

    @property
    def scores(self) -> Mapping[str, Mapping[str, Score]]:
        """Item -> measure -> score."""
        ...


def trust_tables(runs: Sequence[tuple[Probed, Mapping[str, Any]]]) -> list[TrustTable]:
    """Lay out a table for the laws, and one for the skills, of each source of tracks.

    Args:
        runs: each with the record of what it was made with.
    """
    tables: list[TrustTable] = []
    for prefix, table in ((_LAWS, _laws), (_SKILLS, _skills)):
        of_source: dict[str, tuple[Mapping[str, Any], list[Probed]]] = {}
        for run, record in runs:
            identity = _identity(record)
            if identity is not None and any(name.startswith(prefix) for name in run.measures):
                name = " ".join(str(identity[key]) for key in ("source", "version") if key in identity)
                of_source.setdefault(name, (identity, []))[1].append(run)
        tables += [table(name, identity, part) for name, (identity, part) in of_source.items()]
    return tables


def _identity(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    encoder = (record.get("encoders") or {}).get("tracks")
    return encoder.get("identity") if isinstance(encoder, Mapping) else None


def _laws(source: str, identity: Mapping[str, Any], runs: Sequence[Probed]) -> TrustTable:
    letters = tuple(run.letter for run in runs)
    card = packaged_card(identity)
    if card is None:
        missing = (
            f"No validity card for tracks of the source {source} comes with the package, so that it is not "
            "known how often these probes are wrong; 'screentest validate --probes' measures it."
        )
        return TrustTable(letters, "", (), (), missing)
    digest = str(card.settings["thresholds"]["digest"])[:12]
    others = sorted({found for run in runs for found in _thresholds(run)} - {digest})
    missing = (
        f"The scores are by the thresholds {', '.join(others)}, and the card is of {digest}."
        if others
        else ""
    )
    about = (
        f"Laws, by tracks of the source {source}: measured on {card.clips:,} clips of the reference world, "
        f"with seeds, colors, sizes and severities that no threshold has seen. AUC and found: of violations "
        f"of severity {MEDIUM:g}. False alarms: lawful clips that are said to break the law, as drawn, and "
        "after the reference autoencoder: the floor up to which a rate above says nothing of a generator."
    )
    columns = ("AUC", "found", "false alarms, drawn", "false alarms, reconstructed")
    return TrustTable(letters, about, columns, tuple(_law_row(card, law) for law in (*LAWS, ANY)), missing)


def _thresholds(run: Probed) -> set[str]:
    """Find the digests of the thresholds by which a run was scored."""
    return {
        str(score.evidence["thresholds"])
        for of_item in run.scores.values()
        for name, score in of_item.items()
        if name.startswith(_LAWS) and "thresholds" in score.evidence
    }


def _law_row(card: LawCard, law: str) -> tuple[str, tuple[Told, ...]]:
    wanted = (law, "plain", "native", MEDIUM)
    cell = next((c for c in card.cells if (c.law, c.look, c.variety, c.severity) == wanted), None)
    of_cell = (Told(), Told())
    if cell is not None:
        of_cell = (
            _told(cell.auc.value, cell.auc.low, cell.auc.high, cell.n),
            _told(cell.found.value, cell.found.low, cell.found.high, cell.n),
        )
    alarms = tuple(_alarms(card, law, look) for look in ("plain", RECONSTRUCTED))
    return f"{_LAWS}{law}", (*of_cell, *alarms)


def _alarms(card: LawCard, law: str, look: str) -> Told:
    wanted = (law, look, "native")
    found: Alarms | None = next((a for a in card.alarms if (a.law, a.look, a.variety) == wanted), None)
    return Told() if found is None else _told(found.rate.value, found.rate.low, found.rate.high, found.n)


def _skills(source: str, identity: Mapping[str, Any], runs: Sequence[Probed]) -> TrustTable:
    letters = tuple(run.letter for run in runs)
    card = packaged_skills(identity)
    if card is None:
        missing = f"No card of the skills for tracks of the source {source} comes with the package."
        return TrustTable(letters, "", (), (), missing)
    about = (
        f"Skills, by tracks of the source {source}: how often each says yes of true clips by a prompt that "
        "they follow (1 is right), of what the reference autoencoder leaves of such clips, and of true clips "
        "by a prompt about them that they do not follow (0 is right)."
    )
    kinds = (("kept", "plain"), ("kept", RECONSTRUCTED), ("turned", "plain"))
    columns = ("yes if followed, drawn", "yes if followed, reconstructed", "yes if not followed")
    rows: list[tuple[str, tuple[Told, ...]]] = []
    for skill in dict.fromkeys(row.skill for row in card.rows):
        found = [card.get(skill, asked, looks) for asked, looks in kinds]
        told = tuple(Told() if row is None else _told(row.yes, row.low, row.high, row.n) for row in found)
        rows.append((f"{_SKILLS}{skill}", told))
    return TrustTable(letters, about, columns, tuple(rows))


def _told(value: float | None, low: float | None, high: float | None, n: int) -> Told:
    text, interval = estimate(value, low, high)
    return Told(text, interval, str(n))
