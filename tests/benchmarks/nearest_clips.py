"""Time and memory of the exact search for the nearest clip, on Linux.

    python tests/benchmarks/nearest_clips.py [ROWS]

It writes an index of random features (1,000,000 rows of 1,280 float32 are 5.1 GB) clip by clip, opens it, and
looks up clips. The process's own memory is sampled all the while; pages of the memory-mapped file are not
counted, since the system may drop them at any time.
"""

import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from screentest.metrics.base import Reference
from screentest.metrics.encoders.feature_index import open_index, writing
from screentest.safety.memorisation.search import nearest_clips

WIDTH, PER_CLIP = 1280, 16


class OwnMemory(threading.Thread):
    """Samples the memory of the process that is not of files, in MiB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0.0
        self.start()

    def run(self) -> None:
        while True:
            self.most = max(self.most, own_mib())
            time.sleep(0.01)


def own_mib() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    raise SystemExit("the system does not say how much memory is not of files")


def main(rows: int) -> None:
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "set" / "encoder"
        began, before, memory = time.perf_counter(), own_mib(), OwnMemory()
        block = rng.normal(size=(64, PER_CLIP, WIDTH)).astype(np.float32)
        block /= np.linalg.norm(block, axis=2, keepdims=True)
        with writing(place, "the benchmark") as index:
            for number in range(rows // PER_CLIP):
                # A turn of its columns makes another clip of it.
                index.add(f"clip {number}", np.roll(block[number % 64], number // 64 % WIDTH, axis=1))
            index.finish()
        print(
            f"before: {before:.0f} MiB; wrote {rows:,} rows in {time.perf_counter() - began:.0f} s, "
            f"{memory.most:.0f} MiB at most"
        )
        began = time.perf_counter()
        found = open_index(place)
        assert found is not None
        features, names = found
        print(f"opened and verified in {time.perf_counter() - began:.0f} s, {memory.most:.0f} MiB at most")
        reference = Reference("train", {"image": features}, {"image": names}, rows // PER_CLIP)
        wanted = [rows // PER_CLIP // 3 + 7 * k for k in range(8)]
        queries = [np.asarray(features[n * PER_CLIP : (n + 1) * PER_CLIP])[None].copy() for n in wanted]
        for count in (1, 8):
            began, memory.most = time.perf_counter(), 0.0
            matches = nearest_clips(queries[:count], reference, "image")
            seconds = time.perf_counter() - began
            assert [match.clip for match in matches] == [f"clip {n}" for n in wanted[:count]]
            print(f"{count} clips of {PER_CLIP} rows in {seconds:.1f} s, {memory.most:.0f} MiB at most")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
