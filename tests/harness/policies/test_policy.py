"""Policies: what a policy file may say, and the packaged ones."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError
from screentest.harness.core.errors import UsageError
from screentest.harness.gates.gate import Policy, load_policy, needed_items, packaged_policies

ONE = "rules: [{measure: m, max: 1}]\nwaivers: [{rule: m"
WAIVER = {"rule": "toy.error", "owner": "ada", "reason": "known, fixed in the next", "expires": "2027-01-15"}


def policy(*rules: dict[str, Any], **more: Any) -> Policy:
    return Policy.model_validate({"name": "toy", "version": 1, "rules": rules, **more})


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"measure": "m"}, "exactly one"),
        ({"measure": "m", "max": 1, "min": 0}, "exactly one"),
        ({"measure": "m", "max": 1, "versus": "baseline", "margin": 1}, "exactly one"),
        ({"measure": "m", "versus": "baseline"}, "together"),
        ({"measure": "m", "max": 1, "margin": 1}, "together"),
        ({"measure": "m", "versus": "last", "margin": 1}, "baseline"),
        ({"measure": "m", "versus": "baseline", "margin": -1}, "greater than or equal"),
        ({"measure": "m", "max": math.nan}, "finite"),
        ({"measure": "m", "max": math.inf}, "finite"),
        ({"measure": "m", "max": 1, "min_n": 0}, "greater than or equal"),
        ({"measure": "m", "maximum": 1}, "not permitted"),
    ],
)
def test_rules_that_are_refused(rule: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        policy(rule)


def test_policies_that_are_refused() -> None:
    rule = {"measure": "m", "max": 1}
    with pytest.raises(ValidationError, match="at least 1 item"):
        policy()
    with pytest.raises(ValidationError, match="two rules are called 'm'"):
        policy(rule, {"measure": "m", "min": 0})
    assert policy(rule, {"measure": "m", "min": 0, "name": "floor"}).rules[1].label == "floor"
    with pytest.raises(ValidationError, match="did you mean 'm'"):
        policy(rule, waivers=[{**WAIVER, "rule": "mm"}])
    with pytest.raises(ValidationError, match="expires"):
        policy(rule, waivers=[{k: v for k, v in WAIVER.items() if k != "expires"} | {"rule": "m"}])
    for blank in (" ", "\u200b", "\u3164 "):
        with pytest.raises(ValidationError, match="at least 1 character"):
            policy(rule, waivers=[{**WAIVER, "rule": "m", "owner": blank}])
    for number in (0, 1798761600, 2027.0, True):
        with pytest.raises(ValidationError, match="'expires' is a day, such as 2027-03-01, and YAML reads"):
            policy(rule, waivers=[{**WAIVER, "rule": "m", "expires": number}])
    warns = {"measure": "m", "max": 1, "severity": "warn"}
    with pytest.raises(ValidationError, match="every rule only warns"):
        policy(warns)
    with pytest.raises(ValidationError, match="for the rule m, which only warns"):
        policy(warns, {"measure": "n", "max": 1}, waivers=[{**WAIVER, "rule": "m"}])
    for confidence in (0.5, 0.79, 1.0, 95):
        with pytest.raises(ValidationError, match="confidence"):
            policy(rule, confidence=confidence)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (
            "rules: [{measure: m, max: yes}]",
            "'max' is a number, and YAML reads what stands there as yes or no",
        ),
        ("rules: [{measure: m, min: no}]", "'min' is a number"),
        ("rules: [{measure: m, versus: baseline, margin: on}]", "'margin' is a number"),
        ("rules: [{measure: m, max: 1, min_n: yes}]", "'min_n' is a number"),
        ("rules: [{measure: m, max: 1}]\nmax_left_out: yes", "'max_left_out' is a number"),
        ("rules: [{measure: m, max: 1}]\nmax_left_out: 1", "max_left_out: it should be at most 0.5 and is 1"),
        (
            "rules: [{measure: m, max: 1}]\nconfidence: 0.51",
            "confidence: it should be at least 0.8 and is 0.51",
        ),
        (f"{ONE}, expires: 2027-03-01, owner: '  ', reason: x}}]", "owner"),
        (f"{ONE}, expires: 2027-03-01, owner: ada, reason: ' '}}]", "reason"),
        (f"{ONE}, expires: 2026-02-30, owner: ada, reason: x}}]", "a date or number that cannot be"),
        (f"{ONE}, expires: 12:30, owner: ada, reason: x}}]", "expires"),
        (
            f"{ONE}, expires: 2027-03-01, owner: 12:30, reason: x}}]",
            "'owner' is text, and YAML reads what stands",
        ),
        (f"{ONE}, expires: 2027-03-01, owner: ada, reason: 2027-01-01}}]", "put it in quotes"),
        ("rules: []", "rules"),
        ("rules: " + "[" * 900 + "]" * 900, "nested too deeply"),
    ],
)
def test_policy_files_that_are_refused_in_one_sentence(tmp_path, line, why) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(f"name: p\nversion: 1\n{line}\n")
    with pytest.raises(UsageError) as refused:
        load_policy(str(path))
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_policy_file_with_a_slip(tmp_path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("name: p\nversion: 1\nrules:\n  - {measure: m, max: 1, marign: 2}\n")
    with pytest.raises(UsageError, match="did you mean 'margin'"):
        load_policy(str(path))
    path.write_text(
        "name: p\nversion: 1\nrules:\n  - {measure: m, max: 0.1}\n"
        "waivers:\n  - {rule: m, owner: ada, reason: known, expires: 2027-03-01}\n"
    )
    assert load_policy(str(path)).waivers[0].expires == date(2027, 3, 1)


def test_packaged_policies_name_measures_that_exist() -> None:
    from screentest.harness.catalog import MEASURES
    from screentest.harness.policies.checks import check_policy

    assert {"release", "smoke"} <= set(packaged_policies())
    for name in packaged_policies():
        loaded = load_policy(name)
        assert loaded.name == name
        check_policy(loaded, MEASURES, {}, date(2026, 1, 1))


def test_packaged_ceilings_can_be_shown_by_the_suites_they_are_for() -> None:
    from screentest.harness.suites.loading import load_suite

    prompts = len(load_suite("reference").prompts)
    assert needed_items(load_policy("release"))
    assert max(needed_items(load_policy("release")).values()) <= prompts
    assert max(needed_items(load_policy("smoke")).values()) <= 12


def test_needed_items(make_run) -> None:
    wanted = policy(
        {"measure": "toy.unsafe", "max": 0.05},
        {"measure": "toy.refusal", "min": 0.99},
        {"measure": "toy.unsafe", "max": 0.0, "name": "none"},
        {"measure": "toy.quality", "max": 0.5},
        {"measure": "toy.nothing", "max": 0.5},
    )
    assert needed_items(wanted, make_run.registry) == {"toy.unsafe": 59, "toy.refusal": 299}


def test_a_rule_names_one_value_of_a_measure_that_has_several() -> None:
    from screentest.harness.catalog import MEASURES
    from screentest.harness.policies.checks import check_policy

    with pytest.raises(UsageError, match=r"name one of them: bias\.presentation\.variation, bias\."):
        check_policy(policy({"measure": "bias.presentation", "max": 0.1}), MEASURES, {}, date(2026, 1, 1))
    with pytest.raises(UsageError, match=r"did you mean 'bias\.tone\.excess'"):
        check_policy(policy({"measure": "bias.tone.exces", "max": 0.1}), MEASURES, {}, date(2026, 1, 1))
    check_policy(policy({"measure": "bias.presentation.excess", "max": 0.1}), MEASURES, {}, date(2026, 1, 1))


def test_a_limit_on_the_better_side_is_a_warning() -> None:
    from screentest.harness.catalog import MEASURES
    from screentest.harness.policies.checks import policy_warnings

    rules = [{"measure": "motion.flicker", "max": 0.9}, {"measure": "failure.rate", "min": 0.1}]
    assert policy_warnings(policy(*rules), MEASURES) == (
        "motion.flicker has a maximum, and higher is better there; 'min' may be meant",
        "failure.rate has a minimum, and lower is better there; 'max' may be meant",
    )
    right = [{"measure": "motion.flicker", "min": 0.9}, {"measure": "failure.rate", "max": 0.1}]
    assert policy_warnings(policy(*right), MEASURES) == ()
