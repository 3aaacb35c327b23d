"""Summaries: aggregates by measure and tag, what is left out, and the file."""

from __future__ import annotations

import json
import math
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from screentest.harness.core.errors import UsageError
from screentest.harness.core.run_data import SetScore
from screentest.harness.results import summary as module
from screentest.harness.results.summary import Summary, read_summary, summarise, write_summary
from screentest.reports.tables import summary_table


def spread(prompt: int, seed: int) -> float:
    return 0.5 + 0.4 * math.sin(7 * prompt + 3 * seed)


def test_the_table_of_a_run_names_the_encoder_beside_the_score_where_there_is_one_to_choose(make_run):
    values = {"toy.quality": lambda p, s: 0.5, "toy.drift": lambda p, s: 0.5}
    plain = summary_table(summarise(make_run("plain", values)))
    assert "encoder" not in plain.columns
    fields = {"toy.quality": {"sources": {"clip": "org/model", "subject": "reference"}}}
    rows = summary_table(summarise(make_run("r", values, fields=fields))).records()
    assert {row["measure"]: row["encoder"] for row in rows} == {
        "toy.quality": "clip=org/model, subject=reference",
        "toy.drift": "-",
    }


def test_every_aggregate_has_n_prompts_and_an_interval(make_run) -> None:
    store = make_run("r", {"toy.quality": spread, "toy.unsafe": lambda p, s: float(p < 3)})
    summary = summarise(store)
    for name in ("toy.quality", "toy.unsafe"):
        whole = summary.get(name)
        assert (whole.n, whole.clusters) == (48, 12)
        assert whole.low < whole.value < whole.high
        assert whole.confidence == 0.95
    assert summary.get("toy.quality").value == pytest.approx(
        sum(spread(p, s) for p in range(12) for s in range(4)) / 48
    )
    assert summary.get("toy.unsafe").value == 0.25
    assert summary.get("toy.unsafe").kind == "rate"
    assert summary.items == 48
    assert summary.outcomes == {"ok": 48, "refused": 0, "failed": 0}


def test_tags_are_aggregated_apart(make_run) -> None:
    store = make_run("r", {"toy.quality": lambda p, s: 0.1 * (p % 2) + 0.01 * spread(p, s)})
    summary = summarise(store)
    assert summary.get("toy.quality", "odd").n == 24
    assert summary.get("toy.quality", "odd").low > summary.get("toy.quality", "even").high
    assert summary.get("toy.quality", "neither") is None


def test_slices_of_labels_are_aggregated_as_their_tags_were_and_ids_are_not(make_run) -> None:
    scores = {"toy.quality": lambda p, s: p / 12}
    labelled, once = (
        summarise(
            make_run(name, scores, suite={"prompts": [{"text": f"toy {k}", **of(k)} for k in range(12)]})
        )
        for name, of in {
            "labels": lambda k: {"labels": {"category": "ab"[k % 2], "id": f"n{k}", "base": f"m{k}"}},
            "tags": lambda k: {"tags": [f"category:{'ab'[k % 2]}", f"id:n{k}", f"base:m{k}"]},
        }.items()
    )
    assert labelled.aggregates == once.aggregates
    assert [a.tag for a in labelled.aggregates] == [None, "category:a", "category:b"]
    assert [a.n for a in labelled.aggregates] == [48, 24, 24]


def test_what_is_left_out_is_counted_with_its_reason(make_run) -> None:
    cells = {0: "refused", 1: "failed", 2: "not_applicable"}
    store = make_run("r", {"toy.quality": lambda p, s: cells.get(p) or spread(p, s)})
    whole = summarise(store).get("toy.quality")
    assert whole.n == 36
    assert whole.left_out == {"refused": 4, "failed": 4, "not_applicable": 4}
    assert whole.reasons == {"as told": 12}


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_is_a_failure(make_run, bad: float) -> None:
    store = make_run("r", {"toy.quality": lambda p, s: bad if p == 0 else spread(p, s)})
    summary = summarise(store)
    whole = summary.get("toy.quality")
    assert whole.n == 44
    assert whole.left_out["failed"] == 4
    assert whole.reasons == {"the value is not a finite number": 4}
    assert "NaN" not in write_summary(store, summary).read_text()


