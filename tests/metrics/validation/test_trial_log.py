"""Trials and sessions of them: the same anywhere, and whole after an interruption."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from screentest.metrics.laws.evaluation import LAWS
from screentest.metrics.tracking.shape_tracker import WorldSource
from screentest.metrics.validation import law_trials as trials
from screentest.metrics.validation.law_trials import (
    STAGES,
    VARIETIES,
    Trial,
    broken_trials,
    clip_of,
    lawful_trials,
)
from screentest.metrics.validation.trial_log import run_trials

PLANNED = [Trial("development", 0, family, 0) for family in ("uniform", "fall", "still")]


def found(path: Path, ran: list[Trial] | None = None, seed: int = 0) -> list[dict[str, object]]:
    def run(trial: Trial) -> dict[str, object] | None:
        if ran is not None:
            ran.append(trial)
        return trials.run(trial, WorldSource())

    rows = run_trials(PLANNED, run, path, {"seed": seed})
    return [{name: value for name, value in row.items() if name != "ms"} for row in rows]


def test_a_bench_that_was_killed_resumes_and_ends_the_same(tmp_path: Path):
    whole = found(tmp_path / "whole.jsonl")
    assert [row["family"] for row in whole] == ["uniform", "fall", "still"]
    lines = (tmp_path / "whole.jsonl").read_text().splitlines()
    torn = tmp_path / "torn.jsonl"
    torn.write_text("\n".join([*lines[:2], lines[2][:40]]))
    ran: list[Trial] = []
    assert found(torn, ran) == whole
    assert ran == PLANNED[1:]
    assert found(torn, ran) == whole
    assert len(ran) == 2
    assert len(torn.read_text().splitlines()) == 4


def test_a_trial_without_room_is_left_out_and_not_run_again(tmp_path: Path):
    ran: list[Trial] = []

    def run(trial: Trial) -> dict[str, object] | None:
        ran.append(trial)
        return None if trial.family == "fall" else {"seen": True}

    for _ in range(2):
        rows = run_trials(PLANNED, run, tmp_path / "rows.jsonl", {})
        assert [(row["family"], row["seen"]) for row in rows] == [("uniform", True), ("still", True)]
    assert ran == PLANNED


def test_rows_of_other_settings_are_thrown_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "rows.jsonl"
    found(path)
    found(path, seed=1)
    assert "is of other settings or other code; it is started again" in capsys.readouterr().err
    head = json.loads(path.read_text().splitlines()[0])["session"]
    assert head["settings"] == {"seed": 1}
    assert set(head["code"]) >= {
        "metrics/tracking/regions.py",
        "generators/worlds/plane/trial_violations.py",
        "metrics/tracking/tracks.py",
        "generators/worlds/plane/draw.py",
    }


def test_the_same_trial_is_the_same_clip_and_stages_share_none():
    trial = Trial("development", 0, "uniform", 0)
    one, two = clip_of(trial), clip_of(trial)
    assert one is not None
    assert two is not None
    assert one.scene == two.scene
    scenes = [clip_of(Trial(stage, 0, "uniform", 0)) for stage in STAGES]
    places = {film.scene.things[0].x for film in scenes if film is not None}
    assert len(places) == len(STAGES)
    card = [clip_of(Trial("card", 0, "collision", k)) for k in range(4)]
    colors = {thing.color for film in card if film is not None for thing in film.scene.things}
    assert colors == {"yellow", "purple"}


@pytest.mark.parametrize("law", LAWS)
def test_every_violation_has_a_lawful_twin_of_the_same_scene(law: str):
    for variety in VARIETIES:
        template = Trial("development", 0, "", 0, variety=variety, severity=0.5)
        for broken in broken_trials(template, law, 2):
            film, twin = clip_of(broken), clip_of(broken.twin)
            assert broken.twin.law is None
            if film is not None:
                assert twin is not None
                assert film.expect == twin.expect


def test_lawful_trials_are_of_every_family_that_has_room():
    assert len({trial.family for trial in lawful_trials("card", 0, 2)}) == 14
    assert len(lawful_trials("card", 0, 2)) == 28
    more = clip_of(Trial("development", 0, "still", 0, variety="together"))
    assert more is not None
    assert len(more.expect["objects"]) == 2
