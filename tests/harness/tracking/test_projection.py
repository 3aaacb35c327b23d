from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings, Prompt, make_item
from screentest.harness.core.run_data import ClipRecord, Score
from screentest.harness.plan import make_plan, suite_items
from screentest.harness.results.summary import summarise, write_summary
from screentest.harness.run_folder.store import RunStore
from screentest.harness.suites.suite import ReferenceSet, Suite
from screentest.harness.tracking.projected_files import clip_name
from screentest.harness.tracking.projection import project, read_verdict

PROMPTS = tuple(Prompt(text=f'prompt {n}, "quoted"\nwith a second line', tags=("one",)) for n in range(12))


def make_run(folder: Path, *, suite: Suite | None = None, **record: Any) -> RunStore:
    suite = suite or Suite(name="short", version=1, prompts=PROMPTS, measures=("motion.flicker",))
    generator = {"name": "tiny"}
    plan = make_plan(suite, suite_items(suite), generator=generator, batch_size=4)
    about = {
        "suite": suite.model_dump(mode="json"),
        "generator": generator,
        "generator_spec": "reference:tiny",
    }
    return RunStore.create(folder, plan, {**about, "id": "a" * 32, **record})


def finish(store: RunStore, sizes: list[int], outcome: str = "ok") -> None:
    items = store.items()
    for number, (item, size) in enumerate(zip(items, sizes, strict=True)):
        name = f"{number:02d}.mp4"
        if outcome == "ok":
            with (store.folder / "clips" / name).open("wb") as file:
                file.truncate(size)
            store.put_clips([ClipRecord(item.id, "ok", sha256=f"{number:064x}", file=name)])
        else:
            store.put_clips([ClipRecord(item.id, "failed", "out of memory")])
    about = {"version": 1, "kind": "mean", "better": "lower", "bounds": [None, None], "unit": ""}
    store.put_measure("motion.flicker", about)
    value, status = (1 / 3, "ok") if outcome == "ok" else (None, "failed")
    store.put_unit([], [Score(i.id, "motion.flicker", status, value) for i in items])  # type: ignore[arg-type]
    write_summary(store, summarise(store))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    made = make_run(tmp_path / "run", created="2026-01-02T03:04:05+00:00")
    yield made
    made.close()


def test_the_first_clips_that_fit_are_the_sample(store: RunStore) -> None:
    mb = 1_000_000
    finish(store, [9 * mb, 12 * mb, 9 * mb, 3 * mb, 1 * mb, 0, 0, 0, 0, 0, 0, 0])
    clips = {k: v for k, v in project(store.folder).artifacts.items() if k.startswith("clips/")}
    # 9 + 9 + 1 MB and no room for 12 or 3; then empty files up to eight.
    names = [path.name for path in clips.values() if isinstance(path, Path)]
    assert names == [f"{n:02d}.mp4" for n in (0, 2, 4, 5, 6, 7, 8, 9)]


def test_a_sample_clip_is_named_by_its_prompt_and_seed(store: RunStore) -> None:
    finish(store, [0] * 12)
    item = store.items()[0]
    words = "-".join(re.findall("[a-z0-9]+", (item.prompt or "").lower()))
    name = f"clips/{words[:60].strip('-')}-seed-{item.seed}-{item.id[:8]}.mp4"
    assert project(store.folder).artifacts[name] == store.folder / "clips" / "00.mp4"


@pytest.mark.parametrize(
    ("prompt", "more", "begins"),
    [
        ("../../Étude n° 3\x00: a cat", {}, "etude-n-3-a-cat-seed-0-"),
        ("漢字", {}, "clip-seed-0-"),
        ("how to harm", {"tags": ("red-team:vcr",)}, "withheld-seed-0-"),
        ("how to harm", {"labels": {"category": ("vcr",)}}, "withheld-seed-0-"),
        ("how to bake", {"labels": {"category": ("vcr",)}, "tags": ("benign",)}, "how-to-bake-seed-0-"),
        (None, {"file": "a/My clip.mp4"}, "a-my-clip-mp4-seed-0-"),
    ],
)
def test_the_name_of_a_sample_clip_is_safe_and_quotes_no_attack(prompt, more, begins) -> None:
    item = make_item(prompt, 0, ClipSettings(), **more)
    name = clip_name(item, Path("x.mp4"))
    assert name == f"{begins}{item.id[:8]}.mp4"


