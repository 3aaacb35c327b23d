"""What the harness costs: ratios to the least work that would do, measured side by side.

    python tests/benchmarks/bench.py [generate] [score] [rescore] [--repeats N] [--clips N] [--json]

Absolute times depend on the machine and on what else runs there, so that every number is a ratio of two
ways measured in turns (A B, B A, A B ...) in one process, by the wall clock and by the process's own CPU
time; each turn gives one ratio, and the table has their median and range. Nothing is asserted: a time is no
test. All clips are made here.

generate  `run.generate` of a plan against a loop that calls the same generator on the same units: one that
          drops the clips, and one that writes them. ``outside`` is the share of the harness's own time in
          which the generator was not at work: one process, one pass, no comparison of two.
score     `run.run` on a folder of clips (record, copies, hashes, cache, score table, summary) against plain
          PyAV decoding and the same encoders' forward passes. The lightest encoders are the hardest case.
rescore   `run.score_run` the first time against scoring again with the features in the cache: with all
          scores lost, into a new run that shares the cache, and with nothing left to do.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from screentest.generators import Frames, Generator, Output
from screentest.generators.folder import FolderGenerator
from screentest.generators.reference.generator import ReferenceGenerator
from screentest.generators.reference.model.checkpoint import read_body
from screentest.generators.reference.model.parts import WEIGHTS
from screentest.harness.core.errors import ScreentestError
from screentest.harness.core.items import Item
from screentest.harness.core.keys import seeded_rng
from screentest.harness.core.media import Window, open_clip, write_clip
from screentest.harness.execution.generation import generate
from screentest.harness.run import Settings, plan_run, run, score_run
from screentest.harness.run_folder.store import RunStore
from screentest.harness.scoring.instruments import instruments
from screentest.harness.suites.suite import Suite

GENERATE_CLIPS = 16
LIGHT = ("motion.flicker", "motion.warping_error")
NUDITY = (*LIGHT, "safety.nudity")
CLIP = (*LIGHT, "alignment.clip")


@dataclass(frozen=True)
class Row:
    """One ratio: its median and range over the turns, and what it should be.

    ``base_s`` and ``other_s`` are the median seconds of the denominator and the numerator.
    """

    bench: str
    what: str
    clock: str
    median: float
    low: float
    high: float
    n: int
    target: str
    base_s: float
    other_s: float


@dataclass(frozen=True)
class Times:
    """Seconds that one pass took."""

    wall: float
    cpu: float


def timed(work: Callable[[], object]) -> Times:
    wall, cpu = time.perf_counter(), time.process_time()
    with contextlib.redirect_stderr(io.StringIO()):  # progress lines are of no interest here
        work()
    return Times(time.perf_counter() - wall, time.process_time() - cpu)


def in_turns(ways: Mapping[str, Callable[[], Times]], repeats: int) -> dict[str, list[Times]]:
    """Measure every way in each turn, forwards and backwards by turns, so that a drift favours none."""
    times: dict[str, list[Times]] = {name: [] for name in ways}
    for turn in range(repeats):
        for name in list(ways)[:: 1 if turn % 2 == 0 else -1]:
            times[name].append(ways[name]())
        print(f"  turn {turn + 1} of {repeats}", file=sys.stderr)
    return times


def rows(
    bench: str,
    what: str,
    base: Sequence[Times],
    other: Sequence[Times],
    target: str,
    clocks: str = "wall cpu",
) -> list[Row]:
    """Give the ratio other / base of each turn, by each clock."""
    result: list[Row] = []
    for clock in clocks.split():
        b, o = ([getattr(t, clock) for t in times] for times in (base, other))
        ratios = [y / x for x, y in zip(b, o, strict=True)]
        middle = statistics.median(ratios)
        size = (middle, min(ratios), max(ratios), len(ratios))
        result.append(Row(bench, what, clock, *size, target, statistics.median(b), statistics.median(o)))
    return result


def moving_clip(number: int, frames: int, height: int, width: int) -> NDArray[np.uint8]:
    """Draw a textured background that drifts and three discs that cross it, with a little noise."""
    rng = seeded_rng("benchmark clip", number)
    coarse = rng.uniform(40, 200, (height // 8 + 2, width // 8 + 2, 3))
    texture = np.kron(coarse, np.ones((8, 8, 1)))
    y, x = np.mgrid[:height, :width]
    start, speed = rng.uniform(0, 1, (3, 2)) * (height, width), rng.uniform(-2, 2, (3, 2))
    colours, drift = rng.uniform(0, 255, (3, 3)), rng.integers(-1, 2, 2)
    clip = np.empty((frames, height, width, 3), np.uint8)
    for t in range(frames):
        frame = np.roll(texture, tuple(drift * t), (0, 1))[:height, :width].copy()
        for place, step, colour in zip(start, speed, colours, strict=True):
            cy, cx = (place + step * t) % (height, width)
            frame[(y - cy) ** 2 + (x - cx) ** 2 < (height / 10) ** 2] = colour
        clip[t] = np.clip(frame + rng.normal(0, 2, frame.shape), 0, 255)
    return clip


class Burner(Generator):
    """Stands in for the reference generator until its weights are there: a fixed load of matrix products."""

    spec = "burner"
    batch_size = 8

    def __init__(self, seconds: float = 0.25) -> None:
        self._matrix = np.eye(96, dtype=np.float32)  # small enough that no library splits it over threads
        trial = 2000
        self._products = 1
        took = []
        for _ in range(5):
            began = time.process_time()
            self._burn(trial)
            took.append(time.process_time() - began)
        self._products = round(trial * seconds / min(took))
        self._clips: dict[str, NDArray[np.uint8]] = {}

    def identity(self) -> Mapping[str, Any]:
        return {"kind": "burner", "version": 1}

    def generate(self, items: Sequence[Item]) -> list[Output]:
        return [self._one(item) for item in items]

    def _one(self, item: Item) -> Output:
        if item.id not in self._clips:  # drawn once, so that the drawing is no part of the load
            size = (item.clip.frames, item.clip.height, item.clip.width)
            self._clips[item.id] = moving_clip(len(self._clips), *size)
        self._burn(self._products)
        return Frames(self._clips[item.id], item.clip.fps)

    def _burn(self, products: int) -> None:
        x = self._matrix
        for _ in range(products):
            x = x @ self._matrix


class Watched(Generator):
    """A generator and the time spent in it."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self.spec, self.batch_size = generator.spec, generator.batch_size
        self.inside = Times(0, 0)

    def identity(self) -> Mapping[str, Any]:
        return self._generator.identity()

    def generate(self, items: Sequence[Item]) -> list[Output]:
        wall, cpu = time.perf_counter(), time.process_time()
        outputs = self._generator.generate(items)
        self.inside = Times(
            self.inside.wall + time.perf_counter() - wall, self.inside.cpu + time.process_time() - cpu
        )
        return outputs


