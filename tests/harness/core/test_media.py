from __future__ import annotations

import random
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from screentest.harness.core import media
from screentest.harness.core.errors import MediaError
from screentest.harness.core.media import ClipInfo, decode, open_clip, write_clip
from screentest.harness.core.previews import preview_mp4

from .clips import Recorder, encode, moving_disc, psnr, read, texture

# --- writing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(16, 64, 64), (3, 63, 65), (1, 8, 8), (2, 1, 1), (5, 120, 90)])
def test_a_written_clip_comes_back_nearly_lossless(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    frames = texture(*shape)
    write_clip(tmp_path / "a.mp4", frames, 8.0)
    back, times, info = read(tmp_path / "a.mp4")
    assert back.shape == frames.shape
    assert psnr(back, frames) > 50
    assert np.abs(back.astype(int) - frames).max() <= 2
    assert info == ClipInfo(
        *shape[1:], 8.0, shape[0], pytest.approx(shape[0] / 8), "h264", "mov,mp4,m4a,3gp,3g2,mj2"
    )
    np.testing.assert_allclose(times, np.arange(shape[0]) / 8, atol=1e-9)


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    frames = texture(8, 96, 128)
    for name in "abc":
        write_clip(tmp_path / name, frames, 24.0)
    assert len({(tmp_path / name).read_bytes() for name in "abc"}) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("fps", "exact"),
    [
        (29.97002997, Fraction(30000, 1001)),
        (23.976, Fraction(2997, 125)),
        (0.5, Fraction(1, 2)),
        (240.0, Fraction(240)),
    ],
)
def test_the_rate_is_kept_exactly(tmp_path: Path, fps: float, exact: Fraction) -> None:
    write_clip(tmp_path / "a.mp4", moving_disc(7, 16, 16), fps)
    assert read(tmp_path / "a.mp4")[2].fps == pytest.approx(float(exact), rel=1e-9)


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(tmp_path: Path, fps: float) -> None:
    with pytest.raises(MediaError, match="not a frame rate"):
        write_clip(tmp_path / "a.mp4", moving_disc(2), fps)


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((0, 8, 8, 3), np.uint8),
        np.zeros((2, 8, 8), np.uint8),
        np.zeros((2, 8, 8, 3)),
        np.zeros((2, 3, 8, 8), np.uint8),
    ],
)
def test_frames_of_another_kind_are_refused_and_nothing_is_left(tmp_path: Path, frames: Any) -> None:
    with pytest.raises(MediaError, match="uint8"):
        write_clip(tmp_path / "a.mp4", frames, 8.0)
    assert not list(tmp_path.iterdir())


# --- pixels ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("matrix", [Colorspace.ITU709, Colorspace.ITU601])
@pytest.mark.parametrize("span", [ColorRange.MPEG, ColorRange.JPEG])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p10le"])
def test_the_matrix_and_range_of_the_stream_are_respected(
    tmp_path: Path, matrix: int, span: int, pix_fmt: str
) -> None:
    colours = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (250, 250, 250), (10, 10, 10), (90, 160, 200)])
    frames = np.broadcast_to(colours[:, None, None].astype(np.uint8), (6, 32, 32, 3))
    options = {"crf": "1", "g": "1"}
    path = encode(
        tmp_path / "a.mkv", np.ascontiguousarray(frames), colour=(pix_fmt, matrix, span), options=options
    )
    back, _, _ = read(path)
    assert np.abs(back[:, 16, 16].astype(int) - colours).max() <= 3