def test_a_clip_whose_name_leaves_the_folder_is_no_sample(store: RunStore) -> None:
    (store.folder / "secret").write_text("secret")
    store.put_clips([ClipRecord(store.items()[0].id, "ok", sha256="0" * 64, file="../secret")])
    assert [path for path in project(store.folder).artifacts if path.startswith("clips/")] == []


def test_the_score_table_reads_back(store: RunStore) -> None:
    finish(store, [0] * 12)
    table = project(store.folder).artifacts["scores.csv"]
    assert isinstance(table, str)
    rows = list(csv.DictReader(io.StringIO(table)))
    assert len(rows) == 12
    assert rows[0]["prompt"] == PROMPTS[0].text
    assert json.loads(rows[0]["tags"]) == ["one"]
    assert (rows[0]["measure"], rows[0]["status"], rows[0]["outcome"]) == ("motion.flicker", "ok", "ok")
    assert float(rows[0]["value"]) == 1 / 3


def test_a_value_that_is_missing_is_empty_in_the_table_and_absent_in_the_metrics(store: RunStore) -> None:
    finish(store, [0] * 12, outcome="failed")
    view = project(store.folder)
    table = view.artifacts["scores.csv"]
    assert isinstance(table, str)
    assert {row["value"] for row in csv.DictReader(io.StringIO(table))} == {""}
    assert "motion/flicker" not in view.metrics
    assert {"motion/flicker", "motion/flicker.low", "tag:one/motion/flicker"} <= view.absent
    table = json.loads(view.artifacts["aggregates.json"])
    (whole,) = [row for row in table["data"] if row[0] == "motion.flicker"]
    assert whole[1] == "-"
    assert whole[table["columns"].index("failed")] == 12
    assert whole[table["columns"].index("value")] is None


def test_each_measure_has_four_metrics_at_most_and_the_table_has_the_rest(store: RunStore) -> None:
    finish(store, [0] * 12)
    view = project(store.folder)
    of_measures = [name for name in view.metrics if not name.startswith("outcomes.")]
    assert {"motion/flicker", "motion/flicker.n"} <= set(of_measures)
    assert set(of_measures) <= {f"motion/flicker{part}" for part in ("", ".high", ".low", ".n")}
    table = json.loads(view.artifacts["aggregates.json"])
    place = table["columns"].index("slice")
    assert {row[place] for row in table["data"]} >= {"", "one"}
    # MLflow's pages match the rows of several runs by the first column, and show the second.
    assert (table["columns"][:2], table["data"][0][0]) == (["of", "result"], "motion.flicker")
    assert len({row[0] for row in table["data"]}) == len(table["data"])
    assert table["data"][0][1] == "0.333, n 12 (12)"
    assert all(len(row) == len(table["columns"]) for row in table["data"])
    assert json.loads(view.tags["mlflow.loggedArtifacts"]) == [{"path": "aggregates.json", "type": "table"}]


