"""Runs on Ray: the same tables from any number of workers, and when workers and machines are lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from screentest.generators import make_generator
from screentest.harness.core.errors import UsageError
from screentest.harness.execution import cluster
from screentest.harness.execution.workers import Workers
from screentest.harness.run import Settings, run, score_run
from screentest.harness.run_folder.store import open_run

from ..s3_server import served
from ..worker_fixtures import PLUGIN, marked_suite, plugin_loaded, tables

ray: Any = pytest.importorskip("ray", reason="the extra 'ray' is not installed")
SMALL = 80 * 2**20


@pytest.fixture(autouse=True)
def _plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cluster, "_OBJECT_STORE", SMALL)
    with plugin_loaded():
        yield
    ray.shutdown()


def running(out: str, workers: int, spec: str = "marked:", **changes: Any) -> Path:
    settings = Settings(Path(f"cache {out}"), threads=1, workers=Workers(workers))
    run(marked_suite(**changes), make_generator(spec), Path(out), settings)
    return Path(out)


def test_two_workers_give_the_table_of_one_and_a_lost_worker_changes_nothing(tmp_path, capsys):
    alone = running("alone", 1)
    both = running("both", 2, f"marked:?end={tmp_path / 'ended'}")
    assert (tmp_path / "ended").exists()
    assert "was lost; its work is given to another" in capsys.readouterr().err
    assert tables(both) == tables(alone)
    assert len(tables(both)[0]) == 12 * 3
    assert open_run(both).record["workers"] == {"number": 2, "gpus": 0.0, "cluster": False}
    assert open_run(both).record["threads"]["torch"] == 1
    assert not ray.is_initialized()


def test_an_address_at_which_nothing_answers_is_one_sentence():
    with (
        pytest.raises(UsageError, match=r"nothing answers at --ray-address 127\.0\.0\.1:1 "),
        cluster.connected(Workers(1, "127.0.0.1:1"), 1),
    ):
        pass
    with pytest.raises(UsageError, match="should be HOST:PORT"), cluster.connected(Workers(1, "here"), 1):
        pass


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    missing = pytest.raises(UsageError, match=r"pip install 'screentest\[ray\]'")
    with missing, cluster.connected(Workers(2), 1):
        pass


@pytest.mark.slow
def test_four_workers_and_scoring_again_give_the_same_table():
    alone, four = running("alone", 1), running("four", 4)
    assert tables(four) == tables(alone)
    more = marked_suite(measures=["marked.length", "motion.flicker", "refusal.rate", "failure.rate"])
    for out, workers in ((alone, 1), (four, 2)):
        score_run(out, more, Settings(Path(f"new cache {workers}"), threads=1, workers=Workers(workers)))
    assert tables(four) == tables(alone)
    assert len(tables(four)[0]) == 12 * 4


@pytest.mark.slow
def test_workers_store_clips_and_features_in_s3_and_give_the_same_table():
    pytest.importorskip("s3fs", reason="the extra 's3' is not installed")
    alone = running("alone", 1)
    with served() as server:
        for number in (1, 2, 4):
            server.empty()
            there = Settings(
                "s3://films/features", threads=1, clips="s3://films/clips", workers=Workers(number)
            )
            run(marked_suite(), make_generator("marked:"), Path(f"there {number}"), there)
            assert tables(Path(f"there {number}")) == tables(alone)
            assert sum(key.endswith(".mp4") for key in server.list()) == 10
            assert sum(key.endswith(".arrays") for key in server.list()) == 10
            assert not list(Path(f"there {number}", "clips").iterdir())


@pytest.mark.slow
def test_what_ends_every_worker_fails_alone(tmp_path):
    prompts = ["noise 0", "noise 1", "crash here", "noise 2"]
    out = running("run", 2, prompts=prompts, seeds=2, measures=["motion.flicker", "failure.rate"])
    clips = open_run(out).clips()
    lost = {item.prompt for item in open_run(out).items() if clips[item.id].outcome == "failed"}
    assert lost == {"crash here"}
    assert sum(record.outcome == "ok" for record in clips.values()) == 6
    assert "process was lost each time" in next(r.reason for r in clips.values() if r.outcome == "failed")


@pytest.mark.slow
def test_a_worker_that_is_lost_while_it_scores_changes_nothing(tmp_path, capsys):
    end = f"end scoring {tmp_path / 'ended'}"
    (tmp_path / "ended").touch()
    alone = running("alone", 1, prompts=["noise 0", end, "noise 1"])
    (tmp_path / "ended").unlink()
    both = running("both", 2, prompts=["noise 0", end, "noise 1"])
    assert (tmp_path / "ended").exists()
    assert "was lost" in capsys.readouterr().err
    assert tables(both) == tables(alone)


@pytest.fixture
def two_nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Start a cluster of two nodes with one CPU each on this machine."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": SMALL, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=node)
    made.second = made.add_node(num_cpus=1, object_store_memory=SMALL)
    made.wait_for_nodes()
    ray.init(address=made.address, log_to_driver=False, logging_level="error")
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.mark.slow
def test_a_machine_that_is_gone_in_mid_run_changes_nothing(two_nodes, capsys):
    more = {"prompts": [f"noise {k}" for k in range(15)]}
    clips = Path("spread/clips")

    def remove() -> None:
        while not clips.is_dir() or len(list(clips.glob("*.mp4"))) < 6:
            time.sleep(0.05)
        two_nodes.remove_node(two_nodes.second, allow_graceful=False)

    removing = threading.Thread(target=remove)
    removing.start()
    spread = running("spread", 2, "marked:?pause=1", **more)
    removing.join()
    assert "was lost" in capsys.readouterr().err
    assert [node["Alive"] for node in ray.nodes()].count(True) == 1
    assert tables(spread) == tables(running("alone", 1, **more))


@pytest.mark.slow
def test_a_killed_driver_leaves_no_process_and_its_run_is_finished_by_any_number_of_workers(tmp_path):
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); "
        "from screentest.harness.plugins import load_file; load_file(Path(sys.argv[2])); "
        "from screentest.generators import make_generator; from screentest.harness.run import Settings, run; "
        "from screentest.harness.execution.workers import Workers; from screentest.harness import cluster; "
        f"cluster._OBJECT_STORE = {SMALL}; from worker_fixtures import marked_suite; "
        "run(marked_suite(), make_generator('marked:?pause=2'), Path('killed'), "
        "Settings(Path('cache killed'), threads=1, workers=Workers(2)))"
    )
    driver = subprocess.Popen([sys.executable, "-c", code, str(PLUGIN.parent), str(PLUGIN)])
    until = time.monotonic() + 300
    while len(list(Path("killed/clips").glob("*.mp4"))) < 2:
        assert time.monotonic() < until
        assert driver.poll() is None
        time.sleep(0.05)
    children = _descendants(driver.pid)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    assert len(open_run(Path("killed")).clips()) < 12
    assert tables(running("killed", 2)) == tables(running("alone", 1))
    until = time.monotonic() + 120
    while any(Path(f"/proc/{pid}").exists() for pid in children):
        assert time.monotonic() < until, "Ray's processes outlived their driver"
        time.sleep(0.5)


def _descendants(pid: int) -> set[int]:
    parents = {
        int(path.name): int((path / "stat").read_text().rpartition(")")[2].split()[1])
        for path in Path("/proc").iterdir()
        if path.name.isdigit() and os.access(path / "stat", os.R_OK)
    }
    found, new = set[int](), {pid}
    while new:
        found |= new
        new = {child for child, parent in parents.items() if parent in new} - found
    return found - {pid}
