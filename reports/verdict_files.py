"""A verdict in the formats of CI systems: JUnit XML, and Markdown for a job's summary.

JUnit has no word for most of what a rule can come to, so it is told as what a CI system shows next to it::

    passed                       a test that passed
    failed                       a failure
    undecided                    an error: it is not a pass, and a larger run may decide it
    failed, and waived           a skipped test, with who waived it and until when
    severity warn, not passed    a skipped test, with what was found

Markdown is GitHub's: https://docs.github.com/actions, "Adding a job summary".
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from ..harness.core.errors import UsageError
from ..harness.core.files import write_atomic
from ..harness.core.presentation import Content
from ..harness.core.text import printable
from ..harness.gates.gate import RuleResult, Verdict
from .tables import verdict_table

__all__ = ["append_markdown", "junit", "markdown", "write_junit"]

_MARK = {"PASS": "✅", "FAIL": "❌", "INCONCLUSIVE": "❔"}
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")


def junit(verdict: Verdict) -> str:
    """Write a verdict as a JUnit test suite: a test for each rule.

    Example of a rule that passed::

        <testcase classname="release v1" name="refusal.rate: at most 0.1">...</testcase>
    """
    cases = [_case(verdict, rule) for rule in verdict.rules]
    kinds = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    counts = {name: sum(case.find(tag) is not None for case in cases) for name, tag in kinds.items()}
    totals = {name: str(count) for name, count in {"tests": len(cases), **counts}.items()}
    top = ET.Element("testsuites", {"name": "screentest", **totals})
    suite = ET.SubElement(
        top, "testsuite", {"name": printable(f"{verdict.policy} on {verdict.run}"), **totals}
    )
    properties = ET.SubElement(suite, "properties")
    for name in ("verdict", "policy_digest", "run_digest", "baseline_digest", "plan", "generator", "suite"):
        value = getattr(verdict, name)
        if value is not None:
            ET.SubElement(properties, "property", {"name": name, "value": printable(str(value))})
    if verdict.waived:
        ET.SubElement(
            properties, "property", {"name": "waived", "value": printable(", ".join(verdict.waived))}
        )
    suite.extend(cases)
    ET.SubElement(suite, "system-out").text = printable(verdict.sentence)
    ET.indent(top)
    return ET.tostring(top, encoding="unicode", xml_declaration=True) + "\n"


def _case(verdict: Verdict, rule: RuleResult) -> ET.Element:
    case = ET.Element(
        "testcase", {"classname": printable(verdict.policy), "name": printable(f"{rule.rule}: {rule.asks}")}
    )
    told = printable(rule.sentence)
    if rule.outcome == "PASS":
        ET.SubElement(case, "system-out").text = told
    elif rule.severity == "warn":
        ET.SubElement(case, "skipped", {"message": f"warning only, {rule.outcome}: {told}"})
    elif rule.outcome == "FAIL" and rule.waiver is not None:
        ET.SubElement(case, "skipped", {"message": f"failed and waived by {printable(rule.waiver)}: {told}"})
    else:
        tag = "failure" if rule.outcome == "FAIL" else "error"
        ET.SubElement(case, tag, {"type": rule.outcome, "message": told})
    return case


def markdown(verdict: Verdict) -> str:
    """Write a verdict as a section of GitHub's Markdown: the outcome, why, and a table of the rules."""
    table = verdict_table(verdict)
    rows = [table.columns, ["---"] * len(table.columns), *([_cell(c) for c in row] for row in table.rows)]
    title = f"{verdict.verdict}: {_escape(verdict.policy)} on {_escape(verdict.run)}"
    lines = [
        f"### {_MARK[verdict.verdict]} {title}",
        "",
        _escape(verdict.sentence),
        "",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        *(f"- {_escape(note)}" for note in (*verdict.notes, *table.notes)),
    ]
    return "\n".join(lines) + "\n"


def write_junit(verdict: Verdict, path: Path) -> None:
    """Write the JUnit file whole.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, junit(verdict))
    except OSError as error:
        raise UsageError(f"the JUnit file {path} cannot be written: {error.strerror}") from error


def append_markdown(verdict: Verdict, path: Path) -> None:
    """Append the Markdown to a file, as a job's summary is written.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(markdown(verdict))
    except OSError as error:
        raise UsageError(f"the summary {path} cannot be written: {error.strerror}") from error


def _cell(content: Content) -> str:
    text = content if isinstance(content, str) else " ".join(filter(None, (content.value, content.interval)))
    return _escape(text)


def _escape(text: str) -> str:
    """Keep text as text: names and prompts may hold Markdown or markup."""
    return _SPECIAL.sub(r"\\\1", " ".join(printable(text).split()))
