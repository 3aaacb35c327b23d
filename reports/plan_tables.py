"""Tables of plans and of power: what a policy needs, and what a comparison can show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..harness.core.counts import counted
from ..harness.core.presentation import MISSING, Cell, Content, Table, number, percent, sample_text

if TYPE_CHECKING:
    from ..harness.comparison.power import ComparisonPower
    from ..harness.gates.planning import GatePlan, RulePlan

__all__ = ["gate_plan_table", "power_table"]


def gate_plan_table(plan: GatePlan) -> Table:
    """Build the table of what each rule of a policy needs."""
    rows: list[tuple[Content, ...]] = []
    seeds = next((rule.seeds for rule in plan.rules if rule.seeds), None)
    steps = sorted({n for rule in plan.rules for n in rule.by_seeds})
    for rule in plan.rules:
        cells: list[Content] = [
            rule.rule + (" (only warns)" if rule.severity == "warn" else ""),
            rule.asks,
            _expected(rule),
            _count(rule.prompts),
        ]
        if steps:
            cells.append(
                " / ".join(_count(rule.by_seeds.get(n)) for n in steps) if rule.by_seeds else MISSING
            )
        if plan.suite:
            cells.append(Cell(_count(rule.there), _enough(rule)))
        rows.append(tuple(cells))
    of_seeds = "" if seeds is None else f", {counted(seeds, 'clip')} each"
    columns = ["rule", "asks", "if it is", f"prompts needed{of_seeds}"]
    if steps:
        columns.append(f"with {' / '.join(map(str, steps))} clips each")
    if plan.suite:
        columns.append(f"in {plan.suite}")
    of_rules = [f"{rule.rule}: {text}" for rule in plan.rules for text in (rule.reason, *rule.notes) if text]
    notes = [*plan.notes, *of_rules]
    after = f", from the pilot {plan.pilot}" if plan.pilot else ""
    against = f" against {plan.baseline}" if plan.baseline else ""
    sure = f"to pass with {percent(plan.power)} probability at {percent(plan.confidence)} confidence"
    return Table(f"{plan.policy}: prompts {sure}{after}{against}", tuple(columns), rows, tuple(notes))


def _enough(rule: RulePlan) -> str:
    if rule.enough is None:
        return ""
    if rule.enough:
        return "enough"
    few = rule.prompts is not None and rule.there is not None and rule.there < rule.prompts
    return "too few" if few else "undecided"


def _expected(rule: RulePlan) -> Content:
    if rule.expected is None:
        return MISSING
    told = {"pilot": "as the pilot", "given": "as expected", "no failure": "no clip fails"}
    return Cell(number(rule.expected, signed=rule.asks.startswith("no worse")), told[rule.expected_from])


def _count(count: int | None) -> str:
    return MISSING if count is None else f"{count:,}"


def power_table(found: ComparisonPower) -> Table:
    """Build the table of what a comparison can show."""
    rows: list[tuple[Content, ...]] = []
    for one in found.measures:
        share = "" if one.of_value is None else f"({percent(one.of_value)} of {found.a})"
        rows.append(
            (
                one.measure,
                sample_text(one.n, one.clusters),
                number(one.spread),
                Cell(number(one.detectable), share if one.detectable is not None else ""),
                number(one.effect, signed=True),
                _count(one.prompts),
            )
        )
    sure = f"with {percent(found.power)} probability at {percent(found.confidence)} confidence"
    columns = ("measure", "n (prompts)", "spread", "least difference shown", "to show", "takes prompts")
    notes = [f"{one.measure}: {one.reason}" for one in found.measures if one.reason]
    notes += [f"{one.measure}: {note}" for one in found.measures for note in one.notes]
    notes.append("counted by Student's t over prompts, if their differences keep their spread")
    return Table(f"{found.b} against {found.a}: what is shown {sure}", columns, rows, tuple(notes))
