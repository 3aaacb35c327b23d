"""Apply a policy to a run: the verdict is PASS, FAIL or INCONCLUSIVE, with each rule's evidence.

FAIL if a rule fails and no valid waiver covers it; else INCONCLUSIVE if a rule cannot be decided; else PASS.
A rule of severity ``warn`` is decided and shown, and counts for none of the three. Every rule is tested at
the policy's full confidence, because all of them must hold (intersection-union test; Berger 1982). How a rule
is decided is in `rules`. A run that was changed after it was scored is refused, by the digests that `digests`
makes and compares.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.config import Document
from ..core.counts import counted
from ..core.errors import UsageError
from ..core.files import write_atomic
from ..core.keys import digest
from ..core.pairing import pair_runs
from ..core.run_data import RunData, named_values
from ..judges.figures import judge_behind, judge_notes, judges_in
from ..policies.checks import check_policy, policy_warnings
from ..policies.decisions import Outcome
from ..policies.looks import find_look
from ..policies.policy import Policy, Rule, Waiver, Where, load_policy, needed_items, packaged_policies
from ..run_folder.digests import read_digests, refuse_changed, why_unchecked
from ..run_folder.store import RunStore, read_run
from ..scoring.foreign_encoders import foreign_sentence
from .rule_results import RuleResult
from .rules import Judge

if TYPE_CHECKING:
    from ...metrics.base import Measure
    from ..core.registry import Registry

__all__ = [
    "Policy",
    "Rule",
    "RuleResult",
    "Verdict",
    "Waiver",
    "Where",
    "exit_code",
    "gate",
    "load_policy",
    "needed_items",
    "packaged_policies",
    "write_verdict",
]


class Verdict(Document):
    """A policy applied to a run.

    Attributes:
        waived: labels of failed rules that a valid waiver covers. A PASS with waivers is not a clean one;
            ``sentence`` says so.
        run_digest, baseline_digest: of all that the run rests on; None where it has none.
        clips_checked: whether the stored files were compared with the sha256 of what was scored.
        notes: what is to be known of the policy itself.
    """

    verdict: Outcome
    sentence: str
    policy: str
    policy_digest: str
    confidence: float
    run: str
    suite: str
    generator: str
    plan: str
    baseline: str | None
    baseline_plan: str | None
    run_digest: str | None = None
    baseline_digest: str | None = None
    clips_checked: bool = False
    date: date
    waived: tuple[str, ...]
    notes: tuple[str, ...] = ()
    rules: tuple[RuleResult, ...]


def gate(
    run: RunStore,
    policy: Policy,
    baseline: RunStore | None = None,
    today: date | None = None,
    *,
    registry: Registry[Measure] | None = None,
    clips: bool = True,
) -> Verdict:
    """Apply ``policy`` to ``run``.

    Args:
        baseline: the run to compare with, for rules with ``versus: baseline``.
        today: the day that decides which waivers have expired; by default the current day.
        registry: the known measures, whose versions must match the recorded ones.
        clips: whether the stored files are compared with the sha256 of what was scored.

    Raises:
        UsageError: a run is not as it was when it was scored, or not the one that the policy pins; the
            baseline is of another suite, or shares no item with the run; the policy names an unknown measure,
            decides nothing, or has a waiver that lasts too long.
    """
    if registry is None:
        from ..catalog import MEASURES

        registry = MEASURES
    day = today or date.today()
    check_policy(policy, registry, named_values(run.measures()), day)
    if not any(rule.versus for rule in policy.rules):
        baseline = None
    for store in (run, baseline):
        if store is not None:
            refuse_changed(store, clips=clips)
    ours, theirs = (_digest(store) for store in (run, baseline))
    if policy.run_digest is not None and policy.run_digest != ours:
        raise UsageError(
            f"the policy {policy.name} is for the run with the digest {policy.run_digest} and {run.folder} "
            f"has {ours or 'none'}"
        )
    data = read_run(run)
    pairing = None if baseline is None else pair_runs(read_run(baseline), data)
    uncounted = (
        why_unchecked(run) or _why_too_old(run, policy, day),
        _why_no_baseline(run, baseline) or (baseline and _why_too_old(baseline, policy, day)),
    )
    look = find_look(policy, len({item.cluster for item in data.items.values()}))
    rules = policy if look is None else policy.model_copy(update={"confidence": look.confidence})
    judge = Judge(data, pairing, rules, registry, uncounted)
    results = tuple(_with_waiver(judge.result(rule), policy, day, ours) for rule in policy.rules)
    waived = tuple(r.rule for r in results if r.waiver is not None)
    verdict = _overall(results)
    return Verdict(
        verdict=verdict,
        sentence=_overall_sentence(verdict, results, waived) + ("" if clips else "; clips not checked"),
        policy=f"{policy.name} v{policy.version}",
        policy_digest=digest("policy", policy.model_dump(mode="json")),
        confidence=policy.confidence,
        run=data.name,
        suite=f"{data.record['suite']['name']} v{data.record['suite']['version']}",
        generator=str(data.record.get("generator_spec", "")),
        plan=data.record["plan"],
        baseline=pairing.a.name if pairing else None,
        baseline_plan=pairing.a.record["plan"] if pairing else None,
        run_digest=ours,
        baseline_digest=theirs,
        clips_checked=clips,
        date=day,
        waived=waived,
        notes=(
            *policy_warnings(policy, registry),
            *_foreign(data, policy),
            *_uncarded(results),
            *_judges(data, results),
            *(() if look is None else (look.sentence(policy.confidence),)),
        ),
        rules=results,
    )


def _foreign(data: RunData, policy: Policy) -> tuple[str, ...]:
    """Say which of the measures that decide were computed through encoders outside their world."""
    fields = [data.measures[rule.measure] for rule in policy.rules if rule.measure in data.measures]
    told = foreign_sentence(data.record, fields)
    return (told,) if told else ()


def _judges(data: RunData, results: Sequence[RuleResult]) -> tuple[str, ...]:
    """Say what was measured of the judges that the decided rules rest on."""
    if not any(judge_behind(r.measure, data.measures.get(r.measure, {})) for r in results):
        return ()
    notes = judge_notes(judges_in(data))
    return tuple(
        f"{name}: {note}"
        for name in dict.fromkeys(r.measure for r in results)
        for note in notes.get(name, ())
    )


def _uncarded(results: Sequence[RuleResult]) -> tuple[str, ...]:
    """Name the measures that passed without a card that holds, as the policy allows."""
    names = dict.fromkeys(r.measure for r in results if r.uncarded and r.outcome == "PASS")
    if not names:
        return ()
    return (f"passed without a validity card that holds, as the policy allows: {', '.join(names)}",)


def _why_too_old(store: RunStore, policy: Policy, today: date) -> str | None:
    """Say that a run is older than the policy allows, or that its age is not known."""
    if policy.max_age_days is None:
        return None
    try:
        made = datetime.fromisoformat(str(store.record["created"])).date()
    except (KeyError, ValueError):
        return f"{store.folder.name} does not record when it was made, and the policy asks for its age"
    age = (today - made).days
    if age < -1:
        return f"{store.folder.name} was made on {made}, after today; check the clocks"
    if age <= policy.max_age_days:
        return None
    return (
        f"{store.folder.name} was made on {made}, {counted(age, 'day')} ago, and the policy accepts "
        f"{policy.max_age_days}; run the suite again"
    )


def _why_no_baseline(run: RunStore, baseline: RunStore | None) -> str | None:
    if baseline is None:
        return None
    born = [store.record.get("id") for store in (run, baseline)]
    if run.folder.resolve() == baseline.folder.resolve() or (None not in born and born[0] == born[1]):
        return (
            f"the baseline {baseline.folder} is the run itself, or a copy of it, and shows no change; give "
            "another run with --baseline"
        )
    return why_unchecked(baseline)


def _digest(store: RunStore | None) -> str | None:
    digests = None if store is None else read_digests(store.folder)
    return None if digests is None else digests.run


def write_verdict(folder: Path, verdict: Verdict) -> Path:
    """Write a verdict into the run folder: as ``verdict.json``, the newest, and into ``verdicts/``.

    There one is kept for each policy, version and baseline, so that a gate without a baseline does not
    replace one with it. Returns the path of ``verdict.json``.
    """
    text = json.dumps(verdict.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    path = folder / "verdict.json"
    (folder / "verdicts").mkdir(exist_ok=True)
    for place in (folder / "verdicts" / f"{_verdict_name(verdict)}.json", path):
        write_atomic(place, text)
    return path


def _verdict_name(verdict: Verdict) -> str:
    name = verdict.policy.replace(" ", "-")
    if verdict.baseline is None:
        return name
    readable = re.sub(r"[^A-Za-z0-9._]+", "-", verdict.baseline)[:60]
    which = digest("baseline", {"name": verdict.baseline, "plan": verdict.baseline_plan})
    return f"{name}-against-{readable}-{which[:8]}"


def exit_code(verdict: Verdict) -> int:
    """Return the exit code of a verdict: PASS 0, FAIL 1, INCONCLUSIVE 3."""
    return {"PASS": 0, "FAIL": 1}.get(verdict.verdict, 3)


def _overall(all_results: Sequence[RuleResult]) -> Outcome:
    results = [r for r in all_results if r.severity == "block"]
    if any(r.outcome == "FAIL" and r.waiver is None for r in results):
        return "FAIL"
    # Only a FAIL can be waived: for an undecided rule nobody knows what would be waived.
    if any(r.outcome == "INCONCLUSIVE" for r in results):
        return "INCONCLUSIVE"
    return "PASS"


def _overall_sentence(verdict: Outcome, results: Sequence[RuleResult], waived: Sequence[str]) -> str:
    counts = Counter(r.outcome for r in results if r.severity == "block")
    parts = [
        f"{counts['PASS']} of {counted(counts.total(), 'rule holds', 'rules hold')}",
        *([f"{counts['FAIL']} failed"] if counts["FAIL"] else []),
        *([f"{counts['INCONCLUSIVE']} cannot be decided"] if counts["INCONCLUSIVE"] else []),
    ]
    excuse = f" (waived: {', '.join(waived)})" if waived else ""
    return f"{verdict}: {', '.join(parts)}{excuse}{_warnings(results)}"


def _warnings(results: Sequence[RuleResult]) -> str:
    """Say which rules that only warn do not hold."""
    failed = [r.rule for r in results if r.severity == "warn" and r.outcome == "FAIL"]
    unknown = [r.rule for r in results if r.severity == "warn" and r.outcome == "INCONCLUSIVE"]
    said = [
        *([f"failed: {', '.join(failed)}"] if failed else []),
        *([f"not decided: {', '.join(unknown)}"] if unknown else []),
    ]
    return f"; warnings, which change no verdict: {'; '.join(said)}" if said else ""


def _with_waiver(result: RuleResult, policy: Policy, today: date, run_digest: str | None) -> RuleResult:
    ours = [w for w in policy.waivers if w.rule == result.rule]
    if result.outcome != "FAIL" or not ours:
        return result
    bound = [w for w in ours if w.run_digest in (None, run_digest)]
    valid = next((w for w in bound if today <= w.expires), None)
    if valid is None:
        last = max(bound or ours, key=lambda w: w.expires)
        why = f"expired on {last.expires}" if bound else "is for another run"
        note = f"the waiver by {last.owner} {why} and does not count"
        return result.model_copy(
            update={"sentence": f"{result.sentence}; {note}", "notes": (*result.notes, note)}
        )
    excuse = f"waived by {valid.owner} until {valid.expires}: {valid.reason}"
    return result.model_copy(update={"waiver": excuse, "sentence": f"{result.sentence}; {excuse}"})