def test_yuv_values_give_the_rgb_of_bt709(tmp_path: Path) -> None:
    # ITU-R BT.709-6, section 3: Kr = 0.2126, Kb = 0.0722; 219 levels of luma and 224 of each chroma.
    y, cb, cr = 120, 90, 170
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.height, stream.width, stream.pix_fmt = 32, 32, "yuv444p"
        stream.codec_context.colorspace, stream.codec_context.color_range = 1, 1
        planes = np.stack([np.full((32, 32), v, np.uint8) for v in (y, cb, cr)])
        frame = av.VideoFrame.from_ndarray(planes, format="yuv444p")
        frame.colorspace, frame.color_range = 1, 1
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    luma, blue, red = 255 / 219 * (y - 16), 255 / 224 * (cb - 128), 255 / 224 * (cr - 128)
    expected = (luma + 1.5748 * red, luma - 0.1873 * blue - 0.4681 * red, luma + 1.8556 * blue)
    np.testing.assert_allclose(read(tmp_path / "a.mkv")[0][0, 8, 8], expected, atol=1.0)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_rotation_that_the_file_asks_for_is_applied(tmp_path: Path, degrees: int, mirrored: bool) -> None:
    frames = moving_disc(3, 32, 48)
    frames[:, :8, :8] = (20, 180, 60)  # the upper left corner
    path = encode(
        tmp_path / "a.mp4",
        frames,
        colour=("yuv444p", 1, 1),
        options={"crf": "1"},
        rotation=(degrees, mirrored),
    )
    back, _, info = read(path)
    expected = np.rot90(frames, degrees // 90, axes=(1, 2))
    if mirrored:  # after the turn (libavutil/display.h)
        expected = expected[:, :, ::-1]
    assert psnr(back, expected) > 35
    assert (info.height, info.width) == expected.shape[1:3]


def test_an_angle_that_is_not_right_is_refused(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", moving_disc(3), rotation=(30.0, False))
    with pytest.raises(MediaError, match="multiple of 90"):
        open_clip(path)


def test_colours_that_cannot_be_converted_are_refused(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mkv", moving_disc(2), options={"x264-params": "colormatrix=YCgCo"})
    with pytest.raises(
        MediaError, match=r"colours of .*a.mkv \(yuv420p, matrix 8 .* cannot be turned into RGB"
    ):
        open_clip(path)


def test_a_palette_with_transparency_is_read(tmp_path: Path) -> None:
    frames = moving_disc(6)
    path = encode(tmp_path / "a.gif", frames, codec="gif", rate=Fraction(10), colour=("rgb8", 1, 0))
    back, _, info = read(path)
    assert (info.frames, info.fps) == (6, pytest.approx(10))
    assert psnr(back, frames) > 15  # 256 colours


# --- windows and time --------------------------------------------------------------------------------------


def test_windows_follow_each_other_and_hold_every_frame_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = moving_disc(23)
    write_clip(tmp_path / "a.mp4", frames, 25.0)
    whole = read(tmp_path / "a.mp4")[0]
    monkeypatch.setattr(media, "WINDOW_FRAMES", 5)
    recorder = Recorder()
    decode(open_clip(tmp_path / "a.mp4"), [recorder])
    assert [(w.start, len(w.frames_THWC), len(w.times_T)) for w in recorder.windows] == [
        (0, 5, 5),
        (5, 5, 5),
        (10, 5, 5),
        (15, 5, 5),
        (20, 3, 3),
    ]
    np.testing.assert_array_equal(recorder.frames, whole)


def test_the_memory_of_a_window_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clip(tmp_path / "a.mp4", moving_disc(9), 25.0)
    monkeypatch.setattr(media, "WINDOW_BYTES", 3 * 64 * 64 * 3 + 1)
    assert [len(w.frames_THWC) for w in open_clip(tmp_path / "a.mp4").windows()] == [3, 3, 3]
    monkeypatch.setattr(media, "WINDOW_BYTES", 1)
    assert [len(w.frames_THWC) for w in open_clip(tmp_path / "a.mp4").windows()] == [2, 2, 2, 2, 1]


def test_a_decoding_is_counted_and_knows_the_clip_only_at_its_end(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", moving_disc(3), 25.0)
    clip = open_clip(tmp_path / "a.mp4")
    before = media.decode_count[clip.sha256]
    windows = clip.windows()
    with pytest.raises(RuntimeError):
        _ = windows.info
    assert len(list(windows)) == 1
    assert windows.info.frames == 3
    preview_mp4(clip.path)
    assert media.decode_count[clip.sha256] == before + 1


def test_the_rate_of_uneven_frames_comes_from_their_time_stamps(tmp_path: Path) -> None:
    stamps = [0, 10, 20, 60, 70, 100]
    path = encode(tmp_path / "a.mp4", moving_disc(6), rate=Fraction(100), pts=stamps)
    _, times, info = read(path)
    np.testing.assert_allclose(times, np.array(stamps) / 100, atol=1e-6)
    assert info.variable_rate
    assert info.fps == pytest.approx(5 / 1.0, rel=1e-6)


@pytest.mark.parametrize("name", ["a.mkv", "a.avi", "a.mov", "a.ts", "a.flv"])
def test_an_even_rate_is_even_in_every_container(tmp_path: Path, name: str) -> None:
    codec = "mpeg4" if name == "a.avi" else "libx264"
    _, times, info = read(encode(tmp_path / name, moving_disc(30), codec=codec, rate=Fraction(30000, 1001)))
    assert not info.variable_rate
    assert (info.frames, times[0]) == (30, 0.0)
    assert info.fps == pytest.approx(30000 / 1001, rel=2e-3)  # Matroska and FLV round to a millisecond


def test_a_stream_without_time_stamps_is_shown_at_its_rate(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.h264", moving_disc(10), options={"bf": "0"})
    _, times, info = read(path)
    assert (info.frames, info.container) == (10, "h264")
    np.testing.assert_allclose(times, np.arange(10) / info.fps, atol=1e-6)


def test_one_frame_of_a_video_is_a_clip(tmp_path: Path) -> None:
    _, times, info = read(encode(tmp_path / "a.mkv", moving_disc(1)))
    assert (info.frames, info.fps, list(times)) == (1, 25.0, [0.0])


# --- what cannot be read -----------------------------------------------------------------------------------


def test_each_thing_that_is_no_video_has_its_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("not a video\n" * 100)
    (tmp_path / "text.txt").write_text("not a video\n" * 100)
    (tmp_path / "folder.mp4").mkdir()
    picture = np.zeros((20, 30, 3), np.uint8)
    for suffix in ("png", "jpg", "bmp", "webp"):
        assert cv2.imwrite(str(tmp_path / f"still.{suffix}"), picture)
    (tmp_path / "still.mp4").write_bytes((tmp_path / "still.jpg").read_bytes())
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream: Any = container.add_stream("aac", rate=44100)
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.float32), format="fltp", layout="mono")
        samples.sample_rate = 44100
        container.mux(stream.encode(samples))
        container.mux(stream.encode())
    said = {
        "none.mp4": "is missing",
        "folder.mp4": "is a folder",
        "empty.mp4": "is an empty file",
        "text.mp4": "not a video that FFmpeg can read",
        "text.txt": "is text",
        "still.png": "still image",
        "still.jpg": "still image",
        "still.bmp": "still image",
        "still.webp": "still image",
        "still.mp4": "still image",
        "sound.mp4": "no video stream",
    }
    for name, words in said.items():
        with pytest.raises(MediaError, match=words) as caught:
            open_clip(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_list_of_files_may_not_open_another_file(tmp_path: Path) -> None:
    write_clip(tmp_path / "secret.mp4", moving_disc(3), 25.0)
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile secret.mp4\n")
    (tmp_path / "list.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{tmp_path}/secret.mp4\n#EXT-X-ENDLIST\n"
    )
    for name in ("list.mp4", "list.m3u8"):
        with pytest.raises(MediaError):
            open_clip(tmp_path / name)


def test_a_change_of_size_is_refused(tmp_path: Path) -> None:
    small = encode(tmp_path / "a.h264", moving_disc(8, 64, 64)).read_bytes()
    large = encode(tmp_path / "b.h264", moving_disc(8, 96, 128)).read_bytes()
    (tmp_path / "c.h264").write_bytes(small + large)
    with pytest.raises(MediaError, match="changes its frame size from 64x64 to 128x96"):
        read(tmp_path / "c.h264")


CONTAINERS = {
    "a.mp4": ("libx264", {"movflags": "+faststart"}),
    "a.mov": ("libx264", {}),
    "a.mkv": ("libx264", {}),
    "a.webm": ("libvpx", {}),
    "a.avi": ("mpeg4", {}),
    "a.flv": ("libx264", {}),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_file_that_breaks_off_is_never_a_shorter_clip(tmp_path: Path, name: str) -> None:
    codec, options = CONTAINERS[name]
    encoder = {"deadline": "realtime"} if codec == "libvpx" else {"g": "12"}
    path = encode(
        tmp_path / name, texture(40, 48, 48) // 4, codec=codec, options=encoder, container_options=options
    )
    whole = path.read_bytes()
    assert read(path)[2].frames == 40
    for share in (0.02, 0.1, 0.3, 0.5, 0.7, 0.9):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(MediaError):
            read(path)
    path.write_bytes(whole[:-30])  # of the index at the end, where there is one: every frame is there
    with suppress(MediaError):
        assert read(path)[2].frames == 40


def test_a_truncated_file_says_how_much_of_it_is_there(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", texture(40, 48, 48), container_options={"movflags": "+faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MediaError, match=r"truncated or damaged: 1[0-9] of 40 frames"):
        read(path)


@pytest.mark.parametrize("name", CONTAINERS)
def test_flipped_bits_give_a_clip_or_a_sentence_and_no_other_error(tmp_path: Path, name: str) -> None:
    codec, options = CONTAINERS[name]
    path = encode(tmp_path / name, texture(12, 48, 48) // 4, codec=codec, container_options=options)
    whole = path.read_bytes()
    rng = random.Random(name)
    for _ in range(15):
        broken = bytearray(whole)
        for _ in range(4):
            broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
        path.write_bytes(bytes(broken))
        try:
            frames, times, info = read(path)
        except MediaError:
            continue
        assert len(frames) == len(times) == info.frames
        assert np.all(np.diff(times) > 0)


def test_sound_that_is_longer_than_the_picture_is_no_truncation(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("libx264", rate=25)
        video.height, video.width, video.pix_fmt = 48, 48, "yuv420p"
        sound: Any = container.add_stream("aac", rate=44100)
        for number, array in enumerate(moving_disc(10, 48, 48)):
            frame = av.VideoFrame.from_ndarray(array, format="rgb24")
            frame.pts = number
            frame.time_base = Fraction(1, 25)
            container.mux(video.encode(frame))
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 88200), np.float32), format="fltp", layout="mono")
        samples.sample_rate, samples.pts = 44100, 0
        container.mux(sound.encode(samples))
        container.mux(video.encode())
        container.mux(sound.encode())
    assert read(path)[2].frames == 10
