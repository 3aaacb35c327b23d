"""Trials on clips and on sets: values by the shared cache, and what has none with its reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.core.media import decode_count
from screentest.metrics import MEASURES, make_encoder
from screentest.metrics.encoders.cache import FeatureCache
from screentest.metrics.validation import measure_bench
from screentest.metrics.validation.corruptions import CORRUPTIONS, corrupted
from screentest.metrics.validation.measure_bench import (
    MEASURE_CARD,
    MEASURE_TEXT,
    ValidationOptions,
    validate_measures,
)
from screentest.metrics.validation.measure_card import MeasureCard
from screentest.metrics.validation.measure_trials import CLEAN, Tools, clip_rows
from screentest.metrics.validation.set_trials import SETS, set_rows
from screentest.metrics.validation.true_clips import WorldClips, with_others


def tools(cache: Path, *names: str) -> Tools:
    measures = [MEASURES.get(name) for name in names]
    needs = {need for one in measures for need in one.needs}
    encoders = {need: make_encoder(need.removesuffix(".text")) for need in needs}
    return Tools(measures, encoders, FeatureCache(cache))


def test_every_clip_is_measured_as_it_is_and_under_every_grade(tmp_path: Path) -> None:
    found = clip_rows(
        WorldClips(3), tools(tmp_path, "quality.noise", "motion.cuts"), ["noise", "freeze", "caption"]
    )
    assert [(r.corruption, r.severity) for r in found if r.clip.endswith("-0")] == [
        (CLEAN, 0.0),
        *(("noise", s) for s in (4.0, 12.0, 32.0)),
        *(("freeze", s) for s in (0.25, 0.5, 0.75)),
    ]  # no measure reads the prompt, so no caption is swapped
    assert len(found) == 21
    of_noise = [
        r.values["quality.noise"] for r in found if r.clip.endswith("-1") and r.corruption != "freeze"
    ]
    assert of_noise == sorted(of_noise)
    assert 10 < of_noise[-1] < 32  # levels, less what is cut off at black


def test_a_bend_turns_slowly_and_leaves_the_first_frame_as_it_is() -> None:
    clip, other = next(with_others(WorldClips(2)))
    mild, strong = (corrupted(clip, "bend", share, other) for share in (0.0125, 0.05))
    assert mild is not None
    assert strong is not None
    assert (strong[0] == clip.frames[0]).all()
    changed = [float(np.abs(made.astype(int) - clip.frames).mean()) for made in (mild, strong)]
    assert 0 < changed[0] < changed[1]
    assert np.array_equal(strong, corrupted(clip, "bend", 0.05, other))


def test_clips_of_a_world_are_of_the_families_that_are_asked_for() -> None:
    clips = WorldClips(4, families=("fall", "uniform"))
    assert {(clip.kind or "").split()[0] for clip in clips} <= {"fall", "uniform"}
    assert clips.identity()["families"] == ["fall", "uniform"]
    assert "families" not in WorldClips(4).identity()
    with pytest.raises(
        UsageError, match="unknown family 'fal' of the world 'reference'; did you mean 'fall'"
    ):
        WorldClips(4, families=("fal",))
    many = "'room-orbitt' of the world 'stage'; .*'screentest world list --world stage' shows them"
    with pytest.raises(UsageError, match=many):
        WorldClips(4, world="stage", families=("room-orbitt",))


def test_a_caption_is_swapped_without_another_clip(tmp_path: Path) -> None:
    decode_count.clear()
    found = clip_rows(WorldClips(2), tools(tmp_path, "alignment.clip", "motion.flicker"), ["caption"])
    assert [row.corruption for row in found] == [CLEAN, "caption"] * 2
    assert found[0].values["alignment.clip"] != found[1].values["alignment.clip"]
    assert set(found[1].values) == {"alignment.clip"}  # what reads no prompt is not asked
    assert sum(decode_count.values()) == 2


def test_features_come_from_the_cache_the_second_time(tmp_path: Path) -> None:
    given = tools(tmp_path, "motion.flicker")
    one = clip_rows(WorldClips(2), given, ["noise"])
    decode_count.clear()
    assert clip_rows(WorldClips(2), given, ["noise"]) == one
    assert not decode_count


def test_what_does_not_apply_is_told_with_its_reason(tmp_path: Path) -> None:
    found = clip_rows(WorldClips(2), tools(tmp_path, "motion.camera"), [])
    assert all("too little detail" in row.reasons["motion.camera"] for row in found)
    assert all(not row.values for row in found)


@pytest.mark.slow
def test_sets_are_measured_as_they_are_corrupted_and_changed_as_sets(tmp_path: Path) -> None:
    clips, reference = WorldClips(SETS * 8, 0, "sets"), WorldClips(32, 0, "reference")
    found = set_rows(clips, reference, tools(tmp_path, "fidelity.fvd"), ["noise"])
    values = {
        (row.corruption, row.severity): np.median(
            [
                r.values["fidelity.fvd"]
                for r in found
                if (r.corruption, r.severity) == (row.corruption, row.severity)
            ]
        )
        for row in found
    }
    assert len({row.clip for row in found}) == SETS
    assert values["noise", 32.0] > values[CLEAN, 0.0]
    assert values["memorised", 1.0] < values[CLEAN, 0.0]  # copies of the reference set are rewarded
    assert values["few", 0.875] > values[CLEAN, 0.0]  # and fewer clips look worse


def test_measures_of_other_reference_sets_are_refused(tmp_path: Path) -> None:
    other = replace(MEASURES.get("fidelity.fvd"), references=("train",))
    with pytest.raises(UsageError, match="compares with the reference sets"):
        set_rows(WorldClips(2), WorldClips(2), Tools([other], {}, FeatureCache(tmp_path)), [])


def test_a_card_is_written_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure_bench, "CORRUPTIONS", {"letterbox": CORRUPTIONS["letterbox"]})
    asked = ValidationOptions(measures=("quality.borders",), n=11)
    card = validate_measures(tmp_path / "out", asked, FeatureCache(tmp_path / "cache"))
    assert card == MeasureCard.model_validate_json((tmp_path / "out" / MEASURE_CARD).read_bytes())
    assert "quality.borders" in (tmp_path / "out" / MEASURE_TEXT).read_text("utf-8")
    row = next(row for row in card.rows if row.corruption == "letterbox")
    assert (row.claimed, row.found) == ("rises", "seen")


@pytest.mark.parametrize("name", ["failure.rate", "refusal.rate"])
def test_measures_of_outcomes_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="leave it out of --measures"):
        validate_measures(tmp_path, ValidationOptions(measures=(name,)), FeatureCache(tmp_path))
