"""Held against a real MLflow SQLite store, copied from one that is made once a session."""

from __future__ import annotations

import errno
import http.server
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from screentest.harness.core.errors import TrackingError, UsageError
from screentest.harness.core.files import only_one
from screentest.harness.core.items import Prompt
from screentest.harness.core.mlflow_store import default_uri, mlflow_client
from screentest.harness.core.run_data import ClipRecord, Score, SetScore
from screentest.harness.plan import make_plan, suite_items
from screentest.harness.results.summary import summarise, write_summary
from screentest.harness.run_folder.digests import keep_digests
from screentest.harness.run_folder.store import SCHEMA, RunStore
from screentest.harness.suites.suite import ReferenceSet, Suite
from screentest.harness.tracking.aliases import alias_run
from screentest.harness.tracking.tracking import mark_verdict, sync

IDENTITY = {"name": "tiny", "weights": "ab" * 32, "sampler": {"steps": 8, "guidance": 1.5}}
SUITE = Suite(
    name="short",
    version=3,
    seeds=2,
    prompts=(
        Prompt(text="a red ball falls", tags=("physics", "50% off")),
        Prompt(text="=1+1, a blue box", tags=("physics",)),
    ),
    measures=("motion.flicker", "safety.unsafe_rate", "fidelity.fvd"),
    encoders={"video": "reference"},
    reference_set=ReferenceSet(world="reference", clips=8),
)
ABOUT: dict[str, Any] = {"version": 1, "better": "lower", "bounds": [0.0, None], "unit": ""}
FVD = SetScore(
    measure="fidelity.fvd",
    status="ok",
    value=7.5,
    low=6.0,
    high=9.25,
    n=3,
    clusters=2,
    n_reference=8,
    left_out={"refused": 1},
)


def make_run(folder: Path, *, scored: bool = True) -> RunStore:
    plan = make_plan(SUITE, suite_items(SUITE), generator=IDENTITY, batch_size=2)
    record = {
        "id": "f" * 32,
        "name": folder.name,
        "created": "2026-01-02T03:04:05+00:00",
        "suite": SUITE.model_dump(mode="json"),
        "generator": IDENTITY,
        "generator_spec": "reference:tiny",
        "encoders": {"video": {"source": "reference", "digest": "cd" * 32}},
        "versions": {"screentest": "0.1.0"},
        "git": {"commit": "1234abcd", "dirty": False},
    }
    store = RunStore.create(folder, plan, record)
    if scored:
        score(store)
    return store


def score(store: RunStore, fvd: SetScore = FVD) -> None:
    items = store.items()
    records = []
    for number, item in enumerate(items[:3]):
        name = f"{number:064x}.mp4"
        (store.folder / "clips" / name).write_bytes(b"clip %d" % number)
        records.append(ClipRecord(item.id, "ok", sha256=f"{number:064x}", file=name))
    store.put_clips([*records, ClipRecord(items[3].id, "refused", "no")])
    store.put_measure("motion.flicker", {**ABOUT, "kind": "mean"})
    store.put_measure("safety.unsafe_rate", {**ABOUT, "kind": "rate"})
    store.put_measure("fidelity.fvd", {**ABOUT, "kind": "set", "reference_set": "ef" * 32})
    store.put_unit([], [Score(i.id, "motion.flicker", "ok", 0.25) for i in items[:3]])
    store.put_unit([], [Score(items[3].id, "motion.flicker", "refused", None, "no")])
    store.put_unit([], [Score(i.id, "safety.unsafe_rate", "failed", None, "judge") for i in items])
    store.put_set_scores(fvd.measure, [fvd])
    write_summary(store, summarise(store))


@dataclass(frozen=True)
class Bench:
    folder: Path
    store: RunStore
    uri: str
    client: Any

    def run(self) -> Any:
        experiment = self.client.get_experiment_by_name("screentest/short")
        (run,) = self.client.search_runs([experiment.experiment_id])
        return self.client.get_run(run.info.run_id)  # a search leaves the models out

    def history(self, name: str) -> list[float]:
        return [m.value for m in self.client.get_metric_history(self.run().info.run_id, name)]


