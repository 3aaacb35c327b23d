from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image
from screentest.harness.core import limits
from screentest.harness.core.errors import MediaError
from screentest.harness.core.media import open_clip, write_clip

from .clips import encode, moving_disc, read, texture

JPEG = ("yuvj420p", Colorspace.ITU601, ColorRange.JPEG)


def animation(path: Path, delays: list[int], **more: Any) -> Path:
    pictures = [Image.fromarray(frame) for frame in moving_disc(len(delays))]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=delays, **more)
    return path


# --- time --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bframes", ["0", "3"])
def test_h264_in_avi_is_evenly_spaced(tmp_path: Path, bframes: str) -> None:
    path = encode(tmp_path / "a.avi", moving_disc(12), rate=Fraction(10), options={"bf": bframes})
    _, times, info = read(path)
    np.testing.assert_allclose(times, np.arange(12) / 10, atol=1e-9)
    assert (info.fps, info.duration, info.variable_rate) == (pytest.approx(10), pytest.approx(1.2), False)


def test_the_duration_of_uneven_frames_is_the_sum_of_their_delays(tmp_path: Path) -> None:
    delays = [100, 100, 200, 300, 50, 70, 100, 100, 100, 100, 400, 1000]
    for name in ("a.gif", "a.webp"):
        _, times, info = read(animation(tmp_path / name, delays))
        assert info.duration == pytest.approx(2.62)
        np.testing.assert_allclose(times, np.cumsum([0, *delays[:-1]]) / 1000, atol=1e-6)
        assert info.variable_rate


def test_two_frames_of_different_delays_are_shown_as_long_as_they_say(tmp_path: Path) -> None:
    info = read(animation(tmp_path / "a.gif", [500, 2000]))[2]
    assert (info.frames, info.duration, info.fps) == (2, pytest.approx(2.5), pytest.approx(2.0))


@pytest.mark.parametrize("name", ["a.gif", "a.webp"])
def test_delays_of_zero_are_shown_as_browsers_show_them_and_noted(tmp_path: Path, name: str) -> None:
    info = read(animation(tmp_path / name, [0] * 5))[2]
    assert info.fps == pytest.approx(10)
    assert any("shown for 0.1 s" in note for note in info.notes)


@pytest.mark.parametrize("delays", [{}, {"duration": 0}])
def test_every_picture_of_a_gif_without_delays_is_a_frame(tmp_path: Path, delays: dict[str, int]) -> None:
    """Pillow leaves the block with the delay out then, and FFmpeg joins pictures without one."""
    pictures = [Image.fromarray(frame) for frame in moving_disc(9)]
    path = tmp_path / "a.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], **delays)
    frames, times, info = read(path)
    with Image.open(path) as image:
        for number, frame in enumerate(frames):
            image.seek(number)
            np.testing.assert_array_equal(frame, np.asarray(image.convert("RGB")))
    np.testing.assert_allclose(times, np.arange(9) / 10)
    assert (info.frames, info.fps) == (9, pytest.approx(10))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(MediaError, match="truncated"):
        read(path)


