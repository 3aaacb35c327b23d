from pathlib import Path
from typing import Any

import numpy as np
import pytest
from screentest.harness.core.errors import MediaError
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.core.media import ClipInfo, Window, open_clip, write_clip
from screentest.harness.core.sound import SoundChunk, SoundTrack
from screentest.metrics.encoders.base import Record
from screentest.metrics.encoders.registry import make_encoder
from screentest.metrics.sound.encoder import FLOOR, STEP
from screentest.metrics.sound.loudness import LoudnessMeter

from .synthetic import FPS, RATE, encoded, sound_of, still, tone

INFO = ClipInfo(8, 8, FPS, 16, 1.0, "raw", "memory")
NO_FRAMES = np.zeros((0, 8, 8, 3), np.uint8)


def loudness_of(samples_CN: np.ndarray, rate: int, piece: int = 5000) -> float | None:
    meter = LoudnessMeter(rate, len(samples_CN))
    for start in range(0, samples_CN.shape[1], piece):
        meter.push(samples_CN[:, start : start + piece].astype(np.float32))
    return meter.finish()


def sine(seconds: float, dbfs: float, channels: int, rate: int = 48_000, hz: float = 1000.0) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return np.repeat((10 ** (dbfs / 20) * np.sin(2 * np.pi * hz * time))[None], channels, axis=0)


# The first five signals of EBU Tech 3341 (2016), table 1, with their tolerance of 0.1 LU.
@pytest.mark.parametrize(
    ("parts", "lufs"),
    [
        ([(20, -23.0)], -23.0),
        ([(20, -33.0)], -33.0),
        ([(10, -36.0), (60, -23.0), (10, -36.0)], -23.0),
        ([(10, -72.0), (10, -36.0), (60, -23.0), (10, -36.0), (10, -72.0)], -23.0),
        ([(20, -26.0), (20.1, -20.0), (20, -26.0)], -23.0),
    ],
    ids=str,
)
def test_loudness_of_the_signals_of_the_ebu(parts: list[tuple[float, float]], lufs: float):
    samples = np.concatenate([sine(seconds, level, 2) for seconds, level in parts], axis=1)
    assert loudness_of(samples, 48_000) == pytest.approx(lufs, abs=0.1)


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_a_full_sine_in_one_channel_is_at_3_lufs_below_full_scale(rate: int):
    # ITU-R BS.1770-4, annex 1: 0 dBFS at 997 Hz in the left, centre or right channel reads -3.01
    assert loudness_of(sine(5, 0.0, 1, rate, 997.0), rate) == pytest.approx(-3.01, abs=0.1)


def test_silence_and_a_moment_of_sound_have_no_loudness():
    assert loudness_of(np.zeros((2, 48_000)), 48_000) is None
    assert loudness_of(sine(0.2, -20, 1), 48_000) is None


def test_the_levels_of_a_tone(tmp_path: Path):
    made = sound_of(encoded(tmp_path, still(2.0), tone(2.0, level=0.1)))
    assert len(made.arrays["level"]) == round(2.0 / STEP)
    assert made.arrays["level"] == pytest.approx(20 * np.log10(0.1 / np.sqrt(2)), abs=0.6)
    assert made.meta["seconds"] == pytest.approx(2.0)
    assert made.meta["start"] == pytest.approx(0.0, abs=1e-3)
    assert (made.meta["rate"], made.meta["channels"]) == (RATE, 1)


def test_a_clip_without_sound_says_so(tmp_path: Path):
    made = sound_of(encoded(tmp_path, still(1.0), None))
    assert made.meta == {"present": False}
    assert not made.arrays


def test_digital_silence_is_at_the_floor(tmp_path: Path):
    silent = SoundTrack(np.zeros((2, RATE), np.float32), RATE)
    made = sound_of(encoded(tmp_path, still(1.0), silent))
    assert (made.arrays["level"] == FLOOR).all()
    assert made.meta["lufs"] is None


def heard(pieces: list[int], samples_CN: np.ndarray, rate: int = RATE) -> Record:
    stream = make_encoder("sound").open(INFO)
    start = 0
    for size in [*pieces, samples_CN.shape[1] - sum(pieces)]:
        chunk = SoundChunk(samples_CN[:, start : start + size], rate, start / rate)
        stream.push(Window(NO_FRAMES, np.zeros(0), 0, (chunk,)))
        start += size
    made = stream.finish()
    assert isinstance(made, Record)
    return made


