"""Gates: every kind of rule, every way not to pass, waivers, and the files and codes that come of it."""

from __future__ import annotations

import itertools
import json
import math
import shutil
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from screentest.harness.core.errors import UsageError
from screentest.harness.core.run_data import SetScore
from screentest.harness.gates.gate import (
    Policy,
    Verdict,
    exit_code,
    gate,
    load_policy,
    packaged_policies,
    write_verdict,
)
from screentest.harness.policies.decisions import decide_value
from screentest.harness.policies.policy import Rule
from screentest.harness.run_folder.digests import keep_digests
from screentest.harness.run_folder.store import open_run

TODAY = date(2027, 1, 15)


def policy(*rules: dict[str, Any], **more: Any) -> Policy:
    return Policy.model_validate({"name": "toy", "version": 1, "rules": rules, **more})


def noise(prompt: int, seed: int, salt: int = 0) -> float:
    return math.sin(12.9898 * prompt + 78.233 * seed + 37.719 * salt) * 43758.5453 % 1.0


def quality(shift: float = 0.0, salt: int = 0):
    return lambda p, s: 0.6 + 0.1 * noise(p, 0) + 0.1 * (noise(p, s, salt) - 0.5) + shift


def failing(count: int):
    """A rate of 1 in the first ``count`` prompts."""
    return lambda p, s: float(p < count)


@pytest.fixture
def decide(make_run):
    """Apply rules to a run; return the verdict."""

    def apply(run, *rules: dict[str, Any], baseline=None, today=TODAY, **more: Any) -> Verdict:
        return gate(run, policy(*rules, **more), baseline, today, registry=make_run.registry)

    return apply


# -- rates


@pytest.mark.parametrize(("n", "outcome"), [(59, "PASS"), (58, "INCONCLUSIVE")])
def test_zero_failures_of_59_pass_5_percent_and_of_58_do_not(make_run, decide, n: int, outcome: str) -> None:
    run = make_run("r", {"toy.unsafe": failing(0)}, prompts=n, seeds=1)
    verdict = decide(run, {"measure": "toy.unsafe", "max": 0.05})
    (rule,) = verdict.rules
    assert rule.outcome == verdict.verdict == outcome
    assert rule.value == 0
    assert rule.bound == pytest.approx(1 - 0.05 ** (1 / n))
    assert rule.effective_n == n
    assert rule.needed == (59 if outcome == "INCONCLUSIVE" else None)


def test_seeds_of_a_prompt_do_not_stand_in_for_prompts(make_run, decide) -> None:
    run = make_run("r", {"toy.unsafe": failing(0)}, prompts=12, seeds=8)
    (rule,) = decide(run, {"measure": "toy.unsafe", "max": 0.05}).rules
    assert rule.outcome == "INCONCLUSIVE"
    assert (rule.n, rule.clusters, rule.effective_n, rule.needed) == (96, 12, 12, 59)
    assert "59 prompts" in rule.sentence


@pytest.mark.parametrize(
    ("failures", "outcome"), [(0, "PASS"), (1, "INCONCLUSIVE"), (4, "FAIL"), (12, "FAIL"), (30, "FAIL")]
)
def test_a_ceiling_three_ways(make_run, decide, failures: int, outcome: str) -> None:
    run = make_run("r", {"toy.unsafe": failing(failures)}, prompts=30, seeds=2)
    (rule,) = decide(run, {"measure": "toy.unsafe", "max": 0.1}).rules
    assert rule.outcome == outcome
    assert rule.value == pytest.approx(failures / 30)


def test_a_value_over_the_ceiling_fails_only_in_a_sample_that_could_have_passed(make_run, decide) -> None:
    # 2 of 10 is over 10 %, and not shown to be: ten perfect prompts would not have passed either.
    few = make_run("few", {"toy.unsafe": failing(2)}, prompts=10, seeds=1)
    (rule,) = decide(few, {"measure": "toy.unsafe", "max": 0.1}).rules
    assert rule.outcome == "INCONCLUSIVE"
    assert rule.needed == 29
    many = make_run("many", {"toy.unsafe": failing(6)}, prompts=30, seeds=1)
    (rule,) = decide(many, {"measure": "toy.unsafe", "max": 0.1}).rules
    assert rule.outcome == "FAIL"


def test_evidence_beyond_doubt_fails_however_few(make_run, decide) -> None:
    run = make_run("r", {"toy.unsafe": failing(5)}, prompts=5, seeds=1)
    (rule,) = decide(run, {"measure": "toy.unsafe", "max": 0.1}).rules
    assert rule.outcome == "FAIL"


def test_the_n_that_is_needed_would_do(make_run, decide) -> None:
    run = make_run("r", {"toy.unsafe": failing(1)}, prompts=30, seeds=1)
    (rule,) = decide(run, {"measure": "toy.unsafe", "max": 0.1}).rules
    assert rule.outcome == "INCONCLUSIVE"
    more = rule.needed
    assert scipy_stats.beta.ppf(0.95, more / 30 + 1, more - more / 30) <= 0.1
    assert scipy_stats.beta.ppf(0.95, (more - 1) / 30 + 1, (more - 1) * 29 / 30) > 0.1


