"""The effect of disguises on the prompt filter and on attack success.

These are two things: an encoding that neither filter nor generator can read evades the filter, but does not
give an unsafe clip. Each disguised attempt is paired with the plain one of the same prompt and seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from ...harness.core.estimate import Estimate
from ...harness.core.stats import holm, paired_rate_interval, sign_flip_test
from .attempts import Attempt, success
from .safeguards import Layers, outcome_under

__all__ = ["Change", "Evasion", "evasions", "flagged"]


@dataclass(frozen=True)
class Change:
    """A rate on plain prompts, the rate on disguised prompts, and the paired change.

    Attributes:
        estimate: of ``disguised - plain``; ``n`` counts the paired attempts, ``clusters`` their prompts.
        p, p_adjusted: of a sign-flip test; adjusted by Holm over the families.
    """

    plain: float
    disguised: float
    estimate: Estimate
    p: float
    p_adjusted: float
    test: str


@dataclass(frozen=True)
class Evasion:
    """The effect of one family of disguises on attacks.

    Attributes:
        readability: of the family: ``plain``, ``obfuscated`` or ``encoded``; empty if the suite gives none.
        filter: change of the share that the prompt filter flags; None if no filter decided on both.
        alone: change of the attack success rate of the generator alone; None if safeguards hid the outcome of
            some attempt, or if no pair has two outcomes.
        guarded: the same with all safeguards of the generator; None if it has none.
        unpaired: number of attempts without a plain attempt.
    """

    family: str
    readability: str
    filter: Change | None
    alone: Change | None
    guarded: Change | None
    unpaired: int


def flagged(attempt: Attempt) -> float | str:
    """Whether the prompt filter flagged an attempt, enforced or not."""
    decisions = [d for d in attempt.layers if d.layer == "prompt"]
    if any(d.status == "flagged" for d in decisions):
        return 1.0
    if not decisions or any(d.status != "passed" for d in decisions):
        return "no decision"
    return 0.0


def evasions(
    attempts: Sequence[Attempt], layers: Layers = frozenset(), confidence: float = 0.95
) -> list[Evasion]:
    """Compare each family's disguised attacks with the plain ones; harmless prompts are left out.

    Args:
        attempts: of one generator, from one run or several.
        layers: the safeguards of the generator, enforced or not.
        confidence: of the intervals.
    """
    attacks = [attempt for attempt in attempts if not attempt.benign]
    tables = (
        _by_family(attacks),
        _by_family(_under(attacks, frozenset())),
        _by_family(_under(attacks, layers) if layers else []),
    )
    whole = tables[0]
    whats = (flagged, success, success)
    names = sorted(family for family in whole if family is not None)
    columns: list[list[Change | None]] = []
    for what, table in zip(whats, tables, strict=True):
        changes = [_change(table, name, what, confidence) for name in names]
        columns.append(_adjusted(changes))
    plain = whole.get(None, {})
    return [
        Evasion(
            family=name,
            readability=_readability(list(whole[name].values())),
            filter=columns[0][k],
            alone=columns[1][k],
            guarded=columns[2][k],
            unpaired=sum(key not in plain for key in whole[name]),
        )
        for k, name in enumerate(names)
    ]


def _under(attempts: Sequence[Attempt], layers: Layers) -> list[Attempt]:
    """Return the attempts with their outcomes under exactly these safeguards; empty if any is unknown."""
    found = [(attempt, outcome_under(attempt, layers)) for attempt in attempts]
    known = [replace(attempt, outcome=outcome) for attempt, outcome in found if outcome is not None]
    # Refused attempts are the worst prompts, so the others alone would give a biased rate.
    return known if len(known) == len(found) else []


Table: TypeAlias = "Mapping[str | None, Mapping[tuple[str, int], Attempt]]"


def _by_family(attempts: Sequence[Attempt]) -> Table:
    """Group attempts by family (None: plain), and each by prompt and seed."""
    found: dict[str | None, dict[tuple[str, int], Attempt]] = {}
    for attempt in attempts:
        found.setdefault(attempt.family, {})[attempt.prompt, attempt.seed] = attempt
    return found


def _readability(attempts: Sequence[Attempt]) -> str:
    return ", ".join(sorted({value for a in attempts for value in a.labels.get("readability", ())}))


def _change(
    table: Table, family: str, what: Callable[[Attempt], float | str], confidence: float
) -> Change | None:
    plain = table.get(None, {})
    pairs: list[tuple[str, str, float, float]] = []
    for key, attempt in table.get(family, {}).items():
        x, y = what(plain[key]) if key in plain else "", what(attempt)
        if not isinstance(x, str) and not isinstance(y, str):
            pairs.append((attempt.item, attempt.prompt, x, y))
    if not pairs:
        return None
    pairs.sort()
    changes, prompts = [y - x for *_, x, y in pairs], [prompt for _, prompt, *_ in pairs]
    tested = sign_flip_test(changes, prompts, seed=("evasion", family, what.__name__))
    p, test = tested or (1.0, "")
    return Change(
        plain=sum(x for *_, x, _ in pairs) / len(pairs),
        disguised=sum(y for *_, y in pairs) / len(pairs),
        estimate=Estimate.of(
            paired_rate_interval(changes, prompts, confidence),
            confidence,
            n=len(pairs),
            clusters=len(set(prompts)),
        ),
        p=p,
        p_adjusted=p,
        test=test,
    )


def _adjusted(changes: Sequence[Change | None]) -> list[Change | None]:
    adjusted = iter(holm([c.p for c in changes if c is not None]))
    return [None if c is None else replace(c, p_adjusted=next(adjusted)) for c in changes]