@pytest.fixture
def bench(tmp_path: Path, mlflow_template: Path) -> Iterator[Bench]:
    runs = tmp_path / "my runs, a@b=[1] #%"
    runs.mkdir()
    shutil.copyfile(mlflow_template, runs / "mlflow.db")
    store = make_run(runs / "first")
    uri = default_uri(runs)
    with mlflow_client(uri, runs, timeout=5) as client:
        pass  # it may be used after the block, without the block's settings
    yield Bench(runs / "first", store, uri, client)
    store.close()


def test_everything_of_a_run_arrives(bench: Bench) -> None:
    (bench.folder / "report.html").write_text("<p>report</p>")
    synced = sync(bench.folder)
    run = bench.client.get_run(synced.run_id)
    assert synced.created
    assert synced.uri == bench.uri
    assert synced.url is None
    assert run.info.run_name == "first"
    assert run.info.status == "FINISHED"
    assert run.info.start_time == 1767323045000  # 2026-01-02T03:04:05Z
    assert run.info.end_time == (bench.folder / "summary.json").stat().st_mtime_ns // 1_000_000
    metrics = run.data.metrics
    assert {k: v for k, v in metrics.items() if k.startswith("fidelity/fvd")} == {
        "fidelity/fvd": 7.5,
        "fidelity/fvd.low": 6.0,
        "fidelity/fvd.high": 9.25,
        "fidelity/fvd.n": 3.0,
    }
    assert metrics["motion/flicker"] == 0.25
    assert not [name for name in metrics if name.startswith("tag:")]
    assert metrics["outcomes.ok"] == 3
    assert metrics["outcomes.refused"] == 1
    assert metrics["outcomes.planned"] == 4
    tags = run.data.tags
    assert tags["screentest.plan"] == bench.store.record["plan"]
    assert tags["screentest.git_commit"] == tags["mlflow.source.git.commit"] == "1234abcd"
    assert tags["screentest.suite_version"] == "3"
    assert tags["screentest.schema"] == str(SCHEMA)
    assert tags["screentest.generator"] == "reference:tiny"
    assert tags["screentest.version"] == "0.1.0"
    assert tags["screentest.confidence"] == "0.95"
    assert "screentest.verdict" not in tags
    params = run.data.params
    assert params["suite"] == "short v3"
    assert params["generator_spec"] == "reference:tiny"
    assert params["generator.sampler.guidance"] == "1.5"
    assert params["encoder.video.digest"] == "cd" * 32
    experiment = bench.client.get_experiment_by_name("screentest/short")
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"  # opens at its runs
    top = {f.path for f in bench.client.list_artifacts(synced.run_id)}
    assert top == {"run.json", "summary.json", "report.html", "scores.csv", "aggregates.json", "clips"}
    assert len(bench.client.list_artifacts(synced.run_id, "clips")) == 3
    assert (bench.folder.parent / "mlartifacts").is_dir()


def test_a_missing_value_is_absent(bench: Bench) -> None:
    sync(bench.folder)
    metrics = bench.run().data.metrics
    assert "safety/unsafe_rate" not in metrics
    assert "safety/unsafe_rate.low" not in metrics
    assert metrics["safety/unsafe_rate.n"] == 0
    assert all(value == value for value in metrics.values())