def test_a_floor_on_a_rate_is_the_ceiling_of_its_opposite(make_run, decide) -> None:
    run = make_run(
        "r",
        {"toy.unsafe": failing(1), "toy.refusal": lambda p, s: 1.0 - failing(1)(p, s)},
        prompts=60,
        seeds=1,
    )
    ceiling, floor = decide(
        run, {"measure": "toy.unsafe", "max": 0.1}, {"measure": "toy.refusal", "min": 0.9}
    ).rules
    assert ceiling.outcome == floor.outcome == "PASS"
    assert floor.value == pytest.approx(1 - ceiling.value)
    assert floor.bound == pytest.approx(1 - ceiling.bound)


def test_a_ceiling_of_zero_is_never_shown(make_run, decide) -> None:
    clean = make_run("clean", {"toy.unsafe": failing(0)}, prompts=60, seeds=1)
    assert decide(clean, {"measure": "toy.unsafe", "max": 0}).verdict == "INCONCLUSIVE"
    dirty = make_run("dirty", {"toy.unsafe": failing(1)}, prompts=60, seeds=1)
    assert decide(dirty, {"measure": "toy.unsafe", "max": 0}).verdict == "FAIL"


# -- means and sets


@pytest.mark.parametrize(
    ("rule", "outcome"),
    [
        ({"min": 0.5}, "PASS"),
        ({"min": 0.65}, "INCONCLUSIVE"),
        ({"min": 0.9}, "FAIL"),
        ({"max": 0.9}, "PASS"),
        ({"max": 0.65}, "INCONCLUSIVE"),
        ({"max": 0.5}, "FAIL"),
    ],
)
def test_limits_on_means(make_run, decide, rule: dict[str, float], outcome: str) -> None:
    run = make_run("r", {"toy.quality": quality()})
    verdict = decide(run, {"measure": "toy.quality", **rule})
    assert verdict.verdict == outcome
    (result,) = verdict.rules
    # The bound that is shown is the one that decided: the other one for a failure.
    assert (result.bound < result.value) == (("min" in rule) != (outcome == "FAIL"))
    assert result.method == "Gaffke, one-sided, over 12 prompts"


def test_one_prompt_cannot_bound_a_mean(make_run, decide) -> None:
    run = make_run("r", {"toy.quality": lambda p, s: 0.9}, prompts=1, seeds=50)
    (rule,) = decide(run, {"measure": "toy.quality", "min": 0.1}).rules
    assert rule.outcome == "INCONCLUSIVE"
    assert rule.value == pytest.approx(0.9)
    # All that one prompt of 0.9 shows: at 95 % confidence a mean over 0.05 times that.
    assert rule.bound == pytest.approx(0.9 * 0.05)


def test_two_perfect_prompts_prove_nothing(make_run, decide) -> None:
    run = make_run("r", {"toy.quality": lambda p, s: 1.0}, prompts=2, seeds=1)
    assert decide(run, {"measure": "toy.quality", "min": 0.5}).verdict == "INCONCLUSIVE"


def with_set(
    make_run, name: str, value: float | None, spread: float = 1.0, generator: str = "toy:one", **score: Any
):
    store = make_run(name, generator=generator, outcome=score.pop("outcome", lambda p, s: "ok"))
    rng = np.random.default_rng(4)
    without = {c: (value or 0) + spread * float(rng.normal()) for c in make_run.prompts_of(store)}
    fields = {"n": 48, "clusters": 12, "n_reference": 100, "leave_one_out": without, **score}
    make_run.put_set(
        store, SetScore(measure="toy.distance", status=fields.pop("status", "ok"), value=value, **fields)
    )
    return store


@pytest.mark.parametrize(("limit", "outcome"), [(120, "PASS"), (102, "INCONCLUSIVE"), (80, "FAIL")])
def test_limits_on_sets(make_run, decide, limit: float, outcome: str) -> None:
    run = with_set(make_run, "r", 100.0)
    (rule,) = decide(run, {"measure": "toy.distance", "max": limit}).rules
    assert rule.outcome == outcome
    without = np.array(list(run.set_scores()["toy.distance", None].leave_one_out.values()))
    error = math.sqrt(11 / 12 * ((without - without.mean()) ** 2).sum())
    side = -1 if limit == 80 else 1
    if side == 1:
        assert rule.bound == pytest.approx(100 + scipy_stats.t.ppf(0.95, 11) * error)


def test_a_set_without_jackknife_falls_back_on_its_wider_interval(make_run, decide) -> None:
    run = with_set(make_run, "r", 100.0, leave_one_out={}, low=90.0, high=110.0, confidence=0.95)
    (rule,) = decide(run, {"measure": "toy.distance", "max": 111}).rules
    assert (rule.outcome, rule.bound) == ("PASS", 110.0)
    assert decide(run, {"measure": "toy.distance", "max": 111}, confidence=0.99).verdict == "INCONCLUSIVE"
    bare = with_set(make_run, "s", 100.0, leave_one_out={})
    assert decide(bare, {"measure": "toy.distance", "max": 1000}).verdict == "INCONCLUSIVE"


# -- against a baseline


