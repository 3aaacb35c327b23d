"""Preparation: every clip has one rate, length, size and number of bits afterwards."""

from pathlib import Path

import numpy as np
import pytest
from screentest.harness.core.errors import MediaError
from screentest.harness.core.media import write_clip
from screentest.safety.detectors.preparation import (
    FileFacts,
    Preparation,
    Segment,
    prepare,
    read_segments,
    unprepared,
)

from .conftest import flicker, moving_block

PREPARATION = Preparation(fps=8, frames=16, size=64, bits_per_pixel=0.3)


@pytest.mark.parametrize("spread", [0.0, 2.0, 12.0])
def test_clips_of_any_noise_come_to_the_same_bits(spread: float) -> None:
    clip = flicker(moving_block("one"), spread, "noise")
    made = prepare(Segment(clip, 8.0), PREPARATION)
    assert made.frames_THWC.shape == (16, 64, 64, 3)
    assert (made.after.fps, made.after.frames, made.after.codec) == (8, 16, "h264")
    assert 0.9 * 0.3 <= made.after.bits_per_pixel <= 0.3


def test_the_same_segment_gives_the_same_frames() -> None:
    segment = Segment(flicker(moving_block("one"), 4.0, "noise"), 8.0)
    one, two = prepare(segment, PREPARATION), prepare(segment, PREPARATION)
    assert np.array_equal(one.frames_THWC, two.frames_THWC)


@pytest.mark.parametrize(("height", "width"), [(96, 64), (64, 96), (128, 160), (48, 48)])
def test_the_middle_square_is_scaled(height: int, width: int) -> None:
    frames = np.zeros((16, height, width, 3), np.uint8)
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    frames[:, top : top + edge, left : left + edge] = 200
    made = prepare(Segment(frames, 8.0), PREPARATION)
    assert made.frames_THWC.shape == (16, 64, 64, 3)
    assert abs(int(made.frames_THWC.min()) - 200) <= 3


def test_frames_are_those_shown_at_the_preparations_times(tmp_path: Path) -> None:
    frames = np.repeat(np.arange(60, dtype=np.uint8), 32 * 32 * 3).reshape(60, 32, 32, 3) * 4
    write_clip(tmp_path / "clip.mp4", frames, 30)
    rough = Preparation(fps=8, frames=8, size=32, bits_per_pixel=8)
    segments, facts, _ = read_segments(tmp_path / "clip.mp4", rough, segments=5)
    assert [len(one.frames_THWC) for one in segments] == [30, 30]
    assert (facts.fps, facts.frames, facts.height, facts.codec) == (30, 60, 32, "h264")
    shown = prepare(segments[0], rough).frames_THWC[:, 16, 16, 0] / 4
    middle = (np.arange(8) + 0.5) / 8 * 30
    assert np.abs(shown - np.floor(middle)).max() <= 1


def test_a_short_clip_is_refused_with_its_length(tmp_path: Path) -> None:
    write_clip(tmp_path / "short.mp4", moving_block("short", frames=10), 8)
    with pytest.raises(MediaError, match=r"short.mp4: it lasts 1.2 s, and the detector reads 2 s"):
        read_segments(tmp_path / "short.mp4", PREPARATION)


def test_a_slow_clip_is_refused_with_its_rate(tmp_path: Path) -> None:
    write_clip(tmp_path / "slow.mp4", moving_block("slow"), 4)
    with pytest.raises(MediaError, match="4 frames a second and the detector reads 8"):
        read_segments(tmp_path / "slow.mp4", PREPARATION)


def test_a_still_image_is_refused(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (64, 64)).save(tmp_path / "picture.png")
    with pytest.raises(MediaError, match="still image"):
        read_segments(tmp_path / "picture.png", PREPARATION)


def test_a_clip_of_exactly_one_segment_is_read(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", moving_block("clip"), 8)
    segments, _, _ = read_segments(tmp_path / "clip.mp4", PREPARATION, segments=3)
    assert [len(one.frames_THWC) for one in segments] == [16]
    assert segments[0].fps == pytest.approx(8)


def test_unprepared_clips_keep_their_size_and_pixels() -> None:
    clip = moving_block("clip", frames=40, edge=96)
    facts = FileFacts(20.0, 40, 96, 96, "gif", 2.0)
    made = unprepared(Segment(clip, 20.0), PREPARATION, facts)
    assert np.array_equal(made.frames_THWC, clip[:16])
    assert made.after == made.before == facts


def test_the_digest_is_that_of_the_settings() -> None:
    assert PREPARATION.digest == Preparation(fps=8, frames=16, size=64, bits_per_pixel=0.3).digest
    assert PREPARATION.digest != Preparation(fps=8, frames=16, size=64, bits_per_pixel=0.4).digest
