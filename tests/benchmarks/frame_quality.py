"""What the measures of picture quality see on real clips: AUC of corrupted against clean clips, and pairs.

    python tests/benchmarks/frame_quality.py FOLDER_OF_VIDEOS [--frames 12]

For each corruption: the share of pairs (a corrupted clip, a clean clip of any scene) in which the corrupted
one has the worse value, and the share of clips that got worse than they were.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from screentest.harness.core.files import survey_videos
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.core.media import Window, decode, open_clip
from screentest.metrics import MEASURES, NotApplicable, Sample, make_encoder
from screentest.metrics.validation.looks import coded

MEASURED = (
    "quality.blur",
    "quality.block_edges",
    "quality.noise",
    "quality.borders",
    "motion.repeated_frames",
)
Change = Callable[[np.ndarray], np.ndarray]


def soft(sigma: float) -> Change:
    return lambda clip: np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in clip])


def noisy(spread: float) -> Change:
    rng = np.random.default_rng(0)
    return lambda clip: np.clip(clip + rng.normal(0, spread, clip.shape), 0, 255).astype(np.uint8)


def enlarged(factor: int) -> Change:
    def change(clip: np.ndarray) -> np.ndarray:
        size = clip.shape[2], clip.shape[1]
        small = (size[0] // factor, size[1] // factor)
        shrunk = (cv2.resize(frame, small, interpolation=cv2.INTER_AREA) for frame in clip)
        return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC) for frame in shrunk])

    return change


def letterboxed(clip: np.ndarray) -> np.ndarray:
    rows = clip.shape[1] // 8
    boxed = clip.copy()
    boxed[:, :rows] = boxed[:, -rows:] = 0
    return boxed


CHANGES: dict[str, Change] = {
    "none": lambda clip: clip,
    **{f"crf {crf}": (lambda clip, crf=crf: coded(clip, 8, crf)) for crf in (23, 28, 35, 42, 51)},
    **{f"blur {sigma:g}": soft(sigma) for sigma in (0.7, 1.5, 3)},
    **{f"noise {spread:g}": noisy(spread) for spread in (3, 8, 16)},
    "half size": enlarged(2),
    "quarter size": enlarged(4),
    "letterbox": letterboxed,
    "doubled frames": lambda clip: np.repeat(clip[: len(clip) // 2], 2, axis=0),
}


class Frames:
    def __init__(self, most: int) -> None:
        self.most, self.taken = most, list[np.ndarray]()

    def push(self, window: Window) -> None:
        self.taken += [frame.copy() for frame in window.frames_THWC[: self.most - len(self.taken)]]


def read(path: Path, most: int) -> np.ndarray:
    """Read the first frames, cut to even sizes."""
    sink = Frames(most)
    decode(open_clip(path), [sink])
    clip = np.stack(sink.taken)
    return clip[:, : clip.shape[1] // 2 * 2, : clip.shape[2] // 2 * 2]


def values(clip: np.ndarray, path: Path) -> dict[str, float]:
    info = open_clip(path).info
    names = {need for name in MEASURED for need in MEASURES.get(name).needs}
    features = {}
    for name in names:
        stream = make_encoder(name).open(info)
        stream.push(Window(clip, np.arange(len(clip)) / 8, 0))
        features[name] = stream.finish()
    sample = Sample(make_item("a clip", 0, ClipSettings()), "ok", info, features)
    found: dict[str, float] = {}
    for name in MEASURED:
        function = MEASURES.get(name).function
        assert function is not None
        try:
            made = function(sample)
        except NotApplicable:
            continue
        found[name] = made if isinstance(made, float) else made.value
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=12)
    options = parser.parse_args()
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in CHANGES}
    for name in survey_videos(options.folder).videos:
        path = options.folder / name
        clip = read(path, options.frames)
        for what, change in CHANGES.items():
            rows[what].append(values(change(clip), path))
    for measure in MEASURED:
        clean = np.array([row.get(measure, np.nan) for row in rows["none"]])
        print(f"{measure} (n {len(clean)}, clean median {np.nanmedian(clean):.3g})")
        for name, found in rows.items():
            worse = np.array([row.get(measure, np.nan) for row in found])
            above = (worse[:, None] > clean) + 0.5 * (worse[:, None] == clean)
            both = ~np.isnan(worse) & ~np.isnan(clean)
            pairs = above[~np.isnan(worse)][:, ~np.isnan(clean)]
            print(f"  {name:15} AUC {pairs.mean():.2f}  worse than itself {(worse > clean)[both].mean():.2f}")


if __name__ == "__main__":
    main()
