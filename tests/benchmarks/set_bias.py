"""What moves a Frechet distance between sets of clips besides their quality, on clips of the reference world.

    python tests/benchmarks/set_bias.py [--sets 4] [--clips 32]

Three tables: what corruptions of the picture and of time do to distances (content bias), what the number of
clips does (the floor), and what the number of frames of the same scenes does. Every value is the mean over
disjoint sets, with its 95 % interval (Student's t).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from scipy import stats
from screentest.generators.worlds.registry import find_world
from screentest.harness.core.clip_info import ClipInfo
from screentest.harness.core.items import ClipSettings
from screentest.harness.core.keys import seeded_rng
from screentest.harness.core.media import Window
from screentest.harness.core.progress import track
from screentest.metrics import frechet_distance_from_moments, make_encoder, polynomial_mmd
from screentest.metrics.distribution.frechet import extrapolate_frechet, frechet_value
from screentest.metrics.encoders.base import Encoder
from screentest.metrics.validation.corruptions import corrupted
from screentest.metrics.validation.true_clips import TrueClip

WORLD = find_world("reference")
KINDS = (("blur", 0.7), ("blur", 1.5), ("noise", 12.0), ("shuffle", 2.0), ("shuffle", 8.0), ("freeze", 0.75))
SIZES = (16, 32, 64, 128, 256)


def clips_of(count: int, seed: str, size: ClipSettings) -> Iterator[TrueClip]:
    for k, (frames, _) in enumerate(WORLD.clips(count, ["set bias", seed], size)):
        yield TrueClip(f"{seed}-{k}", frames, size.fps)


def encoded(encoder: Encoder, frames: np.ndarray, fps: float) -> np.ndarray:
    """Encode frames in memory: the mean of the rows of a clip, (1, D)."""
    count, height, width = frames.shape[:3]
    info = ClipInfo(
        height=height, width=width, fps=fps, frames=count, duration=count / fps, codec="", container=""
    )
    stream = encoder.open(info)
    stream.push(Window(frames, np.arange(count) / fps, 0))
    made = stream.finish()
    assert isinstance(made, np.ndarray)
    return made.mean(axis=0, keepdims=True)


def with_interval(values: Sequence[float]) -> str:
    mean, count = float(np.mean(values)), len(values)
    if count < 2:
        return f"{mean:.3g}"
    half = float(stats.t.ppf(0.975, count - 1) * np.std(values, ddof=1) / np.sqrt(count))
    return f"{mean:.3g} [{mean - half:.3g}, {mean + half:.3g}]"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print()


def content_bias(sets: int, per_set: int) -> None:
    """Compare distances of true and corrupted sets to other true clips, by a video and an image encoder."""
    native = WORLD.native_clips[0]
    video, image = make_encoder("video", "reference"), make_encoder("image", "reference")
    made: dict[tuple[str, float], dict[str, list[np.ndarray]]] = {}
    total = sets * per_set
    every = list(clips_of(total, "made", native))
    with track("content bias", 2 * total) as ticker:
        for number, clip in enumerate(every):
            other = every[number - 1]
            for kind in (("none", 0.0), *KINDS):
                frames = clip.frames if kind[0] == "none" else corrupted(clip, *kind, other)
                assert frames is not None
                for name, encoder in (("video", video), ("image", image)):
                    rows = made.setdefault(kind, {}).setdefault(name, [])
                    rows.append(encoded(encoder, frames, clip.fps))
            ticker.advance()
        real: dict[str, list[np.ndarray]] = {"video": [], "image": []}
        for clip in clips_of(total, "real", native):
            for name, encoder in (("video", video), ("image", image)):
                real[name].append(encoded(encoder, clip.frames, clip.fps))
            ticker.advance()
    floors: dict[str, list[float]] = {}
    rows: list[list[str]] = []
    for kind, of_encoders in made.items():
        cells: list[str] = []
        for name, all_rows in of_encoders.items():
            values = [
                frechet_value(np.concatenate(all_rows[k::sets]), np.concatenate(real[name][k::sets]))
                for k in range(sets)
            ]
            floors.setdefault(name, values)
            gains = [value / floor for value, floor in zip(values, floors[name], strict=True)]
            cells += [with_interval(values), with_interval(gains)]
        rows.append([kind[0] if kind[0] == "none" else f"{kind[0]} {kind[1]:g}", *cells])
    print(f"Content bias: {sets} pairs of sets of {per_set} clips\n")
    table(("corruption", "video Frechet", "times the true clips'", "frame-mean Frechet", "times"), rows)


def floor(sets: int) -> None:
    """Measure distances between sets of true clips, by their size."""
    encoder = make_encoder("video", "reference")
    native, most = WORLD.native_clips[0], max(SIZES)
    both: list[np.ndarray] = []
    with track("floor", 2 * most) as ticker:
        for seed in ("one", "two"):
            rows: list[np.ndarray] = []
            for clip in clips_of(most, seed, native):
                rows.append(encoded(encoder, clip.frames, clip.fps))
                ticker.advance()
            both.append(np.concatenate(rows))
    x, y = both
    distances: tuple[tuple[str, Callable[[np.ndarray, np.ndarray], float]], ...] = (
        ("Frechet", frechet_value),
        ("extrapolated", lambda a, b: extrapolate_frechet(a, b, rng=seeded_rng("set bias")).value),
        ("kernel, x 1,000", lambda a, b: 1000 * polynomial_mmd(a, b)),
    )
    lines: list[list[str]] = []
    for size in SIZES:
        parts = [slice(k * size, (k + 1) * size) for k in range(min(sets, most // size))]
        cells = [with_interval([f(x[part], y[part]) for part in parts]) for _, f in distances]
        lines.append([str(size), str(len(parts)), *cells])
    print(f"Floor: true clips against true clips, {x.shape[1]} features\n")
    table(("clips", "pairs of sets", *(name for name, _ in distances)), lines)
    moments = [(rows.mean(axis=0), np.cov(rows, rowvar=False)) for rows in both]
    assert abs(frechet_distance_from_moments(*moments[0], *moments[1]) - frechet_value(x, y)) < 1e-3


def frame_count(sets: int, per_set: int) -> None:
    """Compare the same scenes at other numbers of frames with other true clips at the native one."""
    encoder = make_encoder("video", "reference")
    native = WORLD.native_clips[0]
    sizes = [native] + [
        ClipSettings(frames=frames, height=native.height, width=native.width, fps=fps)
        for frames, fps in ((24, 12.0), (32, 16.0), (24, 8.0))
    ]
    total = sets * per_set
    with track("frames", (len(sizes) + 1) * total) as ticker:

        def rows_of(seed: str, size: ClipSettings) -> list[np.ndarray]:
            rows: list[np.ndarray] = []
            for clip in clips_of(total, seed, size):
                rows.append(encoded(encoder, clip.frames, clip.fps))
                ticker.advance()
            return rows

        real = rows_of("real", native)
        lines: list[list[str]] = []
        for size in sizes:
            made = rows_of("made", size)
            values = [
                frechet_value(np.concatenate(made[k::sets]), np.concatenate(real[k::sets]))
                for k in range(sets)
            ]
            lines.append([f"{size.frames} at {size.fps:g} a second", with_interval(values)])
    print(f"Frame count: scenes against other scenes of 16 frames, {sets} pairs of sets of {per_set} clips\n")
    table(("frames", "video Frechet"), lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", type=int, default=4)
    parser.add_argument("--clips", type=int, default=32)
    options = parser.parse_args()
    content_bias(options.sets, options.clips)
    frame_count(options.sets, options.clips)
    floor(options.sets)


if __name__ == "__main__":
    main()
