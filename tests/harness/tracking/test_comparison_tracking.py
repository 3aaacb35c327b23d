"""Comparisons in MLflow, held against a real SQLite store."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from screentest.harness.commands.main import run_cli
from screentest.harness.comparison.compare import compare
from screentest.harness.comparison.compare_many import compare_many
from screentest.harness.core.errors import TrackingError
from screentest.harness.core.mlflow_store import default_uri, mlflow_client
from screentest.harness.core.run_data import Score, SetScore
from screentest.harness.results.summary import summarise, write_summary
from screentest.harness.run_folder.digests import keep_digests
from screentest.harness.tracking.comparison_tracking import sync_comparison


def quality(better_by: float):
    return lambda p, s: 0.3 + 0.01 * ((7 * p + 3 * s) % 11) + better_by + 0.001 * p * better_by


@pytest.fixture
def client(make_run, mlflow_template: Path) -> Any:
    shutil.copyfile(mlflow_template, make_run.folder / "mlflow.db")
    with mlflow_client(default_uri(make_run.folder), make_run.folder, timeout=5) as client:
        pass  # it may be used after the block, without the block's settings
    return client


@pytest.fixture
def stores(make_run):
    made = []
    for k in range(3):
        values = {
            "toy.quality": quality(0.1 * k),
            "toy.unsafe": lambda p, s, k=k: float((p + s + k) % 3 == 0),
        }
        run = make_run(
            f"r{k}", values, generator=f"toy:{k}", record={"created": f"2026-01-0{9 - k}T00:00:00+00:00"}
        )
        write_summary(run, summarise(run))
        made.append(run)
    return made


def folders(stores) -> list[Path]:
    return [store.folder for store in stores]


def history(client: Any, run: str, name: str) -> list[tuple[int, float]]:
    return sorted((m.step, m.value) for m in client.get_metric_history(run, name))


def comparisons(client: Any) -> list[Any]:
    (experiment,) = [e for e in client.search_experiments() if e.name == "screentest/toy"]
    runs = client.search_runs([experiment.experiment_id])
    return [run for run in runs if "screentest.comparison" in run.data.tags]


def test_a_pair_has_four_metrics_a_measure_and_the_runs_ids(client, stores) -> None:
    found = compare(stores[0], stores[1])
    done = sync_comparison(folders(stores[:2]), found)
    run = client.get_run(done.run_id)
    d = found.get("toy.quality")
    assert d is not None
    assert {name: value for name, value in run.data.metrics.items() if "quality" in name} == {
        "difference/toy/quality": d.value,
        "difference/toy/quality.low": d.low,
        "difference/toy/quality.high": d.high,
        "difference/toy/quality.n": 48.0,
    }
    assert len(run.data.metrics) == 8
    tags = run.data.tags
    of = {c.data.tags["screentest.run"]: c.info.run_id for c in client.search_runs([run.info.experiment_id])
          if "screentest.run" in c.data.tags}  # fmt: skip
    assert set(done.runs) == set(of.values())
    assert tags["screentest.baseline"] == "r0"
    assert tags["screentest.compared"] == "r1"
    assert client.get_run(tags["screentest.baseline_run"]).info.run_name == "r0"
    assert client.get_run(tags["screentest.compared_runs"]).info.run_name == "r1"
    assert tags["mlflow.parentRunId"] == tags["screentest.baseline_run"]
    unsafe = found.get("toy.unsafe")
    assert unsafe is not None
    told = json.loads(tags["screentest.p_adjusted"])
    assert told == {"r1": {"toy.quality": d.p_adjusted, "toy.unsafe": unsafe.p_adjusted}}
    assert (tags["screentest.better"], tags.get("screentest.worse", "")) == ("toy.quality", "")
    assert run.data.params == {"suite": "toy v1", "confidence": "0.95"}
    assert (run.info.run_name, run.info.status) == ("r1 against r0", "FINISHED")


def test_the_table_is_one_that_the_pages_show(client, stores) -> None:
    found = compare(stores[0], stores[1])
    done = sync_comparison(folders(stores[:2]), found)
    (shown,) = json.loads(client.get_run(done.run_id).data.tags["mlflow.loggedArtifacts"])
    assert shown == {"path": "differences.json", "type": "table"}
    table = json.loads(Path(client.download_artifacts(done.run_id, "differences.json")).read_text())
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    assert len(rows) == len(found.differences)
    assert len({row["of"] for row in rows}) == len(rows)
    (whole,) = [row for row in rows if row["of"] == "toy.quality"]
    d = found.get("toy.quality")
    assert d is not None
    assert (whole["difference"], whole["low"], whole["p_adjusted"]) == (d.value, d.low, d.p_adjusted)
    assert whole["result"].endswith("], better, p < 0.001")
    assert rows[0]["slice"] == ""
    text = Path(client.download_artifacts(done.run_id, "differences.csv")).read_text()
    assert len(list(csv.DictReader(text.splitlines()))) == len(found.differences)
    document = json.loads(Path(client.download_artifacts(done.run_id, "comparison.json")).read_text())
    assert document["b"]["name"] == "r1"


def test_the_description_has_the_table_and_is_not_written_over_another(client, stores) -> None:
    done = sync_comparison(folders(stores), compare_many(stores))
    text = client.get_run(done.run_id).data.tags["mlflow.note.content"]
    assert text.startswith("Paired differences from r0 with 95% intervals, 48 items; p adjusted by Holm.")
    (line,) = [line for line in text.splitlines() if line.startswith("| toy.quality")]
    assert line.count("], better, p = 0.002 |") == 2
    stores[1].put_unit([], [Score(i.id, "toy.quality", "ok", 0.9) for i in stores[1].items()])
    keep_digests(stores[1])
    sync_comparison(folders(stores), compare_many(stores))
    renewed = client.get_run(done.run_id).data.tags["mlflow.note.content"]
    assert renewed != text
    client.set_tag(done.run_id, "mlflow.note.content", "what we think of it")
    sync_comparison(folders(stores), compare_many(stores))
    assert client.get_run(done.run_id).data.tags["mlflow.note.content"] == "what we think of it"


def test_names_stay_text_in_the_description(client, make_run) -> None:
    made = [
        make_run(name, {"toy.quality": quality(0.1 * k)}, generator=f"toy:{k}")
        for k, name in enumerate(("a|b*c", "<img src=x>"))
    ]
    done = sync_comparison(folders(made), compare(*made))
    text = client.get_run(done.run_id).data.tags["mlflow.note.content"]
    assert "| measure | &lt;img src=x&gt; - a\\|b\\*c |" in text


def test_several_runs_are_steps_by_age_and_a_renamed_folder_keeps_its_place(client, stores, make_run) -> None:
    found = compare_many(stores)
    done = sync_comparison(folders(stores), found)
    values = [d.value for one in found.against if (d := one.get("toy.quality")) is not None]
    # r2 is the older one.
    assert history(client, done.run_id, "difference/toy/quality") == [(1, values[1]), (2, values[0])]
    tags = client.get_run(done.run_id).data.tags
    assert (tags["mlflow.runName"], tags["screentest.compared"]) == ("2 runs against r0", "1: r2, 2: r1")
    assert tags["screentest.better"] == "r1: toy.quality; r2: toy.quality"
    stores[2].folder.rename(make_run.folder / "a-first")
    from screentest.harness.run_folder.store import open_run

    moved = [*stores[:2], open_run(make_run.folder / "a-first")]
    again = sync_comparison(folders(moved), compare_many(moved))
    assert (again.run_id, again.created, again.metrics) == (done.run_id, False, 0)
    assert client.get_run(done.run_id).data.tags["screentest.compared"] == "1: a-first, 2: r1"


def test_checkpoints_are_steps_of_their_training(client, make_run) -> None:
    made = [
        make_run(f"c{k}", {"toy.quality": quality(0.1 * k)}, generator=f"toy:{k}", record={"step": 500 * k})
        for k in range(3)
    ]
    done = sync_comparison(folders(made), compare_many(made))
    assert [step for step, _ in history(client, done.run_id, "difference/toy/quality")] == [500, 1000]


def test_the_same_comparison_twice_doubles_nothing(client, stores) -> None:
    first = sync_comparison(folders(stores), compare_many(stores))
    before = history(client, first.run_id, "difference/toy/quality.n")
    again = sync_comparison(folders(stores), compare_many(stores))
    assert (again.run_id, again.created) == (first.run_id, False)
    assert (again.metrics, again.tags, again.artifacts) == (0, 0, 0)
    assert history(client, first.run_id, "difference/toy/quality.n") == before
    assert len(comparisons(client)) == 1
    # The others in another order are the same comparison; another baseline or margin is not.
    turned = [stores[0], stores[2], stores[1]]
    assert sync_comparison(folders(turned), compare_many(turned)).run_id == first.run_id
    other = [stores[1], stores[0], stores[2]]
    assert sync_comparison(folders(other), compare_many(other)).run_id != first.run_id
    margins = {"toy.quality": 0.05}
    third = sync_comparison(folders(stores), compare_many(stores, margins=margins), margins=margins)
    assert client.get_run(third.run_id).data.params["margin.toy.quality"] == "0.05"
    assert len(comparisons(client)) == 3


def test_what_changed_is_sent_alone_and_shown(client, stores) -> None:
    done = sync_comparison(folders(stores[:2]), compare(stores[0], stores[1]))
    items = stores[1].items()
    stores[1].put_unit([], [Score(i.id, "toy.quality", "ok", 0.9) for i in items])
    keep_digests(stores[1])
    found = compare(stores[0], stores[1])
    again = sync_comparison(folders(stores[:2]), found)
    assert again.run_id == done.run_id
    assert 1 <= again.metrics <= 3  # n and the other measure stay as they are
    d = found.get("toy.quality")
    assert d is not None
    assert client.get_run(done.run_id).data.metrics["difference/toy/quality"] == d.value
    assert again.artifacts == 3


def test_a_value_that_is_no_more_is_named(client, stores) -> None:
    done = sync_comparison(folders(stores[:2]), compare(stores[0], stores[1]))
    gone = [Score(i.id, "toy.quality", "failed", None, "broken") for i in stores[1].items()]
    stores[1].put_unit([], gone)
    keep_digests(stores[1])
    sync_comparison(folders(stores[:2]), compare(stores[0], stores[1]))
    told = client.get_run(done.run_id).data.tags["screentest.withdrawn"]
    assert told.startswith("difference/toy/quality at step 1")


def test_a_set_measure_without_interval_has_value_and_n_alone(client, stores, make_run) -> None:
    for store, value in zip(stores, (5.0, 4.0, 3.0), strict=True):
        score = SetScore(measure="toy.distance", status="ok", value=value, n=48, clusters=12)
        make_run.put_set(store, score)
    done = sync_comparison(folders(stores[:2]), compare(stores[0], stores[1]))
    metrics = client.get_run(done.run_id).data.metrics
    assert {k: v for k, v in metrics.items() if "distance" in k} == {
        "difference/toy/distance": -1.0,
        "difference/toy/distance.n": 48.0,
    }


def test_what_a_sender_leaves_half_sent_is_sent(client, stores, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    send = MlflowClient.log_batch

    def broken(self: Any, run_id: str, metrics: Any = (), **more: Any) -> None:
        if any(m.key.startswith("difference/") for m in metrics):
            raise MlflowException("gone")
        send(self, run_id, metrics=metrics, **more)

    found = compare(stores[0], stores[1])
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", broken)
        with pytest.raises(TrackingError, match="with the options of this comparison, sends it later"):
            sync_comparison(folders(stores[:2]), found)
    done = sync_comparison(folders(stores[:2]), found)
    assert (done.created, done.metrics) == (False, 8)
    assert len(comparisons(client)) == 1


def test_attacks_are_not_quoted(client, make_run) -> None:
    suite = {
        "prompts": [{"text": f"toy {k} do harm", "tags": ["red-team"]} for k in range(12)],
        "name": "toy",
    }
    made = [
        make_run(f"x{k}", {"toy.quality": quality(0.1 * k)}, generator=f"toy:{k}", suite=suite)
        for k in (0, 1)
    ]
    done = sync_comparison(folders(made), compare(*made))
    for name in ("differences.json", "differences.csv", "comparison.json"):
        assert "do harm" not in Path(client.download_artifacts(done.run_id, name)).read_text()


# -- the command


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]):
    def run(*words: object) -> tuple[int, str, str]:
        code = run_cli([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_compare_sends_when_asked(cli, client, stores, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    code, _, err = cli("compare", *folders(stores[:2]))
    assert (code, err) == (0, "")
    assert [e.name for e in client.search_experiments()] == ["Default"]
    code, out, err = cli("compare", *folders(stores), "--mlflow", "--json")
    assert (code, json.loads(out)["baseline"]) == (0, "r0")
    (run,) = comparisons(client)
    assert err == f"MLflow: comparison {run.info.run_id} in {default_uri(stores[0].folder.parent)}\n"
    code, _, err = cli("compare", *folders(stores[:2]), "--tracking-uri", f"sqlite:///{tmp_path}/other.db")
    assert (code, f"in sqlite:///{tmp_path}/other.db" in err) == (0, True)
    assert len(comparisons(client)) == 1


def test_a_server_that_is_down_changes_no_comparison(cli, stores) -> None:
    code, out, err = cli("compare", *folders(stores[:2]), "--tracking-uri", "http://127.0.0.1:9")
    assert (code, "toy.quality" in out) == (0, True)
    assert err.startswith("not sent to MLflow: MLflow at http://127.0.0.1:9 cannot be reached")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--mlflow", "--tracking-uri", "none"), "leave one out"),
        (("--mlflow", "--power", "0.8"), "leave out --power"),
        (("--mlflow", "--same-seed"), "leave out --same-seed"),
        (("--tracking-uri", "runs"), "MLflow no longer keeps runs in a folder"),
    ],
)
def test_what_cannot_be_sent_is_one_sentence(cli, stores, words, sentence: str) -> None:
    code, out, err = cli("compare", *folders(stores[:2]), *words)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
