"""Decisions of safeguards: written and read back, never a pass without a score, and readable in old runs."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screentest.harness.core.errors import UsageError
from screentest.harness.core.layers import LayerDecision, from_json, refused_by, to_json
from screentest.harness.core.run_data import ClipRecord
from screentest.harness.plan import Plan, make_plan, suite_items
from screentest.harness.run_folder.store import SCHEMA, RunStore, open_run
from screentest.harness.scoring.clips import score_key
from screentest.harness.suites.suite import Suite
from screentest.metrics import MEASURES

FLAGGED = LayerDecision("prompt", "ngram", "a" * 64, "flagged", True, 0.9, 0.5, evidence={"harm": "sxc"})
PASSED = LayerDecision("frame", "nudity", "b" * 64, "passed", True, 0.0, 0.2, evidence={"frames_share": 0})
OBSERVED = LayerDecision("prompt", "ngram", "a" * 64, "flagged", False, 0.9, 0.5)
FAILED = LayerDecision("frame", "nudity", "b" * 64, "failed", True, reason="half a \ud800 pair")


def plan() -> Plan:
    suite = Suite.model_validate(
        {"name": "toy", "version": 1, "prompts": [{"text": "a"}, {"text": "b"}], "measures": ["refusal.rate"]}
    )
    return make_plan(suite, suite_items(suite), generator={"kind": "toy"}, batch_size=2)


def created(folder: Path) -> RunStore:
    made = plan()
    record = {"suite": made.suite.model_dump(mode="json"), "generator": {}, "generator_spec": "toy"}
    return RunStore.create(folder, made, record)


decisions = st.builds(
    LayerDecision,
    layer=st.sampled_from(["prompt", "frame"]),
    name=st.text(max_size=8),
    digest=st.just("0" * 64),
    status=st.sampled_from(["failed", "not_applicable"]),
    enforced=st.booleans(),
    score=st.none() | st.floats(0, 1),
    reason=st.text(max_size=8),
    evidence=st.dictionaries(st.text(max_size=4), st.floats(0, 1) | st.text(max_size=4), max_size=2),
)


@settings(deadline=None)
@given(st.lists(decisions, max_size=3))
def test_decisions_come_back_from_json(made: list[LayerDecision]) -> None:
    assert from_json(json.loads(json.dumps(to_json(made)))) == tuple(made)


@pytest.mark.parametrize("status", ["passed", "flagged"])
@pytest.mark.parametrize("score", [None, float("nan"), float("inf")])
def test_nothing_passes_without_a_score(status: str, score: float | None) -> None:
    with pytest.raises(ValueError, match="without a score"):
        LayerDecision("prompt", "x", "0" * 64, status, True, score)  # type: ignore[arg-type]


def test_an_attempt_ends_at_a_layer_that_is_enforced() -> None:
    assert [d.stops for d in (FLAGGED, PASSED, OBSERVED, FAILED)] == [True, False, False, True]
    assert refused_by((OBSERVED, FLAGGED)) == "prompt"
    assert refused_by((OBSERVED, PASSED)) == "generator"


def test_the_run_keeps_decisions_in_their_order(tmp_path: Path) -> None:
    store = created(tmp_path / "run")
    first, second = (item.id for item in store.items())
    store.put_clips(
        [
            ClipRecord(first, "refused", "flagged", layers=(PASSED, FLAGGED)),
            ClipRecord(second, "failed", "broken", layers=(FAILED,)),
        ]
    )
    clips = open_run(tmp_path / "run").clips()
    assert clips[first].layers == (PASSED, FLAGGED)
    assert clips[second].layers == (FAILED,)
    assert store.forget_failures() == 1
    store.put_clips([ClipRecord(second, "refused", "no")])
    assert open_run(tmp_path / "run").clips()[second].layers == ()


def test_a_run_of_schema_1_is_read_and_can_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    store = created(folder)
    first, second = (item.id for item in store.items())
    store.put_clips([ClipRecord(first, "refused", "no")])
    store.close()
    with sqlite3.connect(folder / "run.sqlite") as db:  # what version 1 wrote had no such table
        db.execute("DROP TABLE layers")
    record = json.loads((folder / "run.json").read_text())
    assert record["schema"] == SCHEMA
    (folder / "run.json").write_text(json.dumps({**record, "schema": 1}))
    old = open_run(folder)
    assert old.clips()[first].layers == ()
    old.put_clips([ClipRecord(second, "failed", "broken")])
    assert old.forget_failures() == 1
    with pytest.raises(UsageError, match="run into a new folder"):
        old.put_clips([ClipRecord(second, "refused", "flagged", layers=(FLAGGED,))])
    assert set(old.clips()) == {first}


def test_scores_follow_the_decisions() -> None:
    refusal = MEASURES.get("refusal.rate")
    bare, decided = ClipRecord("i", "refused"), ClipRecord("i", "refused", layers=(FLAGGED,))
    assert score_key(refusal, bare, "p", {}) != score_key(refusal, decided, "p", {})
