"""Read any video file once, in bounded memory, and write generated clips.

FFmpeg decodes and converts on one thread, so that the pixels are the same bits on every run. The stream's
colour matrix and range are respected, rotation and flip are applied, transparency is composed over white, and
HDR is tone-mapped to BT.709 (`hdr`). The pixel aspect ratio is *not* applied: an anamorphic clip stays
squeezed. Interlaced frames stay interlaced. `ClipInfo.notes` says which of these concern a clip. Sound is
decoded in the same pass where it is asked for. `limits` has the largest sizes, lengths and rates.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .clip_info import ClipInfo, Sink, Window
from .codec import encode_mp4, exact_rate
from .errors import MediaError
from .files import HEAD, is_webp, kind_of_file
from .keys import file_sha256
from .sound import SoundTrack
from .video_file import VideoFileReader, open_video_file
from .webp_file import WebpReader, open_webp

__all__ = [
    "WINDOW_BYTES",
    "WINDOW_FRAMES",
    "Clip",
    "ClipInfo",
    "Decoding",
    "Sink",
    "Window",
    "all_frames",
    "decode",
    "decode_count",
    "decoding",
    "open_clip",
    "write_clip",
]

_Reader: TypeAlias = "VideoFileReader | WebpReader"

WINDOW_BYTES = 256 * 2**20
WINDOW_FRAMES = 64

_SMALL_BYTES = 4 * 2**20

decode_count: Counter[str] = Counter()
"""How often the clip of each sha256 was decoded by this process (previews are not counted)."""


@dataclass(frozen=True)
class Clip:
    """A video file that can be decoded: its path, the sha256 of its bytes and its declared properties."""

    path: Path
    sha256: str
    info: ClipInfo

    def windows(self, *, sound: bool = False) -> Decoding:
        """Decode the file once, from its first frame to its last, in windows of bounded memory.

        A window has at most `WINDOW_FRAMES` frames and `WINDOW_BYTES` (256 MiB), but at least two frames; the
        peak is about two windows, the one being read and the one being filled.

        Args:
            sound: whether windows carry the sound, too.

        Raises:
            MediaError: while iterating, where the file is damaged, shorter than it declares or should be,
                longer than can be read, or changes its size.
        """
        decode_count[self.sha256] += 1
        return Decoding(self, _reader(self.path, sound=sound))


class Decoding(Iterator[Window]):
    """The windows of one clip, and after the last one its true properties.

    Args:
        clip: the file.
        reader: of the file, not begun or looked at alone; without one, the file is opened once more.
    """

    def __init__(self, clip: Clip, reader: AbstractContextManager[_Reader] | None = None) -> None:
        self.clip = clip
        self._reader = reader or _reader(clip.path)
        self._info: ClipInfo | None = None
        self._windows = self._run()

    def __next__(self) -> Window:
        return next(self._windows)

    @property
    def info(self) -> ClipInfo:
        """The clip's true frame count, rate and duration; known once every window was read."""
        if self._info is None:
            raise RuntimeError("the clip is known only after its last window was read")
        return self._info

    def _run(self) -> Generator[Window, None, None]:
        declared = self.clip.info
        height, width = declared.height, declared.width
        length = max(2, min(WINDOW_FRAMES, WINDOW_BYTES // (height * width * 3)))
        with self._reader as reader:
            frames = np.empty((0, height, width, 3), np.uint8)
            times: list[float] = []
            done = 0
            for frame_HWC, time in reader.frames():
                if len(times) == length:
                    yield Window(frames, np.array(times), done - length, reader.sound())
                    times = []
                if not times:
                    frames = np.empty((length, height, width, 3), np.uint8)
                frames[len(times)] = frame_HWC
                times.append(time)
                done += 1
            self._info = reader.info(declared)
            sound = reader.sound()
        yield Window(frames[: len(times)], np.array(times), done - len(times), sound)

    def into(self, sinks: Sequence[Sink]) -> ClipInfo:
        """Push every window into every sink, and return the clip's true properties.

        Raises:
            MediaError: as in `Clip.windows`.
        """
        for window in self:
            for sink in sinks:
                sink.push(window)
        return self.info


@contextmanager
def _reader(path: Path, *, sound: bool = False, held: bytes | None = None) -> Generator[_Reader]:
    """Open a file by its beginning; what is ``held`` of it is the whole file, which is not read again."""
    if held is None:
        with path.open("rb") as file:
            head = file.read(HEAD)
    else:
        head = held[:HEAD]
    with open_webp(path) if is_webp(head) else open_video_file(path, head, sound=sound, held=held) as reader:
        yield reader


def decode(clip: Clip, sinks: Sequence[Sink], *, sound: bool = False) -> ClipInfo:
    """Decode ``clip`` once, push every window into every sink, and return the clip's true properties.

    Args:
        clip: the file.
        sinks: what takes the windows.
        sound: whether windows carry the sound, too.

    Raises:
        MediaError: the file is damaged, shorter than it declares, or changes its frame size.
    """
    return clip.windows(sound=sound).into(sinks)


def open_clip(path: Path) -> Clip:
    """Open a video file of any container and codec that FFmpeg can read, by decoding its first frame.

    Raises:
        MediaError: no such file, or not a video: empty, text, sound alone, a still image, no frame in it ...
    """
    with _opened(path) as (clip, _):
        return clip


@contextmanager
def decoding(path: Path, *, sound: bool = False) -> Generator[Decoding]:
    """Open a video file as `open_clip` does, and go on from its first frame: it is opened and begun once.

    Args:
        path: of the file.
        sound: whether windows carry the sound, too.

    Raises:
        MediaError: as in `open_clip` and, while iterating, in `Clip.windows`.
    """
    with ExitStack() as stack:
        clip, reader = stack.enter_context(_opened(path, sound=sound))
        held = stack.pop_all()
    decode_count[clip.sha256] += 1
    try:
        yield Decoding(clip, _kept(reader, held))
    finally:
        held.close()


def all_frames(path: Path) -> NDArray[np.uint8]:
    """Read a short video file whole: uint8 RGB (T, H, W, 3).

    Raises:
        MediaError: as in `open_clip` and `Clip.windows`.
    """
    with decoding(path) as windows:
        return np.concatenate([window.frames_THWC for window in windows])


@contextmanager
def _kept(reader: _Reader, held: ExitStack) -> Generator[_Reader]:
    with held:
        yield reader


@contextmanager
def _opened(path: Path, *, sound: bool = False) -> Generator[tuple[Clip, _Reader]]:
    kind = kind_of_file(path)
    if kind is not None:
        raise MediaError(f"{path} is {kind}; give a video file")
    try:
        held = _small(path)
        if held is not None and not held:
            raise MediaError(f"{path} is an empty file")
        with _reader(path, sound=sound, held=held) as reader:
            info = reader.look()
            sha256 = file_sha256(path) if held is None else hashlib.sha256(held).hexdigest()
            yield Clip(path, sha256, info), reader
    except OSError as error:
        raise MediaError(f"{path} cannot be read: {error.strerror or error}") from None


def _small(path: Path) -> bytes | None:
    """Read a file whole, so that it is opened once to be hashed and decoded; None for a large one."""
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        return file.readall() if size <= _SMALL_BYTES else None


def write_clip(
    path: Path, frames_THWC: NDArray[np.uint8], fps: float, sound: SoundTrack | None = None
) -> None:
    """Write frames, uint8 RGB (T, H, W, 3), as near-lossless H.264 in MP4, with sound as FLAC of 16 bits.

    The same frames give the same bytes. The codec is lossless (``qp 0``); rounding from RGB to 8-bit BT.709
    YUV 4:4:4 and back loses at most two levels of 255, with a PSNR of at least 50 dB. The file is written
    beside ``path`` and renamed.

    Raises:
        MediaError: the frames are not uint8 RGB, there is none, or the rate is not a positive number.
    """
    array = np.asarray(frames_THWC)
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] != 3 or 0 in array.shape:
        raise MediaError(
            f"a clip is uint8 (T, H, W, 3) with at least one frame, not {array.dtype} {array.shape}"
        )
    options = {"qp": "0", "preset": "ultrafast"}
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        encode_mp4(beside, array, exact_rate(fps), "yuv444p", options, sound)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
