"""Picture quality without weights: what each measure sees on drawn clips, and where it says nothing."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from screentest.harness.core.clip_info import ClipInfo
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.core.media import Window
from screentest.metrics import MEASURES, Encoder, NotApplicable, Sample, make_encoder
from screentest.metrics.encoders.frame_quality import FRAME_QUALITY_COLUMNS, FrameQualityEncoder
from screentest.metrics.validation.looks import coded

ITEM = make_item("a hill", 0, ClipSettings())


def hills(frames: int = 6, height: int = 96, width: int = 128, seed: int = 0) -> np.ndarray:
    """Draw texture of all scales, as a photograph has, that moves by two pixels a frame."""
    rng = np.random.default_rng(seed)
    field = np.zeros((height, width + 2 * frames))
    for size in (1, 2, 4, 8, 16):
        field += size * cv2.GaussianBlur(rng.normal(0, 1, field.shape), (0, 0), size)
    field = 128 + 40 * (field - field.mean()) / field.std()
    clip = np.stack([field[:, 2 * t : 2 * t + width] for t in range(frames)])
    return np.repeat(clip[..., None], 3, axis=-1).clip(0, 255).astype(np.uint8)


def scored(name: str, frames_THWC: np.ndarray) -> float:
    found = MEASURES.get(name)
    assert found.function is not None
    _, height, width, _ = frames_THWC.shape
    info = ClipInfo(height, width, 8.0, len(frames_THWC), len(frames_THWC) / 8, "", "")
    features = {need: feature(make_encoder(need), info, frames_THWC) for need in found.needs}
    made = found.function(Sample(ITEM, "ok", info, features))
    return made if isinstance(made, float) else made.value


def feature(encoder: Encoder, info: ClipInfo, frames_THWC: np.ndarray) -> np.ndarray:
    stream = encoder.open(info)
    stream.push(Window(frames_THWC, np.arange(len(frames_THWC)) / 8, 0))
    made = stream.finish()
    assert isinstance(made, np.ndarray)
    return made


def soft(sigma: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda clip: np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in clip])


def noisy(spread: float) -> Callable[[np.ndarray], np.ndarray]:
    noise = np.random.default_rng(1)
    return lambda clip: np.clip(clip + noise.normal(0, spread, clip.shape), 0, 255).astype(np.uint8)


def enlarged(clip: np.ndarray) -> np.ndarray:
    height, width = clip.shape[1:3]
    small = (cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for frame in clip)
    return np.stack([cv2.resize(frame, (width, height), interpolation=cv2.INTER_CUBIC) for frame in small])


@pytest.mark.parametrize("seed", range(5))
def test_compression_blur_and_scaling_make_a_clip_worse_in_order(seed: int) -> None:
    clip = hills(seed=seed)
    by_crf = [scored("quality.blur", coded(clip, 8, crf)) for crf in (20, 35, 45, 51)]
    assert by_crf == sorted(by_crf)
    assert by_crf[0] > scored("quality.blur", clip) - 0.01
    by_blur = [scored("quality.blur", change(clip)) for change in (soft(0.7), soft(1.5), soft(3))]
    assert scored("quality.blur", clip) < by_blur[0] < by_blur[1] < by_blur[2]
    assert scored("quality.blur", enlarged(clip)) > scored("quality.blur", clip)
    assert scored("quality.block_edges", coded(clip, 8, 51)) > scored("quality.block_edges", clip) + 0.1


@pytest.mark.parametrize("spread", [2.0, 5.0, 10.0])
def test_added_noise_is_measured_in_levels(spread: float) -> None:
    smooth = soft(4)(hills())
    assert scored("quality.noise", smooth) < 0.5
    # luma of independent channels: sqrt(.299^2 + .587^2 + .114^2) of the spread
    share = math.sqrt(0.299**2 + 0.587**2 + 0.114**2)
    assert scored("quality.noise", noisy(spread)(smooth)) == pytest.approx(spread * share, rel=0.1)


def test_block_edges_of_planted_blocks() -> None:
    clip = soft(2)(hills())
    step = 12 * (np.indices((12, 16)).sum(axis=0) % 2)
    blocks = np.kron(step, np.ones((8, 8)))[None, :, :, None]
    planted = (clip + blocks).clip(0, 255).astype(np.uint8)
    assert abs(scored("quality.block_edges", clip)) < 0.1
    assert scored("quality.block_edges", planted) > 1
    shifted = np.roll(planted, 4, axis=(1, 2))  # the blocks of a picture that was cropped are elsewhere
    assert scored("quality.block_edges", shifted) < 0


@pytest.mark.parametrize(("rows", "columns"), [(12, 0), (0, 16), (12, 16)])
@pytest.mark.parametrize("crf", [None, 28])
def test_a_letterbox_is_measured_and_a_plain_ground_is_none(rows: int, columns: int, crf: int | None) -> None:
    clip = hills()
    height, width = clip.shape[1:3]
    boxed = np.zeros_like(clip)
    boxed[:, rows : height - rows, columns : width - columns] = clip[
        :, rows : height - rows, columns : width - columns
    ]
    if crf is not None:
        boxed = coded(boxed, 8, crf)
    share = 1 - (1 - 2 * rows / height) * (1 - 2 * columns / width)
    assert scored("quality.borders", boxed) == pytest.approx(share, abs=0.03)
    assert scored("quality.borders", clip) == 0
    ball = np.full_like(clip, 60)
    for t, frame in enumerate(ball):
        cv2.circle(frame, (40 + 3 * t, 48), 9, (200, 60, 60), -1)
    assert scored("quality.borders", ball) == 0


def test_clipped_light_is_a_share_of_the_values() -> None:
    clip = hills()
    clip[:, :24] = 255
    assert scored("quality.clipped", clip) == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("crf", [None, 28])
def test_repeated_frames_are_counted(crf: int | None) -> None:
    clip = hills(12)
    doubled, frozen = np.repeat(clip[:6], 2, axis=0), clip.copy()
    frozen[6:] = clip[5]
    if crf is not None:
        clip, doubled, frozen = (coded(one, 8, crf) for one in (clip, doubled, frozen))
    assert scored("motion.repeated_frames", clip) == 0
    assert scored("motion.repeated_frames", doubled) == pytest.approx(6 / 11)
    assert scored("motion.repeated_frames", frozen) == pytest.approx(6 / 11)


def test_where_nothing_can_be_said() -> None:
    for name in (
        "quality.blur",
        "quality.noise",
        "quality.block_edges",
        "quality.borders",
        "quality.clipped",
    ):
        with pytest.raises(NotApplicable, match="the clip is blank"):
            scored(name, np.full((4, 64, 64, 3), 90, np.uint8))
    with pytest.raises(NotApplicable, match="frames under 32 pixels"):
        scored("quality.blur", hills(4, 20, 64))
    with pytest.raises(NotApplicable, match="one frame"):
        scored("motion.repeated_frames", hills(1))


def test_windows_change_nothing() -> None:
    clip = hills(20)
    encoder = FrameQualityEncoder()
    info = ClipInfo(96, 128, 8.0, 20, 2.5, "", "")
    whole = feature(encoder, info, clip)
    stream = encoder.open(info)
    for start in range(0, 20, 3):
        stream.push(Window(clip[start : start + 3], np.arange(start, min(start + 3, 20)) / 8, start))
    np.testing.assert_array_equal(stream.finish(), whole)
    assert whole.shape == (20 - 2, len(FRAME_QUALITY_COLUMNS))  # the first 16, then four a second