@pytest.mark.parametrize(
    ("measure", "shift", "margin", "outcome"),
    [
        ("toy.quality", 0.00, 0.05, "PASS"),
        ("toy.quality", 0.20, 0.00, "PASS"),
        ("toy.quality", -0.05, 0.05, "INCONCLUSIVE"),
        ("toy.quality", -0.20, 0.05, "FAIL"),
        ("toy.error", 0.00, 0.05, "PASS"),
        ("toy.error", -0.20, 0.00, "PASS"),
        ("toy.error", 0.05, 0.05, "INCONCLUSIVE"),
        ("toy.error", 0.20, 0.05, "FAIL"),
        ("toy.drift", 0.00, 0.05, "PASS"),
        ("toy.drift", 0.20, 0.05, "FAIL"),
        ("toy.drift", -0.20, 0.05, "FAIL"),
        ("toy.drift", -0.05, 0.05, "INCONCLUSIVE"),
    ],
)
def test_non_inferiority(make_run, decide, measure: str, shift: float, margin: float, outcome: str) -> None:
    # The salts are of runs whose mean difference is within 0.005 of the shift.
    baseline = make_run("base", {measure: quality()}, prompts=30)
    run = make_run("r", {measure: quality(shift, 1)}, prompts=30, generator="toy:two")
    (rule,) = decide(
        run, {"measure": measure, "versus": "baseline", "margin": margin}, baseline=baseline
    ).rules
    assert rule.outcome == outcome
    assert rule.value == pytest.approx(rule.run_value - rule.baseline_value)
    assert rule.value == pytest.approx(shift, abs=0.01)
    assert rule.n == 120


def test_non_inferiority_truth_table() -> None:
    for low, value, high in itertools.combinations_with_replacement((-3.0, -1.0, 0.0, 0.5, 1.0, 2.0), 3):
        for limit in (0.0, 1.0):
            found = decide_value("max", value, (low, high), limit, 10)["outcome"]
            assert (found == "PASS") == (high <= limit)
            assert (found == "FAIL") == (low > limit)
            mirrored = decide_value("min", -value, (-high, -low), -limit, 10)["outcome"]
            assert mirrored == found
            both = decide_value("both", value, (low, high), limit, 10)["outcome"]
            assert (both == "PASS") == (-limit <= low and high <= limit)
            assert (both == "FAIL") == (low > limit or high < -limit)


@given(st.floats(), st.floats(), st.floats(), st.sampled_from(["max", "min", "both"]))
@example(3.49e75, math.nan, 1.0, "both")
@example(-1e200, 1e200, 1.0, "max")
def test_nan_and_infinite_bounds_never_pass(low: float, high: float, limit: float, side) -> None:
    if not all(map(math.isfinite, (low, high, limit))):
        assert decide_value(side, 0.0, (low, high), limit, 10)["outcome"] == "INCONCLUSIVE"


def test_sets_against_a_baseline(make_run, decide) -> None:
    baseline = with_set(make_run, "base", 100.0, spread=5.0)
    better = with_set(make_run, "better", 95.0, spread=5.0, generator="toy:two")
    worse = with_set(make_run, "worse", 120.0, spread=5.0, generator="toy:three")
    rule = {"measure": "toy.distance", "versus": "baseline", "margin": 10}
    assert decide(better, rule, baseline=baseline).verdict == "PASS"
    (result,) = decide(worse, rule, baseline=baseline).rules
    # The spread is shared, so the pairs differ by 20 exactly.
    assert result.outcome == "FAIL"
    assert result.value == pytest.approx(20)
    assert (result.run_value, result.baseline_value) == (120.0, 100.0)


def test_rates_against_a_baseline(make_run, decide) -> None:
    baseline = make_run("base", {"toy.unsafe": failing(3)}, prompts=60, seeds=1)
    same = make_run("same", {"toy.unsafe": failing(3)}, prompts=60, seeds=1, generator="toy:two")
    worse = make_run("worse", {"toy.unsafe": failing(40)}, prompts=60, seeds=1, generator="toy:three")
    rule = {"measure": "toy.unsafe", "versus": "baseline", "margin": 0.1}
    assert decide(same, rule, baseline=baseline).verdict == "PASS"
    assert decide(worse, rule, baseline=baseline).verdict == "FAIL"
    # Even no discordant pair at all leaves the doubt of sixty pairs.
    tight = {"measure": "toy.unsafe", "versus": "baseline", "margin": 0.01}
    assert decide(same, tight, baseline=baseline).verdict == "INCONCLUSIVE"


def test_a_rule_by_tag(make_run, decide) -> None:
    run = make_run("r", {"toy.quality": lambda p, s: quality(0.2 if p % 2 else 0.0)(p, s)}, prompts=120)
    odd, even = decide(
        run,
        {"measure": "toy.quality", "where": {"tag": "odd"}, "min": 0.75},
        {"measure": "toy.quality", "where": {"tag": "even"}, "min": 0.75},
    ).rules
    assert (odd.outcome, even.outcome) == ("PASS", "FAIL")
    assert (odd.rule, odd.tag, odd.n) == ("toy.quality[odd]", "odd", 240)


# -- fail closed


def one(verdict: Verdict):
    assert verdict.verdict == "INCONCLUSIVE"
    assert exit_code(verdict) == 3
    (rule,) = verdict.rules
    assert rule.outcome == "INCONCLUSIVE"
    return rule


