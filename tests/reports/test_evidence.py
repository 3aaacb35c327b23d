from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from screentest.harness.comparison.compare import Difference
from screentest.harness.core.errors import UsageError
from screentest.harness.gates.rule_results import RuleResult
from screentest.reports.evidence import differences, read_verdicts, verdict_view

PLAN = "1" * 64


def _differing(**fields: Any) -> list[Difference]:
    base: dict[str, Any] = {
        "measure": "motion.jerk", "kind": "mean", "better": "lower", "unit": "", "confidence": 0.95,
        "direction": "worse", "difference": 1.5, "low": 0.5, "high": 2.5, "n": 8, "clusters": 4,
    }  # fmt: skip
    return [Difference.model_validate({**base, **fields})]


def test_a_difference_is_laid_out_with_its_test() -> None:
    found = differences(_differing(p=0.01, p_adjusted=0.04, test="sign flips", method="bootstrap"))
    row = found["motion.jerk", None]
    assert (row.text, row.interval, row.mark, row.n) == ("+1.5", "[+0.5, +2.5]", "worse", "n 8 (4)")
    assert row.method == "bootstrap; sign flips: p = 0.01, p = 0.04 after Holm"


def test_difference_without_a_value_is_neither_better_nor_worse() -> None:
    row = differences(_differing(difference=None, low=None, high=None, reason="other encoders"))[
        "motion.jerk", None
    ]
    assert (row.text, row.mark, row.interval, row.n) == ("—", "", "", "")
    assert row.why == "other encoders"


def _rule(**fields: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "rule": "r", "measure": "m", "tag": None, "asks": "at most 1", "outcome": "FAIL", "limit": 1.0,
        "confidence": 0.95,
    }  # fmt: skip
    return RuleResult.model_validate({**base, **fields}).model_dump(mode="json")


def test_rule_is_read_from_the_models_own_dump() -> None:
    verdict = {"verdict": "PASS", "plan": PLAN, "rules": [_rule(value=2.0, n=3, waiver="kim until 2027")]}
    view = verdict_view(verdict, PLAN)
    rule = view.rules[0]
    assert (view.verdict, view.stale) == ("PASS", "")
    assert (rule.outcome, rule.waived, rule.asks) == ("fail", True, "at most 1")
    assert {("value", "2.00"), ("limit", "1")} <= set(rule.numbers)
    assert ("limit", "1") in rule.numbers
    assert "bound" not in dict(rule.numbers)  # there is none


@pytest.mark.parametrize("word", ["pass", "OK", "", "PASS "])
def test_unknown_word_is_never_a_pass(word: str) -> None:
    assert verdict_view({"verdict": word}, PLAN).verdict == "INCONCLUSIVE"


def test_stale_verdict_is_never_a_pass() -> None:
    view = verdict_view({"verdict": "PASS", "plan": "2" * 64}, PLAN)
    assert view.verdict == "INCONCLUSIVE"
    assert "222222222222" in view.stale


@pytest.mark.parametrize("content", ["", "{", "[]", '{"rules": []}'])
def test_damaged_verdict_is_one_sentence(tmp_path: Path, content: str) -> None:
    assert read_verdicts(tmp_path) == []
    (tmp_path / "verdict.json").write_text(content)
    with pytest.raises(UsageError, match="gate"):
        read_verdicts(tmp_path)
