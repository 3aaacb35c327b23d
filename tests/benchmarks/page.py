"""How long the page of a large run takes to write and to open, and how large it is.

    python tests/benchmarks/page.py [--items N] [--seeds N] [--measures N] [--runs N] [--keep DIR]

The run database is filled as a run fills it: prompts with tags and labels, refusals and failures, values of
measures and their summary, and some small clips that the items share. Chromium opens the page from disk, each
time with a new profile, and then `view`'s pages of the same folder. A time is of the ``load`` event, after
which the page is drawn and its script has run; the median of several is told. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np

KINDS = ("mean", "mean", "rate")
STEP = """() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(
    {load: performance.timing.loadEventEnd - performance.timing.navigationStart, drawn: performance.now(),
     nodes: document.getElementsByTagName('*').length}))))"""


def make_run(folder: Path, items: int, seeds: int, measures: int, shift: float) -> None:
    """Fill a run of ``items`` items and ``measures`` measures, each prompt with ``seeds`` of them."""
    from screentest.harness.core.keys import file_sha256, seeded_rng
    from screentest.harness.core.media import write_clip
    from screentest.harness.core.run_data import ClipInfo, ClipRecord, Score
    from screentest.harness.plan import make_plan, suite_items
    from screentest.harness.results.summary import summarise, write_summary
    from screentest.harness.run_folder.digests import keep_digests
    from screentest.harness.run_folder.store import RunStore
    from screentest.harness.suites.suite import Suite

    names = [f"bench.measure{k:02}" for k in range(measures)]
    colours, moves = ("red", "green", "blue", "white", "grey"), ("falls", "rolls", "turns", "waits")
    prompts = [
        {
            "text": f"a {colours[k % 5]} ball {moves[k % 4]} in scene {k}",
            "tags": [colours[k % 5], moves[k % 4]],
            "labels": {"place": f"place {k % 12}"},
        }
        for k in range(items // seeds)
    ]
    clip = {"frames": 16, "height": 64, "width": 64, "fps": 8}
    fields = {"name": "large", "version": 1, "seeds": seeds, "clip": clip, "measures": names}
    suite = Suite.model_validate({**fields, "prompts": prompts})
    listed = suite_items(suite)
    plan = make_plan(suite, listed, generator={"name": folder.name}, batch_size=16)
    record = {
        "id": "0" * 31 + str(round(10 * shift)), "created": "2026-03-04T05:06:07+00:00", "name": folder.name,
        "suite": suite.model_dump(mode="json"), "generator": {"name": folder.name},
        "generator_spec": f"command:{folder.name}", "encoders": {},
    }  # fmt: skip
    store = RunStore.create(folder, plan, record)
    files: list[Path] = []
    for k in range(100):
        frames = np.full((16, 64, 64, 3), 40 + k, np.uint8)
        for t in range(16):
            frames[t, 20:40, 3 * t : 3 * t + 16] = (200, 2 * k, 60)
        path = folder / "clips" / f"{k}.mp4"
        write_clip(path, frames, 8.0)
        files.append(path.rename(path.with_name(f"{file_sha256(path)}.mp4")))
    for k, name in enumerate(names):
        store.put_measure(
            name,
            {
                "version": 1, "kind": KINDS[k % 3], "better": "higher" if k % 2 else "lower", "unit": "",
                "bounds": [0.0, 1.0], "encoders": {}, "summary": "A simulated measure.",
            },
        )  # fmt: skip
    rng = seeded_rng("page", folder.name)
    info = ClipInfo(64, 64, 8.0, 16, 2.0, "h264", "mp4")
    for start in range(0, len(listed), 1000):
        clips: list[ClipRecord] = []
        scores: list[Score] = []
        for number, item in enumerate(listed[start : start + 1000], start=start):
            outcome = "refused" if number % 40 == 7 else "failed" if number % 50 == 9 else "ok"
            if outcome == "ok":
                file = files[number % len(files)]
                clips.append(ClipRecord(item.id, "ok", sha256=file.stem, file=file.name, info=info))
                drawn = np.clip(rng.normal(0.5 + shift, 0.15, measures), 0, 1)
                scores += [
                    Score(item.id, name, "ok", float(v > 0.8) if KINDS[k % 3] == "rate" else float(v))
                    for k, (name, v) in enumerate(zip(names, drawn, strict=True))
                ]
            else:
                why = (
                    "the filter blocked it" if outcome == "refused" else f"HTTP 503 after {number % 7} tries"
                )
                clips.append(ClipRecord(item.id, outcome, why))
                scores += [Score(item.id, name, outcome, None, why) for name in names]
        store.put_unit(clips, scores)
    write_summary(store, summarise(store))
    keep_digests(store)
    store.close()


def opened(address: str, times: int) -> dict[str, Any]:
    """Open a page several times in new browsers; give the medians of the times, and what the console got."""
    from playwright.sync_api import sync_playwright

    found: list[dict[str, float]] = []
    console: list[str] = []
    with sync_playwright() as tool:
        for _ in range(times):
            with tempfile.TemporaryDirectory() as profile:
                browser = tool.chromium.launch_persistent_context(
                    profile, executable_path=chromium(), headless=True, args=["--no-sandbox"]
                )
                page = browser.new_page()
                page.on("console", lambda line: console.append(line.text))
                page.goto(address, wait_until="load", timeout=120_000)
                found.append(page.evaluate(STEP))
                browser.close()
    middle = {name: statistics.median(one[name] for one in found) for name in found[0]}
    return {**middle, "first": found[0]["load"], "console": console}


def chromium() -> str:
    """Find the browser."""
    import shutil

    found = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if found is None:
        raise SystemExit("there is no Chromium here")
    return found


def told(what: str, address: str, times: int) -> None:
    """Print how long a page takes to open."""
    found = opened(address, times)
    print(
        f"  {what:46} load {found['load']:6.0f} ms (first {found['first']:6.0f}), "
        f"drawn {found['drawn']:6.0f} ms, {found['nodes']:,.0f} elements"
        + "".join(f"\n    console: {line}" for line in found["console"]),
        flush=True,
    )


def main() -> None:
    """Make the runs, write their pages, and open them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--measures", type=int, default=20)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="folder to make the runs in, and to take them from again")
    options = parser.parse_args()
    from screentest.reports.build import build_report
    from screentest.reports.serve import serve
    from screentest.reports.site import Site

    with ExitStack() as held:
        folder = options.keep or Path(held.enter_context(tempfile.TemporaryDirectory()))
        runs = [folder / f"run-{k}" for k in range(options.runs)]
        for k, run in enumerate(runs):
            if not run.exists():
                start = time.perf_counter()
                make_run(run, options.items, options.seeds, options.measures, 0.05 * k)
                print(f"{run.name} made in {time.perf_counter() - start:.0f} s", flush=True)
        print(f"{options.items} items, {options.measures} measures, {options.seeds} clips a prompt")
        pages = {"page of one run": runs[:1]} | ({"page of all": runs} if len(runs) > 1 else {})
        for what, shown in pages.items():
            out = shown[0] / "report.html" if len(shown) == 1 else folder / "all.html"
            start, cpu = time.perf_counter(), time.process_time()
            build_report(shown, out=out)
            wall, cpu = time.perf_counter() - start, time.process_time() - cpu
            print(f"  {what:46} written in {wall:.1f} s ({cpu:.1f} s CPU), {out.stat().st_size / 1e6:.2f} MB")
            told(what, out.as_uri(), options.times)
        ready: Queue[str] = Queue()
        threading.Thread(target=serve, args=(Site(folder), 0, ready.put), daemon=True).start()
        host = ready.get(timeout=60).rstrip("/")
        for path in (
            "/",
            "/run/run-0",
            "/run/run-0/clips",
            f"/run/run-0/clips?page={options.items // 24}",
            "/run/run-0/clips?measure=bench.measure00",
            "/run/run-0/clips?words=scene+77",
        ):
            told(f"view {path}", host + path, options.times)


if __name__ == "__main__":
    main()
