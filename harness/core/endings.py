"""Detect truncated files of formats that do not state their length.

GIF, APNG, Ogg, transport streams and y4m declare no length, so FFmpeg reads a truncated file as a shorter
clip; Matroska declares one, but a lost frame that is shown before others leaves no time missing. If the
format marks its end or its size, a file that lacks part of it is refused. If it does not, a file that breaks
off within a frame is refused; any other file gets a note that its end cannot be checked.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final

from .errors import MediaError

__all__ = ["MARKED", "UNKNOWN_END", "CutShortError", "check_ending", "gif_delays", "with_gif_controls"]

UNKNOWN_END: Final = (
    "its format does not say where it ends: a file cut short between frames looks like a shorter clip"
)


class CutShortError(Exception):
    """The file breaks off; the message says how this was detected."""


def check_ending(path: Path, container: str) -> tuple[str, ...]:
    """Check that a file is complete; return a note if its format gives no way to check.

    Args:
        path: the file.
        container: FFmpeg's name of its format.

    Raises:
        MediaError: the file breaks off.
    """
    check = _CHECKS.get(container)
    if check is None:
        return (UNKNOWN_END,)
    try:
        with path.open("rb") as file:
            certain = check(file)
    except CutShortError as how:
        raise MediaError(f"{path} is truncated: {how}") from None
    except OSError as error:
        raise MediaError(f"{path} cannot be read: {error.strerror}") from None
    return () if certain else (UNKNOWN_END,)


def gif_delays(path: Path) -> list[int]:
    """Read how long each frame of a GIF is to be shown, in hundredths of a second."""
    with path.open("rb") as file:
        return [delay or 0 for delay, _ in _gif_pictures(file)]


def with_gif_controls(path: Path) -> bytes | None:
    """Add a graphic control block before every picture of a GIF that has none.

    The block is optional, and writers leave it out where no delay is named. FFmpeg takes pictures without one
    for parts of the same frame.

    Returns:
        The whole file with the blocks; None where it lacks none, holds one picture, is no GIF or breaks off.
    """
    with path.open("rb") as file:
        if file.read(4) != b"GIF8":
            return None
        file.seek(0)
        try:
            pictures = list(_gif_pictures(file))
        except CutShortError:
            return None
        bare = [place for delay, place in pictures if delay is None]
        if not bare or len(pictures) < 2:
            return None
        file.seek(0)
        whole = file.read()
    cuts = [0, *bare, len(whole)]
    return _GIF_CONTROL.join(whole[start:end] for start, end in pairwise(cuts))


_GIF_CONTROL: Final = b"\x21\xf9\x04\x00\x00\x00\x00\x00"
"""A graphic control block (GIF89a, section 23): no delay, nothing transparent, nothing disposed of."""


def _gif(file: BinaryIO) -> bool:
    for _ in _gif_pictures(file):
        pass
    return True


def _gif_pictures(file: BinaryIO) -> Iterator[tuple[int | None, int]]:
    """Walk the blocks of a GIF (GIF89a, sections 15 to 27) and yield the delay and place of every picture.

    The delay is None where no graphic control block comes before the picture.
    """
    head = _take(file, 13)
    _color_table(file, head[10])
    delay: int | None = None
    while True:
        kind = file.read(1)
        if kind == b"\x3b":
            return
        if kind == b"\x21":
            label = _take(file, 1)
            block = _sub_blocks(file)
            if label == b"\xf9" and len(block) >= 4:
                delay = int.from_bytes(block[1:3], "little")
        elif kind == b"\x2c":
            place = file.tell() - 1
            _color_table(file, _take(file, 9)[8])
            _take(file, 1)
            _sub_blocks(file)
            yield delay, place
            delay = None
        elif kind == b"":
            raise CutShortError("it lacks the trailer that ends a GIF")
        elif kind != b"\x00":  # some writers pad
            raise CutShortError(f"{kind[0]:#04x} stands at byte {file.tell() - 1}, where a GIF has a block")


def _color_table(file: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        _take(file, 3 << ((flags & 7) + 1))


def _sub_blocks(file: BinaryIO) -> bytes:
    first = b""
    while size := _take(file, 1)[0]:
        block = _take(file, size)
        first = first or block
    return first


def _apng(file: BinaryIO) -> bool:
    """Walk the chunks of a PNG (W3C PNG, section 5.3) to the one that ends it."""
    _take(file, 8)
    while True:
        head = file.read(8)
        if len(head) < 8:
            raise CutShortError("it lacks the chunk that ends a PNG")
        _skip(file, int.from_bytes(head[:4], "big") + 4)
        if head[4:] == b"IEND":
            return True


def _ogg(file: BinaryIO) -> bool:
    """Walk the pages of an Ogg file (RFC 3533, section 6): every stream ends in a page that says so."""
    open_streams: set[bytes] = set()
    while head := file.read(27):
        if len(head) < 27 or head[:4] != b"OggS":
            raise CutShortError("its last page is not whole")
        serial = head[14:18]
        open_streams.add(serial)
        if head[5] & 4:
            open_streams.discard(serial)
        _skip(file, sum(_take(file, head[26])))
    if open_streams:
        raise CutShortError("it lacks the page that ends an Ogg stream")
    return True


def _y4m(file: BinaryIO) -> bool:
    """Check that the last frame of a YUV4MPEG2 file is whole; the format does not mark the last one."""
    file.readline(1024)
    start, size = file.tell(), _size(file)
    try:
        body = _y4m_body(file)
    except (KeyError, ValueError):
        return False  # a colour space that is not in the table
    place = start
    while place < size:
        file.seek(place)
        line = file.readline(1024)
        place += len(line) + body
        if not line.startswith(b"FRAME") or place > size:
            raise CutShortError("its last frame is not whole")
    return False


def _y4m_body(file: BinaryIO) -> int:
    """Count the bytes of a frame's planes by the header (width, height and colour space)."""
    file.seek(0)
    fields = {word[:1]: word[1:] for word in file.readline(1024).split()[1:]}
    width, height = int(fields[b"W"]), int(fields[b"H"])
    space = fields.get(b"C", b"420").decode("ascii", "replace")
    half_w, half_h = (width + 1) // 2, (height + 1) // 2
    chroma = {
        "420": 2 * half_w * half_h,
        "422": 2 * half_w * height,
        "444": 2 * width * height,
        "411": 2 * ((width + 3) // 4) * height,
        "mon": 0,
    }[space[:3]]
    if "alpha" in space:
        chroma += width * height
    deep = any(space.endswith(f"{mark}{bits}") for mark in ("p", "mono") for bits in (9, 10, 12, 14, 16))
    return (width * height + chroma) * (2 if deep else 1)


def _transport(file: BinaryIO) -> bool:
    """Check that the last packet of a transport stream (ISO/IEC 13818-1) is whole.

    A packet has 188 bytes, or 192 with a time stamp. The decoder reports a frame that lacks packets.
    """
    data = file.read(5)
    packet = 192 if data[:1] != b"\x47" and data[4:5] == b"\x47" else 188
    if _size(file) % packet:
        raise CutShortError("its last packet is not whole")
    return False


def _matroska(file: BinaryIO) -> bool:
    """Hold the size of the segment (RFC 8794, sections 4 to 6; RFC 9559) to that of the file."""
    if _take(file, 4) != b"\x1a\x45\xdf\xa3":
        return False
    _skip(file, _ebml_size(file) or 0)
    if _take(file, 4) != b"\x18\x53\x80\x67":
        return False
    segment = _ebml_size(file)
    if segment is None:
        return False  # written to a pipe
    _skip(file, segment)
    return True


def _ebml_size(file: BinaryIO) -> int | None:
    """Read the size of an element: its length is in the leading zeros; None for one that is all ones."""
    first = _take(file, 1)[0]
    length = 9 - first.bit_length()
    if length > 8:
        return None
    value = int.from_bytes(bytes([first & (0xFF >> length)]) + _take(file, length - 1), "big")
    return None if value == (1 << 7 * length) - 1 else value


def _take(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise CutShortError(f"it breaks off at byte {file.tell()}")
    return data


def _skip(file: BinaryIO, count: int) -> None:
    if file.seek(count, os.SEEK_CUR) > _size(file):
        raise CutShortError(f"it breaks off at byte {_size(file)}")


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


_CHECKS: Final[dict[str, Callable[[BinaryIO], bool]]] = {
    "gif": _gif,
    "apng": _apng,
    "ogg": _ogg,
    "yuv4mpegpipe": _y4m,
    "mpegts": _transport,
    "matroska,webm": _matroska,
}

MARKED: Final = frozenset(_CHECKS)
"""FFmpeg's names of the formats whose end `check_ending` can check."""
