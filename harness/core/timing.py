"""Times of the frames of a video, and whether its file holds all that it declares."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from .counts import counted
from .errors import MediaError

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.stream import Stream

__all__ = ["Timing", "incomplete"]


def incomplete(path: Path, frames: int, declared: int) -> MediaError:
    """Build the error for a file that breaks off after ``frames``; ``declared`` is 0 if it declares none."""
    read = f"{frames} of {counted(declared, 'frame')}" if declared else counted(frames, "frame")
    return MediaError(f"{path} is truncated or damaged: {read} could be read")


class Timing:
    """Times of the frames, and whether all that was declared has arrived.

    A frame's time is its time stamp minus the first one. A frame without a time stamp is shown ``1 / rate``
    after its predecessor. A frame whose time stamp is not later than its predecessor's is shown half of that
    after it.

    Args:
        rate: declared frames per second.
        presentation: whether the container stores presentation times. AVI does not: FFmpeg guesses them, so
            the decoding times are used instead.
    """

    def __init__(self, rate: float, *, presentation: bool = True) -> None:
        self.rate = rate
        self.frames = 0
        self.packets = 0
        self._presentation = presentation
        self._last = 0.0
        self._length: float | None = None
        self._tick = 0.0
        self._gaps = (float("inf"), 0.0)
        self._decoding: deque[int | None] = deque()  # times of the packets whose frames are still to come
        self._first: dict[str, int] = {}
        self._newest: dict[str, int] = {}
        self._backwards = {"pts": 0, "dts": 0}
        self._newest_packet: int | None = None
        self._at_one_time = 0  # packets of the video with the decoding time of the one before
        self._video = Span()
        self._all = Span()  # packets of every stream

    def note(self, packet: Packet[Stream], is_video: bool) -> None:
        """Take note of a packet of any stream."""
        size, pts, dts = packet.size, packet.pts, packet.dts
        if size == 0 and pts is None:
            return  # the flush at the end
        stamp, counted_in = pts if pts is not None else dts, is_video and not packet.is_discard
        if stamp is not None:
            base, length = packet.time_base, packet.duration
            start = _seconds(stamp, base)
            end = start + _seconds(length or 0, base)
            self._all.add(start, end, length_known=bool(length))
            if counted_in:
                self._video.add(start, end, length_known=bool(length))
        if is_video:
            self.packets += 1
            if counted_in and size:
                self._decoding.append(dts)
            self._at_one_time += dts is not None and dts == self._newest_packet
            self._newest_packet = dts

    def add(self, frame: VideoFrame) -> float:
        """Return the time of the next frame, in seconds after the first."""
        base, length = frame.time_base, frame.duration
        stamp, self._tick = self._stamp(frame.pts, base), float(base or 0)
        if self.frames == 0:
            time = 0.0
        else:
            step = 1.0 / self.rate
            time = self._last + step if stamp is None else stamp
            if time <= self._last:
                time = self._last + step / 2
            gap = time - self._last
            self._gaps = (min(self._gaps[0], gap), max(self._gaps[1], gap))
        self.frames += 1
        self._last = time
        self._length = _seconds(length, base) if length and base else None
        return time

    def _stamp(self, pts: int | None, base: Fraction | None) -> float | None:
        """Choose between a frame's presentation and decoding time, in seconds after the first frame.

        The one that has run backwards less often is used, as FFmpeg's tools do (``best_effort_timestamp``):
        some MP4 files have presentation times that are out of order, and then their decoding times are right.
        Packets come in decoding order with one frame each, so the k-th frame has the k-th decoding time.
        """
        dts = self._decoding.popleft() if self._decoding else None
        pts = pts if self._presentation else None
        for kind, value in (("pts", pts), ("dts", dts)):
            if value is not None:
                self._first.setdefault(kind, value)
                self._backwards[kind] += value <= self._newest.get(kind, value - 1)
                self._newest[kind] = value
        trusted = dts is None or self._backwards["pts"] <= self._backwards["dts"]
        kind, value = ("pts", pts) if pts is not None and trusted else ("dts", dts)
        if value is None or base is None:
            return None
        return _seconds(value - self._first[kind], base)

    @property
    def fps(self) -> float:
        """Mean frames per second from the time stamps; for a single frame, the declared rate."""
        return (self.frames - 1) / self._last if self.frames > 1 else self.rate

    @property
    def duration(self) -> float:
        """Seconds to the end of the last frame, which lasts as declared, or as long as the mean frame."""
        return self._last + (self._length or 1.0 / self.fps)

    @property
    def variable_rate(self) -> bool:
        """Whether gaps differ by more than a tenth of the mean one, beyond the rounding of time stamps."""
        return self.frames > 2 and self._gaps[1] - self._gaps[0] > 0.1 / self.fps + 2 * self._tick

    def check_complete(self, path: Path, frames: int, seconds: float | None, own: bool) -> None:
        """Raise if fewer packets came than the file declares, or fewer frames than its packets stand for.

        Counts also differ in complete files, because of edit lists, empty packets and frames that refer to
        others before a cut. So a missing count is an error only if time is missing, too, or if the packets
        stand at one time, so that some are taken to lie before the start.

        Args:
            path: for the message.
            frames: as declared; 0 if not declared.
            seconds: as declared; None if not declared.
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
        left_out = self.packets - self.frames
        untimed = frames > 0 and self._at_one_time >= left_out
        if short or (left_out > 2 and (undecoded > 2.5 * gap or untimed)):
            raise incomplete(path, self.frames, frames or self.packets)


class Span:
    """The time from the earliest to the latest of some packets, in seconds."""

    def __init__(self) -> None:
        self.lengths_known = True
        self._start = float("inf")
        self._end = 0.0

    def add(self, start: float, end: float, *, length_known: bool) -> None:
        """Widen the span to hold a packet from ``start`` to ``end``."""
        self.lengths_known = self.lengths_known and length_known
        self._start = min(self._start, start)
        self._end = max(self._end, end)

    @property
    def length(self) -> float:
        """Seconds from the first packet to the end of the last."""
        return max(0.0, self._end - self._start)

    @property
    def covered(self) -> float:
        """Seconds of the declared length that the packets reach; a late first packet counts as reached."""
        return self._end - min(self._start, 0.0)


def _seconds(ticks: int, base: Fraction) -> float:
    """Convert ticks to the nearest float, as ``float(ticks * base)`` does without making a fraction."""
    return ticks * base.numerator / base.denominator
