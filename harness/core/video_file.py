"""Read a video file through FFmpeg: its stream, its frames in order, and its declared properties."""

from __future__ import annotations

import functools
import io
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from .clip_info import ClipInfo
from .endings import MARKED, check_ending, gif_delays, with_gif_controls
from .errors import MediaError
from .limits import check_frames, check_rate, check_size, is_rate
from .rgb import RgbConverter
from .sound import SoundChunk, SoundReader
from .timing import Timing, incomplete

if TYPE_CHECKING:
    from av import Packet, VideoCodecContext, VideoFrame, VideoStream
    from av.container import InputContainer
    from av.stream import Stream

__all__ = ["VideoFileReader", "open_video_file"]

_STILL_BRANDS = {"avif", "mif1", "msf1", "heic", "heix", "heim", "heis"}
_ANIMATED_BRAND = "avis"
_BRANDS = {b"avc1", b"iso2", b"iso4", b"iso5", b"iso6", b"isom", b"mp41", b"mp42"}
_MP4: Final = "mov,mp4,m4a,3gp,3g2,mj2"
"""FFmpeg's name of the format of files of these brands, where it finds that out itself."""

_RAW = {"h264", "hevc", "vvc", "evc", "m4v", "mpegvideo", "mjpeg", "obu", "vc1", "dirac", "cavsvideo", "avs2"}
"""Formats without a container: only the codec can state a frame rate, and FFmpeg assumes one otherwise."""

_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}

_DECLARING = ("mov,mp4", "matroska", "avi", "flv", "asf")
"""Containers whose header states a length; for the others FFmpeg guesses it from the bit rate."""


