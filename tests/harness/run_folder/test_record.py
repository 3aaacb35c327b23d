"""What a run records of where it was made."""

from __future__ import annotations

import json

import pytest
import torch
from screentest.harness.run import Settings, run
from screentest.harness.run_folder.record import threads
from screentest.harness.run_folder.store import open_run


@pytest.fixture
def as_before():
    number = torch.get_num_threads()
    yield
    torch.set_num_threads(number)


def test_the_number_of_threads_is_recorded_and_another_is_said(
    tmp_path, suite, generator, cache, capsys, as_before
):
    run(suite, generator, tmp_path / "run", Settings(cache, threads=2))
    recorded = json.loads((tmp_path / "run" / "run.json").read_text())["threads"]
    assert recorded["torch"] == 2
    assert recorded == threads()
    plan = open_run(tmp_path / "run").record["plan"]
    capsys.readouterr()
    run(suite, generator, tmp_path / "run", Settings(cache, threads=2))
    assert "threads" not in capsys.readouterr().err
    run(suite, generator, tmp_path / "run", Settings(cache, threads=1))
    assert "threads" not in capsys.readouterr().err, "nothing was left to compute"
    (tmp_path / "run" / "finished.json").unlink()
    run(suite, generator, tmp_path / "run", Settings(cache, threads=1))
    assert "started with 2 threads and continues with 1" in capsys.readouterr().err
    assert open_run(tmp_path / "run").record["plan"] == plan
