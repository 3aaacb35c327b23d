"""The card of hallucination: what is planned, what is counted, and that the measures find what is planted."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from screentest.generators.worlds.plane.fault_scenes import FAULT_FAMILIES
from screentest.metrics.hallucination.measures import KINDS
from screentest.metrics.tracking.shape_tracker import WorldSource
from screentest.metrics.validation.hallucination_card import (
    FAITHFUL,
    FAULT_OF,
    FaultTrial,
    HallucinationCard,
    fault_rows,
    fault_trials,
    hallucination_text,
    run_fault_trial,
)
from screentest.metrics.validation.packaged_cards import packaged_hallucination


def test_every_kind_is_tried_on_every_fault():
    assert set(FAULT_OF) == set(KINDS)
    assert {fault for faults in FAULT_OF.values() for fault in faults} == set(FAULT_FAMILIES)
    planned = fault_trials(8, groups=("plain",))
    assert len(set(planned)) == len(planned)
    for fault, families in FAULT_FAMILIES.items():
        mine = [trial for trial in planned if trial.fault == fault]
        assert len(mine) == 8
        assert {trial.family for trial in mine} == set(families)
    assert sum(trial.fault == FAITHFUL and trial.family == "biscuit" for trial in planned) == 8


@pytest.mark.parametrize(("kind", "fault"), [(kind, faults[0]) for kind, faults in FAULT_OF.items()])
def test_a_planted_fault_is_found_and_a_faithful_clip_is_not_blamed(kind: str, fault: str):
    family = FAULT_FAMILIES[fault][0]
    assert run_fault_trial(FaultTrial(5, fault, family, 0))["answers"][kind] is True
    faithful = run_fault_trial(FaultTrial(5, FAITHFUL, family, 0))["answers"]
    assert True not in faithful.values()


def row(fault: str, look: str = "plain", **answers: object) -> dict[str, object]:
    told = dict.fromkeys(KINDS, "not asked") | answers
    return {**asdict(FaultTrial(0, fault, "still", 0, look)), "answers": told}


def test_answers_are_counted_by_fault_and_looks_and_what_is_not_judged_is_left_out():
    rows = [
        row("another", extra_thing=True),
        row("twice", extra_thing=False),
        row("twice", "noise", extra_thing=True),
        row("flash", extra_thing="nothing is tracked", extra_event=True),
        row(FAITHFUL, extra_thing=False, extra_event=False),
    ]
    card = HallucinationCard(
        settings={"n": 1, "seed": 0, "limits": "0" * 64, "source": {"version": 5}},
        rows=tuple(fault_rows(rows)),
    )
    whole = card.get("extra_thing", "all")
    assert whole is not None
    assert (whole.value, whole.n, whole.reasons) == (0.5, 2, {"nothing is tracked": 1})
    degraded = card.get("extra_thing", "twice", "degraded")
    assert degraded is not None
    assert (degraded.value, degraded.n) == (1.0, 1)
    alarms = card.get("extra_event", FAITHFUL)
    assert alarms is not None
    assert (alarms.value, alarms.n) == (0.0, 1)
    text = hallucination_text(card)
    assert "| extra_thing | all | 50.0 % [9.5, 90.5] of 2 |" in text
    assert "- extra_thing, flash, plain: nothing is tracked (1)" in text


def test_the_packaged_card_is_of_the_tracker_and_of_clips_enough():
    card = packaged_hallucination(WorldSource().identity())
    assert card is not None
    for kind in KINDS:
        found, alarms = card.get(kind, "all"), card.get(kind, FAITHFUL)
        assert found is not None
        assert alarms is not None
        assert found.low is not None
        assert found.low > 0.9
        assert alarms.high is not None
        assert alarms.high < 0.1
        assert alarms.n >= 40


@pytest.mark.slow
def test_the_packaged_card_is_what_the_trials_say():
    """Plain clips alone: a third of the card's trials."""
    card = packaged_hallucination(WorldSource().identity())
    assert card is not None
    planned = fault_trials(card.settings["n"], card.settings["seed"], groups=("plain",))
    rows = fault_rows([{**asdict(trial), **run_fault_trial(trial)} for trial in planned])
    assert [made for made in rows if made.looks == "plain"] == [
        kept for kept in card.rows if kept.looks == "plain"
    ]
