"""The score table as a file: every row, every value to the last bit, and what is missing stays missing."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.export import export_scores, score_frame


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


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_prompt_of_any_characters_is_exported(make_run, tmp_path, suffix):
    suite = {"prompts": [{"text": 'toy 0 "quoted", é\n漢字 \U0001f3ac'}]}
    store = make_run("run", {"toy.quality": lambda prompt, seed: 0.5}, seeds=1, suite=suite)
    out = tmp_path / f"scores{suffix}"
    export_scores(store.folder, out)
    read = pd.read_csv(out) if suffix == ".csv" else pd.read_parquet(out)
    assert list(read["prompt"]) == ['toy 0 "quoted", é\n漢字 \U0001f3ac']


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
