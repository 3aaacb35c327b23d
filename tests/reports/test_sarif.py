"""Verdicts as SARIF: what a viewer of findings reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from screentest.harness.core.errors import UsageError
from screentest.reports.sarif import sarif, write_sarif

from .test_verdict_files import EVERY, rule, verdict


def results(log: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {result["ruleId"]: result for result in log["runs"][0]["results"]}


def test_every_rule_is_a_result_of_its_kind_and_level() -> None:
    log = sarif(EVERY, "release")
    assert log["version"] == "2.1.0"
    told = {name: (r["kind"], r["level"]) for name, r in results(log).items()}
    assert told == {
        "kept": ("pass", "none"),
        "broken": ("fail", "error"),
        "unsure": ("fail", "error"),
        "excused": ("fail", "error"),
        "watched": ("fail", "warning"),
    }
    assert results(log)["unsure"]["message"]["text"] == "cannot be decided: unsure is INCONCLUSIVE"
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert [rules[r["ruleIndex"]]["id"] for r in log["runs"][0]["results"]] == [r.rule for r in EVERY.rules]
    assert results(log)["kept"]["properties"]["bound"] == 0.05


def test_only_a_waiver_that_counts_suppresses_a_result() -> None:
    found = results(sarif(EVERY, "release"))
    assert [name for name, r in found.items() if "suppressions" in r] == ["excused"]
    assert found["excused"]["suppressions"][0]["justification"] == "kim until 2027-03-01: known"
    refused = verdict(rule("excused", "FAIL", waiver="kim until 2027-03-01: known"))
    assert "suppressions" not in results(sarif(refused, "release"))["excused"]


def test_a_finding_lies_on_the_line_of_its_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ci").mkdir()
    (tmp_path / "ci" / "mine.yaml").write_text(
        "name: mine\nversion: 1\nrules:\n  - {measure: kept, max: 0.1}\n  - measure: broken\n    max: 0.1\n"
    )
    found = results(sarif(EVERY, "ci/mine.yaml"))
    places = {name: r["locations"][0]["physicalLocation"] for name, r in found.items()}
    assert places["broken"] == {"artifactLocation": {"uri": "ci/mine.yaml"}, "region": {"startLine": 5}}
    assert places["kept"]["region"] == {"startLine": 4}
    assert places["unsure"]["region"] == {"startLine": 1}


def test_an_alert_is_the_same_in_the_next_version_of_the_policy_and_another_for_another_generator() -> None:
    def mark(**more: Any) -> str:
        (result,) = sarif(verdict(rule("a", "FAIL"), **more), "p")["runs"][0]["results"]
        return result["partialFingerprints"]["policyGeneratorRule/v1"]

    assert mark() == mark(policy="release v2", run="other")
    assert len({mark(), mark(generator="h"), mark(policy="ship v1")}) == 3


def test_the_file_is_written_whole_and_a_folder_in_its_place_is_one_sentence(tmp_path: Path) -> None:
    write_sarif(EVERY, "release", tmp_path / "new" / "v.sarif")
    assert json.loads((tmp_path / "new" / "v.sarif").read_text("utf-8")) == sarif(EVERY, "release")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["v.sarif"]
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match=r"the SARIF file .*folder cannot be written"):
        write_sarif(EVERY, "release", tmp_path / "folder")