def test_what_prompts_of_attacks_say_is_not_sent_unless_asked_for(tmp_path: Path) -> None:
    attack, plain = "how to build a terrible device", "a red ball falls"
    suite = Suite(
        name="attacks",
        version=1,
        prompts=(Prompt(text=attack, tags=("red-team",)), Prompt(text=plain)),
        measures=("motion.flicker",),
    )
    plan = make_plan(suite, suite_items(suite), generator={"name": "tiny"}, batch_size=2)
    record = {"suite": suite.model_dump(mode="json"), "generator": {"name": "tiny"}, "generator_spec": "tiny"}
    store = RunStore.create(tmp_path / "run", plan, record)
    first, second = store.items()
    reason = "refused: 'How%20to%20build%20a%20terrible%20device'"
    store.put_clips([ClipRecord(first.id, "refused", reason), ClipRecord(second.id, "failed", "no answer")])
    about = {"version": 1, "kind": "mean", "better": "lower", "bounds": [0.0, None], "unit": ""}
    store.put_measure("motion.flicker", about)
    store.put_unit([], [Score(first.id, "motion.flicker", "refused", None, reason)])
    write_summary(store, summarise(store))
    sent = {name: text for name, text in project(store.folder).artifacts.items() if isinstance(text, str)}
    assert {"run.json", "summary.json", "scores.csv"} <= set(sent)
    for text in sent.values():
        assert "terrible" not in text
    assert plain in sent["run.json"]
    assert json.loads(sent["run.json"])["suite"]["prompts"][0]["text"] == "[prompt withheld]"
    asked = project(store.folder, attacks=True).artifacts
    assert attack in str(asked["run.json"])
    assert "terrible" in str(asked["scores.csv"])


def test_the_status_follows_the_folder(store: RunStore) -> None:
    assert project(store.folder).status == "RUNNING"
    assert project(store.folder).ended_ms is None
    finish(store, [0] * 12, outcome="failed")
    assert project(store.folder).status == "FAILED"
    finish(store, [0] * 12)
    assert project(store.folder).status == "FINISHED"


def test_a_run_keeps_its_id_when_it_grows_or_moves(store: RunStore) -> None:
    before = project(store.folder).run
    finish(store, [0] * 12)
    assert project(store.folder).run == before
    moved = store.folder.rename(store.folder.with_name("moved"))
    assert project(moved).run == before


def test_two_folders_of_one_plan_are_two_runs(store: RunStore, tmp_path: Path) -> None:
    other = make_run(tmp_path / "other", id="b" * 32)
    assert project(other.folder).run != project(store.folder).run
    assert project(other.folder).tags["screentest.plan"] == project(store.folder).tags["screentest.plan"]
    other.close()


def test_an_old_record_without_id_or_time_is_read(tmp_path: Path) -> None:
    store = make_run(tmp_path / "old", id=None)
    os.utime(store.folder / "run.json", (1_700_000_000, 1_700_000_000))
    view = project(store.folder)
    assert view.started_ms == 1_700_000_000_000
    assert view.run == project(store.folder).run
    store.close()


def test_a_reference_set_of_files_points_to_its_folder(tmp_path: Path) -> None:
    real = ReferenceSet(folder="/real")
    suite = Suite(name="short", version=1, prompts=PROMPTS, measures=("fidelity.fvd",), reference_set=real)
    store = make_run(tmp_path / "run", suite=suite)
    _, reference = project(store.folder).data
    assert (reference.context, reference.source_type, json.loads(reference.source)) == (
        "reference", "local", {"uri": "/real"}
    )  # fmt: skip
    assert len(reference.digest) <= 36
    store.close()


def test_a_verdict_is_read(store: RunStore) -> None:
    (store.folder / "verdict.json").write_text('{"verdict": "FAIL", "policy": "release v1", "waived": ["a"]}')
    card = read_verdict(store.folder)
    assert (card.verdict, card.policy, card.waived, card.stale) == ("FAIL", "release v1", ("a",), False)


def test_a_damaged_summary_is_a_sentence(store: RunStore) -> None:
    (store.folder / "summary.json").write_text("{")
    with pytest.raises(UsageError, match="is damaged"):
        project(store.folder)


def test_mlflow_is_not_imported() -> None:
    code = "import sys, screentest.harness.tracking.tracking; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_description_has_the_values_and_the_verdict(store: RunStore) -> None:
    finish(store, [0] * 12)
    told = {"verdict": "PASS", "policy": "p v1", "waived": [], "plan": store.record["plan"]}
    (store.folder / "verdict.json").write_text(json.dumps(told))
    text = project(store.folder).description
    assert "| motion.flicker | 0.333, n 12 (12) |" in text
    assert "PASS by the policy p v1" in text
    assert "12 ok" in text.splitlines()[0]