class VideoFileReader:
    """The frames of one open video file, and afterwards its true properties. Made by `open_video_file`."""

    def __init__(self, path: Path, container: InputContainer, *, sound: bool = False) -> None:
        self._path = path
        self._container = container
        self._stream = _video_stream(container, path)
        self._decoder = _decoder(self._stream)
        self._rate, self._notes = _rate(container, self._stream, path)
        self._timing = Timing(self._rate, presentation=_format(container) != "avi")
        self._to_rgb = RgbConverter(path)
        self._sound = SoundReader(container) if sound else None
        self._start = 0.0
        self._decoded = self._decode()
        self._looked_at: tuple[VideoFrame, NDArray[np.uint8]] | None = None

    def look(self) -> ClipInfo:
        """Decode the first frame and return the declared properties; `frames` begins with that frame.

        Raises:
            MediaError: there is none, or it is larger than can be read.
        """
        first = next(self._decoded, None)
        if first is None:
            raise MediaError(f"{self._path} has a video stream without a single frame that can be decoded")
        frame_HWC = self._to_rgb(first)
        self._looked_at = first, frame_HWC
        height, width = frame_HWC.shape[:2]
        info = ClipInfo(
            height=height,
            width=width,
            fps=self._rate,
            frames=self._stream.frames or None,
            duration=_declared_seconds(self._container, self._stream)[0],
            codec=self._stream.codec.canonical_name,
            container=_format(self._container),
        )
        check_frames(str(self._path), info.frames or 1, width, height)
        return info

    def frames(self) -> Iterator[tuple[NDArray[np.uint8], float]]:
        """Yield every frame, uint8 RGB (H, W, 3), and its time in seconds after the first.

        Raises:
            MediaError: the file is damaged, shorter than it declares, or changes its frame size.
        """
        size: tuple[int, int] | None = None
        for frame, frame_HWC in self._upright():
            height, width = frame_HWC.shape[:2]
            if size is not None and size != (width, height):
                raise self._changes_size(size, (width, height))
            if size is None and frame.pts is not None and frame.time_base is not None:
                self._start = float(frame.pts * frame.time_base)
            size = (width, height)
            check_frames(str(self._path), self._timing.frames + 1, width, height)
            yield frame_HWC, self._timing.add(frame)
        declared, own = _declared_seconds(self._container, self._stream)
        self._timing.check_complete(self._path, self._stream.frames, declared, own)
        name = _format(self._container)
        if name in MARKED or (not self._stream.frames and declared is None):
            self._notes += check_ending(self._path, name)

    def sound(self) -> tuple[SoundChunk, ...]:
        """Hand over the sound that was decoded since the last call; empty where it was not asked for."""
        return () if self._sound is None else self._sound.heard(self._start)

    def info(self, declared: ClipInfo) -> ClipInfo:
        """Return the true properties, after the last frame.

        Raises:
            MediaError: its time stamps give an impossible frame rate, or it is a still image.
        """
        timing = self._timing
        for fps in (timing.fps, timing.frames / timing.duration):
            check_rate(f"{self._path}, by its time stamps,", fps)
        if timing.frames == 1 and declared.container in ("gif", "apng"):
            raise MediaError(f"{self._path} is a still image, not a video")
        if declared.container == "gif" and 0 in gif_delays(self._path):
            self._notes += ("it has frames with a delay of 0, which are shown for 0.1 s as browsers do",)
        return replace(
            declared,
            fps=timing.fps,
            frames=timing.frames,
            duration=timing.duration,
            variable_rate=timing.variable_rate,
            notes=(*self._notes, *self._to_rgb.notes, *_aspect(self._stream)),
        )

    def _upright(self) -> Iterator[tuple[VideoFrame, NDArray[np.uint8]]]:
        """Yield every frame, as it is decoded and as it is shown."""
        if self._looked_at is not None:
            yield self._looked_at
            self._looked_at = None
        for frame in self._decoded:
            yield frame, self._to_rgb(frame)

    def _decode(self) -> Iterator[VideoFrame]:
        """Yield every frame of the stream, and record the time of every packet."""
        from av.error import FFmpegError

        packets = self._packets()
        try:
            for packet in packets:
                frames = self._decoder.decode(packet)
                if packet.is_corrupt or any(frame.is_corrupt for frame in frames):
                    raise self._corrupt(packets)
                yield from frames
        except FFmpegError:
            raise self._incomplete() from None

    def _packets(self) -> Iterator[Packet[Stream]]:
        for packet in self._container.demux():
            is_video = packet.stream.index == self._stream.index  # the flush at the end has no stream_index
            self._timing.note(packet, is_video)
            if is_video:
                yield packet
            elif self._sound is not None:
                self._sound.take(packet)

    def _corrupt(self, packets: Iterator[Packet[Stream]]) -> MediaError:
        """Build the error for a damaged frame; where two streams were joined, a change of size comes next."""
        size = (self._decoder.width, self._decoder.height)
        for packet in packets:
            for frame in self._decoder.decode(packet):
                if (frame.width, frame.height) != size:
                    return self._changes_size(size, (frame.width, frame.height))
        return self._incomplete()

    def _incomplete(self) -> MediaError:
        return incomplete(self._path, self._timing.frames, self._stream.frames)

    def _changes_size(self, before: tuple[int, int], after: tuple[int, int]) -> MediaError:
        sizes = f"from {before[0]}x{before[1]} to {after[0]}x{after[1]}"
        return MediaError(
            f"{self._path} changes its frame size {sizes} after frame {self._timing.frames} or later; cut it "
            "into clips of one size"
        )


