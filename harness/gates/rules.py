"""Decide whether a run meets the rules of a policy, one rule at a time.

A rule passes only if its one-sided confidence bound keeps to the limit, so a small sample cannot pass by
luck:

- rates and means: Gaffke's bound over prompts, which holds for few prompts, skew and rare events. For a rate
  with one clip per prompt it is the exact Clopper-Pearson bound (`core.stats.bounds` says what is proved);
- set measures: the delete-one-prompt jackknife;
- against a baseline: the same bounds of the paired difference of `compare`, which must not be worse than the
  margin (non-inferiority; if neither direction of the measure is better, it must lie within the margin on
  both sides). The difference of a mean is bounded as if its range had no end: two runs hardly ever differ by
  the whole range of their measure, and allowing for that would need hundreds of prompts.

Without enough evidence a rule is INCONCLUSIVE: too few prompts, too many items without a value, a missing,
outdated or unfinished measurement.
"""

from __future__ import annotations

import difflib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..comparison.compare import SAME_CLIPS, LeftOut, difference, pairs_of
from ..core.counts import counted
from ..core.pairing import Pairing
from ..core.run_data import RunData, SetScore, value_of
from ..core.stats import jackknife_interval
from ..judges.measure_cards import card_of
from ..policies.card_rules import NoCardError, card_behind, decide_corrected
from ..policies.checks import adding
from ..policies.decisions import Side, decide_mean, decide_rate, decide_value, side_of, worse_side
from ..policies.policy import Policy, Rule
from .rule_checks import Undecidable, check_encoders, check_finished, check_record
from .rule_results import RuleResult, rule_asks, rule_sentence

if TYPE_CHECKING:
    from ...metrics.base import Measure
    from ...safety.frames.judge_card import JudgeCard
    from ..core.registry import Registry

__all__ = ["Judge"]