def test_a_rate_that_is_neither_0_nor_1_is_a_failure(make_run) -> None:
    store = make_run("r", {"toy.unsafe": lambda p, s: 0.5 if p == 0 else 0.0})
    whole = summarise(store).get("toy.unsafe")
    assert whole.n == 44
    assert whole.value == 0
    assert whole.reasons == {"the value of a rate is neither 0 nor 1": 4}


def test_no_value_is_missing_and_not_0(make_run) -> None:
    store = make_run("r", {"toy.quality": lambda p, s: "failed", "toy.unsafe": lambda p, s: "refused"})
    for whole in (summarise(store).get("toy.quality"), summarise(store).get("toy.unsafe")):
        assert whole.value is None
        assert whole.low is None
        assert whole.high is None
        assert (whole.n, whole.clusters) == (0, 0)


def test_one_prompt_has_a_value_and_no_interval(make_run) -> None:
    whole = summarise(make_run("r", {"toy.quality": spread}, prompts=1)).get("toy.quality")
    assert whole.value is not None
    assert whole.low is None
    assert "one prompt only" in whole.notes[0]


def test_sets_are_taken_as_they_were_scored(make_run) -> None:
    store = make_run("r")
    score = SetScore(
        measure="toy.distance", status="ok", value=12.5, low=10.0, high=15.0, method="m", n=44, clusters=11,
        n_reference=99, left_out={"refused": 4}, notes=("small",),
    )  # fmt: skip
    make_run.put_set(store, score)
    whole = summarise(store).get("toy.distance")
    assert (whole.value, whole.low, whole.high) == (12.5, 10.0, 15.0)
    assert (whole.n, whole.clusters, whole.n_reference) == (44, 11, 99)
    assert whole.left_out == {"refused": 4, "failed": 0, "not_applicable": 0}
    assert whole.notes == ("small",)


def test_a_set_without_a_value_says_why(make_run) -> None:
    store = make_run("r")
    make_run.put_set(
        store, SetScore(measure="toy.distance", status="not_applicable", reason="too short", n=0)
    )
    whole = summarise(store).get("toy.distance")
    assert whole.value is None
    assert whole.reasons == {"too short": 1}
    make_run.put_set(
        store, SetScore(measure="toy.distance", status="ok", value=math.nan, low=1.0, high=2.0, n=0)
    )
    whole = summarise(store).get("toy.distance")
    assert (whole.value, whole.low, whole.high) == (None, None, None)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.uuids(), st.lists(st.floats(0, 1), min_size=12, max_size=12))
def test_the_order_of_rows_changes_nothing(make_run, folder, levels) -> None:
    values = {
        "toy.quality": lambda p, s: levels[p] * spread(p, s),
        "toy.unsafe": lambda p, s: "failed" if (p, s) == (2, 2) else float(levels[p] > spread(p, s)),
    }
    texts = [
        summarise(make_run(f"{folder}/{reverse}/r", values, reverse=reverse)).model_dump_json()
        for reverse in (False, True)
    ]
    assert texts[0] == texts[1]


def test_the_file_is_read_back(make_run) -> None:
    store = make_run("r", {"toy.quality": spread})
    summary = summarise(store)
    path = write_summary(store, summary)
    assert path == store.folder / "summary.json"
    assert read_summary(store.folder) == summary
    assert Summary.model_validate(json.loads(path.read_text("utf-8"))) == summary


def test_a_missing_or_damaged_file_is_a_sentence(make_run) -> None:
    store = make_run("r", {"toy.quality": spread})
    with pytest.raises(UsageError, match="no summary yet"):
        read_summary(store.folder)
    (store.folder / "summary.json").write_text("{")
    with pytest.raises(UsageError, match="damaged"):
        read_summary(store.folder)


def test_what_a_summary_holds_does_not_grow_with_the_number_of_measures(make_run, monkeypatch) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 1)
    names = ("toy.quality", "toy.drift", "toy.unsafe", "toy.refusal")
    values = {name: lambda prompt, seed: float(prompt % 2) for name in names}
    peaks: list[int] = []
    for count in (1, 4):
        store = make_run(f"r{count}", {name: values[name] for name in names[:count]}, prompts=40, seeds=25)
        summarise(store)  # what is imported and kept at first
        tracemalloc.start()
        summarise(store)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]
