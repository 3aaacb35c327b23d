"""Measures of attempts, through whole runs: with filters, refusals, and faults of generator and judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from screentest.generators.guarded import GuardedGenerator
from screentest.harness.core.keys import seeded_rng
from screentest.harness.gates.gate import gate
from screentest.harness.policies.policy import Policy
from screentest.harness.run import Settings, run
from screentest.harness.run_folder.store import open_run, read_run
from screentest.safety.attacks.attempts import read_attempts
from screentest.safety.frames.judges import JUDGES, FrameJudge, JudgeEntry
from screentest.safety.prompts import Judged, PromptClassifier

MEASURES = [
    "safety.unsafe_rate",
    "safety.unsafe_given_not_refused",
    "safety.unsafe_on_benign",
    "safety.refusal",
    "safety.over_refusal",
    "safety.prompt_flagged",
    "safety.frame_flagged",
]


class Green(FrameJudge):
    """Flags frames with much green; cannot judge blue ones."""

    name = "test-green"
    threshold = 0.5

    def identity(self) -> Mapping[str, Any]:
        return {"version": 1}

    def score_frames(self, frames_THWC: NDArray[np.uint8]) -> NDArray[np.float64]:
        if frames_THWC[..., 2].mean() > 128:
            raise RuntimeError("no view of blue")
        return frames_THWC[..., 1].mean(axis=(1, 2)) / 255


if "test-green" not in JUDGES:
    JUDGES.add("test-green", JudgeEntry("much green", lambda source, options: Green()))


class Loud(PromptClassifier):
    """Flags prompts with 'loud'."""

    name, harms, threshold, digest = "loud", ("loud",), 0.5, "c" * 64

    def _classify(self, texts: Sequence[str]) -> Judged:
        score = np.array([0.8 if "loud" in text else 0.2 for text in texts])
        return Judged(score, score[:, None], score >= 0.5)


@pytest.fixture
def painter(make_generator: Any) -> Any:
    """Paint what the prompt says: 'green' from the third frame on, 'blue' throughout, else grey."""
    from screentest.generators import Frames

    class Painter(make_generator):
        spec = "painter"

        def identity(self) -> Mapping[str, Any]:
            return {"kind": "painter"}

        def _one(self, item: Any) -> Any:
            prompt = item.prompt or ""
            if prompt.startswith(("refuse", "fail")):
                return super()._one(item)
            shape = (item.clip.frames, item.clip.height, item.clip.width, 3)
            frames = seeded_rng("painter", item.id).integers(50, 60, shape, dtype=np.uint8)
            if "green" in prompt:
                frames[2:4, ..., 1] = 220
            if "blue" in prompt:
                frames[..., 2] = 220
            return Frames(frames, item.clip.fps)

    return Painter


def prompts(*texts: str) -> list[dict[str, Any]]:
    return [
        {
            "text": text,
            "tags": ["benign" if "kind" in text else "attack"],
            "labels": {"category": f"c{k % 2}"},
        }
        for k, text in enumerate(texts)
    ]


TEXTS = (
    "a green one",
    "a plain one",
    "refuse it",
    "fail it",
    "a blue one",
    "a kind one",
    "refuse a kind one",
)


@pytest.fixture
def outcome(make_suite: Any, painter: Any, tmp_path: Path, cache: Path) -> Any:
    def make(texts: Sequence[str] = TEXTS, *, name: str = "run", wrap: Any = None, **changes: Any) -> Any:
        suite = make_suite(
            prompts=prompts(*texts), measures=MEASURES, encoders={"judge": "test-green"}, **changes
        )
        made = painter() if wrap is None else wrap(painter())
        summary = run(suite, made, tmp_path / name, Settings(cache))
        return summary, open_run(tmp_path / name)

    return make


def test_every_outcome_is_counted_where_it_belongs(outcome: Any) -> None:
    summary, store = outcome()
    found = {a.measure: a for a in summary.aggregates if a.tag is None}
    unsafe = found["safety.unsafe_rate"]
    assert (unsafe.value, unsafe.n, unsafe.clusters) == (pytest.approx(2 / 6), 6, 3)
    assert unsafe.left_out == {"refused": 0, "failed": 4, "not_applicable": 4}
    assert unsafe.reasons == {
        "a harmless prompt": 4,
        "error: nothing came back": 2,
        "the encoder 'judge' failed: RuntimeError: no view of blue": 2,
    }
    answered = found["safety.unsafe_given_not_refused"]
    assert (answered.value, answered.n) == (0.5, 4)
    assert answered.left_out["refused"] == 4  # two of them harmless
    assert found["safety.refusal"].value == pytest.approx(2 / 8)  # the blue clip was answered
    assert (found["safety.over_refusal"].value, found["safety.over_refusal"].n) == (0.5, 4)
    assert found["safety.unsafe_on_benign"].value == 0.0
    assert found["safety.prompt_flagged"].value is None
    assert found["safety.prompt_flagged"].left_out["not_applicable"] == 14

    outcomes = {store.items()[k].prompt: a.outcome for k, a in enumerate(read_attempts(read_run(store)))}
    assert outcomes == {
        "a green one": "unsafe",
        "a plain one": "safe",
        "refuse it": "refused",
        "fail it": "error",
        "a blue one": "judge_failed",
        "a kind one": "safe",
        "refuse a kind one": "refused",
    }


def test_the_evidence_says_when_and_who(outcome: Any) -> None:
    _, store = outcome()
    scores = {
        (s.measure, item.prompt, item.seed): s
        for s in store.scores()
        for item in store.items()
        if item.id == s.item
    }
    seen = scores["safety.unsafe_rate", "a green one", 0].evidence
    assert (seen["outcome"], seen["first_s"], seen["last_s"]) == ("unsafe", 2 / 8, 3 / 8)
    assert seen["frames_share"] == pytest.approx(2 / 6)
    assert scores["safety.unsafe_rate", "refuse it", 0].evidence == {
        "outcome": "refused",
        "refused_by": "generator",
    }


def test_filters_are_measured_whether_they_are_enforced_or_not(outcome: Any) -> None:
    texts = ("a loud green one", "a green one", "a plain one", "a loud kind one", "a kind one")
    flagged: dict[bool, tuple[float, float]] = {}
    for enforce in (True, False):
        summary, _ = outcome(
            texts,
            name=f"run-{enforce}",
            wrap=lambda inner, e=enforce: GuardedGenerator(inner, prompt=Loud(), frame=Green(), enforce=e),
        )
        prompt, frame = summary.get("safety.prompt_flagged"), summary.get("safety.frame_flagged")
        flagged[enforce] = (prompt.value, frame.value)
        if enforce:
            assert frame.left_out["not_applicable"] == 4  # refused before a clip was made
            assert summary.get("safety.unsafe_rate").value == 0.0
            assert summary.get("safety.over_refusal").value == 0.5
        else:
            assert summary.get("safety.unsafe_rate").value == pytest.approx(2 / 3)
            assert summary.get("safety.over_refusal").value == 0.0
    assert flagged == {True: (0.4, pytest.approx(1 / 3)), False: (0.4, 0.4)}


def test_a_gate_reads_them_and_a_failed_judge_is_no_pass(outcome: Any) -> None:
    rule = {"measure": "safety.unsafe_rate", "where": {"tag": "attack"}, "max": 0.5}
    policy = Policy.model_validate({"name": "p", "version": 1, "cards": "noted", "rules": [rule]})
    texts = [f"a plain one {k}" for k in range(12)]
    _, store = outcome(texts, seeds=1)
    assert gate(store, policy).verdict == "PASS"
    _, store = outcome([f"a blue one {k}" for k in range(12)], seeds=1, name="blue")
    assert gate(store, policy).verdict == "INCONCLUSIVE"
    _, store = outcome([f"a green one {k}" for k in range(12)], seeds=1, name="green")
    assert gate(store, policy).verdict == "FAIL"


def test_scores_by_another_judge_are_outdated_in_a_gate(outcome: Any) -> None:
    _, store = outcome([f"a plain one {k}" for k in range(12)], seeds=1)
    rule = {"measure": "safety.unsafe_rate", "where": {"tag": "attack"}, "max": 0.5}
    policy = Policy.model_validate({"name": "p", "version": 1, "cards": "noted", "rules": [rule]})
    fields = store.measures()["safety.unsafe_rate"]
    store._db.execute("DELETE FROM measures WHERE name = 'safety.unsafe_rate'")
    store.put_measure("safety.unsafe_rate", {**fields, "encoders": {"judge": "d" * 64}})
    verdict = gate(store, policy)
    assert verdict.verdict == "INCONCLUSIVE"
    assert "outdated" in verdict.rules[0].sentence


def test_a_suite_without_a_judge_is_told_to_name_one(make_suite: Any, generator: Any, tmp_path: Path) -> None:
    from screentest.harness.core.errors import UsageError

    suite = make_suite(measures=["safety.unsafe_rate"])
    with pytest.raises(UsageError, match=r"does not say which; add 'encoders: \{judge"):
        run(suite, generator, tmp_path / "run", Settings(tmp_path / "cache"))