@dataclass(frozen=True)
class Judge:
    """Decides rules about one run.

    Attributes:
        uncounted: of the run, and of the baseline where there is one, why nothing that it holds can count,
            such as that nobody can tell whether it was changed; None where it can.
    """

    data: RunData
    pairing: Pairing | None
    policy: Policy
    registry: Registry[Measure]
    uncounted: Sequence[str | None] = ()

    def result(self, rule: Rule) -> RuleResult:
        """Decide one rule."""
        limit = next(v for v in (rule.max, rule.min, rule.margin) if v is not None)
        base = RuleResult(
            rule=rule.label,
            measure=rule.measure,
            tag=rule.tag,
            asks=rule_asks(rule),
            severity=rule.severity,
            limit=limit,
            confidence=self.policy.confidence,
        )
        try:
            self._check_measure(rule)
            if rule.versus is not None:
                evidence = self._against_baseline(rule, limit)
            elif self.data.measures[rule.measure]["kind"] == "set":
                evidence = self._of_set(rule, limit)
            else:
                evidence = self._of_items(rule, limit)
            evidence |= self._carded(rule, evidence)
        except Undecidable as why:
            return base.model_copy(update={**why.evidence, "sentence": f"cannot be decided: {why}"})
        result = base.model_copy(update=evidence)
        return result.model_copy(update={"sentence": rule_sentence(result, rule)})

    # -- checks before any number counts

    def _check_measure(self, rule: Rule) -> None:
        name, fields = rule.measure, self.data.measures.get(rule.measure)
        if fields is None:
            how = adding(name, self.registry, self.data.folder)
            raise Undecidable(f"the run has no {name}; {how}")
        check_finished(self.data)
        if self.policy.foreign_encoders == "refuse":
            check_encoders([self.data, *((self.pairing.a,) if self.pairing is not None else ())], name)
        check_record(self.data, name, self.registry)
        for why in self.uncounted[:1]:
            if why is not None:
                raise Undecidable(why)
        if rule.tag is not None:
            known = {name for item in self.data.items.values() for name in item.slices}
            if rule.tag not in known:
                near = difflib.get_close_matches(rule.tag, sorted(known), n=1, cutoff=0.5)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                kind = "tag" if rule.where is None or rule.where.label is None else "label"
                raise Undecidable(f"no item has the {kind} {rule.tag!r}{hint}")
            if fields["kind"] == "set" and (name, rule.tag) not in self.data.sets:
                raise Undecidable(
                    f"{name} is a set measure, and the run has no value for {rule.tag}; "
                    "name the slice under 'slices' in the suite and run it again"
                )

    def _carded(self, rule: Rule, evidence: Mapping[str, Any]) -> dict[str, Any]:
        """Name the card of a rule's measure; a pass on a measure without one counts only where it may."""
        why = ""
        try:
            asked = rule.card == "required"
            card = card_of(self.data, rule.measure, self.registry, asked=asked)
        except NoCardError as error:
            why, found = str(error), {"uncarded": str(error)}
        else:
            why = "" if card is None else card.failed
            found = {} if card is None else {"card": card.label, "uncarded": card.failed}
        if why and (rule.card or self.policy.cards) == "required" and evidence["outcome"] != "FAIL":
            cure = "'card: noted' in the rule, or 'cards: noted' in the policy, accepts it as it is"
            raise Undecidable(f"{why}; {cure}", **{**evidence, **found, "outcome": "INCONCLUSIVE"})
        return found

    def _card(self, rule: Rule, evidence: Mapping[str, Any]) -> JudgeCard:
        try:
            return card_behind(self.data, rule.measure)
        except NoCardError as why:
            raise Undecidable(str(why), **{**evidence, "outcome": "INCONCLUSIVE"}) from None

    def _check_sample(self, rule: Rule, n: int, left_out: Mapping[str, int], **evidence: Any) -> float:
        """Refuse a sample that is too small or lacks too many values; return the share left out."""
        total = n + sum(left_out.values())
        share = sum(left_out.values()) / total if total else 1.0
        found = {**evidence, "n": n, "left_out": dict(left_out), "left_out_share": share}
        missing = left_out.get("missing", 0) + left_out.get("baseline missing", 0)
        if missing:
            raise Undecidable(
                f"{counted(missing, 'item has', 'items have')} no score yet; 'screentest score' computes it",
                **found,
            )
        if n == 0:
            raise Undecidable(f"no item has a value ({_counts(left_out) or 'none was asked for'})", **found)
        accepted = self.policy.max_left_out if rule.max_left_out is None else rule.max_left_out
        if share > accepted:
            hint = (
                "; 'where: {tag: ...}' or '{label: ...}' narrows the rule to the items the measure applies to"
                if left_out.get("not_applicable") and rule.tag is None
                else ""
            )
            raise Undecidable(
                f"{share:.1%} of {counted(total, 'item')} without a value ({_counts(left_out)}), more "
                "than the "
                f"{accepted:.0%} allowed{hint}",
                **found,
            )
        if rule.min_n is not None and n < rule.min_n:
            raise Undecidable(f"n is {n} and the rule needs {rule.min_n}", **found)
        return share

    # -- the three kinds of evidence

    def _of_items(self, rule: Rule, limit: float) -> dict[str, Any]:
        name, confidence = rule.measure, self.policy.confidence
        values: list[float] = []
        clusters: list[str] = []
        seen: list[float] = []
        left_out: Counter[str] = Counter()
        # Sorted by item id, so that the order of rows cannot change the last bit.
        for item in sorted(self.data.items.values(), key=lambda i: i.id):
            if rule.tag is not None and rule.tag not in item.slices:
                continue
            value = value_of(self.data.scores.get((name, item.id)))
            if value is None:
                left_out[self.data.status(name, item.id)] += 1
            else:
                values.append(value)
                clusters.append(item.cluster)
                clip = self.data.clips.get(item.id)
                seen.append(float(clip is not None and clip.outcome == "ok"))
        share = self._check_sample(rule, len(values), left_out, clusters=len(set(clusters)))
        evidence: dict[str, Any] = {
            "n": len(values),
            "clusters": len(set(clusters)),
            "left_out": dict(left_out),
            "left_out_share": share,
        }
        fields = self.data.measures[name]
        if fields["kind"] == "rate":
            if not set(values) <= {0.0, 1.0}:
                raise Undecidable(f"{name} is a rate and has values that are neither 0 nor 1", **evidence)
            if rule.corrected:
                card = self._card(rule, evidence)
                try:
                    decided = decide_corrected(rule, values, clusters, seen, card=card, confidence=confidence)
                except NoCardError as why:
                    raise Undecidable(str(why), **evidence) from None
                return evidence | decided
            return evidence | decide_rate(rule, values, clusters, confidence)
        if rule.corrected:
            raise Undecidable(
                f"{name} is no rate of yes or no, so it has no judge's errors to correct", **evidence
            )
        low, high = fields["bounds"]
        if (low is not None and min(values) < low) or (high is not None and max(values) > high):
            raise Undecidable(f"a value of {name} lies outside its range [{low}, {high}]", **evidence)
        decided = decide_mean(side_of(rule), values, clusters, limit, confidence, (low, high))
        return _with_bound(evidence | decided)

    def _of_set(self, rule: Rule, limit: float) -> dict[str, Any]:
        if rule.corrected:
            raise Undecidable(
                f"{rule.measure} is no rate of yes or no, so it has no judge's errors to correct"
            )
        name, wanted = rule.measure, 2 * self.policy.confidence - 1
        score, value = self._set_score(self.data, name, rule.tag)
        share = self._check_sample(rule, score.n, score.left_out, clusters=score.clusters)
        evidence: dict[str, Any] = {
            "n": score.n,
            "clusters": score.clusters,
            "left_out": dict(score.left_out),
            "left_out_share": share,
            "notes": score.notes,
        }
        low, high, method = score.low, score.high, score.method
        if score.leave_one_out:
            bounds = tuple(self.data.measures[name]["bounds"])
            interval = jackknife_interval(value, score.leave_one_out, wanted, bounds=bounds)
            low, high, method = interval.low, interval.high, interval.method
        elif score.confidence < wanted:
            low = high = None  # the stored interval is narrower than the policy asks for
        evidence |= {"value": value, "method": method}
        return evidence | _bounded(side_of(rule), low, high, limit, evidence)

    def _against_baseline(self, rule: Rule, limit: float) -> dict[str, Any]:
        name, pairing = rule.measure, self.pairing
        if pairing is None:
            raise Undecidable("it needs a baseline and none was given; name a run with --baseline")
        for why in self.uncounted[1:]:
            if why is not None:
                raise Undecidable(why)
        check_finished(pairing.a)
        if name in pairing.a.measures:
            check_record(pairing.a, name, self.registry)
        kind = self.data.measures[name]["kind"]
        row = difference(pairing, name, rule.tag, 2 * self.policy.confidence - 1)
        left_out: dict[str, int] = {}
        if kind == "set":
            if row.direction == "not comparable":
                raise Undecidable(row.reason)
            for data in (pairing.a, self.data):
                score, _ = self._set_score(data, name, rule.tag)
                left_out = dict(score.left_out)
                share = self._check_sample(rule, score.n, left_out, clusters=score.clusters)
        else:
            left_out = _unpaired(pairing, rule, row.unpaired)
            if row.direction == "not comparable" and not row.unpaired:
                raise Undecidable(row.reason)
            share = self._check_sample(rule, row.n, left_out, clusters=row.clusters)
        evidence: dict[str, Any] = {
            "n": row.n,
            "clusters": row.clusters,
            "left_out": left_out,
            "left_out_share": share,
            "run_value": row.b,
            "baseline_value": row.a,
            "method": row.method,
            "notes": row.notes,
        }
        evidence["value"] = row.difference
        side = worse_side(row.better)
        signed = -limit if side == "min" else limit
        if kind == "set" or row.method == SAME_CLIPS:
            return evidence | _bounded(side, row.low, row.high, signed, evidence)
        pairs, _ = pairs_of(pairing, name, rule.tag)
        changes, clusters = [pair.b - pair.a for pair in pairs], [pair.cluster for pair in pairs]
        bounds = (-1.0, 1.0) if kind == "rate" else (None, None)
        decided = decide_mean(side, changes, clusters, signed, self.policy.confidence, bounds)
        return _with_bound(evidence | decided)

    def _set_score(self, data: RunData, name: str, tag: str | None) -> tuple[SetScore, float]:
        score = data.sets.get((name, tag))
        if score is None:
            raise Undecidable(f"{data.name} has no value of {name} yet; finish it with 'screentest score'")
        counts = {"n": score.n, "clusters": score.clusters, "left_out": dict(score.left_out)}
        if score.status != "ok" or score.value is None or not math.isfinite(score.value):
            why = score.reason or (score.status if score.status != "ok" else f"it is {score.value}")
            raise Undecidable(f"{data.name} has no value of {name}: {why}", **counts)
        if not all(math.isfinite(v) for v in score.leave_one_out.values()):
            raise Undecidable(f"{name} of {data.name} is not finite without one of its prompts", **counts)
        asked = [item.id for item in data.items.values() if tag is None or tag in item.slices]
        refused = sum(data.clips[item].outcome == "refused" for item in asked if item in data.clips)
        total = score.n + sum(score.left_out.values())
        if total != len(asked) or score.left_out.get("refused", 0) != refused:
            raise Undecidable(
                f"{name} of {data.name} is outdated: it is of {counted(total, 'item')}, {score.n} with a "
                "clip, "
                "which is not what the run holds now; 'screentest score' computes it again",
                **counts,
            )
        return score, score.value


