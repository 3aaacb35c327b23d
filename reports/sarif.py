"""A verdict as SARIF 2.1.0 (OASIS, 2020), which GitHub's code scanning and other viewers of findings read.

Every rule of the policy is a result::

    passed                       kind "pass", level "none"
    failed                       kind "fail", level "error"
    undecided                    as failed, as it is no pass; its message begins with "cannot be decided"
    severity warn, not passed    kind "fail", level "warning"
    failed, and waived           as failed, with a suppression whose justification is the waiver

GitHub shows the results that are no pass, and matches those of two runs by their fingerprint: that of a rule
is of the names of policy, generator and rule, so that an alert closes when the rule passes. The standard's
kind "open" would suit an undecided rule, but its level must be "none" (3.27.10), and viewers would hide it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from pathlib import Path
from typing import Any, Final

from ..harness.core.errors import UsageError
from ..harness.core.files import write_atomic
from ..harness.core.text import printable
from ..harness.gates.gate import RuleResult, Verdict

__all__ = ["sarif", "write_sarif"]

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(verdict: Verdict, policy: str) -> dict[str, Any]:
    """Write a verdict as a SARIF log of one run: a result for each rule.

    Args:
        policy: the name or file of the policy; findings are placed in the file, or in one of that name.
    """
    file = Path(policy)
    placed = _placed(file) if file.suffix in (".yaml", ".yml") else f"{policy}.yaml"
    lines = _lines(file)
    rules = {rule.rule: _rule(rule) for rule in verdict.rules}
    results = [_result(verdict, rule, list(rules).index(rule.rule), placed, lines) for rule in verdict.rules]
    driver = {
        "name": "screentest",
        "version": importlib.metadata.version("screentest"),
        "rules": list(rules.values()),
    }
    told = {
        "verdict": verdict.verdict,
        "sentence": printable(verdict.sentence),
        "policy": verdict.policy,
        "policyDigest": verdict.policy_digest,
        "run": verdict.run,
        "runDigest": verdict.run_digest,
        "baseline": verdict.baseline,
        "generator": verdict.generator,
        "suite": verdict.suite,
    }
    run = {"tool": {"driver": driver}, "results": results, "properties": told}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def write_sarif(verdict: Verdict, policy: str, path: Path) -> None:
    """Write the SARIF file whole.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(sarif(verdict, policy), indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise UsageError(f"the SARIF file {path} cannot be written: {error.strerror}") from error


def _rule(rule: RuleResult) -> dict[str, Any]:
    asks = printable(f"{rule.measure}: {rule.asks}")
    level = "error" if rule.severity == "block" else "warning"
    return {"id": rule.rule, "shortDescription": {"text": asks}, "defaultConfiguration": {"level": level}}


def _result(
    verdict: Verdict, rule: RuleResult, index: int, placed: str, lines: dict[str, int]
) -> dict[str, Any]:
    passed = rule.outcome == "PASS"
    level = "none" if passed else "error" if rule.severity == "block" else "warning"
    message = printable(rule.sentence or rule.asks)
    if rule.outcome == "INCONCLUSIVE" and not message.startswith("cannot be decided"):
        message = f"cannot be decided: {message}"
    of = "\n".join((verdict.policy.rpartition(" v")[0], verdict.generator, rule.rule))
    place: dict[str, Any] = {"artifactLocation": {"uri": placed}}
    place["region"] = {"startLine": lines.get(rule.measure, 1)}
    numbers = {
        "outcome": rule.outcome,
        "value": rule.value,
        "bound": rule.bound,
        "limit": rule.limit,
        "confidence": rule.confidence,
        "n": rule.n,
        "prompts": rule.clusters,
        "neededPrompts": rule.needed,
    }
    result: dict[str, Any] = {
        "ruleId": rule.rule,
        "ruleIndex": index,
        "kind": "pass" if passed else "fail",
        "level": level,
        "message": {"text": message},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"policyGeneratorRule/v1": hashlib.sha256(of.encode()).hexdigest()},
        "properties": numbers,
    }
    if rule.waiver is not None and rule.rule in verdict.waived:
        result["suppressions"] = [{"kind": "external", "justification": printable(rule.waiver)}]
    return result


def _placed(file: Path) -> str:
    """Name a file as a URI relative to the folder in which the gate runs, where it lies below that."""
    try:
        return file.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return file.resolve().as_uri()


def _lines(file: Path) -> dict[str, int]:
    """Find the line of each measure's first rule in a policy's file; empty for a packaged policy."""
    try:
        text = file.read_text("utf-8") if file.suffix in (".yaml", ".yml") else ""
    except OSError:
        return {}
    found: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        _, key, value = line.partition("measure:")
        if key:
            found.setdefault(value.strip(" ,}\"'").partition(",")[0].strip(" \"'"), number)
    return found
