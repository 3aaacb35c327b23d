"""Plans of gates: the prompts that rules need, from a policy alone or from a pilot run."""

from __future__ import annotations

import math

import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.core.pairing import pair_runs
from screentest.harness.core.run_data import SetScore
from screentest.harness.core.stats import prompts_for_rate, prompts_to_clear
from screentest.harness.gates.gate import gate
from screentest.harness.gates.planning import plan_gate
from screentest.harness.policies.policy import Policy
from screentest.harness.run_folder.store import read_run
from screentest.harness.suites.suite import Suite


def policy(*rules, **more) -> Policy:
    return Policy.model_validate({"name": "toy", "version": 1, "rules": rules, **more})


def noise(prompt: int, seed: int, salt: int = 0) -> float:
    return math.sin(12.9898 * prompt + 78.233 * seed + 37.719 * salt) * 43758.5453 % 1.0


def quality(shift: float = 0.0):
    return lambda p, s: 0.6 + 0.3 * noise(p, 0) + 0.1 * (noise(p, s, 1) - 0.5) + shift


def only(found):
    (rule,) = found.rules
    return rule


# -- from a policy alone


@pytest.mark.parametrize(("ceiling", "prompts"), [(0.05, 59), (0.01, 299), (0.25, 11)])
def test_a_rate_alone_needs_as_many_prompts_without_a_failure(make_run, ceiling, prompts) -> None:
    rule = only(plan_gate(policy({"measure": "toy.unsafe", "max": ceiling}), make_run.registry))
    assert (rule.prompts, rule.expected, rule.expected_from) == (prompts, 0.0, "no failure")
    assert "any failure takes more" in rule.notes[0]


def test_a_floor_of_a_rate_is_a_ceiling_of_its_failures(make_run) -> None:
    rule = only(plan_gate(policy({"measure": "toy.unsafe", "min": 0.95}), make_run.registry))
    assert (rule.prompts, rule.expected) == (59, 1.0)


def test_an_expected_rate_needs_more(make_run) -> None:
    asked = policy({"measure": "toy.unsafe", "max": 0.05})
    rule = only(plan_gate(asked, make_run.registry, expected={"toy.unsafe": 0.01}, power=0.9))
    assert rule.prompts == prompts_for_rate(0.01, 0.05, 0.95, 0.9)
    assert rule.prompts > 59
    at_limit = only(plan_gate(asked, make_run.registry, expected={"toy.unsafe": 0.05}))
    assert at_limit.prompts is None
    assert "no number of prompts passes" in at_limit.reason


@pytest.mark.parametrize(
    "rule",
    [
        {"measure": "toy.quality", "min": 0.5},
        {"measure": "toy.error", "versus": "baseline", "margin": 0.1},
        {"measure": "toy.distance", "max": 10.0},
    ],
)
def test_what_has_no_known_spread_asks_for_a_pilot(make_run, rule) -> None:
    found = only(plan_gate(policy(rule), make_run.registry))
    assert found.prompts is None
    assert "it takes a pilot run" in found.reason


def test_a_least_n_of_a_rule_counts(make_run) -> None:
    asked = policy({"measure": "toy.unsafe", "max": 0.25, "min_n": 100})
    rule = only(plan_gate(asked, make_run.registry, seeds=4))
    assert rule.prompts == 25
    assert "asks for 100 values" in rule.notes[-1]


# -- the suite


def suite(prompts: int, seeds: int = 2) -> Suite:
    listed = [{"text": f"toy {k}", "tags": ["even"] if k % 2 == 0 else []} for k in range(prompts)]
    clip = {"frames": 4, "height": 16, "width": 16, "fps": 8}
    fields = {"name": "toy", "version": 1, "seeds": seeds, "clip": clip, "prompts": listed}
    return Suite.model_validate({**fields, "measures": ["toy.quality", "toy.unsafe", "toy.distance"]})


def test_a_suite_is_held_against_what_is_needed_slice_by_slice(make_run) -> None:
    rules = (
        {"measure": "toy.unsafe", "max": 0.05},
        {"measure": "toy.unsafe", "max": 0.05, "where": {"tag": "even"}},
    )
    found = plan_gate(policy(*rules), make_run.registry, suite=suite(60))
    assert [(r.there, r.enough) for r in found.rules] == [(60, True), (30, False)]
    assert (found.too_few, found.decided) == (("toy.unsafe[even]",), False)
    assert plan_gate(policy(rules[0]), make_run.registry, suite=suite(60)).decided


