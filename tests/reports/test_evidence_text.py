"""The evidence of scores in words, and the way from a score to the frame that shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from screentest.harness.core.run_data import Score
from screentest.harness.run_folder.store import open_run
from screentest.reports.build import build_report
from screentest.reports.evidence_text import evidence_text, first_second

from .conftest import MakeRun


def score(evidence: dict[str, Any]) -> Score:
    return Score("item", "physics.any", "ok", 1.0, evidence=evidence)


@pytest.mark.parametrize(
    ("evidence", "told"),
    [
        ({}, ""),
        ({"severity": 0.25, "threshold": 0.1}, "severity 0.250, threshold 0.100"),
        (
            {"law": "color", "ratio": 3.0, "threshold": 1.5, "first_s": 0.5, "last_s": 0.5},
            "color: ratio 3.00, threshold 1.50; at 0.50 s",
        ),
        ({"failure": "not shown", "missing": ["red ball", "gray wall"]}, "not shown: red ball, gray wall"),
        (
            {
                "captions": [
                    {"seconds": k, "text": text} for k, text in enumerate(["a dog", "", "a dog", "x" * 130])
                ]
            },
            f"captioned: “a dog”, “{'x' * 117}...”",
        ),
        ({"failure": "mirrored", "apart": -1.2}, "mirrored"),
        ({"failure": "wrong count", "missing": 2, "extra": 0}, "wrong count"),
        ({"failure": None, "failed": []}, ""),
        ({"reason": "the subject is not shown"}, "the subject is not shown"),
        ({"first_s": 0.5, "last_s": 1.25, "frames_share": 0.5}, "0.50 s to 1.25 s, 50% of frames"),
        ({"strength": 0.0, "shots": 3, "judged": [[0, 9], [20, 40]]}, "2 of 3 shots judged"),
        (
            {"first_s": 1.0, "last_s": 1.0, "shots": 2, "judged": [[10, 40]], "shot": [10, 40]},
            "at 1.00 s; in the shot of frames 10 to 40; 1 of 2 shots judged",
        ),
        ({"severity": "much", "threshold": 0.1, "first_s": "now"}, ""),
    ],
)
def test_evidence_is_said_in_words(evidence: dict[str, Any], told: str):
    assert evidence_text(score(evidence)) == told


def test_first_second_is_a_number_or_nothing():
    assert first_second(score({"first_s": 1.5})) == 1.5
    assert first_second(score({"first_s": "soon"})) is None


def test_the_page_leads_to_the_frame(make_run: MakeRun):
    folder = make_run()
    store = open_run(folder)
    item = next(i for i, clip in store.clips().items() if clip.outcome == "ok")
    evidence = {"severity": 0.25, "threshold": 0.1, "first_s": 0.75, "last_s": 0.75}
    store.put_unit([], [Score(item, "motion.jerk", "ok", 0.5, evidence=evidence)])
    store.close()
    text = Path(build_report([folder])).read_text("utf-8")
    assert "severity 0.250, threshold 0.100; at 0.75 s" in text
    assert 'class="seek js-only" data-at="0.75"' in text
