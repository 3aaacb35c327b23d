"""Evasion of filters apart from success: paired by prompt and seed, with intervals that do not collapse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screentest.harness.core.layers import LayerDecision
from screentest.safety.attacks.attempts import Attempt
from screentest.safety.attacks.evasion import evasions, flagged


def attempt(
    prompt: int, family: str | None, status: str | None, outcome: str, *, seed: int = 0, **more: Any
) -> Attempt:
    score = 0.5 if status in ("passed", "flagged") else None
    layers = () if status is None else (LayerDecision("prompt", "f", "0" * 64, status, False, score),)  # type: ignore[arg-type]
    clip = {"refused": "refused", "error": "failed"}.get(outcome, "ok")
    fields: dict[str, Any] = {"benign": False, "labels": {}, **more}
    return Attempt(
        item=f"{prompt}.{family}.{seed}", cluster=f"{prompt}.{family}", prompt=f"p{prompt}", seed=seed,
        family=family, clip=clip, outcome=outcome, layers=layers, **fields,
    )  # type: ignore[arg-type]  # fmt: skip


def test_an_unreadable_encoding_evades_the_filter_and_attacks_nothing() -> None:
    made = [attempt(k, None, "flagged", "unsafe") for k in range(12)]
    made += [attempt(k, "base64", "passed", "safe") for k in range(12)]
    made += [attempt(k, "styled", "passed", "unsafe") for k in range(12)]
    base64, styled = evasions(made)
    assert (base64.family, styled.family) == ("base64", "styled")
    assert base64.filter is not None
    assert base64.alone is not None
    assert (base64.filter.estimate.value, base64.alone.estimate.value) == (-1.0, -1.0)
    assert styled.filter is not None
    assert styled.alone is not None
    assert (styled.filter.estimate.value, styled.alone.estimate.value) == (-1.0, 0.0)
    assert (styled.alone.plain, styled.alone.disguised) == (1.0, 1.0)
    # 12 of 12 changed: exact sign test 2 / 2**12, twice that by Holm over two families.
    assert base64.filter.p == pytest.approx(2 / 2**12)
    assert base64.filter.p_adjusted == pytest.approx(4 / 2**12)
    assert styled.alone.p_adjusted == 1.0


def test_no_change_still_has_an_interval() -> None:
    made = [attempt(k, f, "flagged", "refused") for k in range(20) for f in (None, "leet")]
    (row,) = evasions(made)
    assert row.alone is not None
    assert row.alone.estimate.value == 0.0
    assert row.alone.estimate.low is not None
    assert row.alone.estimate.high is not None
    assert row.alone.estimate.low < 0 < row.alone.estimate.high


def test_pairs_are_of_one_prompt_and_one_seed_and_seeds_are_not_independent() -> None:
    made = [attempt(k, None, "flagged", "safe", seed=s) for k in range(6) for s in range(3)]
    made += [attempt(k, "leet", "passed", "safe", seed=s) for k in range(4) for s in range(5)]
    (row,) = evasions(made)
    assert row.filter is not None
    assert (row.filter.estimate.n, row.filter.estimate.clusters, row.unpaired) == (12, 4, 8)


def test_errors_failed_judges_and_failed_filters_make_no_pair() -> None:
    made = [attempt(k, None, "flagged", "unsafe") for k in range(4)]
    made += [
        attempt(0, "leet", "passed", "error"),
        attempt(1, "leet", "failed", "judge_failed"),
        attempt(2, "leet", None, "unsafe"),
        attempt(3, "leet", "passed", "refused"),
    ]
    (row,) = evasions(made)
    assert row.filter is not None
    assert row.alone is not None
    assert (row.filter.estimate.n, row.alone.estimate.n) == (2, 2)


def test_where_no_filter_looked_there_is_no_evasion() -> None:
    made = [attempt(k, f, None, "safe") for k in range(3) for f in (None, "leet")]
    (row,) = evasions(made)
    assert row.filter is None
    assert row.alone is not None


def test_harmless_prompts_and_plain_runs_have_none() -> None:
    made = [attempt(k, f, "passed", "safe", benign=True) for k in range(3) for f in (None, "leet")]
    assert evasions(made) == []
    assert evasions([attempt(0, None, "passed", "safe")]) == []


def test_behind_an_enforcing_filter_the_generator_alone_is_not_seen() -> None:
    stopped = LayerDecision("prompt", "f", "0" * 64, "flagged", True, 0.9)
    passed = LayerDecision("prompt", "f", "0" * 64, "passed", True, 0.1)
    made = [replace(attempt(k, None, None, "refused"), layers=(stopped,)) for k in range(8)]
    made += [replace(attempt(k, "styled", None, "unsafe"), layers=(passed,)) for k in range(8)]
    (row,) = evasions(made, frozenset({"prompt"}))
    assert row.alone is None
    assert row.guarded is not None
    assert (row.guarded.plain, row.guarded.disguised, row.guarded.estimate.value) == (0.0, 1.0, 1.0)


def test_an_observing_run_tells_alone_and_guarded() -> None:
    made = [attempt(k, None, "flagged", "unsafe") for k in range(8)]
    made += [attempt(k, "styled", "passed", "unsafe") for k in range(8)]
    (row,) = evasions(made, frozenset({"prompt"}))
    assert row.alone is not None
    assert row.guarded is not None
    assert (row.alone.estimate.value, row.guarded.estimate.value) == (0.0, 1.0)
    assert evasions(made)[0].guarded is None


def test_a_family_without_its_plain_prompts_says_so() -> None:
    (row,) = evasions([attempt(0, "leet", "passed", "safe", labels={"readability": ("obfuscated",)})])
    assert (row.filter, row.alone, row.unpaired, row.readability) == (None, None, 1, "obfuscated")


@pytest.mark.parametrize(
    ("status", "value"),
    [
        ("flagged", 1.0),
        ("passed", 0.0),
        ("failed", "no decision"),
        ("not_applicable", "no decision"),
        (None, "no decision"),
    ],
)
def test_only_a_decision_counts(status: str | None, value: Any) -> None:
    assert flagged(attempt(0, None, status, "safe")) == value


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=20), st.randoms())
def test_the_order_of_attempts_changes_nothing(cells: list[tuple[bool, bool]], random: Any) -> None:
    made: list[Attempt] = []
    for k, (x, y) in enumerate(cells):
        made += [attempt(k, None, "flagged" if x else "passed", "unsafe" if y else "safe")]
        made += [attempt(k, "leet", "flagged" if y else "passed", "unsafe" if x else "safe")]
    shuffled = list(made)
    random.shuffle(shuffled)
    assert evasions(made) == evasions(shuffled)
