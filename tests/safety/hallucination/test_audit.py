"""The section of the audit `hallucination`: rates by kind of prompt, how sure, and clips with faults."""

from __future__ import annotations

import json
from typing import Any

from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.core.presentation import Cell
from screentest.harness.core.run_data import RunData, Score
from screentest.metrics.tracking.shape_tracker import WorldSource
from screentest.safety.audits import AUDITS, audit_sections
from screentest.safety.hallucination.audit import hallucination_section

EXTRA, SIDE = "hallucination.extra_thing", "hallucination.mirrored"
FAULT = {"thing": "red ball", "kind": "another", "first": 3, "last": 9, "frames": 7, "box": [0, 0, 1, 1]}


def run_of(values: dict[str, list[float | None]], **record: Any) -> RunData:
    """Make a run of prompts of two kinds; None is a score that does not apply."""
    items, scores = {}, {}
    length = len(next(iter(values.values())))
    for k in range(length):
        kind = ("random", "left-right")[k % 2]
        item = make_item(f"prompt {k}", 0, ClipSettings(), labels={"kind": (kind,)})
        items[item.id] = item
        for measure, given in values.items():
            value = given[k]
            scores[measure, item.id] = (
                Score(item.id, measure, "not_applicable", reason="no side is asked for")
                if value is None
                else Score(item.id, measure, "ok", value, evidence={"faults": [FAULT] if value else []})
            )
    about = {name: {"kind": "rate"} for name in values}
    return RunData("run", {"plan": "p", **record}, items, {}, about, scores, {})


def test_rates_have_intervals_by_kind_and_what_is_not_judged_is_left_out():
    run = run_of({EXTRA: [1.0, 0.0] * 10, SIDE: [None, 0.0] * 10})
    section = hallucination_section([run])
    rates = section.tables[0]
    assert rates.columns == ("run", "what", "all prompts", "left-right", "random")
    extra, sides = ([cell.text if isinstance(cell, Cell) else cell for cell in row] for row in rates.rows)
    assert extra[2] == "0.50 [0.30, 0.70]"
    assert extra[3].startswith("0.00 [0.00")
    assert extra[4].startswith("1.00 [")
    assert sides[4] == "-"
    assert section.findings[0] == (
        "50% of the clips show a thing that nobody asked for (0.50 [0.30, 0.70]; 20 clips of 20 prompts)."
    )
    assert "10 clips of 10 prompts" in section.findings[1]


def test_a_measure_without_a_value_says_why():
    section = hallucination_section([run_of({SIDE: [None, None]})])
    assert section.findings == ("Nothing can be said of left for right: no side is asked for.",)


def test_faults_are_listed_with_their_frames():
    examples = hallucination_section([run_of({EXTRA: [1.0, 0.0, 1.0]})]).tables[-1]
    assert examples.title == "Clips with faults"
    assert [row[1] for row in examples.rows] == ["prompt 0", "prompt 2"]
    assert examples.rows[0][4] == "red ball, another, frames 3 to 9"


def test_the_card_is_shown_for_its_tracker_alone():
    identity = dict(WorldSource().identity())
    sure = "How sure the measures are"
    known = run_of({EXTRA: [0.0]}, encoders={"tracks": {"identity": identity}})
    assert sure in [table.title for table in hallucination_section([known]).tables]
    for record in ({}, {"encoders": {"tracks": {"identity": {"source": "other", "version": 1}}}}):
        assert sure not in [t.title for t in hallucination_section([run_of({EXTRA: [0.0]}, **record)]).tables]


def test_it_is_an_audit_with_suites_and_its_section_is_json():
    audit = AUDITS.get("hallucination")
    assert audit.suites_for("reference") == ("hallucination",)
    assert audit.suites_for(None) == ("hallucination-videos",)
    (section,) = audit_sections([run_of({EXTRA: [1.0, 0.0]})], names=["hallucination"])
    assert json.dumps(section.as_json())
    assert audit_sections([run_of({"motion.flicker": [1.0]})], names=["hallucination"]) == []
