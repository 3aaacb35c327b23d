"""Gates of runs that grow: each look takes more confidence, and a size without a look is refused."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError
from screentest.harness.core.errors import UsageError
from screentest.harness.core.stats import look_confidences, mean_bound
from screentest.harness.gates.gate import Policy, gate
from screentest.harness.policies.looks import find_look

TODAY = date(2027, 1, 15)
FLOOR = {"measure": "toy.quality", "min": 0.5}


def policy(*looks: int, **rule: Any) -> Policy:
    return Policy.model_validate({"name": "toy", "version": 1, "rules": [{**FLOOR, **rule}], "looks": looks})


def noise(prompt: int, seed: int) -> float:
    return math.sin(12.9898 * prompt + 78.233 * seed) * 43758.5453 % 1.0


def test_a_look_takes_the_confidence_of_its_share() -> None:
    looks = policy(20, 40, 80)
    assert find_look(policy(), 33) is None
    first, last = find_look(looks, 20), find_look(looks, 80)
    assert first is not None
    assert last is not None
    assert [first.confidence] == look_confidences([0.25], 0.95)
    assert last.confidence == look_confidences([0.25, 0.5, 1.0], 0.95)[-1]
    assert first.confidence > last.confidence > 0.95


def test_a_rule_is_judged_at_the_look_s_confidence(make_run) -> None:
    run = make_run("run", {"toy.quality": lambda p, s: 0.6 + 0.2 * noise(p, s)}, prompts=20)
    looks = policy(20, 40)
    verdict = gate(run, looks, today=TODAY, registry=make_run.registry)
    (rule,) = verdict.rules
    taken = look_confidences([0.5], 0.95)[0]
    assert rule.confidence == taken
    values = [0.6 + 0.2 * noise(p, s) for p in range(20) for s in range(4)]
    clusters = [f"{p:02}" for p in range(20) for _ in range(4)]
    assert rule.bound == pytest.approx(mean_bound(values, clusters, taken, "lower", (0.0, 1.0)))
    assert verdict.confidence == 0.95
    assert "look 1 of 2, 20 of 40 prompts" in verdict.notes[-1]
    assert rule.bound < gate(run, policy(), today=TODAY, registry=make_run.registry).rules[0].bound


def test_what_passes_at_95_percent_may_not_at_an_early_look(make_run) -> None:
    run = make_run("run", {"toy.unsafe": lambda p, s: 0.0}, prompts=12, seeds=1)
    ceiling = {"measure": "toy.unsafe", "max": 0.25, "min": None}
    assert gate(run, policy(**ceiling), today=TODAY, registry=make_run.registry).verdict == "PASS"
    early = gate(run, policy(12, 48, **ceiling), today=TODAY, registry=make_run.registry)
    assert early.verdict == "INCONCLUSIVE"


def test_a_size_without_a_look_is_refused(make_run) -> None:
    run = make_run("run", {"toy.quality": lambda p, s: 0.9}, prompts=12)
    with pytest.raises(UsageError, match="judged at 20, 40 prompts and the run has 12"):
        gate(run, policy(20, 40), today=TODAY, registry=make_run.registry)


@pytest.mark.parametrize("looks", [[40, 20], [20, 20], [1, 20], [0], [-5, 5]])
def test_looks_must_rise(looks) -> None:
    with pytest.raises(ValidationError, match="rising numbers of prompts"):
        policy(*looks)
