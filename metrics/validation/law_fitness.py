"""Which law is fit for which kind of clip, as the packaged cards measured it.

A law of physics is judged by what a tracker sees of a clip, so a card holds for one tracker and one kind of
clip. By its card a law is one of three:

- **fit**: it finds most violations of a medium severity, and ranks them above lawful clips with an AUC of at
  least 0.90;
- **blunt**: it has a threshold, and falls short of that;
- **none**: it has no threshold, as that would find less than half of the violations or too few clips show it.

The words follow from the card's estimates, and say nothing of their intervals, which stand beside them. For
other kinds of clips, footage among them, nothing was measured.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...harness.core.files import write_atomic
from ..laws.evaluation import LAWS
from ..laws.thresholds import ANY, FEWEST_FOUND
from .law_card import MEDIUM, Alarms, LawCard
from .law_trials import WORLD
from .packaged_cards import law_cards

if TYPE_CHECKING:
    from ...harness.core.estimate import Estimate

__all__ = [
    "BLUNT",
    "FIT",
    "FOOTAGE",
    "KINDS",
    "LEAST_AUC",
    "NONE",
    "RULES",
    "UNMEASURED",
    "LawFitness",
    "fitness_of",
    "kind_of",
    "law_fitness",
    "long_table",
    "numbers",
    "records",
    "share_of",
    "short_table",
    "tracker_of",
    "write_tables",
]

FIT, BLUNT, NONE = "fit", "blunt", "none"
UNMEASURED: Final = "not measured"
LEAST_AUC: Final = 0.90
_WORDS: Final = (FIT, BLUNT, NONE)
_END: Final = "<!-- /laws -->"
KINDS: Final = {WORLD: "reference world", "stage": "world stage"}
"""The kinds of clips that a card may be of: name of the world -> how it is written."""
FOOTAGE: Final = "footage"
RULES: Final = (
    f"Fit: it finds most violations of severity {MEDIUM:g}, and its AUC is at least {LEAST_AUC:.2f}. Blunt: "
    "it has a threshold and falls short of that. None: it has no threshold, as that would find less than "
    "half of the violations or too few clips show it."
)


@dataclass(frozen=True)
class LawFitness:
    """What a card says of one law.

    Attributes:
        fitness: `FIT`, `BLUNT` or `NONE`; for ``any`` empty, as it is of all laws together.
        n: violations of a medium severity to which the law applies.
        auc, found: of them; None where the law has no threshold.
        alarms: lawful clips of every family that are said to break the law.
        why: why it has no threshold, where the card says so.
    """

    law: str
    fitness: str
    n: int = 0
    auc: Estimate | None = None
    found: Estimate | None = None
    alarms: Alarms | None = None
    why: str = ""


def law_fitness(card: LawCard, law: str) -> LawFitness:
    """Say what a card makes of a law, or of ``any`` of them.

    Raises:
        KeyError: there is no such law.
    """
    alarms = next((a for a in card.alarms if (a.law, a.look, a.variety) == (law, "plain", "native")), None)
    if law == ANY:
        return LawFitness(law, "", alarms=alarms)
    if law not in LAWS:
        raise KeyError(law)
    wanted = (law, "plain", "native", MEDIUM)
    cell = next((c for c in card.cells if (c.law, c.look, c.variety, c.severity) == wanted), None)
    if cell is None:
        return LawFitness(law, NONE, why=card.missing.get(law, ""))
    return LawFitness(law, fitness_of(cell.auc, cell.found), cell.n, cell.auc, cell.found, alarms)


def fitness_of(auc: Estimate, found: Estimate) -> str:
    """Say whether what has a threshold is `FIT` or `BLUNT`, by its AUC and the share of faults it finds."""
    ranks = auc.value is not None and auc.value >= LEAST_AUC
    finds = found.value is not None and found.value > FEWEST_FOUND
    return FIT if ranks and finds else BLUNT


def kind_of(card: LawCard) -> str:
    """Name the kind of clips that a card is of."""
    world = str(card.settings.get("world", WORLD))
    return KINDS.get(world, world)


def tracker_of(card: LawCard) -> str:
    """Name the tracker that a card is of, with its version."""
    source = card.settings["source"]
    return " ".join(str(source[key]) for key in ("source", "version") if key in source)


def records(cards: Iterable[LawCard], law: str) -> list[dict[str, Any]]:
    """List what each card says of a law, for JSON: a mapping a card."""
    listed: list[dict[str, Any]] = []
    for card in cards:
        found = law_fitness(card, law)
        alarms = found.alarms
        listed.append(
            {
                "tracker": tracker_of(card),
                "clips": kind_of(card),
                "fitness": found.fitness or None,
                "violations": found.n,
                "auc": numbers(found.auc),
                "found": numbers(found.found),
                "lawful": 0 if alarms is None else alarms.n,
                "false_alarms": numbers(None if alarms is None else alarms.rate),
                "why": found.why or None,
                "text": f"{kind_of(card)}, tracker {tracker_of(card)}: {_brief(found)}",
            }
        )
    return listed


def short_table(cards: Sequence[LawCard]) -> str:
    """Write which laws are fit, blunt or without a threshold: Markdown, a row a card."""
    lines = ["| clips | tracker | fit | blunt | no threshold |", "|---|---|---|---|---|"]
    for card in cards:
        of_word = {word: [law for law in LAWS if law_fitness(card, law).fitness == word] for word in _WORDS}
        cells = (_laws(of_word[word]) for word in _WORDS)
        lines.append(f"| {kind_of(card)} | `{tracker_of(card)}` | {' | '.join(cells)} |")
    return "\n".join((*lines, f"| {FOOTAGE} | any | {' | '.join([UNMEASURED] * 3)} |"))


def long_table(card: LawCard) -> str:
    """Write what a card says of each law, fit ones first: Markdown."""
    found = [law_fitness(card, law) for law in LAWS]
    columns = ("law", "", "n", "AUC", "found", "false alarms, lawful clips of all families")
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    for one in sorted(found, key=lambda f: _WORDS.index(f.fitness)):
        if one.auc is None or one.found is None:
            lines.append(f"| {one.law} | {one.fitness} | | | | |")
            continue
        alarms = "-" if one.alarms is None else _rate(one.alarms)
        cells = (one.law, one.fitness, str(one.n), _interval(one.auc), share_of(one.found), alarms)
        lines.append(f"| {' | '.join(cells)} |")
    every = law_fitness(card, ANY).alarms
    return "\n".join((*lines, f"| {ANY} | | | | | {'-' if every is None else _rate(every)} |"))


def _laws(names: Sequence[str]) -> str:
    return f"all {len(LAWS)}" if len(names) == len(LAWS) else ", ".join(names) or "-"


def _brief(found: LawFitness) -> str:
    if found.auc is None or found.found is None or found.alarms is None:
        return found.fitness
    area = "-" if found.auc.value is None else f"{found.auc.value:.2f}"
    alarms = f"{found.alarms.alarms} of {found.alarms.n}"
    return f"{found.fitness}, AUC {area}, finds {share_of(found.found)}, false alarms {alarms}"


def numbers(estimate: Estimate | None) -> dict[str, float | None] | None:
    """Give a value and its interval, for JSON."""
    if estimate is None:
        return None
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def _interval(estimate: Estimate) -> str:
    if estimate.value is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.2f}"
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"


def share_of(estimate: Estimate) -> str:
    """Write a share by its counts.

    Example:
        >>> from screentest.harness.core.estimate import Estimate
        >>> share_of(Estimate(value=0.75, low=None, high=None, confidence=0.95, n=8, method="none"))
        '6 of 8'
    """
    return "-" if estimate.value is None else f"{round(estimate.value * estimate.n)} of {estimate.n}"


def _rate(alarms: Alarms) -> str:
    rate = alarms.rate
    if not alarms.alarms or rate.value is None or rate.low is None or rate.high is None:
        return f"{alarms.alarms} of {alarms.n}"
    return f"{100 * rate.value:.1f} % [{100 * rate.low:.1f}, {100 * rate.high:.1f}] of {alarms.n}"


def write_tables(text: str) -> str:
    """Write the tables of the packaged cards into a page, between the marks that say where they go.

    The marks are ``<!-- laws -->`` for the short table of all cards, and ``<!-- laws: WORLD -->`` for the
    long one of the card of a world; a table ends at ``<!-- /laws -->``.
    """
    cards = law_cards()
    tables = {"": short_table(cards)}
    tables |= {f": {card.settings.get('world', WORLD)}": long_table(card) for card in cards}
    for name, table in tables.items():
        begin = f"<!-- laws{name} -->\n"
        before, found, rest = text.partition(begin)
        if found:
            _, end, after = rest.partition(_END)
            text = f"{before}{begin}{table}\n{end}{after}"
    return text


def main(pages: Sequence[str]) -> None:
    """Write the tables of the packaged cards into pages; see `write_tables`."""
    for page in map(Path, pages):
        write_atomic(page, write_tables(page.read_text("utf-8")))


if __name__ == "__main__":
    main(sys.argv[1:])
