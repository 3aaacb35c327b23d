"""Encoders of the reference world on other clips: named, warned of, and refused where a policy says so."""

from __future__ import annotations

from datetime import date

import pytest
from screentest.harness.gates.gate import Policy, gate
from screentest.harness.scoring.foreign_encoders import foreign_sentence, foreign_sources, world_of

OURS = {"sources": {"clip": "reference"}}
RULE = {"measure": "toy.quality", "min": 0.2}
FOLDER = "folder:clips"


@pytest.mark.parametrize(
    ("record", "world"),
    [
        ({"world": "reference", "generator_spec": FOLDER}, "reference"),
        ({"world": None, "generator_spec": "reference:base"}, None),
        ({"world": "stage", "generator_spec": FOLDER}, "stage"),
        ({"generator_spec": "reference:base"}, "reference"),
        ({"generator_spec": "reference"}, "reference"),
        ({"generator_spec": "referenced:x"}, None),
        ({"generator_spec": FOLDER}, None),
    ],
)
def test_the_world_of_a_run(record, world) -> None:
    assert world_of(record) == world


def test_only_reference_encoders_outside_their_world_are_foreign() -> None:
    fields = {"sources": {"clip": "reference", "video": "org/model"}}
    assert foreign_sources({"world": None}, fields) == ("clip=reference",)
    sampled = {"sources": {"image": "reference?fps=8"}}
    assert foreign_sources({"world": None}, sampled) == ("image=reference?fps=8",)
    assert foreign_sources({"world": "stage"}, fields) == ("clip=reference",)
    assert foreign_sources({"world": "reference"}, fields) == ()
    assert foreign_sources({"world": None}, {}) == ()
    assert foreign_sentence({"world": None}, [{"sources": {"video": "org/model"}}]) == ""
    told = foreign_sentence(
        {"world": None, "generator_spec": FOLDER}, [fields, {"sources": {"subject": "reference"}}]
    )
    assert told.startswith(
        "clip=reference, subject=reference were trained on the reference world and score folder"
    )
    assert "--encoder clip=SOURCE" in told
    assert "the world 'stage'" in foreign_sentence({"world": "stage"}, [fields])


@pytest.mark.parametrize(
    ("world", "source", "wish", "verdict", "noted"),
    [
        (None, "reference", "refuse", "INCONCLUSIVE", True),
        (None, "reference", "warn", "PASS", True),
        ("reference", "reference", "refuse", "PASS", False),
        (None, "org/model", "refuse", "PASS", False),
    ],
)
def test_a_policy_notes_or_refuses_scores_of_foreign_encoders(
    make_run, world, source, wish, verdict, noted
) -> None:
    fields = {"toy.quality": {"sources": {"clip": source}}}
    made = make_run(
        "r", {"toy.quality": lambda p, s: 0.8}, fields=fields, record={"world": world}, generator=FOLDER
    )
    policy = Policy.model_validate({"name": "toy", "version": 1, "rules": [RULE], "foreign_encoders": wish})
    found = gate(made, policy, today=date(2027, 1, 15), registry=make_run.registry)
    assert found.verdict == verdict
    assert any("trained on the reference world" in told for told in found.notes) == noted
    assert ("was trained on the reference world" in found.rules[0].sentence) == (verdict == "INCONCLUSIVE")


def test_a_baseline_of_foreign_encoders_decides_nothing_either(make_run) -> None:
    fields = {"toy.quality": {"sources": {"clip": "reference"}}}
    quality = {"toy.quality": lambda p, s: 0.8}
    ours = make_run("ours", quality, fields=fields, record={"world": "reference", "id": "1"})
    theirs = make_run("theirs", quality, fields=fields, record={"world": None, "id": "2"}, generator=FOLDER)
    rule = {"measure": "toy.quality", "versus": "baseline", "margin": 0.3}
    policy = Policy.model_validate(
        {"name": "toy", "version": 1, "rules": [rule], "foreign_encoders": "refuse"}
    )
    (result,) = gate(ours, policy, theirs, date(2027, 1, 15), registry=make_run.registry).rules
    assert result.outcome == "INCONCLUSIVE"
    assert "of toy.quality in theirs was trained" in result.sentence
