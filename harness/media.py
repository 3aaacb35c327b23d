"""Media: reading any video file once, in bounded memory, and writing what was generated.

Pixels are what FFmpeg's decoder and scaler give on one thread, so that they are the same bits on every run:
the stream's colour matrix and range are respected, an alpha channel is dropped, the rotation or flip that
the file asks for is applied. The pixel aspect ratio is *not* applied: an anamorphic clip stays squeezed.
Sound is ignored.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import MediaError
from .keys import file_sha256

if TYPE_CHECKING:
    from av import Packet, VideoFrame, VideoStream
    from av.container import InputContainer
    from av.stream import Stream

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
        timing = _Timing(declared.fps)
        with _opened(self._clip.path) as (container, stream):
            to_rgb = _RgbConverter()
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
        timing = _Timing(float(stream.average_rate or stream.guessed_rate or stream.base_rate or 0))
        first = next(_frames(container, stream, timing, path), None)
        if first is None:
            raise MediaError(f"{path} has a video stream without a single frame that can be decoded")
        if not timing.rate:
            raise MediaError(f"{path} says nothing of its frame rate")
        height, width = _RgbConverter()(first).shape[:2]
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


@contextmanager
def _opened(path: Path) -> Generator[tuple[InputContainer, VideoStream]]:
    """Open a file and its video stream, on one thread, with FFmpeg's errors as sentences."""
    import av
    from av.error import FFmpegError

    try:
        # A playlist may not make FFmpeg open other files or addresses: it gets one open file and no protocol.
        with (
            path.open("rb") as file,
            av.open(
                file, metadata_errors="replace", container_options={"protocol_whitelist": "none"}
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
    container: InputContainer, stream: VideoStream, timing: _Timing, path: Path
) -> Iterator[VideoFrame]:
    """Yield every frame of ``stream``, telling ``timing`` of every packet."""
    from av.error import FFmpegError

    declared = stream.frames
    try:
        for packet in container.demux():
            timing.note(packet, packet.stream_index == stream.index)
            if packet.stream_index != stream.index:
                continue
            if packet.is_corrupt:
                raise _incomplete(path, timing.frames, declared)
            for frame in stream.decode(packet):
                if frame.is_corrupt:
                    raise _incomplete(path, timing.frames, declared)
                yield frame
    except FFmpegError:
        raise _incomplete(path, timing.frames, declared) from None


def _incomplete(path: Path, frames: int, declared: int) -> MediaError:
    of = f" of {declared}" if declared else ""
    return MediaError(f"{path} is truncated or damaged: {frames}{of} frames could be read")


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


class _Timing:
    """When frames are shown, and whether all that was declared has arrived.

    The time of a frame is its time stamp's distance from the first one's. A frame without a time stamp, or
    with one that is not after its predecessor's, is shown ``1 / rate`` after it.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.frames = 0
        self.packets = 0
        self._origin = 0.0
        self._last = 0.0
        self._tick = 0.0
        self._gaps = (float("inf"), 0.0)
        # Spans in seconds (from, to) of the video's packets and of all streams' packets.
        self._video = _Span()
        self._all = _Span()

    def note(self, packet: Packet[Stream], is_video: bool) -> None:
        """Take note of a packet of any stream."""
        if packet.size == 0 and packet.pts is None:
            return  # the flush at the end
        self._all.add(packet)
        if is_video:
            self.packets += 1
            if not packet.is_discard:
                self._video.add(packet)

    def add(self, frame: VideoFrame) -> float:
        """Return the time of the next frame, in seconds after the first."""
        stamp = None if frame.pts is None else float(frame.pts * frame.time_base)
        if self.frames == 0:
            self._origin = stamp or 0.0
            self._tick = float(frame.time_base)
            time = 0.0
        else:
            step = 1.0 / self.rate
            time = self._last + step if stamp is None else stamp - self._origin
            if time <= self._last:
                time = self._last + step
            gap = time - self._last
            self._gaps = (min(self._gaps[0], gap), max(self._gaps[1], gap))
        self.frames += 1
        self._last = time
        return time

    @property
    def fps(self) -> float:
        """Mean frames a second by the time stamps; of a single frame, the declared rate."""
        return (self.frames - 1) / self._last if self.frames > 1 else self.rate

    @property
    def variable_rate(self) -> bool:
        """Whether gaps differ by more than a tenth of the mean one, beyond the rounding of time stamps."""
        return self.frames > 2 and self._gaps[1] - self._gaps[0] > 0.1 / self.fps + 2 * self._tick

    def check_complete(self, path: Path, frames: int, seconds: float | None, own: bool) -> None:
        """Raise if fewer packets came than the file declares, or fewer frames than its packets stand for.

        An edit list, empty packets (a frame that is shown longer) and frames that refer to what lies before a
        cut make counts differ in whole files, so that a count counts only if time is missing, too.

        Args:
            path: for the message.
            frames: as declared; 0 where they are not.
            seconds: as declared; None where they are not.
            own: whether ``seconds`` is the video stream's own length, rather than the longest stream's.

        Raises:
            MediaError: the file is truncated.
        """
        gap = 1.0 / self.fps
        span = self._video if own else self._all
        missing = float("inf") if seconds is None else seconds - span.covered
        if frames:
            short = self.packets < frames and missing > 0.5 * gap
        else:
            slack = 0.5 * gap if span.lengths_known else 1.5 * gap
            short = seconds is not None and missing > slack + (0.002 if own else 0.05)
        if short and seconds is not None and not frames:
            raise MediaError(
                f"{path} is truncated: {span.covered:.2f} of {seconds:.2f} seconds could be read"
            )
        undecoded = self._video.length - (self._last + gap)
        if short or (self.frames + 2 < self.packets and undecoded > 2.5 * gap):
            raise _incomplete(path, self.frames, frames or self.packets)


class _Span:
    """The time from the earliest to the latest of some packets, in seconds."""

    def __init__(self) -> None:
        self.lengths_known = True
        self._start = float("inf")
        self._end = 0.0

    def add(self, packet: Packet[Stream]) -> None:
        """Widen the span to hold a packet."""
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is None:
            return
        start = float(stamp * packet.time_base)
        self.lengths_known = self.lengths_known and bool(packet.duration)
        self._start = min(self._start, start)
        self._end = max(self._end, start + float((packet.duration or 0) * packet.time_base))

    @property
    def length(self) -> float:
        """Seconds from the first packet to the end of the last."""
        return max(0.0, self._end - self._start)

    @property
    def covered(self) -> float:
        """Seconds of the declared length that the packets reach; a late first packet counts as reached."""
        return self._end - min(self._start, 0.0)


class _RgbConverter:
    """Turn decoded frames upright and into RGB."""

    def __init__(self) -> None:
        from av.video.reformatter import Interpolation, VideoReformatter

        # Accurate rounding and full chroma make the pixels the same on every processor.
        self._how = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
        self._reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """Return the frame as uint8 RGB (H, W, 3), as it is to be shown."""
        rgb = self._reformatter.reformat(frame, format="rgb24", interpolation=self._how, threads=1)
        frame_HWC = np.asarray(rgb.to_ndarray(), np.uint8)
        matrix = frame.side_data.get("DISPLAYMATRIX")
        if matrix is None:
            return frame_HWC
        # Row vectors (x, y, 1) times a 3x3 matrix, x to the right and y down: x' = a x + c y, y' = b x + d y.
        a, b, _, c, d = (int(v) for v in np.frombuffer(bytes(matrix), np.int32)[:5])
        if b == c == 0 and a and d:
            flip_x, flip_y = a < 0, d < 0
        elif a == d == 0 and b and c:
            frame_HWC = frame_HWC.transpose(1, 0, 2)
            flip_x, flip_y = c < 0, b < 0
        else:
            raise MediaError("a video is to be shown at an angle that is not a multiple of 90 degrees")
        return frame_HWC[:: -1 if flip_y else 1, :: -1 if flip_x else 1]


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
        _encode(beside, iter(array), _exact_rate(fps), "yuv444p", options)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _exact_rate(fps: float) -> Fraction:
    """Find the fraction meant by ``fps``: 29.97002997 is 30000/1001."""
    if not 0 < fps <= 100_000:
        raise MediaError(f"{fps} is not a frame rate")
    return Fraction(fps).limit_denominator(1001) or Fraction(fps).limit_denominator(1_000_000)


def _encode(
    path: Path, frames: Iterator[NDArray[np.uint8]], rate: Fraction, pix_fmt: str, options: dict[str, str]
) -> None:
    import av
    from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

    reformatter = VideoReformatter()
    how = (
        Interpolation.BICUBIC
        | Interpolation.ACCURATE_RND
        | Interpolation.FULL_CHR_H_INT
        | Interpolation.FULL_CHR_H_INP
    )
    # "bitexact" keeps the library's version, and with it the day of an upgrade, out of the container.
    with av.open(
        os.fspath(path.absolute()),
        "w",
        format="mp4",
        options={"movflags": "+faststart"},
        container_options={"fflags": "bitexact"},
    ) as container:
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.pix_fmt = pix_fmt
        context = stream.codec_context
        context.thread_count = 1
        context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
        context.color_range = ColorRange.MPEG
        for number, frame_HWC in enumerate(frames):
            if number == 0:
                stream.height, stream.width = frame_HWC.shape[:2]
            rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame_HWC), format="rgb24")
            frame = reformatter.reformat(
                rgb,
                format=pix_fmt,
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
                interpolation=how,
                threads=1,
            )
            frame.pts = number
            frame.time_base = 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


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
        _encode(file, frames, _exact_rate(clip.info.fps), "yuv420p", options)
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
                yield image.reformat(width, height, interpolation="AREA", threads=1).to_ndarray()
            else:
                image = frame_HWC.repeat(factor, axis=0).repeat(factor, axis=1)
                odd_h, odd_w = image.shape[0] % 2, image.shape[1] % 2
                yield np.pad(image, ((0, odd_h), (0, odd_w), (0, 0)), mode="edge")