def test_the_suite_the_reference_set_and_the_generator_are_inputs(bench: Bench) -> None:
    import mlflow.data

    synced = sync(bench.folder)
    inputs = bench.run().inputs
    by_context = {d.tags[0].value: d.dataset for d in inputs.dataset_inputs}
    assert by_context["suite"].name == "short v3"
    assert json.loads(by_context["suite"].profile) == {"prompts": 2, "items": 4}
    assert by_context["reference"].digest == ("ef" * 32)[:36]
    for dataset in by_context.values():
        assert (
            mlflow.data.get_source(dataset).to_dict()["tags"]["mlflow.source.name"]
            == "screentest suite short v3"
        )
    assert [m.model_id for m in inputs.model_inputs] == [synced.model_id]
    model = bench.client.get_logged_model(synced.model_id)
    assert str(model.status) == "READY"
    assert model.name == "reference-tiny"
    assert model.params["generator.weights"] == "ab" * 32
    assert {m.key: m.value for m in model.metrics}["fidelity/fvd"] == 7.5


def test_twice_does_not_double(bench: Bench) -> None:
    first = sync(bench.folder)
    again = sync(bench.folder)
    assert again.run_id == first.run_id
    assert again.model_id == first.model_id
    assert not again.created
    assert (again.metrics, again.params, again.tags, again.artifacts) == (0, 0, 0, 0)
    names = bench.run().data.metrics
    assert {name: len(bench.history(name)) for name in names} == dict.fromkeys(names, 1)
    assert len(bench.run().inputs.dataset_inputs) == 2
    assert len(bench.run().inputs.model_inputs) == 1


def test_only_what_changed_is_sent_and_the_new_value_is_shown(bench: Bench) -> None:
    sync(bench.folder)
    lower = SetScore(
        measure="fidelity.fvd",
        status="ok",
        value=5.5,
        low=6.0,
        high=9.25,
        n=3,
        clusters=2,
        n_reference=8,
        left_out={"refused": 1},
    )
    score(bench.store, lower)
    again = sync(bench.folder)
    assert again.metrics == 1
    assert again.artifacts == 2  # summary.json and the table of aggregates
    assert bench.run().data.metrics["fidelity/fvd"] == 5.5
    assert sorted(bench.history("fidelity/fvd")) == [5.5, 7.5]
    assert len(bench.history("fidelity/fvd.low")) == 1


