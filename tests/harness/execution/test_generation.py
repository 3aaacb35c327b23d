"""Jobs of a service: stored before the wait, picked up after a kill, each outcome a clear one."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from screentest.generators import Frames, Later, Refusal, VideoFile
from screentest.generators.wrapper import Wrapper
from screentest.harness.core.errors import ScreentestError, UsageError
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.core.media import write_clip
from screentest.harness.run import Settings, run
from screentest.harness.run_folder.jobs import JobJournal, ServiceUse, read_service_use
from screentest.harness.run_folder.store import open_run
from screentest.reports.tables import summary_table

FILE = Path(__file__).parents[1] / "job_service.py"
_spec = importlib.util.spec_from_file_location("job_service", FILE)
assert _spec is not None
assert _spec.loader is not None
job_service: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(job_service)
Service = job_service.Service


def outcomes(folder: Path) -> dict[str, tuple[str, str]]:
    store = open_run(folder)
    clips = store.clips()
    return {item.prompt or "": (clips[item.id].outcome, clips[item.id].reason) for item in store.items()}


def steps(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "jobs.jsonl").read_text().splitlines()]


def test_a_killed_run_picks_up_its_jobs_and_pays_for_none_twice(tmp_path, suite, generator, cache):
    words = [sys.executable, str(FILE), str(tmp_path / "run"), str(tmp_path / "service")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    service = Service(tmp_path / "service")
    assert service.paid == 4
    assert sum("job" in step for step in steps(tmp_path / "run")) == 4
    summary = run(suite, service, tmp_path / "run", Settings(cache))
    assert service.paid == 8
    assert summary.outcomes == {"ok": 8, "refused": 0, "failed": 0}
    local = run(suite, generator, tmp_path / "local", Settings(cache))
    assert summary.get("motion.flicker") == local.get("motion.flicker")


def test_each_outcome_is_its_own(tmp_path, make_suite, cache):
    prompts = [
        {"text": t, "seeds": 1}
        for t in ("a block", "refuse this", "fail at this", "turned down", "forbidden")
    ]
    run(make_suite(prompts=prompts), Service(tmp_path / "service"), tmp_path / "run", Settings(cache))
    assert outcomes(tmp_path / "run") == {
        "a block": ("ok", ""),
        "refuse this": ("refused", "not allowed here"),
        "fail at this": ("failed", "out of paint"),
        "turned down": ("failed", "no route to the service"),
        "forbidden": ("refused", "the service does not take this prompt"),
    }


def test_the_median_of_seconds_is_of_stored_clips_alone(tmp_path, make_suite, cache):
    def use(*prompts: str) -> ServiceUse:
        listed = [{"text": text, "seeds": 1} for text in prompts]
        folder = tmp_path / "-".join(prompts)
        run(make_suite(prompts=listed), Waits(tmp_path / "service"), folder, Settings(cache))
        found = read_service_use(folder)
        assert found is not None
        return found

    class Waits(Service):
        def fetch(self, job: str, item: Any, folder: Path) -> Any:
            time.sleep(0.3 if item.prompt == "a block" else 0.0)
            return super().fetch(job, item, folder)

    none = use("fail at this", "refuse this")
    assert (none.jobs, none.ended, none.seconds) == (2, 2, None)
    one = use("a block", "fail at this", "refuse this")
    assert (one.jobs, one.ended) == (3, 3)
    assert one.seconds is not None
    assert one.seconds >= 0.3


def test_an_item_that_the_service_cannot_be_given_is_not_submitted(tmp_path, make_suite, cache):
    prompts = [{"text": "a block", "seeds": 1}, {"text": "a block", "seeds": 1, "image": "a.png"}]
    service = Service(tmp_path / "service")
    summary = run(make_suite(prompts=prompts), service, tmp_path / "run", Settings(cache))
    assert service.paid == 1
    assert summary.outcomes == {"ok": 1, "refused": 0, "failed": 0, "not_applicable": 1}


def test_a_job_that_vanished_is_a_failure_and_is_submitted_anew_on_request(tmp_path, make_suite, cache):
    class Forgetful(Service):
        def poll(self, job):
            return "unknown"

    suite = make_suite(prompts=[{"text": "a block", "seeds": 1}])
    run(suite, Forgetful(tmp_path / "service"), tmp_path / "run", Settings(cache))
    ((outcome, reason),) = outcomes(tmp_path / "run").values()
    assert outcome == "failed"
    assert reason == "the service no longer knows the job job-0; --retry-failed submits anew"
    service = Service(tmp_path / "service")
    run(suite, service, tmp_path / "run", Settings(cache, retry_failed=True))
    assert outcomes(tmp_path / "run") == {"a block": ("ok", "")}
    assert service.paid == 2
    assert len({step["key"] for step in steps(tmp_path / "run")}) == 2


def test_a_job_that_takes_too_long_is_looked_at_again_and_not_paid_for_again(tmp_path, make_suite, cache):
    class Slow(Service):
        timeout_s = 0.05

        def poll(self, job):
            raise TimeoutError("no answer")

    suite = make_suite(prompts=[{"text": "a block", "seeds": 1}])
    run(suite, Slow(tmp_path / "service"), tmp_path / "run", Settings(cache))
    ((outcome, reason),) = outcomes(tmp_path / "run").values()
    assert outcome == "failed"
    assert "did not end within 0.05 s (last: TimeoutError: no answer)" in reason
    service = Service(tmp_path / "service")
    run(suite, service, tmp_path / "run", Settings(cache, retry_failed=True))
    assert outcomes(tmp_path / "run") == {"a block": ("ok", "")}
    assert service.paid == 1


def test_what_cannot_be_used_ends_the_run_in_one_sentence(tmp_path, suite, cache):
    class Keyless(Service):
        def submit(self, item, key):
            raise UsageError("set TOY_KEY to the key of the service")

    with pytest.raises(UsageError, match="set TOY_KEY"):
        run(suite, Keyless(tmp_path / "service"), tmp_path / "run", Settings(cache))
    assert open_run(tmp_path / "run").clips() == {}


def test_without_a_run_a_service_answers_in_the_order_of_the_items(tmp_path):
    clip = ClipSettings(frames=6, height=32, width=40, fps=8)
    items = [make_item(text, 0, clip) for text in ("refuse", "a block", "fail", "turned down")]
    outputs = Service(tmp_path / "service").generate(items)
    assert [type(output).__name__ for output in outputs] == ["Refusal", "Frames", "Failure", "Failure"]


def test_a_job_of_which_nothing_is_known_is_not_submitted_again_even_on_request(tmp_path, make_suite, cache):
    class Dropping(Service):
        def submit(self, item, key):
            super().submit(item, key)
            raise ConnectionError("the line went dead")

    suite = make_suite(prompts=[{"text": "a block", "seeds": 1}])
    run(suite, Dropping(tmp_path / "service"), tmp_path / "run", Settings(cache))
    ((outcome, reason),) = outcomes(tmp_path / "run").values()
    assert (outcome, reason) == (
        "failed",
        "it is uncertain whether the service took this item's job: ConnectionError: the line went dead; as "
        "it may have to be paid for, it is not submitted again",
    )
    service = Service(tmp_path / "service")
    run(suite, service, tmp_path / "run", Settings(cache, retry_failed=True))
    assert service.paid == 1
    assert outcomes(tmp_path / "run")["a block"][0] == "failed"
    service.idempotent = True
    run(suite, service, tmp_path / "run", Settings(cache, retry_failed=True))
    assert outcomes(tmp_path / "run") == {"a block": ("ok", "")}
    assert len({step["key"] for step in steps(tmp_path / "run")}) == 1


def test_the_summary_says_what_a_run_used_of_its_service(tmp_path, make_suite, cache, generator):
    class Priced(Service):
        def account(self, job):
            return {"usd": 0.25, "service_seconds": 2.0, "quota": {"left": "3"}}

    prompts = [{"text": t, "seeds": 1} for t in ("a block", "refuse this", "forbidden")]
    suite = make_suite(prompts=prompts)
    summary = run(suite, Priced(tmp_path / "service"), tmp_path / "run", Settings(cache))
    assert summary.service is not None
    used = summary.service.model_dump()
    assert used.pop("seconds") >= 0
    assert used == {
        "sent": 3,
        "declined": 0,
        "jobs": 2,
        "ended": 2,
        "uncertain": 0,
        "service_seconds": 4.0,
        "usd": 0.5,
        "priced": 2,
        "quota": {"left": "3"},
    }
    (note,) = [note for note in summary_table(summary).notes if note.startswith("service:")]
    assert note.startswith("service: 2 jobs, 2 with a stored outcome, median ")
    assert note.endswith("4.0 s of the service's own time, about 0.50 USD for 2 of them; left: left 3")
    assert run(suite, generator, tmp_path / "local", Settings(cache)).service is None


class Censor(Wrapper):
    """Stops a prompt before the generator, and turns what comes from it into a file of its own."""

    def identity(self):
        return {"source": "toy", "kind": "censor", "inner": dict(self.inner.identity())}

    def before(self, items):
        return {item.id: Refusal("censored") for item in items if "cat" in (item.prompt or "")}

    def after(self, item, output, folder):
        if not isinstance(output, Frames):
            return output
        folder.mkdir(parents=True)
        write_clip(folder / "mine.mp4", output.frames_THWC, output.fps)
        return VideoFile(folder / "mine.mp4")


def test_the_jobs_of_a_service_within_wrappers_are_kept_too(tmp_path, make_suite, cache, generator):
    class Down(Service):
        patience_s = 0.05
        first_wait_s = 0.01

        def poll(self, job):
            raise Later("HTTP 503")

    suite = make_suite(prompts=["a block", "a cat", "refuse this"])
    folder = tmp_path / "service"

    def wrapped(service):
        return Censor(Censor(service, "outer"), "outermost")

    with pytest.raises(ScreentestError, match="the same command goes on from here"):
        run(suite, wrapped(Down(folder)), tmp_path / "run", Settings(cache))
    assert Service(folder).paid == 4
    summary = run(suite, wrapped(Service(folder)), tmp_path / "run", Settings(cache))
    assert Service(folder).paid == 4
    assert summary.outcomes == {"ok": 2, "refused": 4, "failed": 0}
    assert outcomes(tmp_path / "run")["a cat"] == ("refused", "censored")
    local = run(suite, wrapped(generator), tmp_path / "local", Settings(cache))
    assert local.outcomes == summary.outcomes
    assert local.get("motion.flicker") == summary.get("motion.flicker")


# -- the journal


def test_the_journal_survives_a_line_that_was_cut(tmp_path):
    journal = JobJournal(tmp_path, "plan")
    first = journal.submitted(journal.sent(journal.attempt("a")), "job-1")
    with (tmp_path / "jobs.jsonl").open("ab") as file:
        file.write(b'{"item": "b", "ke')
    again = JobJournal(tmp_path, "plan")
    assert again.attempt("a") == first
    again.over(first)
    last = JobJournal(tmp_path, "plan").attempt("a")
    assert (last.job, last.sent, last.key != first.key) == (None, False, True)
    assert JobJournal(tmp_path, "plan").attempt("a") == last


def test_a_journal_of_something_else_is_refused(tmp_path):
    (tmp_path / "jobs.jsonl").write_text('{"item": 1}\n')
    with pytest.raises(UsageError, match=r"line 1 of .*jobs\.jsonl is not a step of a job"):
        JobJournal(tmp_path, "plan")


def test_an_item_that_a_service_cannot_be_given_leaves_no_step(tmp_path, make_suite, cache):
    class Deaf(Service):
        def why_not(self, item):
            return "it does not know animals" if "cat" in (item.prompt or "") else ""

    prompts = [{"text": t, "seeds": 1} for t in ("a block", "a cat")]
    service = Deaf(tmp_path / "service")
    for _ in range(2):
        run(make_suite(prompts=prompts), service, tmp_path / "run", Settings(cache))
    assert outcomes(tmp_path / "run")["a cat"] == ("not_applicable", "it does not know animals")
    assert service.paid == 1
    assert len({step["item"] for step in steps(tmp_path / "run")}) == 1
