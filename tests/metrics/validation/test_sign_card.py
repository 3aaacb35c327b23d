"""The card of signs: what it makes of the rows of trials, and that the packaged one is of its numbers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.core.media import write_clip
from screentest.metrics.signs.measures import LIMITS, NOT_STATIC
from screentest.metrics.validation.packaged_cards import DATA, packaged_signs
from screentest.metrics.validation.sign_bench import SIGNS_TEXT, validate_signs
from screentest.metrics.validation.sign_card import footage_rows, make_sign_card, measured_versions, sign_text
from screentest.metrics.validation.sign_trials import FAULTS, lawful_sign_trials, planted_sign_trials


def row(
    family: str, index: int, appears: Any, fault: str | None = None, severity: float = 0.0
) -> dict[str, Any]:
    found: dict[str, Any] = dict.fromkeys(LIMITS, "nothing moves")
    return {
        "family": family,
        "index": index,
        "fault": fault,
        "severity": severity,
        "found": {**found, "appears": appears},
    }


def test_areas_alarms_and_reasons_are_counted():
    lawful = [row("glide", k, [0.1 * k, 3 if k else None]) for k in range(7)]
    lawful += [row("stack", 0, "nothing moves"), row("crowd", 0, [0.6, 4])]
    bad = [row("fall", 0, [0.9, 5], "vanish", 1.0), row("fall", 1, [0.35, 5], "vanish", 1.0)]
    bad += [row("glide", 2, "nothing moves", "vanish", 1.0)]
    card = make_sign_card([*lawful, *bad], {"world": "stage", "n": 3, "seed": 0})
    (cell,) = card.cells
    assert (cell.sign, cell.fault, cell.severity, cell.n) == ("appears", "vanish", 1.0, 2)
    assert cell.auc.value == pytest.approx((1.0 + 4 / 8) / 2)  # 0.35 is above 0, 0.1, 0.2 and 0.3
    assert cell.found.value == pytest.approx(0.5)
    assert cell.families == {"fall": (1, 2)}
    assert cell.left_out == {"nothing moves": 1}
    alarms = {a.sign: a for a in card.alarms}
    assert alarms["appears"].n == 8
    assert alarms["appears"].clips == (
        "glide-5, frame 3, strength 0.50",
        "glide-6, frame 3, strength 0.60",
        "crowd-0, frame 4, strength 0.60",
    )
    assert alarms["merges"].n == 0
    assert alarms["any"].left_out == {"nothing moves": 1}
    assert card.is_of("signs.appears", measured_versions()["signs.appears"])
    assert not card.is_of("signs.appears", 99)
    assert "glide-5, appears, frame 3, strength 0.50" in sign_text(card)


def test_a_clip_with_two_signs_is_one_false_alarm_of_any():
    both = row("crowd", 0, [0.6, 4])
    both["found"]["splits"] = [0.5, 7]
    card = make_sign_card([both, row("glide", 0, [0.1, 3])], {"world": "stage", "n": 3, "seed": 0})
    alarms = {a.sign: a for a in card.alarms}
    assert {name: a.alarms for name, a in alarms.items() if a.n} == {"appears": 1, "splits": 1, "any": 1}
    assert alarms["merges"].alarms == 0
    assert len(alarms["any"].clips) == 2
    assert "| any | stage | 2 | 1 | 0.50 [" in sign_text(card)


def test_a_planted_fault_is_one_of_the_world_and_spread_over_its_families():
    trials = planted_sign_trials("reference", 3, 4, "vanish")
    assert len(trials) == 8
    assert {t.severity for t in trials} == {0.5, 1.0}
    assert len({t.family for t in trials}) == 4
    assert planted_sign_trials("reference", 3, 4, "merge") == []


def test_lawful_clips_are_of_all_families_but_puzzles_and_most_of_static_ones():
    count = Counter(trial.family for trial in lawful_sign_trials("stage", 0, 6))
    assert {"glide", "crowd", "room-orbit"} <= set(count)
    assert not set(count) & {"maze", "clock", "tower"}
    assert (count["glide"], count["room-orbit"], count["static"]) == (2, 6, 6)


def test_a_picture_bends_in_static_scenes_alone():
    families = {trial.family for trial in planted_sign_trials("stage", 0, 12, "warp")}
    assert families == {"static", "room-orbit", "room-dolly"}


def test_footage_is_counted_with_a_reason_for_each_clip_of_which_nothing_can_be_said(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
):
    noise = np.random.default_rng(0).integers(0, 255, (12, 32, 32, 3), np.uint8)
    write_clip(tmp_path / "noise.mp4", noise, 12.0)
    write_clip(tmp_path / "slow.mp4", noise, 2.0)
    (tmp_path / "torn.mp4").write_bytes(b"no video")
    rows = {r["file"]: r["found"] for r in footage_rows(tmp_path)}
    assert set(rows) == {"noise.mp4", "slow.mp4"}
    assert f"warning: left out: {tmp_path / 'torn.mp4'}" in capsys.readouterr().err
    assert rows["slow.mp4"]["appears"].startswith("fewer than 4 frames a second")
    assert all(isinstance(found, str) for found in rows["noise.mp4"].values())
    card = validate_signs(tmp_path / "out", real=tmp_path)
    assert {a.where for a in card.alarms} == {"footage"}
    assert (tmp_path / "out" / SIGNS_TEXT).read_text("utf-8") == sign_text(card)
    assert rows["noise.mp4"]["warp"] == NOT_STATIC
    (tmp_path / "manifest.jsonl").write_text('{"file": "noise.mp4", "expect": {"static": true}}\n', "utf-8")
    known = {r["file"]: r["found"]["warp"] for r in footage_rows(tmp_path)}
    assert known["noise.mp4"] != NOT_STATIC
    assert known["slow.mp4"] == NOT_STATIC
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="has no videos"):
        validate_signs(tmp_path / "out", real=tmp_path / "empty")


def test_the_packaged_card_is_of_its_numbers_and_says_which_sign_is_told_from_chance():
    card = packaged_signs()
    assert card is not None
    assert (DATA / "stage" / SIGNS_TEXT).read_text("utf-8") == sign_text(card)
    assert card.settings["limits"] == LIMITS
    assert card.settings["measures"] == measured_versions()
    assert set(FAULTS) == set(measured_versions())
    assert card.claims("signs.appears") == (["vanish from 0.5", "uninvited from 0.5"], [])
    assert card.claims("signs.merges") == (["merge from 1"], ["merge up to 0.5"])  # 0.66 at 0.5 is under 0.7
    assert card.claims("signs.splits") == (["split from 0.5"], [])
    assert card.claims("signs.shadows") == ([], ["shadow up to 1"])  # 0.83 [0.42, 0.97]: too few show one
    assert card.claims("signs.warp") == (["warp from 0.5"], [])
    alarms = {a.sign: (a.alarms, a.n) for a in card.alarms}
    assert alarms["warp"] == (0, 44)  # of static scenes alone
    for cell in card.cells:
        assert cell.auc.low is not None
        assert 0 < cell.auc.low < (cell.auc.value or 0) <= (cell.auc.high or 0)
