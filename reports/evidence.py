"""Comparisons and verdicts, as text for the page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..harness.core.errors import UsageError
from .tables import difference_cell, standing_text
from .text import MINUS, number, p_value, page_cell

if TYPE_CHECKING:
    from ..harness.comparison.result import Difference

__all__ = ["DifferenceRow", "RuleView", "VerdictView", "differences", "read_verdicts", "verdict_view"]


@dataclass(frozen=True)
class DifferenceRow:
    """A paired difference, second run minus first, as text and as numbers for the chart.

    Attributes:
        mark: how the second run compares with the first: ``better``, ``worse``, ``no difference shown`` ...;
            empty if there is no difference.
        standing: p of the test, and how many prompts moved the way that most of them did.
        left_out: items without a value in both runs.
        why: why there is no value.
    """

    measure: str
    tag: str | None
    value: float | None
    low: float | None
    high: float | None
    mark: str
    standing: str
    text: str
    interval: str
    n: str
    left_out: int
    method: str
    notes: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class RuleView:
    """One rule of a policy: its condition, its outcome and the sentence that explains it.

    Attributes:
        warns: whether the rule only warns: its outcome does not change the verdict.
    """

    rule: str
    asks: str
    outcome: str
    waived: bool
    warns: bool
    sentence: str
    numbers: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class VerdictView:
    """A verdict on a run; ``stale`` says why it does not apply to the run's current state, else empty."""

    verdict: str
    sentence: str
    stale: str
    policy: str
    waived: tuple[str, ...]
    rules: tuple[RuleView, ...]
    more: tuple[tuple[str, str], ...]


def differences(comparison: Iterable[Difference]) -> dict[tuple[str, str | None], DifferenceRow]:
    """Lay out the differences of two runs: (measure, tag) -> row."""
    return {(row.measure, row.tag): _difference(row) for row in comparison}


def _difference(row: Difference) -> DifferenceRow:
    cell, there = page_cell(difference_cell(row)), row.value is not None
    return DifferenceRow(
        measure=row.measure,
        tag=row.tag,
        value=row.value,
        low=row.low,
        high=row.high,
        mark=row.direction if there else "",
        standing=standing_text(row) if there else "",
        text=cell.value,
        interval=cell.interval,
        n=f"n {cell.n}" if there else "",
        left_out=sum(part.items for part in row.unpaired),
        method=_method(row),
        notes=row.notes,
        why="" if there else row.reason or "no item has a value in both runs",
    )


def _method(row: Difference) -> str:
    parts = [row.method]
    if row.p is not None:
        adjusted = (
            "" if row.p_adjusted is None else f", {p_value(row.p_adjusted)} after {row.adjusted_by or 'Holm'}"
        )
        parts.append(f"{row.test or 'test'}: {p_value(row.p)}{adjusted}")
    return "; ".join(part for part in parts if part and part != "none")


def read_verdicts(folder: Path) -> list[Mapping[str, Any]]:
    """Read a run's verdicts: the newest, ``verdict.json``, and then the others in ``verdicts/`` by name.

    Raises:
        UsageError: a file is damaged.
    """
    paths = (folder / "verdict.json", *sorted((folder / "verdicts").glob("*.json")))
    found = [_read_verdict(path) for path in paths if path.is_file()]
    return [one for number, one in enumerate(found) if one not in found[:number]]


def _read_verdict(path: Path) -> Mapping[str, Any]:
    try:
        verdict = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read as a verdict ({error}); run 'screentest gate' again"
        ) from None
    if not isinstance(verdict, dict) or "verdict" not in verdict:
        raise UsageError(f"{path} is not a verdict; run 'screentest gate' again")
    return verdict


def verdict_view(verdict: Mapping[str, Any], plan: str, run_digest: str | None = None) -> VerdictView:
    """Describe a verdict on the run of ``plan``, whose digest is ``run_digest`` if it has one.

    A verdict on another plan or on other scores, or with an unknown outcome, is shown as INCONCLUSIVE: it is
    not a pass.
    """
    word = str(verdict.get("verdict", ""))
    of_plan = verdict.get("plan")
    stale = ""
    if of_plan is not None and of_plan != plan:
        stale = f"This verdict ({word}) is of plan {str(of_plan)[:12]}, not of this run; gate it again."
    elif verdict.get("run_digest") is not None and verdict["run_digest"] != run_digest:
        stale = f"The run was scored again after this verdict ({word}); gate it again."
    shown = {"schema_version", "verdict", "sentence", "policy", "rules"}
    rules: Sequence[Mapping[str, Any]] = verdict.get("rules", ())
    return VerdictView(
        verdict=word if word in ("PASS", "FAIL") and not stale else "INCONCLUSIVE",
        sentence=str(verdict.get("sentence", "")),
        stale=stale,
        policy=str(verdict.get("policy", "")),
        waived=tuple(map(str, verdict.get("waived") or ())),
        rules=tuple(_rule(rule) for rule in rules),
        more=tuple(
            (key.replace("_", " "), _given(value) if key in _GIVEN else _said(value))
            for key, value in verdict.items()
            if key not in shown and value not in (None, [], ())
        ),
    )


_GIVEN = ("limit", "confidence", "effective_n")
_RULE_NUMBERS = ("value", "bound", "limit", "n", "clusters", "effective_n", "needed", "left_out", "method")


def _rule(rule: Mapping[str, Any]) -> RuleView:
    return RuleView(
        rule=str(rule.get("rule") or rule.get("measure", "")),
        asks=str(rule.get("asks", "")),
        outcome=str(rule.get("outcome", "")).lower(),
        waived=bool(rule.get("waiver")),
        warns=rule.get("severity") == "warn",
        sentence=str(rule.get("sentence", "")),
        numbers=tuple(
            ("prompts" if key == "clusters" else key.replace("_", " "), said)
            for key in _RULE_NUMBERS
            if rule.get(key) is not None
            and (said := _given(rule[key]) if key in _GIVEN else _said(rule[key]))
        ),
    )


def _said(value: Any) -> str:
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        return "; ".join(f"{k}: {_said(v)}" for k, v in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return "; ".join(_said(v) for v in value)
    return str(value)


def _given(value: Any) -> str:
    """Write a number that is given, such as a limit, as it is; more digits than four are of no use."""
    return f"{value:.4g}".replace("-", MINUS) if isinstance(value, float) else str(value)
