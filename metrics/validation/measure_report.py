"""The validity card of measures in words: its Markdown, and what it says of each measure in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from ...harness.core.estimate import Estimate
from ...harness.core.templates import render_markdown
from .corruptions import CORRUPTIONS, SET_CORRUPTIONS
from .measure_card import FEWEST, Found, MeasureCard, MeasureRow

__all__ = ["COLUMNS", "SAYS", "measure_text", "summary_columns"]

_TEMPLATE: Final = Path(__file__).parent / "templates" / "measure_card.md.j2"
COLUMNS: Final = (
    "claimed and seen",
    "claimed and not seen",
    "not decided: too few",
    "sees besides",
    "blind to",
)
"""What `summary_columns` sorts corruptions into."""
SAYS: Final[dict[Found, str]] = {
    "seen": "claimed and seen",
    "faint": "seen against the same clip only",
    "opposite": "claimed, and moves the other way",
    "not seen": "claimed and not seen",
    "sees": "sees it, without a claim",
    "rewards": "rewards it",
    "moves": "moves with it",
    "blind": "blind",
    "unknown": "not decided: too few clips with a value",
}
"""What is found of a row, in words."""


def summary_columns(card: MeasureCard, measure: str) -> tuple[list[str], ...]:
    """Sort what a measure does into one list for each of `COLUMNS`.

    A claim that is seen only against the same clip's other copies is among those not seen, marked so. Nothing
    is decided of too few clips with a value; one phrase tells how many there are, and how many are needed.
    """
    seen: list[str] = []
    missed: list[str] = []
    besides: list[str] = []
    blind: list[str] = []
    few: dict[int, list[str]] = {}
    per = "sets" if card.measures[measure].per == "set" else "clips"
    for row in card.of(measure):
        if row.found == "seen":
            seen.append(row.corruption)
        elif row.found == "unknown":
            few.setdefault(row.rank.n, []).append(row.corruption)
        elif row.claimed is not None:
            how = {"faint": " (within a clip only)", "opposite": " (moves the other way)"}
            missed.append(row.corruption + how.get(row.found, ""))
        elif row.found in ("sees", "moves"):
            besides.append(row.corruption)
        elif row.found == "rewards":
            besides.append(f"{row.corruption} (rewarded)")
        elif row.found == "blind":
            blind.append(row.corruption)
    return seen, missed, _undecided(few, per), besides, blind


def _undecided(few: Mapping[int, Sequence[str]], per: str) -> list[str]:
    """Say in one phrase why nothing is decided of corruptions: how many clips or sets have a value of each.

    Example:
        >>> _undecided({2: ["loop"], 5: ["crf", "blur"]}, "clips")
        ['11 clips with a value are needed; loop has 2, crf and blur have 5']
    """
    short = [f"{_joined(names)} {n}" for n, names in few.items() if n < FEWEST]
    parts = [f"{FEWEST} {per} with a value are needed; {', '.join(short)}"] if short else []
    parts += [f"{_joined(names)} {n}, without an interval" for n, names in few.items() if n >= FEWEST]
    return ["; ".join(parts)] if parts else []


def _joined(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"{names[0]} has"
    return f"{', '.join(names[:-1])} and {names[-1]} have"


def measure_text(card: MeasureCard) -> str:
    """Write the card in Markdown."""
    return render_markdown(
        _TEMPLATE,
        card=card,
        kinds={**CORRUPTIONS, **SET_CORRUPTIONS},
        tried=list(dict.fromkeys(row.corruption for row in card.rows)),
        summaries={name: summary_columns(card, name) for name in card.measures},
        says=SAYS,
        columns=COLUMNS,
        fewest=FEWEST,
        rank=_rank,
        area=_area,
        reasons=_reasons,
    )


def _rank(row: MeasureRow) -> str:
    return _interval(row.rank, f" of {row.rank.n}")


def _area(estimate: Estimate) -> str:
    return _interval(estimate)


def _interval(estimate: Estimate, tail: str = "") -> str:
    if estimate.value is None:
        return ""
    text = f"{estimate.value:.2f}"
    if estimate.low is not None and estimate.high is not None:
        text += f" [{estimate.low:.2f}, {estimate.high:.2f}]"
    return text + tail


def _reasons(card: MeasureCard, measure: str) -> list[tuple[str, int]]:
    """Count the values that a measure did not give, by reason, over all corruptions."""
    total: dict[str, int] = {}
    for row in card.of(measure):
        for reason, count in row.rank.reasons.items():
            total[reason] = total.get(reason, 0) + count
    return sorted(total.items(), key=lambda one: (-one[1], one[0]))[:4]