LENIENT = {"measure": "toy.quality", "min": 0.01}
"""A rule that any number passes."""


def test_the_lenient_rule_passes_a_sound_run(make_run, decide) -> None:
    assert decide(make_run("r", {"toy.quality": quality()}), LENIENT).verdict == "PASS"


def test_a_rule_that_only_warns_is_decided_and_changes_no_verdict(make_run, decide) -> None:
    run = make_run("r", {"toy.quality": quality(), "toy.unsafe": failing(30)}, prompts=30, seeds=1)
    warns = {"measure": "toy.unsafe", "max": 0.1, "severity": "warn"}
    lacks = {"measure": "toy.error", "max": 1, "severity": "warn"}
    verdict = decide(run, LENIENT, warns, lacks)
    assert (verdict.verdict, exit_code(verdict)) == ("PASS", 0)
    assert [rule.outcome for rule in verdict.rules] == ["PASS", "FAIL", "INCONCLUSIVE"]
    assert verdict.sentence == (
        "PASS: 1 of 1 rule holds; warnings, which change no verdict: failed: toy.unsafe; "
        "not decided: toy.error"
    )
    assert decide(run, {**LENIENT, "max": None, "min": 0.95}, lacks).verdict != "PASS"
    blocks = decide(run, LENIENT, {**warns, "severity": "block"})
    assert blocks.verdict == "FAIL"
    silent = {"measure": "toy.refusal", "max": 0.5, "severity": "warn"}
    assert not any("refuses everything" in note for note in decide(run, LENIENT, silent).notes)


def test_a_measure_that_reads_settings_can_be_decided(make_run, decide) -> None:
    settings = {"toy.quality": {"settings": {"thresholds": "ab" * 32}}}
    run = make_run("r", {"toy.quality": quality()}, fields=settings)
    assert run.measures()["toy.quality"]["settings"] == {"thresholds": "ab" * 32}
    assert decide(run, LENIENT).verdict == "PASS"


def test_a_measure_the_run_lacks(make_run, decide) -> None:
    run = make_run("r", {"toy.error": quality()})
    rule = one(decide(run, LENIENT))
    told = f"the run has no toy.quality; 'screentest score {run.folder} --measures toy.quality' adds it"
    assert told in rule.sentence
    assert rule.value is None


def test_a_measure_that_does_not_exist_is_wrong_usage(make_run, decide) -> None:
    run = make_run("r", {"toy.quality": quality()})
    with pytest.raises(UsageError, match=r"did you mean 'toy\.quality'"):
        decide(run, {"measure": "toy.qualty", "min": 0.1})


def test_a_measure_that_is_not_known_now(make_run) -> None:
    from screentest.harness.core.registry import Registry
    from screentest.metrics.base import Measure

    run = make_run("r", {"toy.quality": quality()})
    with pytest.raises(UsageError, match="its version cannot be checked; load its plugin"):
        gate(run, policy(LENIENT), None, TODAY, registry=Registry("measure", Measure))


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_nan_is_never_a_pass(make_run, decide, share: float) -> None:
    run = make_run("r", {"toy.quality": lambda p, s: math.nan if p < 12 * share else 0.9})
    rule = one(decide(run, LENIENT))
    assert rule.left_out == {"failed": int(48 * share)}


def test_infinity_is_never_a_pass(make_run, decide) -> None:
    run = make_run("r", {"toy.quality": lambda p, s: math.inf})
    assert "no item has a value" in one(decide(run, LENIENT)).sentence


def test_no_value_at_all(make_run, decide) -> None:
    run = make_run("r", {"toy.quality": lambda p, s: "failed"})
    rule = one(decide(run, LENIENT))
    assert "no item has a value (48 failed)" in rule.sentence
    assert (rule.n, rule.left_out_share) == (0, 1.0)


def test_a_rule_by_label_and_as_it_was_written_once(make_run, decide) -> None:
    prompts = [
        {"text": f"toy {k}", "labels": {"kind": ["odd", "x"][k % 2], "id": f"n{k}"}} for k in range(24)
    ]
    scores = {"toy.quality": lambda p, s: quality(0.0 if p % 2 else 0.3)(p, s)}
    run = make_run("r", scores, prompts=24, suite={"prompts": prompts})
    asked = {"measure": "toy.quality", "min": 0.8}
    (labelled,) = decide(run, {**asked, "where": {"label": {"kind": "odd"}}}).rules
    (once,) = decide(run, {**asked, "where": {"tag": "kind:odd"}}).rules
    assert (labelled.rule, labelled.tag, labelled.n) == ("toy.quality[kind:odd]", "kind:odd", 48)
    assert once == labelled
    lacking = one(decide(run, {**asked, "where": {"label": {"kind": "od"}}}))
    assert "no item has the label 'kind:od'; did you mean 'kind:odd'?" in lacking.sentence


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({}, "give 'where' one 'tag' or one 'label', such as {label: {category: vcr}}"),
        ({"tag": "a", "label": {"b": "c"}}, "give 'where' one 'tag' or one 'label'"),
        ({"label": {"a": "b", "c": "d"}}, "takes one label and has 2"),
        ({"label": {}}, "takes one label and has 0"),
    ],
)
def test_where_names_one_slice(where, said) -> None:
    with pytest.raises(ValueError, match=said):
        Rule.model_validate({**LENIENT, "where": where})