class _Source(io.FileIO):
    """A file that returns -1 for an impossible seek (damaged headers ask for it), instead of raising."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        try:
            return super().seek(offset, whence)
        except (OSError, OverflowError):
            return -1


class _Held(io.BytesIO):
    """A file that is in memory, with its name, by which FFmpeg knows formats that no beginning tells."""

    def __init__(self, content: bytes, name: Path) -> None:
        super().__init__(content)
        self.name = name

    def seek(self, offset: int, whence: int = 0, /) -> int:
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return -1


@contextmanager
def open_video_file(
    path: Path, head: bytes = b"", *, sound: bool = False, held: bytes | None = None
) -> Generator[VideoFileReader]:
    """Open a file and its video stream, on one thread, with FFmpeg's errors as sentences.

    Args:
        path: of the file.
        head: its first bytes, if they are known: FFmpeg tries no other formats on an MP4.
        sound: whether its sound is decoded, too.
        held: the whole file, if it is in memory.
    """
    import av
    from av.error import FFmpegError

    try:
        if not head or head.startswith(b"GIF8"):
            held = with_gif_controls(path) or held
        # A playlist may not make FFmpeg open other files or addresses: it gets one open file and no protocol.
        with (
            _Source(path) if held is None else _Held(held, path) as file,
            av.open(
                file,
                "r",
                format="mp4" if head[4:8] == b"ftyp" and head[8:12] in _BRANDS and _known() else None,
                metadata_errors="replace",
                container_options={"protocol_whitelist": "none"},
            ) as read,
        ):
            yield VideoFileReader(path, read, sound=sound)
    except (FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise MediaError(f"{path} is not a video that FFmpeg can read: {reason}") from None


@functools.cache
def _known() -> bool:
    """Say whether this FFmpeg has the format of MP4 under its name."""
    import av

    return {"mp4", _MP4} <= set(av.formats_available)


def _format(container: InputContainer) -> str:
    """Name the format, the same whether FFmpeg was told it or not."""
    name = container.format.name
    return _MP4 if name == "mp4" else name


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    from av.stream import Disposition

    name = _format(container)
    brand = container.metadata.get("major_brand", "").strip()
    if name == "image2" or name.endswith("_pipe") or name == "ico" or brand in _STILL_BRANDS:
        raise MediaError(f"{path} is a still image, not a video")
    if name == "tty":
        raise MediaError(f"{path} is text, not a video")
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if brand == _ANIMATED_BRAND:
        streams = [s for s in streams if s.frames > 1]  # the others are its still pictures
    if not streams:
        others = ", ".join(sorted({s.type for s in container.streams if s.type != "video"}))
        raise MediaError(f"{path} has no video stream (only {others or 'a cover picture'})")
    stream = next((s for s in streams if s.disposition & Disposition.default), streams[0])
    context = stream.codec_context
    if context is None:  # pyright: ignore[reportUnnecessaryComparison]  (None where no decoder is known)
        raise MediaError(f"{path} is in a video codec that this FFmpeg has no decoder for")
    check_size(str(path), context.width, context.height)
    stream.thread_type = "NONE"  # pyright: ignore[reportAttributeAccessIssue]  (the setter takes names)
    return stream


def _decoder(stream: VideoStream) -> VideoCodecContext:
    """Choose the decoder: for VP8 and VP9 with alpha use libvpx, since FFmpeg's own decoders drop alpha."""
    import av

    context = stream.codec_context
    if stream.metadata.get("alpha_mode") != "1" or context.name not in _WITH_ALPHA:
        return context
    decoder = av.CodecContext.create(_WITH_ALPHA[context.name], "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.extradata = context.extradata
    decoder.thread_count = 1
    return decoder


def _rate(container: InputContainer, stream: VideoStream, path: Path) -> tuple[float, tuple[str, ...]]:
    """Find the declared frame rate; add a note if there is none and one was assumed."""
    context = stream.codec_context
    notes: tuple[str, ...] = ()
    if _format(container) in _RAW:
        declared = [context.framerate]
        if not context.framerate:
            declared = [stream.average_rate]
            notes = (f"it declares no frame rate; {float(stream.average_rate or 0):g} a second are assumed",)
    else:
        declared = [stream.average_rate, stream.guessed_rate, stream.base_rate]
    rates = [float(rate) for rate in declared if rate]
    if not rates:
        raise MediaError(f"{path} declares no frame rate")
    rate = next((rate for rate in rates if is_rate(rate)), rates[0])
    check_rate(str(path), rate)
    return rate, notes


def _aspect(stream: VideoStream) -> tuple[str, ...]:
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    if not aspect or aspect == 1:
        return ()
    return (
        f"its pixels are {float(aspect):.3g} times as wide as high and were left so: shapes and directions "
        "of motion are those of the stored grid",
    )


def _declared_seconds(container: InputContainer, stream: VideoStream) -> tuple[float | None, bool]:
    """Return the declared length in seconds, and whether it is the video stream's own."""
    if not _format(container).startswith(_DECLARING):
        return None, False
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base), True
    hours, _, rest = stream.metadata.get("DURATION", "").partition(":")  # Matroska: 00:00:05.040000000
    minutes, _, seconds = rest.partition(":")
    try:
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds), True
    except ValueError:
        return (container.duration / 1_000_000 if container.duration else None), False
