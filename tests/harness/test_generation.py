"""Jobs of a service: stored before the wait, picked up after a kill, each outcome a clear one."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.jobs import JobJournal
from screentest.harness.run import Settings, run
from screentest.harness.store import open_run

FILE = Path(__file__).with_name("job_service.py")
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
    assert service.paid == 4  # the first unit was submitted, and two of its jobs were fetched
    assert sum("job" in step for step in steps(tmp_path / "run")) == 4
    assert len(open_run(tmp_path / "run").clips()) in (1, 2)
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
        "turned down": ("failed", "the job could not be submitted: ConnectionError: no route to the service"),
        "forbidden": ("refused", "the service does not take this prompt"),
    }


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


# -- the journal


def test_the_journal_survives_a_line_that_was_cut(tmp_path):
    journal = JobJournal(tmp_path, "plan")
    first = journal.submitted(journal.attempt("a"), "job-1")
    with (tmp_path / "jobs.jsonl").open("ab") as file:
        file.write(b'{"item": "b", "ke')
    again = JobJournal(tmp_path, "plan")
    assert again.attempt("a") == first
    again.over(first)
    last = JobJournal(tmp_path, "plan").attempt("a")
    assert (last.job, last.key != first.key) == (None, True)
    assert JobJournal(tmp_path, "plan").attempt("a") == last


def test_a_journal_of_something_else_is_refused(tmp_path):
    (tmp_path / "jobs.jsonl").write_text('{"item": 1}\n')
    with pytest.raises(UsageError, match=r"line 1 of .*jobs\.jsonl is not a step of a job"):
        JobJournal(tmp_path, "plan")
