"""Media: reading any video file once, in bounded memory, and writing what was generated.

Pixels are what FFmpeg's decoder and scaler give on one thread, so that they are the same bits on every run:
the stream's colour matrix and range are respected, an alpha channel is dropped, the rotation or flip that
the file asks for is applied. The pixel aspect ratio is *not* applied: an anamorphic clip stays squeezed.
Sound is ignored.
"""

from __future__ import annotations

import io
import secrets
import tempfile
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from .codec import RgbConverter, encode_mp4, exact_rate
from .errors import MediaError
from .keys import file_sha256
from .timing import Timing, incomplete

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream
    from av.container import InputContainer

__all__ = [
    "MAX_FRAME_PIXELS",
    "WINDOW_BYTES",
    "WINDOW_FRAMES",
    "Clip",
    "ClipInfo",
    "Decoding",
    "Sink",
    "Window",
    "decode",
    "decode_count",
    "open_clip",
    "preview_mp4",
    "write_clip",
]

WINDOW_BYTES = 256 * 2**20
WINDOW_FRAMES = 64
MAX_FRAME_PIXELS = 8192 * 8192

decode_count: Counter[str] = Counter()
"""How often the clip of each sha256 was decoded by this process (previews are not counted)."""

_STILL_BRANDS = {"avif", "mif1", "msf1", "heic", "heix", "heim", "heis"}


@dataclass(frozen=True)
class ClipInfo:
    """What is known of a decoded clip.

    Attributes:
        height, width: pixels, after the rotation that the file asks for.
        fps: mean frames a second by the time stamps.
        frames: number of frames; before decoding, as the file declares it (None where it does not).
        duration: seconds; before decoding, as the file declares it (None where it does not).
        variable_rate: whether frames are unevenly spaced in time; known only after decoding.
    """

    height: int
    width: int
    fps: float
    frames: int | None
    duration: float | None
    codec: str
    container: str
    variable_rate: bool = False


@dataclass(frozen=True)
class Window:
    """Consecutive frames: uint8 RGB (T, H, W, 3), their times in seconds (T,), and the first one's number.

    The first frame of the clip is at time 0.
    """

    frames_THWC: NDArray[np.uint8]
    times_T: NDArray[np.float64]
    start: int


class Sink(Protocol):
    """What takes the windows of a clip one after the other."""

    def push(self, window: Window) -> None:
        """Take the next frames."""
        ...


@dataclass(frozen=True)
class Clip:
    """A video file that can be decoded: its path, the sha256 of its bytes and its declared properties."""

    path: Path
    sha256: str
    info: ClipInfo

    def windows(self) -> Decoding:
        """Decode the file once, from its first frame to its last, in windows of bounded memory.

        A window has at most `WINDOW_FRAMES` frames and `WINDOW_BYTES` (256 MiB), but at least two frames; the
        peak is about two windows, the one being read and the one being filled.

        Raises:
            MediaError: while iterating, where the file is damaged, shorter than it declares, or changes size.
        """
        decode_count[self.sha256] += 1
        return Decoding(self)


