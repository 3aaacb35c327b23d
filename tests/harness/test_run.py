"""The main job, with a generator that draws."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from screentest.generators import ANY_START
from screentest.generators.identity import identity_of
from screentest.harness.catalog import MEASURES
from screentest.harness.core import media
from screentest.harness.core.errors import MediaError, UsageError
from screentest.harness.core.items import make_item
from screentest.harness.core.pairing import pair_runs
from screentest.harness.core.run_data import Score
from screentest.harness.results.summary import read_summary
from screentest.harness.run import Settings, run, score_run
from screentest.harness.run_folder.store import SCHEMA, open_run, read_run
from screentest.harness.scoring.clips import CUT, Scorer
from screentest.metrics import Measure, Scored
from screentest.metrics.encoders.clip import ClipEncoder
from screentest.reports.build import build_report
from screentest.reports.evidence_text import evidence_text


def table(folder: Path) -> list[tuple[Any, ...]]:
    return [(s.item, s.measure, s.status, s.value, s.reason, s.key) for s in open_run(folder).scores()]


def test_a_run_scores_every_item_with_every_measure(tmp_path, suite, generator, cache):
    summary = run(suite, generator, tmp_path / "run", Settings(cache))
    assert summary.outcomes == {"ok": 8, "refused": 0, "failed": 0}
    assert len(table(tmp_path / "run")) == 8 * 3
    flicker = summary.get("motion.flicker")
    assert flicker is not None
    assert (flicker.n, flicker.clusters) == (8, 4)
    assert flicker.low is not None
    assert flicker.value is not None
    assert flicker.high is not None
    assert flicker.low <= flicker.value <= flicker.high
    assert summary.get("motion.flicker", "even").n == 4
    assert read_summary(tmp_path / "run") == summary


def test_a_prompt_that_the_text_encoder_does_not_read_to_its_end_is_noted_with_the_score(
    tmp_path, make_suite, generator, cache
):
    suite = make_suite(
        measures=["alignment.clip", "motion.flicker"],
        encoders={"clip": "reference"},
        prompts=["a red ball falls", "a red ball falls and " * 20],
        seeds=1,
    )
    run(suite, generator, tmp_path / "run", Settings(cache))
    store = open_run(tmp_path / "run")
    prompts = {item.id: item.prompt for item in store.items()}
    told = {(prompts[s.item][:20], s.measure): s.evidence.get(CUT) for s in store.scores()}
    cut = "the encoder clip reads 24 of the prompt's 102 tokens"
    short, long = "a red ball falls", "a red ball falls and"
    assert {name: told[name, "alignment.clip"] for name in (short, long)} == {short: None, long: cut}
    assert {told[name, "motion.flicker"] for name in (short, long)} == {None}
    (scored,) = (s for s in store.scores() if s.evidence.get(CUT))
    assert evidence_text(scored) == cut


def test_each_clip_is_decoded_once_for_all_encoders(tmp_path, make_suite, generator, cache):
    media.decode_count.clear()
    suite = make_suite(measures=["motion.flicker", "motion.warping_error", "motion.dynamic_degree"])
    run(suite, generator, tmp_path / "run", Settings(cache))
    shas = {record.sha256 for record in open_run(tmp_path / "run").clips().values()}
    assert dict(media.decode_count) == dict.fromkeys(shas, 1)


def test_scoring_again_neither_generates_nor_decodes(tmp_path, make_suite, suite, generator, cache):
    run(suite, generator, tmp_path / "run", Settings(cache))
    before = table(tmp_path / "run")
    asked = len(generator.asked)
    media.decode_count.clear()
    run(suite, generator, tmp_path / "run", Settings(cache))
    assert table(tmp_path / "run") == before
    assert len(generator.asked) == asked
    assert not media.decode_count
    score_run(tmp_path / "run", make_suite(measures=["motion.dynamic_degree"]), Settings(cache))
    assert len(table(tmp_path / "run")) == len(before) + 8
    assert len(generator.asked) == asked
    assert set(media.decode_count.values()) == {1}


def test_a_cache_that_is_lost_changes_no_number(tmp_path, suite, generator):
    run(suite, generator, tmp_path / "a", Settings(tmp_path / "cache a"))
    run(suite, generator, tmp_path / "b", Settings(tmp_path / "cache b"))
    assert table(tmp_path / "a") == table(tmp_path / "b")


def test_what_was_measured_is_what_is_stored(tmp_path, suite, generator, cache):
    run(suite, generator, tmp_path / "run", Settings(cache))
    store = open_run(tmp_path / "run")
    for record in store.clips().values():
        clip = media.open_clip(store.clip_file(record))
        assert clip.sha256 == record.sha256
        assert record.info is not None
        assert record.info.frames == 6


def test_refusals_and_failures_are_counted_and_never_scored(tmp_path, make_suite, generator, cache):
    prompts = [{"text": t} for t in ("a block", "refuse this", "fail at this", "another block")]
    generator.batch_size = 1
    summary = run(make_suite(prompts=prompts), generator, tmp_path / "run", Settings(cache))
    assert summary.outcomes == {"ok": 4, "refused": 2, "failed": 2}
    flicker = summary.get("motion.flicker")
    assert flicker.n == 4
    assert flicker.left_out == {"refused": 2, "failed": 2, "not_applicable": 0}
    assert flicker.reasons == {"not allowed here": 2, "out of paint": 2}
    refusal, failure = summary.get("refusal.rate"), summary.get("failure.rate")
    assert (refusal.value, refusal.n) == (pytest.approx(1 / 3), 6)
    assert (failure.value, failure.n) == (0.25, 8)
    scores = [s for s in open_run(tmp_path / "run").scores() if s.status != "ok"]
    assert all(s.value is None and s.reason for s in scores)


def test_what_a_generator_cannot_be_given_is_neither_refused_nor_failed(
    tmp_path, make_suite, generator, cache, capsys
):
    picture = tmp_path / "start.png"
    picture.write_bytes(b"any")
    prompts = [
        {"text": "a block", "seeds": 1},
        {"text": "a block", "seeds": 1, "image": str(picture)},
        {"text": "refuse this", "seeds": 1},
    ]
    summary = run(make_suite(prompts=prompts), generator, tmp_path / "run", Settings(cache))
    assert len(generator.asked) == 2
    assert summary.outcomes == {"ok": 1, "refused": 1, "failed": 0, "not_applicable": 1}
    assert (
        "of 3 items 1 cannot be given to it: drawing:plain cannot start a clip from an image"
        in capsys.readouterr().err
    )
    for name in ("refusal.rate", "failure.rate"):
        found = summary.get(name)
        assert found is not None
        assert (found.n, found.left_out["not_applicable"]) == (2, 1)
    assert run(make_suite(prompts=prompts), generator, tmp_path / "run", Settings(cache)) == summary
    page = build_report([tmp_path / "run"]).read_text()
    assert "1 not applicable: <bdi>drawing:plain cannot start" in page
    with pytest.raises(UsageError, match="not one of 1 item can be given to drawing:plain"):
        run(make_suite(prompts=prompts[1:2]), generator, tmp_path / "none", Settings(cache))
    assert not (tmp_path / "none").exists()


def test_a_generator_that_raises_fails_its_unit_and_the_run_goes_on(tmp_path, make_suite, generator, cache):
    prompts = [{"text": t} for t in ("a block", "raise an error", "another block")]
    generator.batch_size = 2
    summary = run(make_suite(prompts=prompts), generator, tmp_path / "run", Settings(cache))
    assert summary.outcomes == {"ok": 4, "refused": 0, "failed": 2}
    assert summary.get("motion.flicker").reasons == {"RuntimeError: the model fell over": 2}


def test_failed_items_are_asked_again_on_request(tmp_path, make_suite, make_generator, cache):
    prompts = [{"text": "a block"}, {"text": "fail at first"}]
    generator = make_generator(1)
    run(make_suite(prompts=prompts), generator, tmp_path / "run", Settings(cache))
    mended = make_generator(1)
    mended._one = lambda item: make_generator._one(mended, replace(item, prompt="now"))
    again = run(make_suite(prompts=prompts), mended, tmp_path / "run", Settings(cache))
    assert again.outcomes["failed"] == 2
    retried = run(make_suite(prompts=prompts), mended, tmp_path / "run", Settings(cache, retry_failed=True))
    assert retried.outcomes == {"ok": 4, "refused": 0, "failed": 0}
    assert len(mended.asked) == 2


def test_another_plan_in_the_folder_is_refused_and_nothing_is_touched(tmp_path, make_suite, generator, cache):
    run(make_suite(), generator, tmp_path / "run", Settings(cache))
    before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    with pytest.raises(
        UsageError, match=r"another plan: suite .*drawing v1.*drawing v2.*nothing was overwritten"
    ):
        run(make_suite(version=2), generator, tmp_path / "run", Settings(cache))
    assert {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()} == before


def test_long_names_of_suites_are_told_apart_by_their_versions(tmp_path, make_suite, generator, cache):
    run(make_suite(name="instructions-of-the-kitchen"), generator, tmp_path / "run", Settings(cache))
    other = make_suite(name="instructions-of-the-kitchen", version=2)
    with pytest.raises(UsageError, match=r"of-the-kitchen v1, asked: instructions-of-the-kitchen v2\)"):
        run(other, generator, tmp_path / "run", Settings(cache))


def test_a_setting_that_differs_is_named_however_late_it_comes(
    tmp_path, make_suite, make_generator, cache, monkeypatch
):
    generator = make_generator(1)
    plain = generator.identity()
    run(make_suite(), generator, tmp_path / "run", Settings(cache))
    other = {**plain, "sampler": {"note": "x" * 300, "steps": 3}}
    monkeypatch.setattr(generator, "identity", lambda: other)
    with pytest.raises(UsageError, match=r"generator\.sampler\.steps \(there: none, asked: 3\)"):
        run(make_suite(), generator, tmp_path / "run", Settings(cache))


def test_another_image_under_the_same_name_is_another_plan(tmp_path, make_suite, generator, cache):
    image = tmp_path / "start.png"
    image.write_bytes(b"one")
    generator.starts = ANY_START
    suite = make_suite(prompts=[{"text": "a block", "image": str(image)}])
    run(suite, generator, tmp_path / "run", Settings(cache))
    image.write_bytes(b"two")
    with pytest.raises(UsageError, match=r"another plan: starts\..*start.*png \(there: .*, asked: "):
        run(suite, generator, tmp_path / "run", Settings(cache))
    run(suite, generator, tmp_path / "other", Settings(cache))
    one, other = (open_run(tmp_path / name) for name in ("run", "other"))
    with pytest.raises(
        UsageError, match=r"run and other start from different files of one name \(.*start\.png"
    ):
        pair_runs(read_run(one), read_run(other))


def test_a_folder_with_other_files_is_refused(tmp_path, suite, generator, cache):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(UsageError, match=r"holds other files \(thesis.tex\)"):
        run(suite, generator, tmp_path, Settings(cache))
    assert (tmp_path / "thesis.tex").read_text() == "precious"


def test_a_stored_clip_that_is_damaged_stops_the_scoring_and_changes_no_score(
    tmp_path, make_suite, suite, generator, cache
):
    run(suite, generator, tmp_path / "run", Settings(cache))
    before = table(tmp_path / "run")
    store = open_run(tmp_path / "run")
    path = store.clip_file(next(iter(store.clips().values())))
    whole = path.read_bytes()
    more = make_suite(measures=["motion.warping_error"])
    path.write_bytes(whole + b"\0")
    with pytest.raises(UsageError, match=r"the stored clip .* has changed; restore it"):
        score_run(tmp_path / "run", more, Settings(cache))
    path.unlink()
    with pytest.raises(UsageError, match=r"the stored clip .* is gone; restore it"):
        score_run(tmp_path / "run", more, Settings(cache))
    assert [row for row in table(tmp_path / "run") if row[1] != "motion.warping_error"] == before
    path.write_bytes(whole)
    assert score_run(tmp_path / "run", more, Settings(cache)).get("motion.warping_error").n == 8


def test_a_clip_that_is_gone_is_made_again_on_request(tmp_path, suite, generator, cache):
    run(suite, generator, tmp_path / "run", Settings(cache))
    before = table(tmp_path / "run")
    store = open_run(tmp_path / "run")
    path = store.clip_file(next(iter(store.clips().values())))
    path.unlink()
    run(suite, generator, tmp_path / "run", Settings(cache, retry_failed=True))
    assert path.is_file()
    assert table(tmp_path / "run") == before


def test_a_users_own_clips_are_never_touched(tmp_path, suite, generator, cache):
    mine = tmp_path / "run" / "clips" / "holiday.mp4"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"precious")
    with pytest.raises(UsageError, match=r"holds other files \(clips/holiday.mp4\)"):
        run(suite, generator, tmp_path / "run", Settings(cache))
    assert mine.read_bytes() == b"precious"
    run(suite, generator, tmp_path / "other", Settings(cache))
    beside = tmp_path / "other" / "clips" / "notes.txt"
    beside.write_text("kept")
    run(suite, generator, tmp_path / "other", Settings(cache))
    assert beside.read_text() == "kept"


def test_a_run_inside_the_folder_it_reads_is_refused(tmp_path, make_suite, cache):
    from screentest.generators.folder import FolderGenerator

    (tmp_path / "videos").mkdir()
    media.write_clip(tmp_path / "videos" / "a.mp4", np.zeros((4, 16, 16, 3), np.uint8), 8)
    suite = make_suite(prompts=(), prompts_from_generator=True)
    for out in (tmp_path / "videos" / "run", tmp_path):
        with pytest.raises(UsageError, match="lies inside the other; choose another --out"):
            run(suite, FolderGenerator(tmp_path / "videos"), out, Settings(cache))


def test_a_clip_that_the_set_encoder_fails_on_is_left_out_counted_and_tried_again(
    tmp_path, make_suite, generator, cache, monkeypatch
):
    suite = make_suite(
        clip={"frames": 16, "height": 64, "width": 64, "fps": 8},
        measures=["fidelity.fvd"],
        encoders={"video": "reference"},
        reference_set={"world": "reference", "clips": 4},
    )
    encode, failed = Scorer.encode, []

    def fails_once(self, sha256, path, names):
        if not failed:
            failed.append(sha256)
            raise MediaError("out of memory")
        return encode(self, sha256, path, names)

    monkeypatch.setattr(Scorer, "encode", fails_once)
    first = run(suite, generator, tmp_path / "run", Settings(cache)).get("fidelity.fvd")
    assert (first.n, first.left_out["failed"]) == (7, 1)
    again = run(suite, generator, tmp_path / "run", Settings(cache)).get("fidelity.fvd")
    assert (again.n, again.left_out["failed"]) == (8, 0)


def test_a_score_that_failed_is_tried_again(tmp_path, make_suite, generator, cache, monkeypatch):
    answers = {"now": float("nan")}
    moody = Measure(
        "my.moody", 1, "mean", lambda sample: answers["now"], None, (), "higher", (0.0, 1.0), "", "Moody."
    )
    monkeypatch.setitem(MEASURES._entries, "my.moody", moody)
    suite = make_suite(measures=["my.moody"])
    assert run(suite, generator, tmp_path / "run", Settings(cache)).get("my.moody").left_out["failed"] == 8
    answers["now"] = 0.5
    assert run(suite, generator, tmp_path / "run", Settings(cache)).get("my.moody").n == 8


def test_scores_of_two_versions_are_never_mixed(tmp_path, suite, generator, cache):
    from screentest.harness.results.summary import summarise

    run(suite, generator, tmp_path / "run", Settings(cache))
    store = open_run(tmp_path / "run")
    newer = {**store.measures()["motion.flicker"], "version": 99}
    store.put_measure("motion.flicker", newer)  # as a killed re-score of another version leaves it
    assert not [s for s in store.scores() if s.measure == "motion.flicker"]
    one = next(iter(store.clips().values()))
    store.put_unit([one], [Score(one.item, "motion.flicker", "ok", 0.5, key="new")])
    flicker = summarise(store).get("motion.flicker")
    assert (flicker.value, flicker.n, flicker.left_out["missing"]) == (0.5, 1, 7)


def test_a_fault_of_the_reference_set_is_known_before_anything_is_generated(
    tmp_path, make_suite, generator, cache, monkeypatch
):
    (tmp_path / "real").mkdir()
    for k in range(2):
        media.write_clip(tmp_path / "real" / f"{k}.mp4", np.full((16, 64, 64, 3), 40 * k, np.uint8), 8)

    def damaged(clip, sinks, *, sound=False):
        raise MediaError(f"{clip.path} is truncated")

    monkeypatch.setattr("screentest.harness.suites.reference_sets.decode", damaged)
    suite = make_suite(
        measures=["fidelity.fvd"],
        encoders={"video": "reference"},
        reference_set={"folder": str(tmp_path / "real")},
    )
    with pytest.raises(MediaError, match="is truncated"):
        run(suite, generator, tmp_path / "run", Settings(cache))
    assert not generator.asked


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (7.0, "the value 7 is outside of the measure's range"),
        (float("nan"), "the value was nan"),
        (Scored(0.5, {"frame": np.float32(1)}), "its evidence is not plain JSON"),
    ],
)
def test_what_is_no_score_is_a_failure_and_the_run_goes_on(
    tmp_path, make_suite, generator, cache, value, reason, monkeypatch
):
    strange = Measure(
        "my.strange", 1, "mean", lambda sample: value, None, (), "higher", (0.0, 1.0), "", "Strange."
    )
    monkeypatch.setitem(MEASURES._entries, "my.strange", strange)
    summary = run(
        make_suite(measures=["my.strange", "motion.flicker"]), generator, tmp_path / "r", Settings(cache)
    )
    assert summary.get("my.strange").left_out["failed"] == 8
    assert reason in next(iter(summary.get("my.strange").reasons))
    assert summary.get("motion.flicker").n == 8


def test_two_writers_at_once_are_refused(tmp_path, suite, generator, cache):
    from screentest.harness.run_folder.store import single_writer

    with single_writer(tmp_path / "run"), pytest.raises(UsageError, match="another process is writing"):
        run(suite, generator, tmp_path / "run", Settings(cache))


def test_an_encoder_that_the_suite_does_not_name_is_an_error_before_generating(
    tmp_path, make_suite, generator, cache
):
    with pytest.raises(UsageError, match=r"alignment.clip needs the encoder 'clip'"):
        run(make_suite(measures=["alignment.clip"]), generator, tmp_path / "run", Settings(cache))
    assert not generator.asked
    assert not (tmp_path / "run").exists()


def test_unknown_measures_get_the_nearest_names(tmp_path, make_suite, generator, cache):
    with pytest.raises(UsageError, match=r"unknown measure 'motion.flikker'; did you mean 'motion.flicker'"):
        run(make_suite(measures=["motion.flikker"]), generator, tmp_path / "run", Settings(cache))


def test_the_record_names_the_plan_versions_and_hardware(tmp_path, suite, generator, cache):
    run(suite, generator, tmp_path / "run", Settings(cache))
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["schema"] == SCHEMA
    assert record["generator"] == identity_of(generator)
    assert record["generator"].items() >= {"kind": "drawing", "version": 1}.items()
    assert record["versions"]["av"]
    assert record["hardware"]["cpus"] >= 1


def test_a_newer_schema_is_refused(tmp_path, suite, generator, cache):
    run(suite, generator, tmp_path / "run", Settings(cache))
    path = tmp_path / "run" / "run.json"
    path.write_text(path.read_text().replace(f'"schema": {SCHEMA}', '"schema": 99'))
    with pytest.raises(UsageError, match="schema 99"):
        open_run(tmp_path / "run")


def test_killed_at_many_random_moments_it_ends_with_the_same_table(tmp_path):
    """SIGKILL real runs at random moments, resuming each time, until one ends by itself."""
    script = Path(__file__).with_name("kill_loop.py")
    done = subprocess.run(
        [sys.executable, script, str(tmp_path)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    kills = json.loads(done.stdout)
    stages = np.concatenate(kills)
    assert len(stages) >= 10
    assert len(np.unique(stages)) >= 3  # the moments were spread over the run, not all at one place
    for number in range(len(kills)):
        killed = tmp_path / f"killed {number}"
        assert table(killed) == table(tmp_path / "whole")
        assert read_summary(killed).aggregates == read_summary(tmp_path / "whole").aggregates
        assert not [p.name for p in (killed / "clips").iterdir() if p.name.startswith(".")]


def test_a_prompt_that_cannot_be_encoded_fails_its_own_scores(
    tmp_path, make_suite, make_generator, cache, monkeypatch
):
    encode_text = ClipEncoder.encode_text

    def but_one(self, text):
        if text.startswith("unreadable"):
            raise ValueError("no such word")
        return encode_text(self, text)

    monkeypatch.setattr(ClipEncoder, "encode_text", but_one)

    class Own(make_generator):
        def own_items(self, clip):
            texts = ("a red ball falls", "unreadable")
            return tuple(make_item(text, seed, clip) for text in texts for seed in (0, 1))

    suite = make_suite(
        prompts=(),
        prompts_from_generator=True,
        measures=["alignment.clip", "motion.flicker"],
        encoders={"clip": "reference"},
    )
    summary = run(suite, Own(), tmp_path / "run", Settings(cache))
    alignment = summary.get("alignment.clip")
    assert (alignment.n, alignment.left_out["failed"]) == (2, 2)
    assert "could not be encoded" in next(iter(alignment.reasons))
    assert summary.get("motion.flicker").n == 4
