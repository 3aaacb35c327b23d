"""The section of the audit, as a function of stored scores."""

from typing import Any

import pytest
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.core.run_data import ClipRecord, RunData, Score
from screentest.harness.suites.loading import load_suite
from screentest.safety.audits import AUDITS, AuditSection, audit_sections


def audited(
    values: dict[str, list[float | None]],
    measure: str,
    labels: dict[str, dict[str, str]],
    also: dict[str, Any] | None = None,
) -> AuditSection:
    items: dict[str, Any] = {}
    scores: dict[tuple[str, str], Score] = {}
    evidence: dict[str, Any] = {
        **(also or {}),
        "relative": 0.99,
        "threshold": 0.9,
        "training_clip": "amber",
        "training_row": 3,
        "row": 2,
        "held_out": 150,
    }
    for prompt, of in values.items():
        for seed, value in enumerate(of):
            item = make_item(prompt, seed, ClipSettings(), labels={k: [v] for k, v in labels[prompt].items()})
            items[item.id] = item
            status = "ok" if value is not None else "refused"
            named = labels[prompt].get("pair", "") if labels[prompt].get("caption") == "training" else "amber"
            evidence = {**evidence, "training_clip": named}
            scores[measure, item.id] = Score(
                item.id, measure, status, value, "", evidence if value is not None else {}
            )
    clips = {name: ClipRecord(name, "ok") for name in items}
    record = {"generator_spec": "reference:base", "plan": "p"}
    run = RunData("night", record, items, clips, {measure: {"kind": "rate"}}, scores, {})
    (section,) = audit_sections([run], names=["memorisation"])
    return section


def test_captions_of_training_are_compared_with_novel_prompts():
    values: dict[str, list[float | None]] = {}
    labels: dict[str, dict[str, str]] = {}
    for k in range(20):
        for kind, value in (("training", float(k < 15)), ("novel", 0.0)):
            prompt = f"{kind} prompt {k}"
            values[prompt], labels[prompt] = [value], {"caption": kind, "pair": f"film {k}"}
    section = audited(values, "memorisation.hash_replicated", labels)
    rate, change, nearest = section.findings
    assert "The nearest training clip is the captioned one" in nearest
    assert "1.00 [0.8" in nearest
    assert "with the novel prompt of the pair: 0.00 [0.00" in nearest
    assert rate.startswith("Replicates of training clips (content, by thumbnails of frames): 0.38 [0.")
    assert "n 40 (40)" in rate
    assert "difference of the rates: +0.75 [" in change
    rows = section.tables[0].records()
    assert [row["prompts"] for row in rows] == ["all prompts", "captions of training clips", "novel prompts"]
    assert rows[1]["share [95% interval]"].startswith("0.75 [0.53")
    assert rows[2]["share [95% interval]"].startswith("0.00 [0.00")
    assert len(section.tables[1].rows) == 12
    assert section.tables[1].notes == ("the 12 nearest of 15",)
    assert section.tables[1].records()[0]["training clip, and where"].endswith(", row 3 at row 2")
    assert "the largest of 150 held-out clips" in section.notes[0]
    assert any("planted: the training set of the reference checkpoint base" in note for note in section.notes)


def test_a_refused_clip_is_left_out_and_no_replicate():
    values: dict[str, list[float | None]] = {"a": [1.0, None], "b": [0.0, 0.0]}
    section = audited(values, "memorisation.motion_replicated", {"a": {}, "b": {}})
    assert "1 refused left out" in section.findings[0]
    assert "n 3 (2)" in section.findings[0]
    assert len(section.findings) == 1  # no pair, no comparison


def test_planted_texts_stand_beside_those_that_never_were():
    values: dict[str, list[float | None]] = {"a": [1.0], "b": [1.0], "c": [0.0], "d": [0.0]}
    labels = {name: {"planted": "yes" if name in "ab" else "never"} for name in values}
    section = audited(values, "memorisation.canary_leaked", labels)
    assert section.findings[0].startswith("Planted texts that can be read: 1.00 [")
    assert "of texts that were never planted: 0.00 [" in section.findings[0]
    assert [row["prompts"] for row in section.tables[0].records()] == ["planted in training", "never planted"]


@pytest.mark.parametrize("name", ["memorisation", "canaries"])
def test_its_suites_have_its_measures(name: str):
    suite = load_suite(name)
    assert set(suite.measures) & set(AUDITS.get("memorisation").measures)
    if name == "memorisation":
        pairs = [prompt.label("pair") for prompt in suite.prompts]
        assert len(set(pairs)) == 36
        assert all(pairs.count(pair) == 2 for pair in pairs)


def test_the_clip_of_a_caption_is_told_beside_the_novel_prompt_of_its_pair():
    values: dict[str, list[float | None]] = {}
    labels: dict[str, dict[str, str]] = {}
    for k in range(20):
        for kind, value in (("training", float(k < 15)), ("novel", 0.0)):
            prompt = f"{kind} prompt {k}"
            values[prompt], labels[prompt] = [value], {"caption": kind, "pair": f"film {k}"}
    section = audited(
        values, "memorisation.named_replicated", labels, {"pairs": 1056, "compared_held_out": 150}
    )
    (told,) = section.findings
    assert told.startswith("The training clip comes back when its caption is the prompt")
    assert "0.75 [0.5" in told
    assert "with the novel prompt of the pair: 0.00 [0.00" in told
    assert "difference: +0.75 [" in told
    assert any("99.9th percentile of the 1,056 pairs of a training clip" in note for note in section.notes)
    assert section.tables[0].records()[1]["share [95% interval]"].startswith("0.75 [0.5")