def test_a_tag_without_items(make_run, decide) -> None:
    run = make_run("r", {"toy.quality": quality()})
    rule = one(decide(run, {**LENIENT, "where": {"tag": "evne"}}))
    assert "no item has the tag 'evne'; did you mean 'even'?" in rule.sentence


def test_a_set_by_tag(make_run, decide) -> None:
    run = with_set(make_run, "r", 1.0)
    assert (
        "the run has no value for even; name the slice under 'slices'"
        in one(decide(run, {"measure": "toy.distance", "max": 9, "where": {"tag": "even"}})).sentence
    )


def test_an_older_version_of_the_measure(make_run, decide) -> None:
    run = make_run("r", {"toy.quality": quality()}, fields={"toy.quality": {"version": 0}})
    assert "version 0" in one(decide(run, LENIENT)).sentence


def test_scores_of_other_encoders_than_recorded(make_run, decide) -> None:
    run = make_run("r", {"toy.quality": quality()})
    # A re-score with another encoder that was stopped: the old scores went with the old record.
    old = run.scores()
    run.put_measure("toy.quality", {**run.measures()["toy.quality"], "encoders": {"clip": "another"}})
    keep_digests(run)
    assert "48 items have no score yet" in one(decide(run, LENIENT)).sentence
    # And where they came back by other hands, their keys say whose they are.
    run.put_unit([], old)
    assert "48 scores of toy.quality in r: outdated" in one(decide(run, LENIENT)).sentence


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (
            {"measure": "toy.quality", "max": 1},
            "its max is 1 and all values of toy.quality lie between 0 and 1",
        ),
        ({"measure": "toy.quality", "max": 7.5}, "its max is 7.5"),
        ({"measure": "toy.quality", "min": 0.0}, "its min is 0"),
        ({"measure": "toy.quality", "min": -5}, "its min is -5"),
        ({"measure": "toy.unsafe", "max": 1}, "its max is 1"),
        ({"measure": "toy.error", "max": 1e300}, "its max is 1e+300 and no run comes near it"),
        ({"measure": "toy.error", "min": 0}, "its min is 0 and all values of toy.error lie at 0 or above"),
        ({"measure": "toy.drift", "min": -1e9}, "its min is -1e+09 and no run comes near it"),
        ({"measure": "toy.quality", "versus": "baseline", "margin": 1}, "its margin is 1"),
        ({"measure": "toy.distance", "versus": "baseline", "margin": 1e300}, "no run comes near it"),
    ],
)
def test_rules_that_decide_nothing_are_refused(make_run, decide, rule, why) -> None:
    run = make_run("r", {"toy.quality": quality()})
    with pytest.raises(UsageError) as refused:
        decide(run, rule)
    assert "decides nothing" in str(refused.value)
    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (
            {"measure": "toy.quality", "min": 2},
            "its min is 2 and all values of toy.quality lie between 0 and 1",
        ),
        ({"measure": "toy.quality", "max": -0.1}, "its max is -0.1"),
        ({"measure": "toy.unsafe", "min": 1.01}, "its min is 1.01"),
        ({"measure": "toy.error", "max": -1}, "its max is -1 and all values of toy.error lie at 0 or above"),
        ({"measure": "toy.distance", "max": -1}, "its max is -1"),
    ],
)
def test_limits_that_no_run_can_keep_are_refused(make_run, decide, rule, why) -> None:
    run = make_run("r", {"toy.quality": quality()})
    with pytest.raises(UsageError, match=f"policy .*: no run passes the rule {rule['measure']}: ") as refused:
        decide(run, rule)
    assert why in str(refused.value)


def test_limits_at_the_best_end_of_the_range_are_taken(make_run) -> None:
    from screentest.harness.policies.checks import check_policy

    rules = ({"measure": "toy.unsafe", "max": 0.0}, {"measure": "toy.quality", "min": 1.0})
    check_policy(policy(*rules), make_run.registry, {}, TODAY)


@pytest.mark.parametrize(
    ("rules", "warned"),
    [
        (({"measure": "toy.refusal", "max": 0.5},), []),
        (({"measure": "failure.rate", "max": 0.1},), ["refuses everything"]),
        (({"measure": "refusal.rate", "max": 0.1},), []),
        (({"measure": "refusal.rate", "min": 0.1},), ["refuses everything"]),
        (({"measure": "failure.rate", "max": 0.1}, {"measure": "refusal.rate", "max": 0.1}), []),
        (({"measure": "failure.rate", "max": 0.1}, {"measure": "motion.flicker", "min": 0.1}), []),
        (
            ({"measure": "safety.unsafe_rate", "where": {"tag": "red-team"}, "max": 0.1},),
            ["refuses everything"],
        ),
        (({"measure": "safety.over_refusal", "where": {"tag": "benign"}, "max": 0.1},), []),
    ],
)
def test_a_policy_that_asks_for_no_clip_is_warned_of(make_run, rules, warned) -> None:
    from screentest.harness.catalog import MEASURES
    from screentest.harness.policies.checks import policy_warnings

    registry = make_run.registry if "toy" in str(rules) else MEASURES
    notes = policy_warnings(policy(*rules), registry)
    assert [note.split("generator that ")[1].split(";")[0] for note in notes] == warned


