"""Jobs side by side: waits that double, a wait that all keep, results as they end, and a clean end."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from screentest.generators import Failure, JobGenerator, Later, Uncertain, VideoFile
from screentest.generators.job_runner import run_jobs
from screentest.generators.job_steps import JobAttempt
from screentest.harness.core.errors import ScreentestError
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.run_folder.jobs import JobJournal

ITEMS = [make_item(f"prompt {k}", 0, ClipSettings()) for k in range(6)]


class Toy(JobGenerator):
    """Answers at once, unless a test says otherwise."""

    spec = "toy:one?key=none"
    poll_every_s = 0.001
    first_wait_s = 0.001

    def __init__(self, **changes: Any) -> None:
        self.submitted: Counter[str] = Counter()
        self.times: list[float] = []
        for name, value in changes.items():
            setattr(self, name, value)

    def identity(self):
        return {"kind": "toy"}

    def submit(self, item, key):
        self.submitted[key] += 1
        self.times.append(time.monotonic())
        return f"job of {item.prompt}"

    def poll(self, job):
        return "ended"

    def fetch(self, job, item, folder):
        (folder / "clip.mp4").write_bytes(job.encode())
        return VideoFile(folder / "clip.mp4")


def run(toy: Toy, folder: Path, items=ITEMS) -> dict[str, Any]:
    found = {}
    for result in run_jobs(toy, items, JobJournal(folder, "plan"), folder / "files"):
        if isinstance(result.output, VideoFile):
            assert result.output.path.read_text() == f"job of {result.item.prompt}"
        found[result.item.prompt] = result
    return found


@pytest.mark.parametrize("parallel", [1, 2, 6, 20])
def test_every_item_is_submitted_once_and_files_go_when_they_are_read(parallel, tmp_path):
    toy = Toy(parallel=parallel)
    assert len(run(toy, tmp_path)) == 6
    assert set(toy.submitted.values()) == {1}
    assert list((tmp_path / "files").iterdir()) == []


def test_waits_double_up_to_the_cap(tmp_path, monkeypatch):
    asked: list[float] = []

    class Busy(Toy):
        def submit(self, item, key):
            if len(asked) < 7:
                raise Later("HTTP 429")
            return super().submit(item, key)

    monkeypatch.setattr(threading.Event, "wait", lambda self, timeout=None: bool(asked.append(timeout)))
    toy = Busy(first_wait_s=1.0, longest_wait_s=8.0)
    from screentest.generators.job_runner import _Run

    _Run(toy, JobJournal(tmp_path, "plan"), tmp_path).one(ITEMS[0])
    assert asked[:7] == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0]


def test_a_wait_that_the_service_asks_for_holds_every_job(tmp_path):
    class Limited(Toy):
        def submit(self, item, key):
            job = super().submit(item, key)
            if len(self.times) == 2:
                raise Later("HTTP 429", 0.3)
            return job

    toy = Limited(parallel=2)
    assert all(isinstance(r.output, VideoFile) for r in run(toy, tmp_path).values())
    _, second, *rest = sorted(toy.times)
    late = [at for at in rest if at > second + 0.25]
    assert len(late) >= len(rest) - 1  # one may have been on its way


def test_an_uncertain_answer_is_asked_for_again_only_where_keys_count(tmp_path):
    class Lossy(Toy):
        def submit(self, item, key):
            job = super().submit(item, key)
            if self.submitted[key] == 1:
                raise Uncertain("the line went dead")
            return job

    (tmp_path / "no").mkdir()
    (result,) = run(Lossy(), tmp_path / "no", ITEMS[:1]).values()
    assert isinstance(result.output, Failure)
    assert result.output.reason.startswith(
        "it is uncertain whether the service took this item's job: the line"
    )
    (tmp_path / "yes").mkdir()
    toy = Lossy(idempotent=True)
    (result,) = run(toy, tmp_path / "yes", ITEMS[:1]).values()
    assert isinstance(result.output, VideoFile)
    assert list(toy.submitted.values()) == [2]


def test_an_error_that_concerns_all_ends_the_run_and_the_rest_is_not_submitted(tmp_path):
    class Keyless(Toy):
        def poll(self, job):
            raise ScreentestError("set TOY_KEY")

    toy = Keyless(parallel=2)
    with pytest.raises(ScreentestError, match="set TOY_KEY"):
        run(toy, tmp_path)
    assert len(toy.submitted) <= 2
    assert len(run(Toy(parallel=2), tmp_path)) == 6


def test_a_caller_that_stops_waits_for_the_request_under_way_and_knows_its_job(tmp_path):
    started = threading.Event()

    class Slow(Toy):
        def submit(self, item, key):
            if item.prompt == "prompt 1":
                started.set()
                time.sleep(0.3)
            return super().submit(item, key)

        def poll(self, job):
            return "ended" if job == "job of prompt 0" and started.wait(5) else "pending"

    journal = JobJournal(tmp_path, "plan")
    with closing(run_jobs(Slow(parallel=2), ITEMS[:2], journal, tmp_path / "files")) as results:
        next(results)
    attempt: JobAttempt = JobJournal(tmp_path, "plan").attempt(ITEMS[1].id)
    assert attempt.job == "job of prompt 1"


def test_the_name_in_a_message_is_without_options(tmp_path):
    class Down(Toy):
        def submit(self, item, key):
            raise Later("no connection")

    with pytest.raises(ScreentestError, match="the service of toy:one has not taken or answered a request"):
        run(Down(patience_s=0.05), tmp_path)


def test_a_silent_service_is_asked_until_the_patience_ends(tmp_path):
    class Down(Toy):
        def submit(self, item, key):
            super().submit(item, key)
            raise Later("no connection")

    toy = Down(patience_s=0.4, first_wait_s=0.3, parallel=1)  # waits of 0.3 and 0.6 s, the second cut short
    with pytest.raises(
        ScreentestError, match=r"a request for (.*) s, and this run waits 0\.4 s \("
    ) as caught:
        run(toy, tmp_path, ITEMS[:1])
    silent = float(str(caught.value).split(" a request for ")[1].split(" s,")[0])
    assert silent >= 0.4
    assert len(toy.times) == 3
    assert toy.times[-1] - toy.times[0] >= 0.39


def test_a_wait_that_is_asked_for_beyond_the_patience_ends_the_run_at_once(tmp_path):
    class Busy(Toy):
        def submit(self, item, key):
            super().submit(item, key)
            raise Later("HTTP 503", 0.3)

    toy = Busy(patience_s=0.5, parallel=1)
    told = r"a wait of 0\.3 s \(HTTP 503\) after 0\.\d+ s without an answer, together longer than the 0\.5 s"
    with pytest.raises(ScreentestError, match=told):
        run(toy, tmp_path, ITEMS[:1])
    assert len(toy.times) == 2
    with pytest.raises(
        ScreentestError, match=r"asks for a wait of 0\.3 s \(HTTP 503\), longer than the 0\.1 s"
    ):
        run(Busy(patience_s=0.1), tmp_path, ITEMS[1:2])
