"""Generators that fail: what is logged, what stops a run, and what an output must be."""

from __future__ import annotations

import numpy as np
import pytest
from screentest.generators import Frames
from screentest.harness.core.errors import ScreentestError
from screentest.harness.run import Settings, run
from screentest.harness.run_folder.generation_log import LOG
from screentest.harness.run_folder.store import open_run


def test_a_traceback_goes_to_the_log_of_the_run_and_not_to_the_reason(
    tmp_path, make_suite, generator, cache, capsys
):
    prompts = [{"text": t} for t in ("a block", "raise an error", "another block")]
    generator.batch_size = 1
    run(make_suite(prompts=prompts), generator, tmp_path / "run", Settings(cache))
    log = (tmp_path / "run" / LOG).read_text()
    assert log.count("failed: RuntimeError: the model fell over") == 2
    assert log.count("Traceback (most recent call last)") == 1  # the same one is not written twice in a row
    assert 'raise RuntimeError("the model fell over")' in log
    assert "raise an error" not in log  # the prompt
    assert (
        "2 of 6 items failed and are kept as failures; the same command with --retry-failed"
        in capsys.readouterr().err
    )


def test_a_generator_that_fails_alike_on_every_item_stops_the_run(tmp_path, make_suite, generator, cache):
    prompts = [{"text": f"raise {k}"} for k in range(20)]
    generator.batch_size = 1
    with pytest.raises(
        ScreentestError, match=r"10 items in a row .*the model fell over.*run\.log.*new --out"
    ):
        run(make_suite(prompts=prompts), generator, tmp_path / "run", Settings(cache))
    assert len(generator.asked) == len(open_run(tmp_path / "run").clips()) == 10
    on = Settings(cache, stop_after=0)
    assert run(make_suite(prompts=prompts), generator, tmp_path / "run", on).outcomes["failed"] == 40


def test_failures_that_are_not_alike_or_not_in_a_row_stop_nothing(tmp_path, make_suite, generator, cache):
    prompts = [{"text": t} for _ in range(6) for t in ("raise this", "fail at this", "a block")]
    generator.batch_size = 1
    suite = make_suite(prompts=[{**p, "text": f"{p['text']} {k}"} for k, p in enumerate(prompts)], seeds=1)
    done = run(suite, generator, tmp_path / "run", Settings(cache, stop_after=2))
    assert done.outcomes == {"ok": 6, "refused": 0, "failed": 12}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "the generator returned None and not a list with an output an item"),
        ([None], "the generator gave None for an item, and not Frames, VideoFile, Refusal, Failure or Not"),
        (
            np.zeros((1, 6, 32, 40, 3), np.uint8),
            "returned a ndarray of shape (1, 6, 32, 40, 3) and type uint8",
        ),
        (
            [np.zeros((6, 32, 40, 3), np.uint8)],
            "gave a ndarray of shape (6, 32, 40, 3) and type uint8 for an",
        ),
        (
            [Frames(np.zeros((6, 32, 40, 3)), 8.0)],
            "Frames need uint8 values from 0 to 255; the generator gave a",
        ),
        ([Frames(np.zeros((6, 3, 32, 40), np.uint8), 8.0)], "Frames need an array of shape (T, H, W, 3)"),
        ([Frames([[1]], 8.0)], "the generator gave a value of type list"),
        ([Frames(np.zeros((6, 32, 40, 3), np.uint8), float("nan"))], "the clip could not be stored"),
    ],
)
def test_what_is_no_output_fails_the_item_and_says_what_to_return(
    tmp_path, make_suite, make_generator, cache, given, said
):
    generator = make_generator(1)
    generator.generate = lambda _: given
    suite = make_suite(prompts=[{"text": "a block"}], seeds=1)
    done = run(suite, generator, tmp_path / "run", Settings(cache))
    assert done.outcomes["failed"] == 1
    (record,) = open_run(tmp_path / "run").clips().values()
    assert said in record.reason


def test_code_that_exits_fails_its_items_and_not_the_run(tmp_path, make_suite, make_generator, cache):
    generator = make_generator(1)

    def leave(_: object) -> None:
        raise SystemExit(5)

    generator.generate = leave
    done = run(make_suite(), generator, tmp_path / "run", Settings(cache, stop_after=0))
    assert done.outcomes["failed"] == 8
    assert {record.reason for record in open_run(tmp_path / "run").clips().values()} == {"SystemExit: 5"}