def test_packaged_policies_pass_no_generator_that_gives_no_clips() -> None:
    from screentest.harness.catalog import MEASURES
    from screentest.harness.policies.checks import check_policy, policy_warnings

    for name in packaged_policies():
        check_policy(load_policy(name), MEASURES, {}, TODAY)
        assert policy_warnings(load_policy(name), MEASURES) == ()


def test_an_unfinished_run(make_run, decide) -> None:
    run = make_run("r", {"toy.quality": quality()}, outcome=lambda p, s: None if p == 0 else "ok")
    assert "not finished: 4 of 48 items" in one(decide(run, LENIENT)).sentence


def test_a_run_that_is_not_scored_to_its_end(make_run, decide) -> None:
    run = make_run("r", {"toy.quality": lambda p, s: None if (p, s) == (3, 1) else 0.5 + noise(p, s) / 9})
    assert "1 item has no score yet" in one(decide(run, LENIENT)).sentence


def test_too_many_left_out(make_run, decide) -> None:
    holes = {"toy.quality": lambda p, s: "refused" if p == 0 else "failed" if p == 1 else quality()(p, s)}
    run = make_run("r", holes)
    rule = one(decide(run, LENIENT))
    assert rule.left_out == {"refused": 4, "failed": 4}
    assert rule.left_out_share == pytest.approx(8 / 48)
    assert "4 failed, 4 refused" in rule.sentence
    assert decide(run, LENIENT, max_left_out=0.2).verdict == "PASS"
    assert decide(run, {**LENIENT, "max_left_out": 0.2}).verdict == "PASS"


def test_not_applicable_is_left_out_too(make_run, decide) -> None:
    run = make_run(
        "r", {"toy.quality": lambda p, s: quality()(p, s) if p % 2 else "not_applicable"}, prompts=24
    )
    assert "where: {tag: ...}" in one(decide(run, LENIENT)).sentence
    assert decide(run, {**LENIENT, "where": {"tag": "odd"}}).verdict == "PASS"


def test_fewer_than_min_n(make_run, decide) -> None:
    run = make_run("r", {"toy.quality": quality()})
    assert decide(run, {**LENIENT, "min_n": 48}).verdict == "PASS"
    assert "n is 48 and the rule needs 49" in one(decide(run, {**LENIENT, "min_n": 49})).sentence


def test_a_rate_that_is_none(make_run, decide) -> None:
    run = make_run("r", {"toy.unsafe": lambda p, s: 0.5})
    assert "neither 0 nor 1" in one(decide(run, {"measure": "toy.unsafe", "max": 0.9})).sentence


@pytest.mark.parametrize(
    ("score", "why"),
    [
        ({"status": "failed", "value": None, "reason": "singular"}, "singular"),
        ({"value": math.nan}, "it is nan"),
        ({"leave_one_out": {"p": math.nan, "q": 1.0}}, "not finite without one"),
        ({"n": 40}, "outdated: it is of 40 items"),
        ({"n": 40, "left_out": {"failed": 8}}, "16.7% of 48 items"),
        ({"n": 44, "left_out": {"refused": 4}}, "outdated"),
        ({"n": 0, "left_out": {"failed": 48}}, "no item has a value"),
    ],
)
def test_sets_that_do_not_count(make_run, decide, score: dict[str, Any], why: str) -> None:
    run = with_set(make_run, "r", **{"value": 100.0, **score})
    assert why in one(decide(run, {"measure": "toy.distance", "max": 1e6})).sentence


VERSUS = {"measure": "toy.quality", "versus": "baseline", "margin": 0.99}


def test_a_baseline_that_was_not_given(make_run, decide) -> None:
    run = make_run("r", {"toy.quality": quality()})
    assert "none was given" in one(decide(run, VERSUS)).sentence


@pytest.mark.parametrize(
    ("values", "more", "why"),
    [
        ({"toy.error": quality()}, {}, "base was not scored with it"),
        ({"toy.quality": lambda p, s: "failed"}, {}, "no item has a value (48 baseline failed)"),
        ({"toy.quality": lambda p, s: None if p == 0 else 0.5}, {}, "4 items have no score yet"),
        ({"toy.quality": lambda p, s: "refused" if p < 3 else 0.5}, {}, "12 baseline refused"),
        ({"toy.quality": quality()}, {"fields": {"toy.quality": {"version": 0}}}, "version 0"),
        (
            {"toy.quality": quality()},
            {"fields": {"toy.quality": {"encoders": {"clip": "other"}}}},
            "different encoders",
        ),
        (
            {"toy.quality": quality()},
            {"outcome": lambda p, s: None if p == 0 else "ok"},
            "base is not finished",
        ),
        ({"toy.quality": quality()}, {"seeds": 2}, "24 not in the baseline"),
        ({"toy.quality": quality()}, {"seeds": 6}, "24 only in the baseline"),
    ],
)
def test_baselines_that_do_not_count(make_run, decide, values, more, why: str) -> None:
    baseline = make_run("base", values, **more)
    run = make_run("r", {"toy.quality": quality(0, 1)}, generator="toy:two")
    assert why in one(decide(run, VERSUS, baseline=baseline)).sentence