class Decoding(Iterator[Window]):
    """The windows of one clip, and after the last of them what the clip truly is."""

    def __init__(self, clip: Clip) -> None:
        self._info: ClipInfo | None = None
        self._clip = clip
        self._windows = self._run()

    def __next__(self) -> Window:
        return next(self._windows)

    @property
    def info(self) -> ClipInfo:
        """The clip's true frame count, rate and duration, once every window was read."""
        if self._info is None:
            raise RuntimeError("the clip is known only after its last window was read")
        return self._info

    def _run(self) -> Generator[Window, None, None]:
        declared = self._clip.info
        height, width = declared.height, declared.width
        length = max(2, min(WINDOW_FRAMES, WINDOW_BYTES // (height * width * 3)))
        timing = Timing(declared.fps)
        with _opened(self._clip.path) as (container, stream):
            to_rgb = RgbConverter(self._clip.path)
            frames = np.empty((0, height, width, 3), np.uint8)
            times: list[float] = []
            for frame in _frames(container, stream, timing, self._clip.path):
                if len(times) == length:
                    yield Window(frames, np.array(times), timing.frames - length)
                    times = []
                if not times:
                    frames = np.empty((length, height, width, 3), np.uint8)
                frame_HWC = to_rgb(frame)
                if frame_HWC.shape[:2] != (height, width):
                    raise MediaError(
                        f"{self._clip.path} changes its frame size from {width}x{height} to "
                        f"{frame_HWC.shape[1]}x{frame_HWC.shape[0]} at frame {timing.frames}; "
                        "cut it into clips of one size"
                    )
                frames[len(times)] = frame_HWC
                times.append(timing.add(frame))
            timing.check_complete(self._clip.path, stream.frames, *_declared_seconds(container, stream))
        self._info = replace(
            declared,
            fps=timing.fps,
            frames=timing.frames,
            duration=timing.frames / timing.fps,
            variable_rate=timing.variable_rate,
        )
        yield Window(frames[: len(times)], np.array(times), timing.frames - len(times))


def decode(clip: Clip, sinks: Sequence[Sink]) -> ClipInfo:
    """Decode ``clip`` once, pushing every window into every sink, and return what the clip truly is.

    Raises:
        MediaError: the file is damaged, shorter than it declares, or changes its frame size.
    """
    decoding = clip.windows()
    for window in decoding:
        for sink in sinks:
            sink.push(window)
    return decoding.info


def open_clip(path: Path) -> Clip:
    """Open a video file of any container and codec that FFmpeg reads; its first frame is decoded to see it.

    Raises:
        MediaError: no such file, or not a video: empty, text, sound alone, a still image, no frame in it ...
    """
    if not path.is_file():
        raise MediaError(f"{path} is {'a folder' if path.is_dir() else 'missing'}; give a video file")
    if path.stat().st_size == 0:
        raise MediaError(f"{path} is an empty file")
    with _opened(path) as (container, stream):
        timing = Timing(float(stream.average_rate or stream.guessed_rate or stream.base_rate or 0))
        first = next(_frames(container, stream, timing, path), None)
        if first is None:
            raise MediaError(f"{path} has a video stream without a single frame that can be decoded")
        if not timing.rate:
            raise MediaError(f"{path} says nothing of its frame rate")
        height, width = RgbConverter(path)(first).shape[:2]
        info = ClipInfo(
            height=height,
            width=width,
            fps=timing.rate,
            frames=stream.frames or None,
            duration=_declared_seconds(container, stream)[0],
            codec=stream.codec.canonical_name,
            container=container.format.name,
        )
    return Clip(path, file_sha256(path), info)


class _Source(io.FileIO):
    """A file whose impossible seeks, which damaged headers ask for, are told to FFmpeg and not to stderr."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        try:
            return super().seek(offset, whence)
        except (OSError, OverflowError):
            return -1


@contextmanager
def _opened(path: Path) -> Generator[tuple[InputContainer, VideoStream]]:
    """Open a file and its video stream, on one thread, with FFmpeg's errors as sentences."""
    import av
    from av.error import FFmpegError

    try:
        # A playlist may not make FFmpeg open other files or addresses: it gets one open file and no protocol.
        with (
            _Source(path) as file,
            av.open(
                file, "r", metadata_errors="replace", container_options={"protocol_whitelist": "none"}
            ) as read,
        ):
            yield read, _video_stream(read, path)
    except (FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise MediaError(f"{path} is not a video that FFmpeg can read: {reason}") from None


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    from av.stream import Disposition

    name = container.format.name
    brand = container.metadata.get("major_brand", "").strip()
    if name == "image2" or name.endswith("_pipe") or name == "ico" or brand in _STILL_BRANDS:
        raise MediaError(f"{path} is a still image, not a video")
    if name == "tty":
        raise MediaError(f"{path} is text, not a video")
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        others = ", ".join(sorted({s.type for s in container.streams if s.type != "video"}))
        raise MediaError(f"{path} has no video stream (only {others or 'a cover picture'})")
    stream = next((s for s in streams if s.disposition & Disposition.default), streams[0])
    context = stream.codec_context
    if context is None:  # pyright: ignore[reportUnnecessaryComparison]  (None where no decoder is known)
        raise MediaError(f"{path} is in a video codec that this FFmpeg has no decoder for")
    if context.width * context.height > MAX_FRAME_PIXELS:
        raise MediaError(
            f"{path} has frames of {context.width}x{context.height} pixels; 8192x8192 is the limit"
        )
    stream.thread_type = "NONE"  # pyright: ignore[reportAttributeAccessIssue]  (the setter takes names)
    return stream


def _frames(
    container: InputContainer, stream: VideoStream, timing: Timing, path: Path
) -> Iterator[VideoFrame]:
    """Yield every frame of ``stream``, telling ``timing`` of every packet."""
    from av.error import FFmpegError

    declared = stream.frames
    try:
        for packet in container.demux():
            is_video = (
                packet.stream.index == stream.index
            )  # the flush at the end has no stream_index of its own
            timing.note(packet, is_video)
            if not is_video:
                continue
            if packet.is_corrupt:
                raise incomplete(path, timing.frames, declared)
            for frame in stream.decode(packet):
                if frame.is_corrupt:
                    raise incomplete(path, timing.frames, declared)
                yield frame
    except FFmpegError:
        raise incomplete(path, timing.frames, declared) from None


_DECLARING = ("mov,mp4", "matroska", "avi", "flv", "asf")
"""Containers whose header states a length; for the others FFmpeg guesses it from the bit rate."""


def _declared_seconds(container: InputContainer, stream: VideoStream) -> tuple[float | None, bool]:
    """Return the length that the file declares, in seconds, and whether it is the video stream's own."""
    if not container.format.name.startswith(_DECLARING):
        return None, False
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base), True
    hours, _, rest = stream.metadata.get("DURATION", "").partition(":")  # Matroska: 00:00:05.040000000
    minutes, _, seconds = rest.partition(":")
    try:
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds), True
    except ValueError:
        return (container.duration / 1_000_000 if container.duration else None), False


def write_clip(path: Path, frames_THWC: NDArray[np.uint8], fps: float) -> None:
    """Write frames, uint8 RGB (T, H, W, 3), as near-lossless H.264 in MP4: the same frames, the same bytes.

    The codec is lossless (``qp 0``); what is lost, at most two levels of 255 and at least 50 dB PSNR, is the
    rounding of RGB to 8-bit BT.709 YUV 4:4:4 and back. The file is written beside ``path`` and renamed.

    Raises:
        MediaError: the frames are not uint8 RGB, there is none, or the rate is not a positive number.
    """
    array = np.asarray(frames_THWC)
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] != 3 or 0 in array.shape:
        raise MediaError(
            f"a clip is uint8 (T, H, W, 3) with a frame at least, not {array.dtype} {array.shape}"
        )
    options = {"qp": "0", "preset": "ultrafast"}
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        encode_mp4(beside, array, exact_rate(fps), "yuv444p", options)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def preview_mp4(path: Path, *, min_side: int = 192, max_side: int = 480, max_seconds: float = 10) -> bytes:
    """Make a small H.264 file that every browser plays, from the first ``max_seconds`` of a video.

    A tiny clip is enlarged by a whole number, pixel by pixel, until its shorter side has ``min_side`` pixels;
    a large one is shrunk until its longer side has ``max_side``. The rate is the declared one, evenly spaced.

    Raises:
        MediaError: the file cannot be read, or is damaged within these seconds.
    """
    clip = open_clip(path)
    options = {"profile": "baseline", "crf": "23", "preset": "veryfast"}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "preview.mp4"
        frames = _preview_frames(clip, min_side, max_side, max_seconds)
        encode_mp4(file, frames, exact_rate(clip.info.fps), "yuv420p", options)
        return file.read_bytes()


def _preview_frames(
    clip: Clip, min_side: int, max_side: int, max_seconds: float
) -> Iterator[NDArray[np.uint8]]:
    import av

    short, long = sorted((clip.info.height, clip.info.width))
    factor = max(1, min(-(-min_side // short), max_side // long))
    for window in Decoding(clip):
        for frame_HWC, time in zip(window.frames_THWC, window.times_T, strict=True):
            if time >= max_seconds:
                return
            if long > max_side:
                height, width = (
                    max(2, round(side * max_side / long / 2) * 2) for side in frame_HWC.shape[:2]
                )
                image = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame_HWC), format="rgb24")
                image = image.reformat(width, height, interpolation="AREA", threads=1)
                yield np.asarray(image.to_ndarray(), np.uint8)
            else:
                image = frame_HWC.repeat(factor, axis=0).repeat(factor, axis=1)
                odd_h, odd_w = image.shape[0] % 2, image.shape[1] % 2
                yield np.pad(image, ((0, odd_h), (0, odd_w), (0, 0)), mode="edge")