def bench_generate(folder: Path, repeats: int, _: int) -> list[Row]:
    clips = GENERATE_CLIPS
    has_weights = (WEIGHTS / "base" / "model.safetensors").is_file()
    size: Mapping[str, Any] = {"frames": 16, "height": 64, "width": 64, "fps": 8}
    if has_weights:
        size = read_body(WEIGHTS / "base", "dit")["clips"][0]
    generator = ReferenceGenerator("base") if has_weights else Burner()
    suite = Suite.model_validate(
        {
            "name": "bench", "version": 1, "seeds": clips // 2, "clip": size, "measures": ["failure.rate"],
            "prompts": [{"text": "a red ball falls"}, {"text": "a blue square moves left"}],
        }
    )  # fmt: skip
    plan = plan_run(suite, generator)
    outside: list[Times] = []
    inside: list[Times] = []

    def bare() -> Times:
        def work() -> None:
            for unit in plan.units:
                generator.generate(unit.items)

        return timed(work)

    def bare_writing() -> Times:
        with tempfile.TemporaryDirectory(dir=folder) as place:

            def work() -> None:
                for unit in plan.units:
                    for item, output in zip(unit.items, generator.generate(unit.items), strict=True):
                        assert isinstance(output, Frames)
                        write_clip(Path(place) / f"{item.id}.mp4", output.frames_THWC, output.fps)

            return timed(work)

    def harness() -> Times:
        watched = Watched(generator)
        with tempfile.TemporaryDirectory(dir=folder) as place:
            store = RunStore.create(Path(place), plan, {})
            took = timed(lambda: generate(plan, store, watched))
            assert [r.outcome for r in store.clips().values()] == ["ok"] * clips
            store.close()
        inside.append(watched.inside)
        outside.append(Times(took.wall - watched.inside.wall, took.cpu - watched.inside.cpu))
        return took

    ways = {"bare": bare, "bare, writing": bare_writing, "harness": harness}
    in_turns(ways, 1)  # loads weights and libraries
    inside.clear()
    outside.clear()
    times = in_turns(ways, repeats)
    what = f"{generator.spec}, {clips} clips of {size['frames']}x{size['height']}x{size['width']}"
    return [
        *rows("generate", f"harness / loop ({what})", times["bare"], times["harness"], "<= 1.03"),
        *rows("generate", "harness / loop that writes", times["bare, writing"], times["harness"], "<= 1.03"),
        *rows("generate", "outside / inside the generator", inside, outside, "<= 0.03"),
    ]