def test_the_pieces_in_which_sound_comes_do_not_matter():
    samples = np.random.default_rng(0).uniform(-1.1, 1.1, (2, RATE)).clip(-1, 1).astype(np.float32)
    one, other = heard([], samples), heard([1, 159, 700, 3, 160], samples)
    for name in ("level", "onset"):
        assert (one.arrays[name] == other.arrays[name]).all()
    assert one.meta == other.meta
    assert one.meta["clipped"] == pytest.approx(0.09**2 + 0, abs=0.01)


def test_one_sample_at_the_end_of_the_range_is_no_clipping():
    peaks = np.zeros((1, RATE), np.float32)
    peaks[0, ::100] = 1.0
    assert heard([], peaks).meta["clipped"] == 0.0
    flat = np.clip(2.0 * tone(1.0, level=1.0).samples_CN, -1, 1)
    share = (np.abs(flat) >= 0.999).mean()
    assert heard([333], flat).meta["clipped"] == pytest.approx(share, rel=0.25)


def test_sound_that_cannot_be_decoded_is_said():
    stream = make_encoder("sound").open(INFO)
    broken = SoundChunk(np.zeros((1, 0), np.float32), 1, 0.0, "the sound cannot be decoded: Invalid data")
    with pytest.raises(MediaError, match="cannot be decoded: Invalid data"):
        stream.push(Window(NO_FRAMES, np.zeros(0), 0, (broken,)))


def test_sound_is_stored_losslessly_and_decoded_beside_the_frames(tmp_path: Path):
    rng = np.random.default_rng(0)
    samples = (rng.integers(-32768, 32768, (2, 3 * RATE)) / 32768).astype(np.float32)
    write_clip(tmp_path / "clip.mp4", still(3.0), FPS, SoundTrack(samples, RATE))
    windows = list(open_clip(tmp_path / "clip.mp4").windows(sound=True))
    track = SoundTrack.of([chunk for window in windows for chunk in window.sound])
    assert track is not None
    assert track.rate == RATE
    assert (track.samples_CN[:, : 3 * RATE] == samples).all()
    assert sum(len(window.frames_THWC) for window in windows) == 48
    # the frames are the same without it, and it is decoded only where it is asked for
    plain = list(open_clip(tmp_path / "clip.mp4").windows())
    assert all((a.frames_THWC == b.frames_THWC).all() for a, b in zip(windows, plain, strict=True))
    assert not any(window.sound for window in plain)


def test_sound_before_the_first_frame_is_left_out_and_a_late_one_begins_with_silence():
    ones = np.ones((1, 100), np.float32)
    late = SoundTrack.of([SoundChunk(ones, 100, 0.5)])
    early = SoundTrack.of([SoundChunk(ones, 100, -0.25)])
    assert late is not None
    assert early is not None
    assert late.samples_CN[0].tolist() == [0.0] * 50 + [1.0] * 100
    assert early.samples_CN.shape == (1, 75)
    assert SoundTrack.of([]) is None


def test_sound_of_a_generator_is_stored_and_that_of_files_and_watermarks_kept(tmp_path: Path, generator: Any):
    from screentest.generators.base import Frames, VideoFile
    from screentest.generators.watermarked import WatermarkedGenerator
    from screentest.harness.run_folder.clip_files import make_clip

    track = tone(1.0)
    made = make_clip("item", Frames(still(1.0), FPS, track), 0.0, tmp_path)
    assert made.beside is not None
    file = tmp_path / "own.mp4"
    file.write_bytes(made.beside.read_bytes())

    class Mark:
        name = "bright"

        def encode(self, frames: np.ndarray) -> np.ndarray:
            return frames + 1

        def identity(self) -> dict[str, int]:
            return {"version": 1}

    mark: Any = Mark()
    item = make_item("a red ball", 0, ClipSettings())
    marked = WatermarkedGenerator(generator, mark).after(item, VideoFile(file), tmp_path)
    assert isinstance(marked, Frames)
    copied = make_clip("copied", VideoFile(file), 0.0, tmp_path)
    again = make_clip("marked", marked, 0.0, tmp_path)
    for one in (made, copied, again):
        assert one.beside is not None
        found = SoundTrack.of(
            [chunk for window in open_clip(one.beside).windows(sound=True) for chunk in window.sound]
        )
        assert found is not None
        assert found.samples_CN[:, :RATE] == pytest.approx(track.samples_CN, abs=1 / 32768)
