"""Verdicts as JUnit XML and as Markdown, and the workflow of the page about CI with its real commands."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from screentest.harness.core.errors import UsageError
from screentest.harness.core.media import write_clip
from screentest.harness.gates.gate import RuleResult, Verdict
from screentest.reports.verdict_files import append_markdown, junit, markdown, write_junit

PAGE = Path(__file__).parents[2] / "docs" / "ci.md"


def rule(name: str, outcome: str, **more: Any) -> RuleResult:
    fields = {
        "rule": name,
        "measure": name,
        "tag": None,
        "asks": "at most 0.1",
        "limit": 0.1,
        "confidence": 0.95,
    }
    return RuleResult.model_validate(
        {**fields, "outcome": outcome, "sentence": f"{name} is {outcome}", **more}
    )


def verdict(*rules: RuleResult, **more: Any) -> Verdict:
    fields = {
        "verdict": "FAIL", "sentence": "no release", "policy": "release v1", "policy_digest": "ab" * 32,
        "confidence": 0.95, "run": "night", "suite": "s v1", "generator": "g", "plan": "cd" * 32,
        "baseline": None, "baseline_plan": None, "run_digest": "ef" * 32, "date": date(2027, 1, 15),
        "waived": (), "rules": rules,
    }  # fmt: skip
    return Verdict.model_validate({**fields, **more})


EVERY = verdict(
    rule("kept", "PASS", value=0.0, bound=0.05, n=60, clusters=60),
    rule("broken", "FAIL", value=0.4),
    rule("unsure", "INCONCLUSIVE"),
    rule("excused", "FAIL", waiver="kim until 2027-03-01: known"),
    rule("watched", "FAIL", severity="warn"),
    waived=("excused",),
)


def test_each_outcome_of_a_rule_has_its_own_mark_in_junit() -> None:
    top = ET.fromstring(junit(EVERY))
    assert {k: top.get(k) for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "5", "failures": "1", "errors": "1", "skipped": "2",
    }  # fmt: skip
    marks = {
        str(case.get("name")).split(":")[0]: [(one.tag, one.get("message")) for one in case]
        for case in top.iter("testcase")
    }
    assert marks["kept"] == [("system-out", None)]
    assert marks["broken"] == [("failure", "broken is FAIL")]
    assert marks["unsure"] == [("error", "unsure is INCONCLUSIVE")]
    assert marks["excused"] == [
        ("skipped", "failed and waived by kim until 2027-03-01: known: excused is FAIL")
    ]
    assert marks["watched"] == [("skipped", "warning only, FAIL: watched is FAIL")]
    properties = {str(one.get("name")): one.get("value") for one in top.iter("property")}
    assert properties["verdict"] == "FAIL"
    assert properties["run_digest"] == "ef" * 32
    assert properties["waived"] == "excused"


def test_markup_and_control_characters_stay_text() -> None:
    nasty = 'a <script> & "\x1b[31m" ]]> \x00 | `x` *b*'
    found = verdict(rule(nasty, "FAIL", sentence=nasty), run=nasty)
    (case,) = ET.fromstring(junit(found)).iter("testcase")
    assert str(case.get("name")).startswith('a <script> & "\\x1b[31m" ]]> \\x00 |')
    told = markdown(found)
    assert "<script>" not in told.replace("\\<script\\>", "")
    row = next(line for line in told.splitlines() if line.startswith("| a "))
    assert len(re.findall(r"(?<!\\)\|", row)) == 8  # seven columns


def test_markdown_has_a_row_a_rule_and_appends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "summary.md"
    append_markdown(EVERY, path)
    append_markdown(EVERY, path)
    text = path.read_text()
    assert text.count("### ❌ FAIL: release v1 on night") == 2
    assert text.count("| excused | at most 0.1 | FAIL (waived) |") == 2


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for write, what in ((write_junit, "JUnit file"), (append_markdown, "summary")):
        with pytest.raises(UsageError, match=f"the {what} .* cannot be written"):
            write(EVERY, tmp_path / "file" / "x")


def blocks(language: str) -> list[Any]:
    return [
        yaml.safe_load(found) for found in re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.S)
    ]


def test_the_workflow_of_the_page_works_as_shown(tmp_path: Path) -> None:
    workflow, suite, policy = blocks("yaml")
    (tmp_path / "suite.yaml").write_text(yaml.safe_dump(suite))
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy))
    (tmp_path / "samples").mkdir()
    wave = 120 + 60 * np.sin(np.arange(64) / 64 * 2 * np.pi)
    for k in range(12):
        rows = np.stack([np.roll(wave, t + 5 * k) for t in range(16)]).astype(np.uint8)
        frames = np.broadcast_to(rows[:, None, :, None], (16, 64, 64, 3)).copy()
        write_clip(tmp_path / "samples" / f"{k}.mp4", frames, 8.0)
    job = workflow["jobs"]["gate"]
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    code = "import sys; from screentest.harness.commands.main import run_cli; sys.exit(run_cli(sys.argv[1:]))"
    (bin_folder / "screentest").write_text(f"#!/bin/sh\nexec {sys.executable} -c '{code}' \"$@\"\n")
    (bin_folder / "screentest").chmod(0o755)
    summary = tmp_path / "summary.md"
    environment = {
        **os.environ,
        **job["env"],
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(summary),
    }
    steps = [step for step in job["steps"] if str(step.get("run", "")).startswith("screentest ")]
    assert [step["name"] for step in steps] == ["Score", "Gate", "Page"]
    bash = shutil.which("bash")
    assert bash is not None
    for step in steps:
        done = subprocess.run(
            [bash, "-e", "-c", step["run"]], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    top = ET.fromstring((tmp_path / "runs" / "verdict.xml").read_text())
    assert (top.get("tests"), top.get("failures"), top.get("errors")) == ("2", "0", "0")
    kept = json.loads((tmp_path / "runs" / "candidate" / "verdict.json").read_text())
    properties = {str(one.get("name")): one.get("value") for one in top.iter("property")}
    assert properties["run_digest"] == kept["run_digest"]
    assert "### ✅ PASS: samples v1 on candidate" in summary.read_text()
    assert (tmp_path / "runs" / "report.html").is_file()