def test_a_rule_that_only_warns_needs_no_larger_suite(make_run) -> None:
    warns = {"measure": "toy.unsafe", "max": 0.01, "severity": "warn"}
    asked = policy({"measure": "toy.unsafe", "max": 0.25, "name": "a"}, warns)
    assert plan_gate(asked, make_run.registry, suite=suite(20)).decided


def test_a_slice_that_the_suite_lacks_is_never_enough(make_run) -> None:
    asked = policy({"measure": "toy.unsafe", "max": 0.25, "where": {"tag": "red-team"}})
    found = plan_gate(asked, make_run.registry, suite=suite(60))
    assert only(found).enough is False
    assert "no prompt of red-team" in only(found).notes[-1]


def test_a_measure_that_the_suite_does_not_take_is_never_enough(make_run) -> None:
    found = plan_gate(policy({"measure": "toy.refusal", "max": 0.25}), make_run.registry, suite=suite(60))
    assert (only(found).enough, found.too_few) == (False, ("toy.refusal",))
    assert "--measures +toy.refusal" in only(found).notes[-1]


def test_a_slice_of_a_set_must_be_named_in_the_suite(make_run) -> None:
    asked = policy({"measure": "toy.distance", "max": 10.0, "where": {"tag": "even"}})
    found = plan_gate(asked, make_run.registry, suite=suite(60))
    assert (only(found).enough, "under 'slices'" in only(found).notes[-1]) == (False, True)


def test_a_suite_whose_prompts_come_later_decides_nothing(make_run) -> None:
    fields = {"name": "later", "version": 1, "prompts_from_generator": True, "measures": ["toy.unsafe"]}
    found = plan_gate(
        policy({"measure": "toy.unsafe", "max": 0.25}), make_run.registry, suite=Suite.model_validate(fields)
    )
    assert (found.decided, found.without_count) == (False, ("toy.unsafe",))
    assert "come with its generator" in found.notes[0]