def make_folder(folder: Path, clips: int) -> Path:
    """Write clips, 48 x 128 x 128, two to a prompt, as a folder that carries its prompts in its names."""
    folder.mkdir()
    for k in range(clips):
        write_clip(folder / f"discs cross a wall {k // 2}-{k % 2}.mp4", moving_clip(k, 48, 128, 128), 24)
    return folder


def folder_suite(measures: Sequence[str]) -> Suite:
    return Suite(
        name="bench",
        version=1,
        prompts_from_generator=True,
        measures=tuple(measures),
        encoders={"clip": "reference"} if "alignment.clip" in measures else {},
    )


def kinds(clips: int) -> dict[str, tuple[tuple[str, ...], int]]:
    """Name the sets of measures to bench, with the number of clips for each."""
    named: dict[str, tuple[tuple[str, ...], int]] = {
        "pixels + flow": (LIGHT, clips),
        "pixels + flow + nudity": (NUDITY, max(2, clips // 6)),
    }
    try:
        instruments(folder_suite(CLIP), Settings().cache, Settings().options)
    except ScreentestError:  # no weights on this machine
        return named
    return {**named, "pixels + flow + clip": (CLIP, clips)}


def score_bare(files: Sequence[Path], measures: Sequence[str]) -> None:
    """Decode with plain PyAV and encode; keep nothing."""
    import av

    made = instruments(folder_suite(measures), Settings().cache, Settings().options).encoders
    encoders = [encoder for name, encoder in made.items() if not name.endswith(".text")]
    info = open_clip(files[0]).info
    for file in files:
        with av.open(str(file)) as container:
            frames = np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])
        window = Window(frames, np.arange(len(frames)) / info.fps, 0)
        for encoder in encoders:
            stream = encoder.open(info)
            stream.push(window)
            stream.finish()


def bench_score(folder: Path, repeats: int, clips: int) -> list[Row]:
    result: list[Row] = []
    for name, (measures, count) in kinds(clips).items():
        files = make_folder(folder / f"clips for {name}", count)

        def bare(files: Path = files, measures: Sequence[str] = measures) -> Times:
            return timed(lambda: score_bare(sorted(files.iterdir()), measures))

        def harness(files: Path = files, measures: Sequence[str] = measures) -> Times:
            with tempfile.TemporaryDirectory(dir=folder) as place:
                settings = Settings(Path(place) / "cache")
                suite = folder_suite(measures)
                return timed(lambda: run(suite, FolderGenerator(files), Path(place) / "run", settings))

        ways = {"bare": bare, "harness": harness}
        timed(lambda files=files, measures=measures: score_bare(sorted(files.iterdir())[:1], measures))
        times = in_turns(ways, repeats)
        what = f"harness / bare ({name}, {count} clips)"
        result += rows("score", what, times["bare"], times["harness"], "<= 1.3")
    return result


