"""What a run of many small items costs the command that drives it: time, memory, disk, page and export.

    python tests/benchmarks/scale.py [--items N] [--workers N ...] [--prompts N] [--refused]

The generator is simulated: 4 frames of 16 x 16 pixels of noise, so that nearly all of the time is the
harness's own. For each number of workers (1 is the process itself) it generates and scores, says that the
finished run is finished, goes on with a run of which the last tenth is gone, and writes the page and the
export. Memory is the driver's largest resident set, after a tenth of the items and at the end. A time is no
test: nothing is asserted but that all tables are the same. With ``--refused`` the generator refuses every
item, so that what is left is the bookkeeping of items and scores.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

PLUGIN = Path(__file__).parent.parent / "harness" / "worker_plugin.py"


def tables(folder: Path) -> list[tuple[object, ...]]:
    """Read the score table with the digests of its rows."""
    from screentest.harness.run_folder.store import open_run

    store = open_run(folder)
    try:
        return store.rows("SELECT item, measure, digest FROM scores ORDER BY item, measure")
    finally:
        store.close()


def peak_mb() -> float:
    """Give the largest resident set of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(what: str, items: int, work: Callable[[], object]) -> None:
    """Print the seconds of the wall and of this process's CPU, by item too."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    each = f"{cpu / items * 1e3:.2f} ms of CPU an item, {items / wall:.0f} items a second"
    print(
        f"  {what:28} {wall:7.1f} s wall, {cpu:7.1f} s CPU here, {each}, peak {peak_mb():.0f} MB", flush=True
    )


def size_mb(path: Path) -> float:
    """Give the blocks on disk of a file or folder, in MB."""
    told = subprocess.run(["du", "-sk", str(path)], capture_output=True, text=True, check=True)
    return int(told.stdout.split()[0]) / 1024


def one(folder: Path, items: int, prompts: int, workers: int, word: str) -> None:
    """Measure one number of workers, in this process."""
    from screentest.generators import make_generator
    from screentest.harness.execution.workers import Workers
    from screentest.harness.plugins import load_file
    from screentest.harness.results.export import export_scores
    from screentest.harness.run import Settings, run
    from screentest.harness.run_folder.store import open_run
    from screentest.harness.suites.suite import Suite
    from screentest.reports.build import build_report

    load_file(PLUGIN)
    generator = make_generator("marked:")
    generator.batch_size = 16

    def suite(part: int) -> Suite:
        clip = {"frames": 4, "height": 16, "width": 16, "fps": 8}
        fields = {"name": "scale", "version": 1, "seeds": part // prompts, "clip": clip}
        texts = [f"{word} {k}" for k in range(prompts)]
        measures = ["motion.flicker", "failure.rate"]
        return Suite.model_validate({**fields, "prompts": texts, "measures": measures})

    how = Settings(folder / f"cache {workers}", threads=1, workers=Workers(workers))
    print(f"{workers} workers, {items} items of {prompts} prompts", flush=True)
    small = folder / f"small {workers}"
    timed("a tenth of the items", items // 10, lambda: run(suite(items // 10), generator, small, how))
    whole = folder / f"run {workers}"
    timed("all of them", items, lambda: run(suite(items), generator, whole, how))
    timed("finished already", items, lambda: run(suite(items), generator, whole, how))
    store = open_run(whole)
    last = [(item.id,) for item in store.items()[-(items // 10) :]]
    with store._transaction():
        store._db.executemany("DELETE FROM scores WHERE item = ?", last)
        store._db.executemany("DELETE FROM clips WHERE item = ?", last)
    store.close()
    timed("resumed, a tenth was lost", items // 10, lambda: run(suite(items), generator, whole, how))
    timed("page", items, lambda: build_report([whole]))
    timed("export to Parquet", items, lambda: export_scores(whole, folder / f"{workers}.parquet"))
    parts = [whole / "report.html", folder / f"{workers}.parquet", whole / "run.sqlite", how.cache]
    parts += [whole / "clips"]
    sizes = [f"{path.name} {size_mb(path):.1f} MB" for path in parts if path.exists()]
    print("  on disk:", ", ".join(sizes), flush=True)


def main() -> None:
    """Measure each number of workers in a process of its own, and compare the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--workers", type=int, nargs="+", default=[1])
    parser.add_argument("--refused", action="store_true")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside is not None:
        word = "refuse" if options.refused else "noise"
        one(options.inside, options.items, options.prompts, options.workers[0], word)
        return
    with tempfile.TemporaryDirectory(prefix="screentest-scale-") as folder:
        for workers in options.workers:
            words = ["--items", str(options.items), "--prompts", str(options.prompts)]
            words += ["--refused"] if options.refused else []
            subprocess.run(
                [sys.executable, __file__, *words, "--workers", str(workers), "--inside", folder], check=True
            )
        found = [tables(Path(folder) / f"run {workers}") for workers in options.workers]
        if any(table != found[0] for table in found):
            raise SystemExit("the tables differ")
        print(f"{len(found)} tables of {len(found[0])} scores, all the same")


if __name__ == "__main__":
    main()
