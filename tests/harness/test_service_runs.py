"""Runs of a video service through the command line: killed, interrupted, resumed, searched for the key."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from screentest.harness.commands.main import run_cli
from screentest.harness.run_folder.store import open_run

_file = Path(__file__).parents[1] / "generators" / "video_service.py"
_spec = importlib.util.spec_from_file_location("video_service", _file)
assert _spec is not None
assert _spec.loader is not None
video_service: Any = importlib.util.module_from_spec(_spec)
sys.modules["video_service"] = video_service
_spec.loader.exec_module(video_service)

SECRET = "sk-very-secret-7c1"
SUITE = """
name: toy
version: 1
seeds: 2
clip: {frames: 6, height: 32, width: 40, fps: 8}
prompts: [a cat, a dog, a bird]
measures: [motion.flicker, failure.rate]
"""


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    (tmp_path / "suite.yaml").write_text(SUITE)
    monkeypatch.setenv("TOY_KEY", SECRET)
    monkeypatch.chdir(tmp_path)

    def run(service: Any, options: str = "") -> list[str]:
        base = f"base={service.url},server=sglang,poll=0.05,key_env=TOY_KEY{options}"
        generator = f"videos-api:{video_service.MODEL}?{base}"
        return [
            *("run", "--suite", "suite.yaml", "--generator", generator, "--out", "run"),
            *("--tracking-uri", "none"),
        ]

    return run


def begin(words: list[str]) -> subprocess.Popen[str]:
    # Tests that run in the background inherit an ignored SIGINT, which a user's shell does not give.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from screentest.harness.commands.__main__ import main; main()"
    )
    command = [sys.executable, "-c", code, *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def asked_for(service: video_service.VideoService) -> set[str]:
    return {sent.path for sent in list(service.requests) if sent.method == "GET"}


def refuse_key_in(folder: Path, *texts: str) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"run.json", "run.sqlite", "jobs.jsonl"} <= {path.name for path in files}
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]
    assert not [text for text in texts if SECRET in text]


@pytest.mark.timeout(400)
def test_a_run_that_is_killed_and_interrupted_makes_one_job_an_item(tmp_path, words, capsys):
    service = video_service.VideoService()
    service.polls = 10_000
    with video_service.serve(service, video_service.video_bytes(tmp_path)):
        command = words(service, ",parallel=2")
        killed = begin(command)
        until(lambda: len(asked_for(service)) == 2)  # what is asked for has its id stored
        os.kill(killed.pid, signal.SIGKILL)
        first = killed.communicate()
        assert killed.returncode == -signal.SIGKILL
        assert open_run(tmp_path / "run").clips() == {}

        seen = len(service.requests)
        interrupted = begin(command)
        until(lambda: len(service.requests) > seen + 3)
        os.kill(interrupted.pid, signal.SIGINT)
        out, err = interrupted.communicate(timeout=200)
        assert interrupted.returncode == 130
        assert err.rstrip().endswith("interrupted; the same command continues from here")
        assert "Traceback" not in err
        assert len(service.creates) == 2

        for job in service.jobs.values():
            job["polls"] = 0
        service.polls = 1
        service.more = {"inference_time_s": 1.5}
        assert run_cli(command) == 0
        said = capsys.readouterr()
    assert len(service.creates) == 6
    assert service.made() == {f"a {what}/{seed}": 1 for what in ("cat", "dog", "bird") for seed in (0, 1)}
    assert {clip.outcome for clip in open_run(tmp_path / "run").clips().values()} == {"ok"}
    assert "service: 6 jobs, 6 with a stored outcome" in said.out
    refuse_key_in(tmp_path / "run", *first, out, err, said.out, said.err)


@pytest.mark.timeout(400)
def test_a_run_that_is_killed_while_a_job_is_sent_says_that_it_is_uncertain(tmp_path, words, capsys):
    service = video_service.VideoService()
    service.faults["create"].append(video_service.Fault(how="hang"))
    with video_service.serve(service, video_service.video_bytes(tmp_path)):
        command = words(service, ",parallel=1")
        killed = begin(command)
        until(lambda: len(service.creates) == 1)
        os.kill(killed.pid, signal.SIGKILL)
        killed.communicate()
        assert run_cli([*command, "--retry-failed"]) == 0
        records = open_run(tmp_path / "run").clips().values()
        (lost,) = [record for record in records if record.outcome != "ok"]
        assert lost.reason == (
            "it is uncertain whether the service took this item's job: the run ended before it was known; as "
            "it may have to be paid for, it is not submitted again"
        )
        assert len(service.creates) == 6
        assert "1 of which it is uncertain whether it was taken" in capsys.readouterr().out
        again = words(service, ",uncertain=resubmit")
        assert run_cli([*again, "--retry-failed"]) == 0
    assert len(service.creates) == 7
    assert {record.outcome for record in open_run(tmp_path / "run").clips().values()} == {"ok"}
    refuse_key_in(tmp_path / "run")


def test_a_service_that_is_down_is_one_sentence_and_an_exit_code_of_its_own(tmp_path, words, capsys):
    service = video_service.VideoService()
    service.url = "http://127.0.0.1:9/v1"
    assert run_cli(words(service, ",patience=0.1")) == 75
    (error,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert "last: no connection (ConnectError)" in error
    assert error.endswith("the same command goes on from here")