def _with_bound(evidence: dict[str, Any]) -> dict[str, Any]:
    if evidence["bound"] is None:
        raise Undecidable(f"no confidence bound can be given for it: {evidence['notes'][0]}", **evidence)
    return evidence


def _bounded(
    side: Side, low: float | None, high: float | None, limit: float, evidence: Mapping[str, Any]
) -> dict[str, Any]:
    if low is None or high is None:
        raise Undecidable("no confidence bound can be given for it", **evidence)
    return decide_value(side, evidence["value"], (low, high), limit, evidence["clusters"])


def _unpaired(pairing: Pairing, rule: Rule, rows: Sequence[LeftOut]) -> dict[str, int]:
    """Count the items of either run without a pair, by reason."""
    left_out: Counter[str] = Counter()
    for row in rows:
        left_out[row.b if row.b != "ok" else f"baseline {row.a}"] += row.items
    shared = {item.id for item in pairing.items}
    for data, reason in ((pairing.a, "only in the baseline"), (pairing.b, "not in the baseline")):
        items = [i for i in data.items.values() if rule.tag is None or rule.tag in i.slices]
        left_out[reason] += sum(item.id not in shared for item in items)
    return {reason: n for reason, n in left_out.items() if n}


def _counts(left_out: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {what.replace('_', ' ')}" for what, n in sorted(left_out.items()) if n)
