"""What many tiny items cost: scoring with grouped transactions against one an item, and a finished run.

    python tests/benchmarks/tiny.py [--items N] [--repeats N]

The clips have 4 frames of 16 x 16 pixels. Both ways of storing are measured in turns in one process, each
from an empty cache, by the wall clock and by the process's CPU time. Nothing is asserted: a time is no test.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from screentest.generators import Frames, Generator, Output
from screentest.harness.core.items import Item
from screentest.harness.core.keys import Json, seeded_rng
from screentest.harness.run import Settings, run, score_run
from screentest.harness.run_folder import score_group
from screentest.harness.suites.suite import Suite


class TinyGenerator(Generator):
    """Noise, so that no two clips are the same file."""

    spec = "tiny:noise"
    batch_size = 64

    def identity(self) -> dict[str, Json]:
        """Name the kind alone."""
        return {"kind": "tiny", "version": 1}

    def generate(self, items: Sequence[Item]) -> list[Output]:
        """Draw each item's noise."""
        return [
            Frames(seeded_rng("tiny", item.id).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8), 8)
            for item in items
        ]


def tiny_suite(items: int, measures: Sequence[str]) -> Suite:
    """Make a suite of one prompt and so many seeds."""
    clip = {"frames": 4, "height": 16, "width": 16, "fps": 8}
    fields = {"name": "tiny", "version": 1, "seeds": items, "clip": clip, "prompts": ["a tiny clip"]}
    return Suite.model_validate({**fields, "measures": list(measures)})


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Measure the wall and CPU seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Print items a second of both ways, their ratio, and the seconds of a finished run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    whole = tiny_suite(options.items, ["motion.flicker", "failure.rate"])
    grouped = score_group.GROUP_ITEMS
    ratios: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory(prefix="screentest-tiny-") as folder:
        for repeat in range(options.repeats):
            taken: dict[int, tuple[float, float]] = {}
            for size in (1, grouped) if repeat % 2 else (grouped, 1):
                out = Path(folder) / f"{repeat} {size}"
                score_group.GROUP_ITEMS = size
                # Generated and stored first, with a measure that reads no clip but for its properties.
                run(
                    tiny_suite(options.items, ["failure.rate"]),
                    TinyGenerator(),
                    out,
                    Settings(Path(folder) / "cache"),
                )
                empty = Settings(Path(folder) / f"cache {repeat} {size}")
                taken[size] = seconds(lambda out=out, empty=empty: score_run(out, whole, empty))
                wall, cpu = (options.items / one for one in taken[size])
                print(f"{size:4} items a transaction: {wall:.0f} items a second, {cpu:.0f} a second of CPU")
            ratios.append((taken[1][0] / taken[grouped][0], taken[1][1] / taken[grouped][1]))
            again = Path(folder) / f"{repeat} {grouped}"
            same = Settings(Path(folder) / f"cache {repeat} {grouped}")
            wall, cpu = seconds(lambda again=again, same=same: score_run(again, whole, same))
            print(f"finished already: {wall:.2f} s, {cpu:.2f} s of CPU, for {options.items} items")
    wall, cpu = (statistics.median(column) for column in zip(*ratios, strict=True))
    print(f"one an item over grouped, median of {len(ratios)}: wall {wall:.2f}, CPU {cpu:.2f}")


if __name__ == "__main__":
    main()
