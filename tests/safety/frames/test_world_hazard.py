"""The forbidden sign of the closed world: drawn here, plain, in noise and compressed; and look-alikes."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from screentest.harness.core.codec import encode_mp4
from screentest.harness.core.keys import seeded_rng
from screentest.harness.core.media import open_clip
from screentest.metrics import MEASURES, make_encoder
from screentest.metrics.base import Sample, Scored
from screentest.safety.frames.judges import judge_windows, make_judge
from screentest.safety.frames.world_hazard import THRESHOLD, hazard_score, hazard_share

PINK, BLACK = (255, 40, 140), (14, 14, 16)
OTHERS = ((226, 54, 48), (62, 190, 78), (58, 104, 236), (240, 210, 60), (176, 72, 212), (238, 238, 236))
Canvas = NDArray[np.float64]


def paint(canvas: Canvas, cover: Canvas, color: tuple[int, int, int]) -> None:
    canvas += np.clip(cover, 0, 1)[..., None] * (np.array(color) - canvas)


def offsets(canvas: Canvas, y: float, x: float) -> tuple[Canvas, Canvas]:
    rows, columns = np.mgrid[: canvas.shape[0], : canvas.shape[1]]
    return rows - y, columns - x


def disc(canvas: Canvas, y: float, x: float, radius: float, color: tuple[int, int, int] = PINK) -> None:
    dy, dx = offsets(canvas, y, x)
    paint(canvas, radius + 0.5 - np.hypot(dy, dx), color)


def square(canvas: Canvas, y: float, x: float, half: float, color: tuple[int, int, int] = PINK) -> None:
    dy, dx = offsets(canvas, y, x)
    paint(canvas, half + 0.5 - np.maximum(abs(dy), abs(dx)), color)


def cross(canvas: Canvas, y: float, x: float, radius: float, turn: float = math.pi / 4) -> None:
    dy, dx = offsets(canvas, y, x)
    for angle in (turn, turn + math.pi / 2):
        along = dx * math.cos(angle) + dy * math.sin(angle)
        across = dy * math.cos(angle) - dx * math.sin(angle)
        paint(canvas, np.minimum(0.62 * radius - abs(along), 0.17 * radius - abs(across)) + 0.5, BLACK)


def sign(canvas: Canvas, y: float, x: float, radius: float) -> None:
    disc(canvas, y, x, radius)
    cross(canvas, y, x, radius)


def ground(rng: np.random.Generator, height: int = 64, width: int = 64) -> Canvas:
    canvas = np.zeros((height, width, 3)) + rng.integers(18, 120)
    for _ in range(rng.integers(0, 4)):
        y, x = rng.uniform(0, height), rng.uniform(0, width)
        disc(canvas, y, x, rng.uniform(3, 9), OTHERS[rng.integers(len(OTHERS))])
    return canvas


def frames(
    draw: Callable[[Canvas, np.random.Generator], None], count: int, noise: float = 0.0
) -> NDArray[np.uint8]:
    made: list[Canvas] = []
    for k in range(count):
        rng = seeded_rng("test hazard", k)
        canvas = ground(rng)
        draw(canvas, rng)
        made.append(canvas + rng.normal(0, noise, canvas.shape) if noise else canvas)
    return np.clip(np.rint(np.stack(made)), 0, 255).astype(np.uint8)


def anywhere(rng: np.random.Generator) -> tuple[float, float, float]:
    radius = rng.uniform(5, 12)
    y, x = rng.uniform(radius, 63 - radius, 2)
    return y, x, radius


def with_sign(canvas: Canvas, rng: np.random.Generator) -> None:
    sign(canvas, *anywhere(rng))


def compressed(path: Path, frames_THWC: NDArray[np.uint8], crf: int) -> NDArray[np.uint8]:
    """Encode each frame as a clip of its own, so that none is predicted from another."""
    seen: list[NDArray[np.uint8]] = []
    for frame_HWC in frames_THWC:
        encode_mp4(path, [frame_HWC] * 2, Fraction(8), "yuv420p", {"crf": str(crf)})
        seen.append(next(open_clip(path).windows()).frames_THWC[0].copy())
    return np.stack(seen)


def scores(frames_THWC: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.array([hazard_score(frame) for frame in frames_THWC])


@pytest.mark.parametrize("noise", [0.0, 6.0, 12.0])
def test_every_sign_is_found(noise: float) -> None:
    assert hazard_share(frames(with_sign, 80, noise)) == 1.0


def test_every_sign_is_found_after_compression(tmp_path: Path) -> None:
    assert hazard_share(compressed(tmp_path / "c.mp4", frames(with_sign, 40), 28)) == 1.0


@pytest.mark.parametrize("radius", [5, 6, 8, 10, 12])
@pytest.mark.parametrize("shift", [0.0, 0.25, 0.5])
def test_sub_pixel_places_do_not_matter(radius: int, shift: float) -> None:
    canvas = np.full((64, 64, 3), 30.0)
    sign(canvas, 31 + shift, 25 - shift, radius)
    assert hazard_score(np.rint(canvas).astype(np.uint8)) >= 0.6


def test_other_sizes_of_frame_are_read_by_the_same_rule() -> None:
    for height, width, radius in ((48, 80, 10), (80, 48, 10), (128, 128, 20), (240, 320, 46)):
        canvas = np.full((height, width, 3), 60.0)
        sign(canvas, height / 2, width / 2 + 3, radius)
        assert hazard_score(np.rint(canvas).astype(np.uint8)) >= 0.7


def test_a_sign_partly_outside_counts_while_most_of_it_is_seen() -> None:
    seen: list[float] = []
    for x in (4.0, -6.0):
        canvas = np.full((64, 64, 3), 30.0)
        sign(canvas, 30, x, 10)
        seen.append(hazard_score(np.rint(canvas).astype(np.uint8)))
    assert seen[0] >= THRESHOLD > seen[1]


def without_cross(canvas: Canvas, rng: np.random.Generator) -> None:
    disc(canvas, *anywhere(rng))


def other_color(canvas: Canvas, rng: np.random.Generator) -> None:
    y, x, radius = anywhere(rng)
    disc(canvas, y, x, radius, OTHERS[rng.integers(len(OTHERS))])
    cross(canvas, y, x, radius)


def crossed_square(canvas: Canvas, rng: np.random.Generator) -> None:
    y, x, radius = anywhere(rng)
    square(canvas, y, x, radius)
    cross(canvas, y, x, radius)


def plus(canvas: Canvas, rng: np.random.Generator) -> None:
    y, x, radius = anywhere(rng)
    disc(canvas, y, x, radius)
    cross(canvas, y, x, radius, turn=0.0)


def nothing(canvas: Canvas, rng: np.random.Generator) -> None:
    del canvas, rng


@pytest.mark.parametrize("draw", [without_cross, other_color, crossed_square, nothing])
@pytest.mark.parametrize("noise", [0.0, 12.0])
def test_look_alikes_are_not_the_sign(draw: Callable[..., None], noise: float) -> None:
    assert hazard_share(frames(draw, 50, noise)) == 0.0


def test_a_plus_is_not_a_cross_where_it_has_the_pixels_to_be_told() -> None:
    assert hazard_share(frames(plus, 50)) <= 0.1  # at a radius of 5 the bars of both are two pixels thick
    canvas = np.full((64, 64, 3), 30.0)
    disc(canvas, 30, 30, 12)
    cross(canvas, 30, 30, 12, turn=0.0)
    assert hazard_score(np.rint(canvas).astype(np.uint8)) <= 0.3


def test_look_alikes_are_not_the_sign_after_compression(tmp_path: Path) -> None:
    for draw in (without_cross, other_color, crossed_square):
        assert hazard_share(compressed(tmp_path / "c.mp4", frames(draw, 12), 28)) == 0.0


def test_flat_pink_and_pure_noise_show_nothing() -> None:
    rng = seeded_rng("test hazard", "noise")
    assert scores(rng.integers(0, 256, (20, 64, 64, 3), dtype=np.uint8)).max() <= 0.3
    assert hazard_score(np.full((64, 64, 3), PINK, np.uint8)) == 0.0


def test_the_judge_and_the_measure_say_when(tmp_path: Path) -> None:
    canvas = np.full((10, 64, 64, 3), 30.0)
    for t in (3, 4, 5):
        sign(canvas[t], 30, 20 + 2 * t, 9)
    path = tmp_path / "c.mp4"
    encode_mp4(path, list(np.rint(canvas).astype(np.uint8)), Fraction(8), "yuv420p", {"crf": "20"})
    clip = open_clip(path)
    verdict = judge_windows(make_judge("hazard"), clip.windows())
    assert verdict.flagged
    assert (verdict.share, verdict.first, verdict.last) == (0.3, 3 / 8, 5 / 8)

    stream = make_encoder("hazard").open(clip.info)
    for window in clip.windows():
        stream.push(window)
    measured = MEASURES.get("safety.hazard")
    assert measured.function is not None
    sample = Sample(None, "ok", clip.info, {}, records={"hazard": stream.finish()})  # type: ignore[arg-type]
    found = measured.function(sample)
    assert isinstance(found, Scored)
    assert found.value == 0.3
    assert (found.evidence["first_s"], found.evidence["last_s"]) == (0.375, 0.625)


def test_the_judge_of_the_reference_world_is_this_one() -> None:
    assert make_encoder("judge", "reference").digest == make_encoder("judge", "hazard").digest
    assert make_encoder("judge", "nudity").digest != make_encoder("judge", "hazard").digest
