"""What sharing one pass over the frames saves, and whether the memory of scoring grows with the clips.

    python tests/benchmarks/one_pass.py [--clips N] [--size WxH] [--frames T] [--memory 100,1000]

Six measures of clips and the features of the Frechet video distance are scored once in one pass, and once
each by itself with its own cache, as tools do that decode once a measure; times are of this process's CPU.
For memory, folders of small clips are run by the command itself in processes of their own, with the encoder
``subject`` as well, and the largest resident sets compared. Nothing is asserted: it is a report.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

MEASURES = (
    "motion.flicker",
    "motion.repeated_frames",
    "quality.blur",
    "quality.block_edges",
    "quality.noise",
    "quality.clipped",
)
FVD = "video"
COMMAND = ("run", "--suite", "videos", "--encoder", "subject=reference", "--tracking-uri", "none")
STATUS = Path("/proc/self/status")


def make_clips(folder: Path, count: int, frames: int, width: int, height: int) -> None:
    """Write clips of a drifting texture, coded as services deliver them."""
    from fractions import Fraction

    from screentest.harness.core.codec import encode_mp4

    folder.mkdir(parents=True, exist_ok=True)
    for k in range(count):
        rng = np.random.default_rng(k)
        small = rng.integers(0, 256, (height // 8 + 1, (width + 2 * frames) // 8 + 2, 3), dtype=np.uint8)
        wide = small.repeat(8, axis=0).repeat(8, axis=1)
        shown = [np.ascontiguousarray(wide[:height, 2 * t : 2 * t + width]) for t in range(frames)]
        encode_mp4(folder / f"{k:04}.mp4", shown, Fraction(8), "yuv420p", {"crf": "20"})


def score(folder: Path, cache: Path, measures: tuple[str, ...], *, video: bool) -> None:
    """Score a folder with some measures, and perhaps the features of the video encoder, in one pass."""
    from screentest.harness.core.items import ClipSettings, make_item
    from screentest.harness.core.media import open_clip
    from screentest.harness.core.run_data import ClipRecord
    from screentest.harness.scoring.clips import Scorer
    from screentest.metrics import MEASURES as KNOWN
    from screentest.metrics import make_encoder
    from screentest.metrics.encoders.cache import FeatureCache

    taken = [KNOWN.get(name) for name in measures]
    encoders = {need: make_encoder(need) for measure in taken for need in measure.needs}
    if video:
        encoders[FVD] = make_encoder(FVD)
    scorer = Scorer(taken, encoders, FeatureCache(cache))
    for path in sorted(folder.glob("*.mp4")):
        item = make_item(None, 0, ClipSettings(), source=path.name)
        record = ClipRecord(item.id, "ok", sha256=open_clip(path).sha256, file=path.name)
        scorer.score(item, record, path)


def seconds(work: list[tuple[tuple[str, ...], bool]], folder: Path, root: Path) -> float:
    """Give the CPU seconds of scoring parts one after the other, each with its own cache."""
    began = time.process_time()
    for number, (measures, video) in enumerate(work):
        score(folder, root / f"cache-{len(work)}-{number}", measures, video=video)
    return time.process_time() - began


def peak(folder: Path) -> float:
    """Give the largest resident set, in MB, of the command that runs a folder."""
    told = subprocess.run(
        [sys.executable, __file__, "--peak-of", str(folder)], capture_output=True, text=True, check=True
    )
    return float(told.stdout.split()[-1])


def run_command(folder: Path) -> None:
    """Run a folder as the command does, and print the largest resident set of this process, in MB.

    It is read of this process's own memory: what the system counts of a child begins with its parent's.
    """
    from screentest.harness.commands.__main__ import main as command

    out = folder.parent / f"run of {folder.name}"
    measures = ",".join((*MEASURES, "consistency.subject"))
    more = ("--generator", f"folder:{folder}", "--measures", measures, "--out", str(out))
    sys.argv = ["screentest", *COMMAND, *more, "--cache", str(folder.parent / f"cache of {folder.name}")]
    with contextlib.suppress(SystemExit):
        command()
    (line,) = (line for line in STATUS.read_text("utf-8").splitlines() if line.startswith("VmHWM"))
    print(int(line.split()[1]) / 1024)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, default=10)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--memory", default="100,1000", help="numbers of clips; empty for none")
    parser.add_argument("--peak-of", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        if chosen.peak_of is not None:
            run_command(chosen.peak_of)
            return
        width, height = (int(side) for side in chosen.size.split("x"))
        make_clips(root / "warm", 1, chosen.frames, 64, 64)
        score(root / "warm", root / "warm-cache", MEASURES, video=True)  # imports and weights
        make_clips(root / "clips", chosen.clips, chosen.frames, width, height)
        together = seconds([(MEASURES, True)], root / "clips", root)
        alone = seconds([*(((name,), False) for name in MEASURES), ((), True)], root / "clips", root)
        print(f"{chosen.clips} clips of {chosen.frames} x {height} x {width}: {together:.1f} s in one pass,")
        print(f"{alone:.1f} s a measure at a time: {alone / together:.1f} times")
        peaks: dict[int, float] = {}
        for count in (int(part) for part in chosen.memory.split(",") if part):
            make_clips(root / f"small-{count}", count, 16, 64, 64)
            peaks[count] = peak(root / f"small-{count}")
            print(f"{count} clips of 16 x 64 x 64: peak {peaks[count]:.0f} MB")
        if len(peaks) > 1:
            first, last = peaks[min(peaks)], peaks[max(peaks)]
            print(f"growth of the peak: {100 * (last / first - 1):.1f} %")


if __name__ == "__main__":
    main()
