"""Run a suite in forked processes that are killed at random moments, until one of them ends by itself.

Runs are killed to their end one after the other until there were enough kills. Prints, as JSON, for each run
how many rows (clips and scores) were stored at each kill.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import random
import signal
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import cv2  # noqa: F401  imported here, so that a child's life is spent on the run
import scipy.stats  # noqa: F401
import torch  # noqa: F401
from screentest.harness.run import Settings, run
from screentest.metrics.quality import outcomes as validity  # noqa: F401

spec = importlib.util.spec_from_file_location("shared", Path(__file__).parents[1] / "conftest.py")
assert spec is not None
assert spec.loader is not None
shared = importlib.util.module_from_spec(spec)
spec.loader.exec_module(shared)

LIVES = 300
ENOUGH = 20
STEP = 16
"""Most rows that a life stores."""
SUITE = shared.drawing_suite(
    seeds=6, measures=["motion.flicker", "motion.warping_error", "refusal.rate", "failure.rate"]
)


def go(folder: Path, cache: Path) -> None:
    sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115  for the rest of this process
    run(SUITE, shared.DrawingGenerator(), folder, Settings(cache))


def rows(folder: Path) -> int:
    if not (folder / "run.json").exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{folder / 'run.sqlite'}?mode=ro", uri=True)) as db:
            return sum(
                db.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0] for name in ("clips", "scores")
            )
    except sqlite3.OperationalError:  # it is being made
        return 0


def main(folder: Path) -> None:
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        go(folder / "whole", folder / "cache of the whole")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0
    whole = time.monotonic() - began
    chance = random.Random(20260731)
    kills: list[list[int]] = []
    while sum(map(len, kills)) < ENOUGH:
        kills.append(one_run(folder / f"killed {len(kills)}", whole, chance))
    print(json.dumps(kills))


def one_run(folder: Path, whole: float, chance: random.Random) -> list[int]:
    """Kill a run again and again until it ends by itself; return the rows that each kill found."""
    kills: list[int] = []
    for _ in range(LIVES):
        child = os.fork()
        if child == 0:
            go(folder, folder.with_name(f"cache of {folder.name}"))
            os._exit(0)
        # A life ends a moment after some more rows were stored, however busy the machine is; every third one
        # after a small part of the whole run's time, so that starts are cut short, too.
        wanted = rows(folder) + chance.randint(1, STEP)
        deadline = time.monotonic() + (
            chance.uniform(0.02, 0.15) * whole if len(kills) % 3 == 0 else math.inf
        )
        status = None
        while time.monotonic() < deadline and status is None and rows(folder) < wanted:
            ended, code = os.waitpid(child, os.WNOHANG)
            status = code if ended else None
            time.sleep(0.001)
        if status is None:
            time.sleep(chance.uniform(0, 0.01))
        if status is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            kills.append(rows(folder))
        elif status == 0:
            return kills
        else:
            raise SystemExit("a resumed run failed")
    raise SystemExit(f"not finished after {LIVES} lives")


main(Path(sys.argv[1]))
