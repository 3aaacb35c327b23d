from pathlib import Path

import numpy as np
import pytest
from screentest.metrics import make_encoder
from screentest.safety.memorisation.recall_card import (
    copy_trials,
    recall_rows,
    run_copy_trial,
    threshold_row,
)
from screentest.safety.memorisation.training_sets import (
    HELD_OUT,
    THUMBNAILS,
    TRAIN,
    Calibration,
    TrainingSets,
)
from screentest.safety.memorisation.transformations import TRANSFORMATIONS

from ...metrics.helpers import encode, pan


def row(number: int, name: str, severity: float | None, answer: object) -> dict[str, object]:
    return {"number": number, "transformation": name, "severity": severity, "answers": {THUMBNAILS: answer}}


def test_every_way_and_severity_is_planned_for_each_clip():
    trials = copy_trials(30, 5, 0)
    ways = sum(len(one.severities) or 1 for one in TRANSFORMATIONS.values())
    assert len(trials) == len(set(trials)) == 5 * ways
    assert len({trial.number for trial in trials}) == 5
    assert [trial.number for trial in trials] == sorted(trial.number for trial in trials)
    assert trials == copy_trials(30, 5, 0) != copy_trials(30, 5, 1)
    assert {trial.number for trial in copy_trials(3, 5, 0)} == {0, 1, 2}


def test_rows_count_what_is_found_and_leave_out_what_cannot_be_compared():
    found, missed = {"found": True, "right": True}, {"found": False, "right": True}
    rows = [
        *(row(k, "crop", 0.75, found) for k in range(3)),
        row(3, "crop", 0.75, missed),
        row(4, "crop", 0.75, "nothing moves"),
        row(0, "flip", None, {"found": True, "right": False}),
    ]
    crop, flip = recall_rows(rows)
    assert (crop.transformation, crop.severity, crop.n, crop.value) == ("crop", 0.75, 4, 0.75)
    assert crop.low is not None
    assert crop.low < 0.75
    assert crop.reasons == {"nothing moves": 1}
    assert crop.left_out == {"not_applicable": 1}
    assert crop.nearest_is_right.value == 1.0
    assert (flip.value, flip.nearest_is_right.value, flip.severity) == (1.0, 0.0, None)


def test_false_alarms_are_those_of_clips_that_did_not_make_the_threshold():
    values = [0.1 * (k % 7) for k in range(40)]
    values[5] = 0.95  # in one half, above all of the other
    told = threshold_row(THUMBNAILS, Calibration.of(values, 40, [("a", "b", 0.95)]))
    assert told.threshold == 0.95
    assert told.false_alarms.n == 40
    assert told.false_alarms.value == pytest.approx(1 / 40)
    assert told.closest == (("a", "b", 0.95),)


def test_a_planted_copy_is_found_and_a_clip_from_elsewhere_is_not(tmp_path: Path):
    encoder = make_encoder(THUMBNAILS)
    clips = {
        TRAIN: {f"t{k}": pan(4, size=32, seed=k) for k in range(6)},
        HELD_OUT: {f"h{k}": pan(4, size=32, seed=100 + k) for k in range(48)},
    }

    def load(which: str, feature: str) -> tuple[np.ndarray, list[str]]:
        rows = {name: encode(encoder, frames) for name, frames in clips[which].items()}
        return np.concatenate(list(rows.values())), [name for name, part in rows.items() for _ in part]

    sets = TrainingSets(load, {one: one for one in clips}, {THUMBNAILS: encoder.digest}, tmp_path)
    crop = next(t for t in copy_trials(6, 6, 0) if (t.number, t.transformation) == (2, "crop"))
    found = run_copy_trial(crop, ("t2", clips[TRAIN]["t2"], 8.0), {THUMBNAILS: encoder}, sets)
    assert found["clip"] == "t2"
    assert found["answers"][THUMBNAILS]["found"] is True
    assert found["answers"][THUMBNAILS]["right"] is True
    other = run_copy_trial(crop, ("new", pan(4, size=32, seed=999), 8.0), {THUMBNAILS: encoder}, sets)
    assert other["answers"][THUMBNAILS]["found"] is False
    assert other["answers"][THUMBNAILS]["right"] is False