def test_matroska_that_lacks_its_last_packet_is_truncated_though_time_is_not_missing(tmp_path: Path) -> None:
    """The last packet may be of a frame that is shown before others, and then no time is missing."""
    path = encode(tmp_path / "a.mkv", texture(20, 48, 48), options={"bf": "3"})
    whole = path.read_bytes()
    for lost in (1, 100, len(whole) // 50):
        path.write_bytes(whole[:-lost])
        with pytest.raises(MediaError, match="truncated"):
            read(path)
    path.write_bytes(whole)
    assert read(path)[2].frames == 20


def test_matroska_that_was_written_to_a_pipe_has_no_size_and_is_read(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mkv", moving_disc(6), container_options={"live": "1"})
    assert read(path)[2].frames == 6


@pytest.mark.parametrize(("codec", "name"), [("libx264", "a.h264"), ("libx265", "a.hevc")])
def test_a_bare_stream_has_the_rate_that_its_codec_states(tmp_path: Path, codec: str, name: str) -> None:
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    path = encode(tmp_path / name, moving_disc(12), codec=codec, rate=Fraction(10), options=options)
    _, times, info = read(path)
    assert (open_clip(path).info.fps, info.fps, info.duration) == (10, pytest.approx(10), pytest.approx(1.2))
    np.testing.assert_allclose(times, np.arange(12) / 10, atol=1e-9)
    assert not any("assumed" in note for note in info.notes)


def test_a_rate_that_no_one_states_is_assumed_and_noted(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mjpeg", moving_disc(5), codec="mjpeg", rate=Fraction(10), colour=JPEG)
    info = read(path)[2]
    assert info.fps == pytest.approx(25)
    assert "it declares no frame rate; 25 a second are assumed" in info.notes


def test_absurd_time_stamps_are_a_sentence(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", moving_disc(3), rate=Fraction(1), pts=[0, 1000, 2000])
    with pytest.raises(MediaError, match=r"frames a second; 0.01 to 1,000 can be read"):
        read(path)
    path = encode(tmp_path / "b.mkv", moving_disc(9), rate=Fraction(100_000))
    with pytest.raises(MediaError, match=r"frames a second; 0.01 to 1,000 can be read"):
        read(path)


def test_packets_that_stand_at_one_time_lose_no_frame_in_silence(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", moving_disc(16), options={"bf": "3"})
    damaged = bytearray(path.read_bytes())
    at = damaged.index(b"stts") + 8
    for row in range(int.from_bytes(damaged[at : at + 4], "big")):
        damaged[at + 8 + 8 * row : at + 12 + 8 * row] = bytes(4)
    path.write_bytes(damaged)
    with pytest.raises(MediaError, match=r"of 16 frames could be read"):
        read(path)


def test_a_header_that_claims_more_frames_is_refused(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.avi", moving_disc(12), codec="mpeg4", rate=Fraction(10))
    data = bytearray(path.read_bytes())
    for place in (data.index(b"avih") + 8 + 16, data.index(b"strh") + 8 + 32):
        assert int.from_bytes(data[place : place + 4], "little") == 12
        data[place : place + 4] = (30).to_bytes(4, "little")
    path.write_bytes(bytes(data))
    with pytest.raises(MediaError, match="12 of 30 frames"):
        read(path)


# --- limits ------------------------------------------------------------------------------------------------


def test_the_limits_are_kept_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clip(tmp_path / "a.mp4", moving_disc(9), 8.0)
    encode(tmp_path / "a.h264", moving_disc(9))  # declares no number of frames
    monkeypatch.setattr(limits, "MAX_FRAMES", 8)
    for name in ("a.mp4", "a.h264"):
        with pytest.raises(MediaError, match="more than 8 frames, which is the limit"):
            read(tmp_path / name)
    monkeypatch.setattr(limits, "MAX_FRAMES", 9)
    assert read(tmp_path / "a.mp4")[2].frames == 9
    monkeypatch.setattr(limits, "MAX_CLIP_PIXELS", 8 * 64 * 64)
    with pytest.raises(MediaError, match=r"more than 8 frames, .* of 64x64 pixels"):
        read(tmp_path / "a.h264")
    monkeypatch.setattr(limits, "MAX_FRAME_PIXELS", 64 * 63)
    with pytest.raises(MediaError, match="frames of 64x64 pixels; 4,032 pixels are the limit"):
        open_clip(tmp_path / "a.mp4")


# --- kinds -------------------------------------------------------------------------------------------------


def test_interlaced_frames_and_pixels_that_are_not_square_are_noted(tmp_path: Path) -> None:
    frames = moving_disc(4)
    options = {"flags": "+ildct+ilme", "x264-params": "tff=1"}
    info = read(encode(tmp_path / "a.mp4", frames, options=options))[2]
    assert [note.partition(":")[0] for note in info.notes] == ["it is interlaced"]
    with av.open(str(tmp_path / "c.mp4"), "w") as container:
        stream: Any = container.add_stream("libx264", rate=10)
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(16, 11)
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    info = read(tmp_path / "c.mp4")[2]
    assert (info.width, info.height) == (64, 64)
    assert "its pixels are 1.45 times as wide as high and were left so" in info.notes[0]


def see_through(path: Path, codec: str, pix_fmt: str, options: dict[str, str]) -> Path:
    rgba = np.zeros((48, 64, 4), np.uint8)
    rgba[..., 0] = 200
    rgba[:, 32:, 3] = 255
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=10, options=options)
        stream.height, stream.width, stream.pix_fmt = 48, 64, pix_fmt
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(rgba, format="rgba").reformat(format=pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("a.mov", "qtrle", "argb"),
        ("b.mov", "prores_ks", "yuva444p10le"),
        ("c.webm", "libvpx-vp9", "yuva420p"),
        ("d.apng", "apng", "rgba"),
    ],
)
def test_what_is_transparent_lies_over_white_and_is_noted(
    tmp_path: Path, name: str, codec: str, pix_fmt: str
) -> None:
    options = {"profile": "4444"} if codec == "prores_ks" else {}
    frames, _, info = read(see_through(tmp_path / name, codec, pix_fmt, options))
    assert info.notes == ("it has transparent parts, which were composed over white",)
    assert np.abs(frames[:, 24, 8].astype(int) - 255).max() <= 2
    assert np.abs(frames[:, 24, 56].astype(int) - (200, 0, 0)).max() <= 4


def test_animated_avif_is_read_and_its_still_picture_is_not_taken_for_it(tmp_path: Path) -> None:
    info = read(animation(tmp_path / "a.avif", [100] * 6))[2]
    assert (info.frames, info.fps) == (6, pytest.approx(10))
    Image.fromarray(moving_disc(1)[0]).save(tmp_path / "b.avif")
    with pytest.raises(MediaError, match="still image"):
        open_clip(tmp_path / "b.avif")


def test_a_gif_of_one_picture_is_a_still_image(tmp_path: Path) -> None:
    Image.fromarray(moving_disc(1)[0]).save(tmp_path / "a.gif")
    with pytest.raises(MediaError, match="still image"):
        read(tmp_path / "a.gif")


def test_a_transport_stream_that_changes_size_says_so(tmp_path: Path) -> None:
    small = encode(tmp_path / "a.ts", moving_disc(8, 64, 64)).read_bytes()
    large = encode(tmp_path / "b.ts", moving_disc(8, 96, 128)).read_bytes()
    (tmp_path / "c.ts").write_bytes(small + large)
    with pytest.raises(MediaError, match="changes its frame size from 64x64 to 128x96"):
        read(tmp_path / "c.ts")


# --- webp --------------------------------------------------------------------------------------------------


def test_animated_webp_is_read(tmp_path: Path) -> None:
    frames, times, info = read(animation(tmp_path / "a.webp", [125] * 6, lossless=True))
    np.testing.assert_array_equal(frames, moving_disc(6))
    np.testing.assert_allclose(times, np.arange(6) / 8)
    assert (info.frames, info.fps, info.duration, info.codec) == (6, pytest.approx(8), 0.75, "webp")
    assert (info.variable_rate, info.notes) == (False, ())


def test_transparent_webp_lies_over_white(tmp_path: Path) -> None:
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[:, :4] = (200, 0, 0, 128)
    pictures = [Image.fromarray(rgba), Image.fromarray(rgba[:, ::-1].copy())]
    pictures[0].save(
        tmp_path / "a.webp", save_all=True, append_images=pictures[1:], duration=100, lossless=True
    )
    frames, _, info = read(tmp_path / "a.webp")
    assert tuple(frames[0, 4, 7]) == (255, 255, 255)
    assert np.abs(frames[0, 4, 1].astype(int) - (227, 127, 127)).max() <= 1
    assert info.notes == ("it has transparent parts, which were composed over white",)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_webp_cut_short_is_a_sentence(tmp_path: Path, share: float) -> None:
    path = animation(tmp_path / "a.webp", [100] * 6)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(MediaError, match="truncated"):
        read(path)


# --- files that are none -----------------------------------------------------------------------------------


def test_what_is_no_file_has_its_sentence_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "gone.mp4").symlink_to("nowhere.mp4")
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    said = {
        "pipe.mp4": r"a named pipe \(fifo\)",
        "gone.mp4": "a link to a file that is not there",
        "loop.mp4": "a link that leads back to itself",
        "x" * 300 + ".mp4": "a name that cannot be read",
    }
    for name, words in said.items():
        with pytest.raises(MediaError, match=f"is {words}.*; give a video file"):
            open_clip(tmp_path / name)


# --- ends --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.gif", "a.apng", "a.y4m", "a.ts", "a.m2ts"])
def test_formats_without_a_length_that_break_off_within_a_frame_are_refused(
    tmp_path: Path, name: str
) -> None:
    frames = texture(12, 32, 32)
    if name in ("a.gif", "a.apng"):
        pictures = [Image.fromarray(frame) for frame in frames]
        kind = {"a.gif": "GIF", "a.apng": "PNG"}[name]
        pictures[0].save(tmp_path / name, kind, save_all=True, append_images=pictures[1:], duration=100)
    else:
        encode(tmp_path / name, frames, codec="rawvideo" if name == "a.y4m" else "libx264")
    whole = (tmp_path / name).read_bytes()
    info = read(tmp_path / name)[2]
    assert info.frames == 12
    assert any("cut short" in note for note in info.notes) == (name not in ("a.gif", "a.apng"))
    for size in (int(len(whole) * 0.4) | 1, int(len(whole) * 0.8) | 1, len(whole) - 1):
        (tmp_path / name).write_bytes(whole[:size])
        with pytest.raises(MediaError, match="truncated"):
            read(tmp_path / name)
