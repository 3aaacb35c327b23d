"""Comparisons and verdicts, as text for the page."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..harness.comparison import prompts_moved
from ..harness.core.errors import UsageError
from ..harness.core.presentation import estimate_text
from .text import MINUS, number, p_value, typeset

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
    """One rule of a policy: its condition, its outcome and the sentence that explains it."""

    rule: str
    asks: str
    outcome: str
    waived: bool
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


def differences(comparison: Mapping[str, Any]) -> dict[tuple[str, str | None], DifferenceRow]:
    """Read the differences of a dumped `harness.comparison.Comparison`: (measure, tag) -> row."""
    found = [_difference(row) for row in comparison.get("differences", ())]
    return {(d.measure, d.tag): d for d in found}


def _difference(row: Mapping[str, Any]) -> DifferenceRow:
    value, low, high = (_finite(row.get(k)) for k in ("difference", "low", "high"))
    text, interval = map(typeset, estimate_text(value, low, high, signed=True))
    return DifferenceRow(
        measure=str(row["measure"]),
        tag=row.get("tag"),
        value=value,
        low=low,
        high=high,
        # Without a value nothing is better or worse, whatever the file says.
        mark=str(row.get("direction", "")) if value is not None else "",
        standing=_standing(row) if value is not None else "",
        text=text,
        interval=interval,
        n="" if value is None else f"n {row.get('n', 0)} ({row.get('clusters', 0)})",
        left_out=sum(int(part.get("items", 0)) for part in row.get("left_out", ())),
        method=_method(row),
        notes=tuple(row.get("notes", ())),
        why="" if value is not None else str(row.get("reason") or "no item has a value in both runs"),
    )


def _standing(row: Mapping[str, Any]) -> str:
    p, up, down = _finite(row.get("p")), row.get("prompts_up"), row.get("prompts_down")
    moved = prompts_moved(up, down, int(row.get("clusters", 0)), str(row.get("better", "")))
    return "" if p is None else ", ".join(part for part in (p_value(p), moved) if part)


def _method(row: Mapping[str, Any]) -> str:
    parts = [str(row.get("method") or "")]
    p, adjusted = _finite(row.get("p")), _finite(row.get("p_adjusted"))
    if p is not None:
        said = p_value(p) if adjusted is None else f"{p_value(p)}, {p_value(adjusted)} after Holm"
        parts.append(f"{row.get('test') or 'test'}: {said}")
    return "; ".join(part for part in parts if part and part != "none")


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


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