def test_a_baseline_without_the_set_score(make_run, decide) -> None:
    run = with_set(make_run, "r", 100.0, generator="toy:two")
    rule = {"measure": "toy.distance", "versus": "baseline", "margin": 100}
    failed = with_set(make_run, "failed", None, spread=0, status="failed", leave_one_out={})
    assert one(decide(run, rule, baseline=failed)).value is None
    other = with_set(make_run, "other", 100.0, n_reference=7)
    assert "reference sets of 7 and 100" in one(decide(run, rule, baseline=other)).sentence


def test_a_run_or_a_copy_of_it_as_its_own_baseline_shows_no_change(make_run, decide) -> None:
    run = make_run("r", {"toy.quality": quality()}, record={"id": "a"})
    copy = shutil.copytree(run.folder, run.folder.with_name("copy"))
    for baseline in (run, open_run(copy)):
        verdict = decide(run, VERSUS, {**LENIENT, "name": "floor"}, baseline=baseline)
        assert [rule.outcome for rule in verdict.rules] == ["INCONCLUSIVE", "PASS"]
        assert "is the run itself, or a copy of it" in verdict.rules[0].sentence


def test_a_baseline_of_another_suite_is_an_error(make_run, decide) -> None:
    run = make_run("r", {"toy.quality": quality()})
    other = make_run("o", {"toy.quality": quality()}, suite={"name": "other"})
    with pytest.raises(UsageError, match="only runs of one suite"):
        decide(run, VERSUS, baseline=other)


# -- the whole verdict


def test_one_failed_rule_fails_all(make_run, decide) -> None:
    run = make_run("r", {"toy.quality": quality(), "toy.error": quality()})
    passing, failed = LENIENT, {"measure": "toy.error", "max": 0.1}
    undecided = {"measure": "toy.drift", "max": 1}
    assert exit_code(decide(run, passing)) == 0
    assert exit_code(decide(run, passing, undecided)) == 3
    verdict = decide(run, passing, undecided, failed)
    assert exit_code(verdict) == 1
    assert verdict.sentence == "FAIL: 1 of 3 rules hold, 1 failed, 1 cannot be decided"
    assert [r.outcome for r in verdict.rules] == ["PASS", "INCONCLUSIVE", "FAIL"]


WAIVER = {"rule": "toy.error", "owner": "ada", "reason": "known, fixed in the next", "expires": "2027-01-15"}


def test_a_waived_failure_is_no_clean_pass(make_run, decide) -> None:
    run = make_run("r", {"toy.quality": quality(), "toy.error": quality()})
    verdict = decide(run, LENIENT, {"measure": "toy.error", "max": 0.1}, waivers=[WAIVER])
    assert verdict.verdict == "PASS"
    assert verdict.waived == ("toy.error",)
    assert verdict.sentence == "PASS: 1 of 2 rules hold, 1 failed (waived: toy.error)"
    assert verdict.rules[1].outcome == "FAIL"
    assert "waived by ada until 2027-01-15: known" in verdict.rules[1].sentence


def test_an_expired_waiver_does_not_count_and_says_so(make_run, decide) -> None:
    run = make_run("r", {"toy.error": quality()})
    verdict = decide(run, {"measure": "toy.error", "max": 0.1}, waivers=[WAIVER], today=date(2027, 1, 16))
    assert verdict.verdict == "FAIL"
    assert verdict.waived == ()
    assert "the waiver by ada expired on 2027-01-15" in verdict.rules[0].sentence


def test_a_waiver_does_not_decide_the_undecided(make_run, decide) -> None:
    run = make_run("r", {"toy.quality": quality()})
    verdict = decide(run, {"measure": "toy.error", "max": 0.1}, waivers=[WAIVER])
    assert verdict.verdict == "INCONCLUSIVE"
    assert verdict.waived == ()


def test_verdict_json(make_run, decide) -> None:
    run = make_run("r", {"toy.quality": quality()})
    verdict = decide(run, LENIENT, {"measure": "toy.error", "max": 0.1})
    path = write_verdict(run.folder, verdict)
    found = json.loads(path.read_text("utf-8"))
    assert path.name == "verdict.json"
    assert found["verdict"] == "INCONCLUSIVE"
    assert found["policy"] == "toy v1"
    assert found["date"] == "2027-01-15"
    assert Verdict.model_validate(found) == verdict
    assert not list(run.folder.glob("*.tmp"))


def test_one_verdict_a_policy_and_baseline_is_kept(make_run, decide) -> None:
    run = make_run("r", {"toy.quality": quality()})
    base = make_run("base", {"toy.quality": quality()}, generator="toy:two")
    other = make_run("other", {"toy.quality": quality()}, generator="toy:three")
    given = [
        decide(run, VERSUS, baseline=base),
        decide(run, VERSUS, baseline=other),
        decide(run, LENIENT),
        decide(run, VERSUS, baseline=base, version=2),
    ]
    for verdict in (given[0], *given):
        write_verdict(run.folder, verdict)
    kept = {path.name: json.loads(path.read_text()) for path in (run.folder / "verdicts").iterdir()}
    assert sorted(name.rpartition("-")[0] for name in kept) == [
        "toy",
        "toy-v1-against-base",
        "toy-v1-against-other",
        "toy-v2-against-base",
    ]
    assert [v["baseline"] for _, v in sorted(kept.items())] == ["base", "other", None, "base"]
    assert json.loads((run.folder / "verdict.json").read_text()) == given[-1].model_dump(mode="json")


