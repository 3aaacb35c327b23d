"""The score table as a file: every row, every value to the last bit, and what is missing stays missing."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pytest
from screentest.harness.core.clip_info import ClipInfo
from screentest.harness.core.errors import UsageError
from screentest.harness.core.run_data import SetScore
from screentest.harness.results.export import (
    AGGREGATE_COLUMNS,
    aggregate_frame,
    export_aggregates,
    export_scores,
    score_frame,
)
from screentest.harness.results.summary import summarise, write_summary


@pytest.fixture
def store(make_run):
    values = {
        "toy.quality": lambda prompt, seed: 0.1 + 0.2 if seed else "not_applicable",
        "toy.refusal": lambda prompt, seed: float(prompt == 1),
    }
    outcomes = {0: "ok", 1: "refused", 2: "failed"}
    return make_run("run", values, prompts=3, seeds=2, outcome=lambda prompt, seed: outcomes[prompt])


def test_there_is_a_row_an_item_and_measure_in_the_order_of_the_plan(store):
    frame = score_frame(store)
    assert [s.item for s in store.scores()] == list(frame["item"])
    assert len(frame) == 3 * 2 * 2
    assert list(frame["prompt"].unique()) == ["toy 0", "toy 1", "toy 2"]
    assert dict(frame.groupby("prompt")["outcome"].first()) == {
        "toy 0": "ok",
        "toy 1": "refused",
        "toy 2": "failed",
    }
    assert [json.loads(tags) for tags in frame["tags"].iloc[[0, 4]]] == [["even"], ["odd"]]
    assert frame.groupby("cluster").ngroups == 3


def test_a_value_is_missing_unless_its_status_is_ok(store):
    frame = score_frame(store)
    assert frame["value"].dtype == "float64"
    assert ((frame["status"] == "ok") == frame["value"].notna()).all()
    assert (frame.loc[frame["status"] != "ok", "reason"] == "as told").all()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_has_the_same_table(store, tmp_path, suffix):
    out = tmp_path / f"scores{suffix}"
    assert export_scores(store.folder, out) == 12
    read = pd.read_csv(out) if suffix == ".csv" else pd.read_parquet(out)
    frame = score_frame(store)
    assert list(read.columns) == list(frame.columns)
    assert read["value"].equals(frame["value"])
    assert list(read["item"]) == list(frame["item"])
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_run_without_scores_gives_a_table_without_rows(make_run, tmp_path, suffix):
    out = tmp_path / f"scores{suffix}"
    assert export_scores(make_run("empty").folder, out) == 0
    read = pd.read_csv(out) if suffix == ".csv" else pd.read_parquet(out)
    assert len(read) == 0
    assert "value" in read.columns


def test_a_table_joins_back_to_the_users_folder_and_to_its_labels(make_run):
    suite = {
        "prompts": [
            {"text": "toy 0", "labels": {"family": "fall", "law": ["gravity", "inertia"]}},
            {"text": "toy 1", "labels": {"category": "vcr"}},
        ],
        "reference_set": {"folder": "real/clips"},
        "reference_sets": {"other": {"world": "reference", "clips": 64}},
    }
    fields = {"toy.quality": {"sources": {"clip": "org/model"}}}
    store = make_run(
        "folder",
        {"toy.quality": lambda p, s: 0.5, "toy.unsafe": lambda p, s: 0.0},
        seeds=1,
        suite=suite,
        fields=fields,
        record={"name": "night build"},
        files=lambda p, s: f"sub/my clip {p}.mp4",
    )
    frame = score_frame(store)
    assert set(frame["run"]) == {"night build"}
    assert set(frame["generator"]) == {"toy:one"}
    assert list(frame["source"]) == ["sub/my clip 0.mp4"] * 2 + ["sub/my clip 1.mp4"] * 2
    assert list(frame["label.family"].fillna("-")) == ["fall", "fall", "-", "-"]
    assert list(frame["label.law"].fillna("-")) == ["gravity; inertia"] * 2 + ["-", "-"]
    assert list(frame["label.category"].fillna("-")) == ["-", "-", "vcr", "vcr"]
    assert list(frame["encoder"]) == ["clip=org/model", "", "clip=org/model", ""]
    assert set(frame["reference_set"]) == {"default=folder real/clips; other=world reference, 64 clips"}
    two = score_frame([store, make_run("b", {"toy.quality": lambda p, s: 0.1}, prompts=2, seeds=1)])
    assert list(two["run"]) == ["night build"] * 4 + ["b"] * 2
    assert list(two.columns) == list(frame.columns)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_aggregates_of_several_runs_are_one_table(make_run, tmp_path, suffix):
    made = []
    info = ClipInfo(16, 24, 8.0, 4, 0.5, "h264", "mp4")
    for name, value in (("a", 0.25), ("b", 0.5)):
        fields = {"toy.quality": {"sources": {"clip": "reference"}}}
        store = make_run(name, {"toy.quality": lambda p, s, v=value: v}, prompts=3, seeds=2, fields=fields)
        seen = {"confidence": 0.95, "method": "jackknife", "n": 6, "clusters": 3, "n_reference": 512}
        estimate = {"value": 3 * value, "low": value, "high": 6 * value}
        distance = SetScore(measure="toy.distance", status="ok", **estimate, **seen)
        make_run.put_set(store, distance)
        store.put_unit([replace(clip, info=info) for clip in store.clips().values()], [])
        write_summary(store, summarise(store))
        made.append(store.folder)
    out = tmp_path / f"all{suffix}"
    assert export_aggregates(made, out) == 2 * (3 + 1)  # a mean over all, even and odd prompts; one set
    read = pd.read_csv(out) if suffix == ".csv" else pd.read_parquet(out)
    assert list(read.columns) == list(AGGREGATE_COLUMNS)
    whole = read[read["slice"].isna()].set_index(["run", "measure"])
    assert dict(whole["value"]) == {
        ("a", "toy.quality"): 0.25,
        ("a", "toy.distance"): 0.75,
        ("b", "toy.quality"): 0.5,
        ("b", "toy.distance"): 1.5,
    }
    row = whole.loc[("b", "toy.distance")]
    assert (row["low"], row["high"], row["n"], row["n_reference"]) == (0.5, 3.0, 6, 512)
    assert (row["frames"], row["width"], row["height"], row["generator"]) == (4, 24, 16, "toy:one")
    assert whole.loc[("a", "toy.quality")]["encoder"] == "clip=reference"
    assert set(read["slice"].dropna()) == {"even", "odd"}


def test_the_size_of_clips_that_differ_is_missing(make_run):
    store = make_run("r", {"toy.quality": lambda p, s: 0.5}, prompts=2, seeds=1)
    sizes = [ClipInfo(16, width, 8.0, 4, 0.5, "h264", "mp4") for width in (24, 32)]
    clips = store.clips().values()
    store.put_unit([replace(clip, info=info) for clip, info in zip(clips, sizes, strict=True)], [])
    write_summary(store, summarise(store))
    frame = aggregate_frame([store])
    assert frame["width"].isna().all()
    assert set(frame["height"]) == {16}


def test_aggregates_need_a_run_that_is_scored_to_its_end(make_run, tmp_path):
    with pytest.raises(UsageError, match="has no summary yet"):
        export_aggregates([make_run("empty").folder], tmp_path / "all.csv")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_prompt_of_any_characters_is_exported(make_run, tmp_path, suffix):
    suite = {"prompts": [{"text": 'toy 0 "quoted", é\n漢字 \U0001f3ac'}]}
    store = make_run("run", {"toy.quality": lambda prompt, seed: 0.5}, seeds=1, suite=suite)
    out = tmp_path / f"scores{suffix}"
    export_scores(store.folder, out)
    read = pd.read_csv(out) if suffix == ".csv" else pd.read_parquet(out)
    assert list(read["prompt"]) == ['toy 0 "quoted", é\n漢字 \U0001f3ac']


@pytest.mark.parametrize(("suffix", "shown"), [(".csv", "'=toy 0"), (".parquet", "=toy 0")])
def test_a_prompt_that_is_a_formula_is_none_in_a_spreadsheet(make_run, tmp_path, suffix, shown):
    store = make_run(
        "run", {"toy.quality": lambda p, s: -0.5}, seeds=1, suite={"prompts": [{"text": "=toy 0"}]}
    )
    out = tmp_path / f"scores{suffix}"
    export_scores(store.folder, out)
    read = pd.read_csv(out) if suffix == ".csv" else pd.read_parquet(out)
    assert list(read["prompt"]) == [shown]
    assert list(read["value"]) == [-0.5]


def test_other_endings_and_places_that_cannot_be_written_are_said(store, tmp_path):
    with pytest.raises(UsageError, match=r"should end in \.parquet or \.csv"):
        export_scores(store.folder, tmp_path / "scores.xlsx")
    for suffix in (".csv", ".parquet"):
        with pytest.raises(UsageError, match="cannot be written"):
            export_scores(store.folder, tmp_path / "gone" / f"scores{suffix}")
    (tmp_path / "taken.csv").mkdir()
    with pytest.raises(UsageError, match="cannot be written"):
        export_scores(store.folder, tmp_path / "taken.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["taken.csv"]
