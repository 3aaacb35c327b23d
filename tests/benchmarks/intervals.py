"""Time the intervals of a large score table: 10,000 resamples over 5,000 items and 40 measures.

Run as ``python tests/benchmarks/intervals.py``. It prints seconds, of the wall and of all processors, for
both shapes of 5,000 items, 1,250 prompts with 4 clips each and 5,000 prompts with one; for intervals alone,
which have a budget of 20 s on 2 cores, and with the sign-flip test of each, as a comparison has them.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from screentest.harness.core.parallel import in_threads
from screentest.harness.core.stats import cluster_bootstrap_mean, sign_flip_test
from screentest.harness.core.stats.means import RESAMPLES

ITEMS, MEASURES, BUDGET = 5000, 40, 20.0


def seconds(prompts: int, measures: int = MEASURES, *, test: bool = False) -> tuple[float, float]:
    """Time the intervals of all measures, and with ``test`` the sign-flip test of each as well: wall, CPU."""
    rng = np.random.default_rng(1)
    clusters = [f"{k % prompts:05}" for k in range(ITEMS)]
    tables = [rng.normal(size=ITEMS).tolist() for _ in range(measures)]
    start, used = time.perf_counter(), time.process_time()

    def one(number: int) -> None:
        cluster_bootstrap_mean(tables[number], clusters, 0.95, seed=number)
        if test:
            sign_flip_test(tables[number], clusters, seed=number)

    in_threads(one, range(measures))
    return time.perf_counter() - start, time.process_time() - used


if __name__ == "__main__":
    assert RESAMPLES == 10_000
    over = False
    told: dict[str, dict[str, float]] = {}
    for prompts in (1250, 5000):
        for what, test in (("intervals", False), ("intervals and tests", True)):
            wall, cpu = seconds(prompts, test=test)
            told[f"{what}, {prompts} prompts"] = {"wall": round(wall, 2), "cpu": round(cpu, 2)}
            over = over or (wall > BUDGET and not test)
    sys.stdout.write(json.dumps({"items": ITEMS, "measures": MEASURES, "seconds": told}, indent=1) + "\n")
    sys.exit(over)