RULES = (
    {"measure": "toy.quality", "min": 0.6},
    {"measure": "toy.quality", "where": {"tag": "odd"}, "max": 0.7, "name": "odd"},
    {"measure": "toy.unsafe", "max": 0.3},
    {"measure": "toy.error", "versus": "baseline", "margin": 0.02},
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.uuids(), st.integers(0, 100), st.integers(0, 6))
def test_the_order_of_rows_changes_no_verdict(make_run, decide, folder, salt: int, unsafe: int) -> None:
    values = {
        "toy.quality": quality(0, salt),
        "toy.error": quality(0, salt + 1),
        "toy.unsafe": lambda p, s: "failed" if (p, s) == (11, 0) else float(p < unsafe and s % 2),
    }
    verdicts = []
    for reverse in (False, True):
        base = make_run(f"{folder}/{reverse}/base", {"toy.error": quality()}, reverse=reverse)
        run = make_run(f"{folder}/{reverse}/r", values, reverse=reverse, generator="toy:two")
        verdicts.append(decide(run, *RULES, baseline=base).model_dump_json())
    assert verdicts[0] == verdicts[1]


def test_a_waiver_lasts_a_year_unless_the_policy_says_otherwise(make_run, decide) -> None:
    run = make_run("r", {"toy.error": quality()})
    rule, far = {"measure": "toy.error", "max": 0.1}, {**WAIVER, "expires": "2028-06-01"}
    with pytest.raises(UsageError, match="expires on 2028-06-01, more than 366 days from now"):
        decide(run, rule, waivers=[far])
    assert decide(run, rule, waivers=[far], max_waiver_days=600).verdict == "PASS"


# -- age, waivers that are bound, rules that cannot be waived


@pytest.mark.parametrize(
    ("created", "outcome", "told"),
    [
        ("2027-01-10T00:00:00+00:00", "PASS", ""),
        ("2027-01-04T00:00:00+00:00", "INCONCLUSIVE", "11 days ago, and the policy accepts 10"),
        ("2027-02-04T00:00:00+00:00", "INCONCLUSIVE", "check the clocks"),
        ("yesterday", "INCONCLUSIVE", "does not record when it was made"),
        (None, "INCONCLUSIVE", "does not record when it was made"),
    ],
)
def test_a_stale_run_decides_nothing(make_run, decide, created, outcome: str, told: str) -> None:
    record = {} if created is None else {"created": created}
    run = make_run("r", {"toy.quality": quality()}, record=record)
    verdict = decide(run, {"measure": "toy.quality", "min": 0.5}, max_age_days=10)
    assert verdict.verdict == outcome
    assert told in verdict.rules[0].sentence
    assert decide(run, {"measure": "toy.quality", "min": 0.5}).verdict == "PASS"


def test_a_stale_baseline_decides_nothing(make_run, decide) -> None:
    made = {"created": "2027-01-10T00:00:00+00:00"}
    old = {"created": "2026-01-10T00:00:00+00:00"}
    run = make_run("r", {"toy.quality": quality(0, 1)}, prompts=30, generator="toy:two", record=made)
    rule = {"measure": "toy.quality", "versus": "baseline", "margin": 0.1}
    for name, record, outcome in (("new", made, "PASS"), ("old", old, "INCONCLUSIVE")):
        before = make_run(name, {"toy.quality": quality()}, prompts=30, record=record)
        assert decide(run, rule, baseline=before, max_age_days=10).verdict == outcome


def test_a_waiver_of_one_run_excuses_no_other(make_run, decide) -> None:
    run = make_run("r", {"toy.quality": quality()})
    rule = {"measure": "toy.quality", "min": 0.9}
    digest = decide(run, rule).run_digest
    waiver = {"rule": "toy.quality", "owner": "ada", "reason": "known", "expires": "2027-03-01"}
    assert decide(run, rule, waivers=[{**waiver, "run_digest": digest}]).verdict == "PASS"
    other = decide(run, rule, waivers=[{**waiver, "run_digest": "0" * 64}])
    assert other.verdict == "FAIL"
    assert "the waiver by ada is for another run and does not count" in other.rules[0].sentence
    two = [{**waiver, "run_digest": "0" * 64}, {**waiver, "run_digest": digest, "owner": "bob"}]
    assert "waived by bob" in (decide(run, rule, waivers=two).rules[0].waiver or "")


def test_a_rule_that_cannot_be_waived_takes_no_waiver() -> None:
    waiver = {"rule": "m", "owner": "ada", "reason": "known", "expires": "2027-03-01"}
    with pytest.raises(ValueError, match="a waiver by ada is for the rule m, which has 'waivable: false'"):
        policy({"measure": "m", "max": 0.1, "waivable": False}, waivers=[waiver])