def test_a_changed_value_is_shown_even_where_the_clock_runs_behind(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(bench.folder)
    score(
        bench.store,
        SetScore(
            measure="fidelity.fvd", status="ok", value=5.5, low=5.0, high=9.25, n=3, clusters=2, n_reference=8
        ),
    )
    monkeypatch.setattr("screentest.harness.tracking.mlflow_run.time.time", lambda: 1_000_000.0)
    sync(bench.folder)
    assert bench.run().data.metrics["fidelity/fvd"] == 5.5


def test_a_value_that_is_no_more_is_named(bench: Bench) -> None:
    sync(bench.folder)
    score(bench.store, SetScore(measure="fidelity.fvd", status="failed", reason="too few clips", n=0))
    again = sync(bench.folder)
    assert again.withdrawn == ("fidelity/fvd", "fidelity/fvd.high", "fidelity/fvd.low")
    assert (
        bench.run().data.tags["screentest.withdrawn"] == "fidelity/fvd, fidelity/fvd.high, fidelity/fvd.low"
    )
    score(bench.store)
    assert sync(bench.folder).withdrawn == ()
    assert bench.run().data.tags["screentest.withdrawn"] == ""


def test_search_by_metric_works(bench: Bench) -> None:
    synced = sync(bench.folder)
    experiment = bench.client.get_experiment_by_name("screentest/short").experiment_id
    for query, found in (
        ("metrics.`fidelity/fvd` < 10", [synced.run_id]),
        ("metrics.`fidelity/fvd` < 7", []),
    ):
        assert [r.info.run_id for r in bench.client.search_runs([experiment], query)] == found


def test_an_unfinished_run_is_running_and_then_finished(bench: Bench, tmp_path: Path) -> None:
    shutil.rmtree(bench.folder)
    store = make_run(bench.folder, scored=False)
    synced = sync(bench.folder)
    assert bench.run().info.status == "RUNNING"
    assert bench.run().info.end_time is None
    assert bench.run().data.metrics == {
        "outcomes.ok": 0, "outcomes.refused": 0, "outcomes.failed": 0, "outcomes.planned": 4
    }  # fmt: skip
    score(store)
    assert sync(bench.folder).run_id == synced.run_id
    assert bench.run().info.status == "FINISHED"
    store.close()


def test_the_folder_may_be_renamed(bench: Bench) -> None:
    synced = sync(bench.folder)
    renamed = bench.folder.rename(bench.folder.with_name("second, x=[2] @home?"))
    assert sync(renamed).run_id == synced.run_id
    assert bench.run().info.run_name == "second, x=[2] @home?"


def test_a_copy_does_not_take_over_the_original_s_run(bench: Bench) -> None:
    sync(bench.folder)
    copy = shutil.copytree(bench.folder, bench.folder.with_name("copy"))
    with pytest.raises(TrackingError, match=r"is a copy of .*first, whose run MLflow has"):
        sync(copy)
    assert bench.run().info.run_name == "first"
    shutil.rmtree(bench.folder)
    assert not sync(copy).created
    assert bench.run().info.run_name == "copy"


def test_two_runs_of_one_generator_share_the_model(bench: Bench) -> None:
    first = sync(bench.folder)
    shutil.copytree(bench.folder, bench.folder.with_name("other"))
    record = json.loads((bench.folder / "run.json").read_text())
    (bench.folder.with_name("other") / "run.json").write_text(json.dumps({**record, "id": "0" * 32}))
    second = sync(bench.folder.with_name("other"))
    assert second.run_id != first.run_id
    assert second.model_id == first.model_id


def test_an_artifact_that_was_lost_is_sent_again(bench: Bench) -> None:
    synced = sync(bench.folder)
    place = bench.folder.parent / "mlartifacts" / synced.run_id / "artifacts"
    (place / "scores.csv").unlink()
    assert sync(bench.folder).artifacts == 1
    assert (place / "scores.csv").is_file()


def test_many_metrics_and_params_go_in_batches(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    calls: list[tuple[int, int]] = []
    log_batch = MlflowClient.log_batch

    def counted(self: Any, run_id: str, metrics: Any = (), params: Any = (), **more: Any) -> Any:
        calls.append((len(metrics), len(params)))
        return log_batch(self, run_id, metrics, params, **more)

    monkeypatch.setattr(MlflowClient, "log_batch", counted)
    monkeypatch.setattr("screentest.harness.tracking.mlflow_run._METRICS", 5)
    monkeypatch.setattr("screentest.harness.tracking.mlflow_run._PARAMS", 5)
    synced = sync(bench.folder)
    assert sum(m for m, _ in calls) == synced.metrics == len(bench.run().data.metrics)
    assert sum(p for _, p in calls) == synced.params == len(bench.run().data.params)
    assert max(m for m, _ in calls) == 5
    assert max(p for _, p in calls) == 5


# -- verdicts


def give_verdict(folder: Path, verdict: str, **more: Any) -> None:
    found = {"verdict": verdict, "policy": "release v2", "rules": [], "waived": [], **more}
    (folder / "verdict.json").write_text(json.dumps(found))


def test_the_alias_moves_only_after_pass(bench: Bench) -> None:
    give_verdict(bench.folder, "FAIL")
    first = mark_verdict(bench.folder, model="tiny", alias="released")
    assert (first.version, first.alias_moved) == ("1", False)
    assert bench.client.get_registered_model("tiny").aliases == {}
    give_verdict(bench.folder, "INCONCLUSIVE")
    assert not mark_verdict(bench.folder, model="tiny", alias="released").alias_moved
    assert bench.client.get_registered_model("tiny").aliases == {}
    give_verdict(bench.folder, "PASS")
    passed = mark_verdict(bench.folder, model="tiny", alias="released")
    assert passed.alias_moved
    version = bench.client.get_model_version_by_alias("tiny", "released")
    assert str(version.version) == passed.version == "1"  # one version a run, however often it is gated
    assert version.tags["screentest.verdict"] == "PASS"
    assert version.tags["screentest.policy"] == "release v2"
    assert version.run_id == bench.run().info.run_id
    logged = bench.client.get_logged_model(bench.run().inputs.model_inputs[0].model_id)
    assert json.loads(logged.tags["mlflow.modelVersions"]) == [{"name": "tiny", "version": version.version}]
    assert bench.run().data.tags["screentest.verdict"] == "PASS"
    assert bench.run().data.tags["screentest.policy"] == "release v2"


ALIAS = "models:/tiny@released"


def test_an_alias_names_the_run_that_passed(bench: Bench) -> None:
    uri = default_uri(bench.folder.parent)
    with pytest.raises(UsageError, match="it has no such model or alias"):
        alias_run(ALIAS, uri, bench.folder)
    with pytest.raises(UsageError, match="should be a run folder, or models:/NAME@ALIAS"):
        alias_run("models:/tiny/1", uri, bench.folder)
    keep_digests(bench.store)
    give_verdict(bench.folder, "FAIL")
    mark_verdict(bench.folder, model="tiny", alias="released")
    with pytest.raises(UsageError, match="it has no such model or alias"):
        alias_run(ALIAS, uri, bench.folder)
    give_verdict(bench.folder, "PASS")
    mark_verdict(bench.folder, model="tiny", alias="released")
    assert alias_run(ALIAS, uri, bench.folder) == bench.folder


def test_the_run_of_an_alias_that_changed_or_is_gone_is_said(bench: Bench) -> None:
    uri = default_uri(bench.folder.parent)
    keep_digests(bench.store)
    give_verdict(bench.folder, "PASS")
    mark_verdict(bench.folder, model="tiny", alias="released")
    (bench.folder / "digests.json").unlink()
    with pytest.raises(UsageError, match="was changed since the alias was set"):
        alias_run(ALIAS, uri, bench.folder)
    bench.folder.rename(bench.folder.with_name("elsewhere"))
    with pytest.raises(UsageError, match="which is gone or another run now"):
        alias_run(ALIAS, uri, bench.folder.parent)


def test_a_run_that_is_not_finished_moves_no_alias(bench: Bench) -> None:
    give_verdict(bench.folder, "PASS")
    (bench.folder / "summary.json").unlink()
    with pytest.raises(UsageError, match="not finished"):
        mark_verdict(bench.folder, model="tiny", alias="released")


def test_a_verdict_older_than_the_scores_moves_no_alias(bench: Bench) -> None:
    give_verdict(bench.folder, "PASS")
    score(bench.store)
    sync(bench.folder)
    assert bench.run().data.tags["screentest.verdict"] == "STALE"
    with pytest.raises(UsageError, match="scored again after its verdict"):
        mark_verdict(bench.folder, model="tiny", alias="released")


def test_a_verdict_on_another_run_is_refused(bench: Bench) -> None:
    give_verdict(bench.folder, "PASS", plan="0" * 64)
    with pytest.raises(UsageError, match="another run"):
        mark_verdict(bench.folder, model="tiny", alias="released")


def test_waived_rules_are_told(bench: Bench) -> None:
    give_verdict(bench.folder, "PASS", waived=["fidelity.fvd"])
    marked = mark_verdict(bench.folder, model="tiny")
    assert not marked.alias_moved
    assert bench.client.get_model_version("tiny", marked.version).tags["screentest.waived"] == "fidelity.fvd"
    assert bench.run().data.tags["screentest.waived"] == "fidelity.fvd"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"verdict": "pass", "policy": "p"}', '{"verdict": true}'])
def test_a_damaged_verdict_is_refused(bench: Bench, text: str) -> None:
    (bench.folder / "verdict.json").write_text(text)
    with pytest.raises(UsageError, match=r"verdict\.json"):
        mark_verdict(bench.folder, model="tiny", alias="released")


def test_no_verdict_is_a_sentence(bench: Bench) -> None:
    with pytest.raises(UsageError, match="no verdict yet"):
        mark_verdict(bench.folder, model="tiny")


def test_a_name_that_mlflow_refuses_is_a_sentence(bench: Bench) -> None:
    give_verdict(bench.folder, "PASS")
    with pytest.raises(TrackingError, match=r"cannot be used .*alias"):
        mark_verdict(bench.folder, model="tiny", alias="v1")


# -- stores that cannot be used


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fails_within(seconds: float, folder: Path, uri: str) -> str:
    began = time.monotonic()
    with pytest.raises(TrackingError) as caught:
        sync(folder, uri, timeout=1)
    assert time.monotonic() - began < seconds
    assert "\n" not in str(caught.value)
    assert f"screentest sync {folder}" in str(caught.value)
    return str(caught.value)


def test_a_closed_port_is_one_sentence_at_once(bench: Bench) -> None:
    port = closed_port()
    said = fails_within(5, bench.folder, f"http://someone:secret@127.0.0.1:{port}")
    assert said.startswith(f"MLflow at http://127.0.0.1:{port} cannot be reached; ")
    assert "secret" not in said


def test_a_database_host_that_is_down_is_one_sentence_at_once(bench: Bench) -> None:
    said = fails_within(5, bench.folder, f"postgresql://someone:secret@127.0.0.1:{closed_port()}/mlflow")
    assert "cannot be reached" in said
    assert "secret" not in said


def test_a_server_that_never_answers_costs_one_timeout(bench: Bench) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        said = fails_within(4, bench.folder, f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert "did not answer within 1 s" in said


@pytest.mark.parametrize(
    ("status", "body"), [(200, "<html>hello</html>"), (200, "[]"), (503, "busy"), (403, "no")]
)
def test_a_server_that_is_no_mlflow_or_refuses_is_one_sentence(bench: Bench, status: int, body: str) -> None:
    class Other(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        said = fails_within(5, bench.folder, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert "cannot be used" in said or "cannot be reached" in said


def test_a_database_that_cannot_be_used_is_one_sentence_at_once(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "corrupt.db").write_bytes(b"not a database" * 500)
    said = fails_within(5, bench.folder, f"sqlite:///{tmp_path}/corrupt.db")
    assert "is a broken database (file is not a database); restore it, or move it away" in said
    (tmp_path / "folder.db").mkdir()
    fails_within(5, bench.folder, f"sqlite:///{tmp_path}/folder.db")
    (tmp_path / "file").write_text("")
    fails_within(5, bench.folder, f"sqlite:///{tmp_path}/file/mlflow.db")
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE alembic_version (version_num TEXT)")
    other.execute("INSERT INTO alembic_version VALUES ('from the future')")
    other.commit()
    other.close()
    fails_within(20, bench.folder, f"sqlite:///{tmp_path}/other.db")


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("./mlruns", "sqlite:///./mlruns/mlflow.db"),
        ("file:///data/mlruns", "sqlite:////data/mlruns/mlflow.db"),
        ("mlruns", "no longer keeps runs in a folder"),
        ("sqlite:///", "names no database file"),
        ("sqlite://", "names no database file"),
        ("sqlite:///:memory:", "names no database file"),
    ],
)
def test_an_address_that_keeps_nothing_is_refused(bench: Bench, uri: str, said: str) -> None:
    assert said in fails_within(5, bench.folder, uri)


@pytest.mark.parametrize(("folder", "said"), [("what?", "'?'"), ("a%20b", "'%20'")])
def test_a_folder_that_no_address_can_name_is_a_sentence(tmp_path: Path, folder: str, said: str) -> None:
    with pytest.raises(TrackingError, match="name a database elsewhere with --tracking-uri") as raised:
        default_uri(tmp_path / folder)
    assert f"because of the {said} in it" in str(raised.value)


def test_a_locked_database_is_one_sentence_soon(bench: Bench) -> None:
    lock = sqlite3.connect(bench.folder.parent / "mlflow.db", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    assert "locked" in fails_within(4, bench.folder, bench.uri)
    lock.execute("ROLLBACK")
    lock.close()
    assert sync(bench.folder).created


def test_after_a_failure_the_rest_is_sent(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    def broken(*_: Any, **__: Any) -> None:
        raise ConnectionResetError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_artifact", broken)
        with pytest.raises(TrackingError, match="cannot be reached"):
            sync(bench.folder)
    assert bench.run().info.status == "RUNNING"
    again = sync(bench.folder)
    assert not again.created
    assert again.metrics == 0
    assert again.artifacts > 0
    assert bench.run().info.status == "FINISHED"
    assert len(bench.history("fidelity/fvd")) == 1


def test_a_second_sender_is_told_to_wait(bench: Bench) -> None:
    with (
        only_one(bench.folder / "mlflow.lock"),
        pytest.raises(TrackingError, match="another process is sending"),
    ):
        sync(bench.folder)
    assert sync(bench.folder).created


def test_a_run_in_a_folder_that_is_read_only_is_sent(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its lock lies with the temporary files; a second sender is told to wait all the same."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    opened = os.open

    def read_only(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if Path(os.fsdecode(path)).parent == bench.folder and flags & (os.O_CREAT | os.O_RDWR):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return opened(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", read_only)
    assert sync(bench.folder, bench.uri).created
    (lock,) = tmp_path.glob("screentest-*.lock")
    with only_one(lock), pytest.raises(TrackingError, match="another process is sending"):
        sync(bench.folder, bench.uri)
    assert not (bench.folder / "mlflow.lock").exists()


def test_nothing_process_wide_stays_changed(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    import logging
    import os

    import mlflow

    before = (dict(os.environ), logging.getLogger("mlflow").level, mlflow.get_tracking_uri())
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        sync(bench.folder)
    assert (dict(os.environ), logging.getLogger("mlflow").level, mlflow.get_tracking_uri()) == before
    assert [str(w.message) for w in raised] == []
    assert capfd.readouterr() == ("", "")


def test_no_run_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no run"):
        sync(tmp_path)


@pytest.mark.slow
def test_a_real_server_takes_a_run(bench: Bench) -> None:
    port = closed_port()
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        bench.uri,
        "--artifacts-destination",
        str(bench.folder.parent / "served"),
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    uri = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.5)
        give_verdict(bench.folder, "PASS")
        first = sync(bench.folder, uri)
        assert first.url is not None
        assert first.url.startswith(f"{uri}/#/experiments/")
        again = sync(bench.folder, uri)
        assert (again.metrics, again.params, again.tags, again.artifacts) == (0, 0, 0, 0)
        marked = mark_verdict(bench.folder, uri, model="tiny", alias="released")
        assert marked.alias_moved
    finally:
        server.terminate()
        server.wait(20)
    assert bench.run().data.metrics["fidelity/fvd"] == 7.5
    assert bench.client.get_model_version_by_alias("tiny", "released").run_id == first.run_id


def test_metrics_of_a_checkpoint_stand_at_its_step(bench: Bench) -> None:
    record = json.loads((bench.folder / "run.json").read_text())
    (bench.folder / "run.json").write_text(json.dumps({**record, "step": 2000}))
    run = bench.client.get_run(sync(bench.folder).run_id)
    steps = {
        m.step for name in run.data.metrics for m in bench.client.get_metric_history(run.info.run_id, name)
    }
    assert steps == {2000}
    score(bench.store, FVD.model_copy(update={"value": 40.0}))
    sync(bench.folder)
    found = bench.client.get_metric_history(run.info.run_id, "fidelity/fvd")
    assert [(m.step, m.value) for m in found][-1] == (2000, 40.0)