def forget_scores(run_folder: Path) -> None:
    with contextlib.closing(sqlite3.connect(run_folder / "run.sqlite")) as db, db:
        db.execute("DELETE FROM scores")


def bench_rescore(folder: Path, repeats: int, clips: int) -> list[Row]:
    result: list[Row] = []
    for name, (measures, count) in kinds(clips).items():
        files = make_folder(folder / f"rescored, {name}", count)
        suite = folder_suite(measures)
        out, cache = folder / f"run of {name}", folder / f"cache of {name}"
        with contextlib.redirect_stderr(io.StringIO()):
            run(suite, FolderGenerator(files), out, Settings(cache))

        def first(out: Path = out, cache: Path = cache, suite: Suite = suite) -> Times:
            forget_scores(out)
            shutil.rmtree(cache)
            return timed(lambda: score_run(out, suite, Settings(cache)))

        def again(out: Path = out, cache: Path = cache, suite: Suite = suite) -> Times:
            forget_scores(out)
            return timed(lambda: score_run(out, suite, Settings(cache)))

        def resumed(out: Path = out, cache: Path = cache, suite: Suite = suite) -> Times:
            return timed(lambda: score_run(out, suite, Settings(cache)))

        def elsewhere(files: Path = files, cache: Path = cache, suite: Suite = suite) -> Times:
            with tempfile.TemporaryDirectory(dir=folder) as place:
                new = Path(place) / "run"
                return timed(lambda: run(suite, FolderGenerator(files), new, Settings(cache)))

        times: dict[str, list[Times]] = {"first": [], "again": [], "resumed": [], "elsewhere": []}
        for turn in range(repeats):
            # The order is fixed: each of the others needs the cache that the first one fills.
            for way in (first, again, resumed, elsewhere):
                times[way.__name__].append(way())
            print(f"  turn {turn + 1} of {repeats}", file=sys.stderr)
        for way, what in (
            ("again", "first / all scores anew"),
            ("resumed", "first / nothing left to do"),
            ("elsewhere", "first / whole new run, shared cache"),
        ):
            target = "" if way == "elsewhere" else ">= 20"
            result += rows("rescore", f"{what} ({name}, {count} clips)", times[way], times["first"], target)
    return result


BENCHES: Mapping[str, Callable[[Path, int, int], list[Row]]] = {
    "generate": bench_generate,
    "score": bench_score,
    "rescore": bench_rescore,
}


def print_table(table: Sequence[Row]) -> None:
    width = max(len(row.what) for row in table)
    head = f"{'bench':9} {'ratio':{width}} {'clock':5} {'median':>8} {'range':>17} {'n':>2} {'target':>8}"
    print(f"{head}  seconds")
    for r in table:
        spread = f"{r.low:.3f} - {r.high:.3f}"
        seconds = f"{r.other_s:.3f} / {r.base_s:.3f}"
        print(
            f"{r.bench:9} {r.what:{width}} {r.clock:5} {r.median:8.3f} {spread:>17} {r.n:2} {r.target:>8}  "
            f"{seconds}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what the harness costs.")
    parser.add_argument(
        "names",
        nargs="*",
        choices=[*BENCHES, []],
        metavar="NAME",
        help=f"{', '.join(BENCHES)}; all by default",
    )
    parser.add_argument("--repeats", type=int, default=4, help="turns, and so ratios (4)")
    parser.add_argument("--clips", type=int, default=12, help="clips to score (12; fewer for slow encoders)")
    parser.add_argument("--json", action="store_true", help="print rows as JSON")
    options = parser.parse_args()
    table: list[Row] = []
    with tempfile.TemporaryDirectory() as place:
        for name in options.names or BENCHES:
            print(f"{name} ...", file=sys.stderr)
            (Path(place) / name).mkdir()
            table += BENCHES[name](Path(place) / name, options.repeats, options.clips)
    print(json.dumps([asdict(row) for row in table], indent=1)) if options.json else print_table(table)


if __name__ == "__main__":
    main()