def test_a_rule_without_a_count_is_not_decided(make_run) -> None:
    asked = policy({"measure": "toy.unsafe", "max": 0.25}, {"measure": "toy.quality", "min": 0.5})
    for given in (None, suite(60)):
        found = plan_gate(asked, make_run.registry, suite=given)
        assert (found.decided, found.too_few, found.without_count) == (False, (), ("toy.quality",))
    at_limit = plan_gate(
        policy({"measure": "toy.unsafe", "max": 0.05}),
        make_run.registry,
        suite=suite(60),
        expected={"toy.unsafe": 0.05},
    )
    assert at_limit.without_count == ("toy.unsafe",)


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"measure": "toy.unsafe", "max": 1.0}, "decides nothing"),
        ({"measure": "toy.quality", "min": 2}, "no run passes"),
        ({"measure": "toy.unsave", "max": 0.1}, "unknown measure 'toy.unsave'; did you mean 'toy.unsafe'?"),
    ],
)
def test_a_policy_that_the_gate_refuses_is_not_planned(make_run, rule, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        plan_gate(policy(rule), make_run.registry)


def test_looks_are_planned_at_the_last_one_that_the_suite_has(make_run) -> None:
    rule = {"measure": "toy.unsafe", "max": 0.05}
    looks = policy(rule, looks=[40, 80, 160])
    last = plan_gate(looks, make_run.registry)
    assert only(last).prompts == 60  # one look of 95 % takes 59
    assert "the look at 160 prompts" in last.notes[0]
    second = plan_gate(looks, make_run.registry, suite=suite(100))
    assert (only(second).there, "the look at 80 prompts" in second.notes[0]) == (80, True)
    assert second.confidence > last.confidence > 0.95
    none = plan_gate(looks, make_run.registry, suite=suite(30))
    assert (none.too_few, "at no look" in none.notes[0]) == (("toy.unsafe",), True)


def test_a_rate_that_is_corrected_has_no_count(make_run) -> None:
    asked = policy({"measure": "toy.unsafe", "max": 0.25, "corrected": True})
    found = plan_gate(asked, make_run.registry)
    assert (only(found).prompts, found.without_count) == (None, ("toy.unsafe",))


# -- from a pilot


def test_a_pilot_without_a_card_shows_that_a_rule_that_asks_for_one_cannot_pass(make_run) -> None:
    fields = {"toy.quality": {"encoders": {"clip": "some digest"}}}
    pilot = make_run("pilot", {"toy.quality": quality()}, prompts=24, fields=fields)
    rule = {"measure": "toy.quality", "min": 0.5}
    found = plan_gate(policy(rule), make_run.registry, pilot=read_run(pilot))
    assert (only(found).enough, found.too_few) == (False, ("toy.quality",))
    assert "no validity card" in only(found).notes[-1]
    assert plan_gate(policy(rule, cards="noted"), make_run.registry, pilot=read_run(pilot)).decided


def test_a_pilot_gives_the_count_of_the_gate_s_own_bound(make_run) -> None:
    pilot = make_run("pilot", {"toy.quality": quality()}, prompts=24, seeds=4)
    data = read_run(pilot)
    rule = only(plan_gate(policy({"measure": "toy.quality", "min": 0.7}), make_run.registry, pilot=data))
    means = [sum(quality()(p, s) for s in range(4)) / 4 for p in range(24)]
    names = [f"{p:02}" for p in range(24)]
    # the pilot's own number of clips a prompt leaves its prompts as they are
    needed = prompts_to_clear(means, names, 0.95, "lower", 0.7, (0.0, 1.0), power=0.8)
    assert rule.prompts == pytest.approx(needed, abs=1)
    assert rule.expected == pytest.approx(sum(means) / 24)
    assert rule.seeds == 4
    assert list(rule.by_seeds) == [1, 2, 4, 8]
    counts = list(rule.by_seeds.values())
    assert counts == sorted(counts, reverse=True)


def test_a_run_of_the_planned_size_passes_the_gate(make_run) -> None:
    asked = policy({"measure": "toy.quality", "min": 0.7})
    data = read_run(make_run("pilot", {"toy.quality": quality()}, prompts=24))
    prompts = only(plan_gate(asked, make_run.registry, pilot=data, power=0.9)).prompts
    assert prompts is not None
    run = make_run("run", {"toy.quality": quality()}, prompts=prompts)
    assert gate(run, asked, registry=make_run.registry).verdict == "PASS"


def test_a_pilot_beyond_the_limit_says_so(make_run) -> None:
    data = read_run(make_run("pilot", {"toy.quality": quality()}))
    asked = policy({"measure": "toy.quality", "min": 0.95})
    assert "with the pilot's value no number" in only(plan_gate(asked, make_run.registry, pilot=data)).reason
    moved = only(plan_gate(asked, make_run.registry, pilot=data, expected={"toy.quality": 0.98}))
    assert moved.expected_from == "given"
    assert moved.prompts is not None


def test_one_clip_a_prompt_says_nothing_of_seeds(make_run) -> None:
    data = read_run(make_run("pilot", {"toy.quality": quality()}, prompts=30, seeds=1))
    rule = only(
        plan_gate(policy({"measure": "toy.quality", "min": 0.7}), make_run.registry, pilot=data, seeds=4)
    )
    assert rule.by_seeds == {}
    assert "one clip a prompt" in rule.notes[0]


def test_a_margin_is_planned_from_the_pairs(make_run) -> None:
    first = make_run("a", {"toy.error": lambda p, s: 1 + noise(p, 0)}, prompts=40, generator="toy:a")
    second = make_run("b", {"toy.error": lambda p, s: 1 + noise(p, 0) + 0.2 * noise(p, s, 5)}, prompts=40)
    pairing = pair_runs(read_run(first), read_run(second))
    asked = policy({"measure": "toy.error", "versus": "baseline", "margin": 0.15})
    rule = only(plan_gate(asked, make_run.registry, pilot=pairing.b, pairing=pairing))
    assert rule.expected == pytest.approx(0.1, abs=0.02)
    assert rule.prompts is not None
    wide = policy({"measure": "toy.error", "versus": "baseline", "margin": 0.5})
    least = only(plan_gate(wide, make_run.registry, pilot=pairing.b, pairing=pairing)).prompts
    assert least == 29  # no mean without an end has a bound under that


def test_a_set_needs_prompts_by_its_error(make_run) -> None:
    pilot = make_run("pilot", {"toy.quality": quality()}, prompts=20)
    names = make_run.prompts_of(pilot)
    one = SetScore(measure="toy.distance", status="ok", value=8.0, low=6.0, high=10.0, n=80, clusters=20)
    make_run.put_set(pilot, one.model_copy(update={"leave_one_out": dict.fromkeys(names, 8.0)}))
    rules = [{"measure": "toy.distance", "max": limit} for limit in (9.0, 10.0, 7.0)]
    found = [only(plan_gate(policy(r), make_run.registry, pilot=read_run(pilot))).prompts for r in rules]
    # the error is 2 / t(.975, 19) at 20 prompts; (1.645 + 0.842) errors must fit into the room
    error = 2 / 2.093 * math.sqrt(20)
    assert found[0] == pytest.approx(((1.645 + 0.842) * error) ** 2, abs=3)
    assert found[1] == pytest.approx(((1.645 + 0.842) * error / 2) ** 2, abs=3)
    assert found[2] is None


# -- what is wrong


def test_an_expected_value_must_be_of_a_rule(make_run) -> None:
    asked = policy({"measure": "toy.unsafe", "max": 0.05})
    with pytest.raises(UsageError, match=r"unknown rule 'toy\.unsfe'; did you mean 'toy\.unsafe'"):
        plan_gate(asked, make_run.registry, expected={"toy.unsfe": 0.1})
    with pytest.raises(UsageError, match="between 0 and 1"):
        plan_gate(asked, make_run.registry, expected={"toy.unsafe": 1.5})
    with pytest.raises(UsageError, match="unknown measure"):
        plan_gate(policy({"measure": "toy.gone", "max": 0.05}), make_run.registry)


VERSUS = {"versus": "baseline", "margin": 0.1}


@pytest.mark.parametrize(
    ("rule", "value", "why"),
    [
        ({"measure": "toy.quality", "min": 0.5}, 2, "all values of toy.quality lie between 0 and 1"),
        ({"measure": "toy.quality", "min": 0.5}, -3, "all values of toy.quality lie between 0 and 1"),
        ({"measure": "toy.error", "max": 0.5}, -1, "all values of toy.error lie at 0 or above"),
        ({"measure": "toy.distance", "max": 9}, -1, "all values of toy.distance lie at 0 or above"),
        ({"measure": "toy.quality", **VERSUS}, -1.5, "all differences of toy.quality lie between -1 and 1"),
        ({"measure": "toy.unsafe", **VERSUS}, 2, "all differences of toy.unsafe lie between -1 and 1"),
    ],
)
def test_an_expected_value_is_one_that_the_measure_can_have(make_run, rule, value: float, why: str) -> None:
    name = rule["measure"]
    with pytest.raises(UsageError, match=f"^--expect {name}={value}: {why}$"):
        plan_gate(policy(rule), make_run.registry, expected={name: value})


def test_expected_values_at_the_ends_of_the_range_are_taken(make_run) -> None:
    for rule, value in (
        ({"measure": "toy.quality", "min": 0.5}, 1.0),
        ({"measure": "toy.quality", **VERSUS}, -1.0),
        ({"measure": "toy.error", **VERSUS}, -5.0),
    ):
        found = plan_gate(policy(rule), make_run.registry, expected={rule["measure"]: value})
        assert only(found).prompts is None


def test_a_pilot_without_the_measure_says_so(make_run) -> None:
    data = read_run(make_run("pilot", {"toy.error": lambda p, s: 1.0}))
    found = only(plan_gate(policy({"measure": "toy.quality", "min": 0.5}), make_run.registry, pilot=data))
    assert f"has no toy.quality; 'screentest score {data.folder} --measures toy.quality' adds" in found.reason


def test_a_rate_that_the_pilot_lacks_is_planned_without_it(make_run) -> None:
    data = read_run(make_run("pilot", {"toy.error": lambda p, s: 1.0}))
    rule = only(plan_gate(policy({"measure": "toy.unsafe", "max": 0.05}), make_run.registry, pilot=data))
    assert (rule.prompts, rule.expected_from) == (59, "no failure")
    assert "the pilot pilot has no toy.unsafe" in rule.notes[-1]


def test_a_pilot_without_a_failure_says_that_failures_take_more(make_run) -> None:
    data = read_run(make_run("pilot", {"toy.unsafe": lambda p, s: 0.0}))
    rule = only(plan_gate(policy({"measure": "toy.unsafe", "max": 0.05}), make_run.registry, pilot=data))
    assert (rule.prompts, rule.expected_from) == (59, "pilot")
    assert "no clip of the pilot fails" in rule.notes[0]
