"""The sound of a video file, decoded beside its frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av import Packet
    from av.container import InputContainer
    from av.stream import Stream

__all__ = ["SoundChunk", "SoundReader", "SoundTrack"]


@dataclass(frozen=True)
class SoundChunk:
    """A stretch of the sound of a clip.

    Attributes:
        samples_CN: float32, full scale at 1, a row a channel.
        rate: samples a second.
        start: of the first sample, in seconds after the first frame; below 0 before it.
        problem: why the sound could not be decoded from here on; empty where it could.
    """

    samples_CN: NDArray[np.float32]
    rate: int
    start: float
    problem: str = ""


@dataclass(frozen=True)
class SoundTrack:
    """Sound that goes with frames, from the first frame on: float samples (C, N), full scale at 1."""

    samples_CN: NDArray[np.float32]
    rate: int

    @classmethod
    def of(cls, chunks: Sequence[SoundChunk]) -> SoundTrack | None:
        """Put chunks together, with silence up to one that begins late; None where there are none.

        What comes before the first frame is left out.
        """
        whole = [chunk for chunk in chunks if chunk.samples_CN.shape[1]]
        if not whole:
            return None
        samples = np.concatenate([chunk.samples_CN for chunk in whole], axis=1)
        lead = round(whole[0].start * whole[0].rate)
        if lead > 0:
            samples = np.concatenate([np.zeros((len(samples), lead), np.float32), samples], axis=1)
        return cls(samples[:, max(0, -lead) :], whole[0].rate)


class SoundReader:
    """Decode the sound packets of a container as they come by.

    Of several sound streams, the one that FFmpeg would play is taken.
    """

    def __init__(self, container: InputContainer) -> None:
        self._stream = container.streams.best("audio")
        self._chunks: list[SoundChunk] = []
        self._broken = False

    def take(self, packet: Packet[Stream]) -> None:
        """Decode a packet of any stream but the video's."""
        from av import AudioFrame, AudioResampler
        from av.error import FFmpegError

        if self._stream is None or self._broken or packet.stream.index != self._stream.index:
            return
        try:
            for frame in packet.decode():
                if isinstance(frame, AudioFrame) and frame.samples:
                    start = float((frame.pts or 0) * frame.time_base) if frame.time_base else 0.0
                    for floats in AudioResampler(format="fltp").resample(frame):
                        samples = np.ascontiguousarray(floats.to_ndarray(), np.float32)
                        self._chunks.append(SoundChunk(samples, floats.sample_rate, start))
        except FFmpegError as error:
            self._broken = True
            reason = getattr(error, "strerror", None) or type(error).__name__
            nothing = np.zeros((1, 0), np.float32)
            self._chunks.append(SoundChunk(nothing, 1, 0.0, f"the sound cannot be decoded: {reason}"))

    def heard(self, first_frame: float) -> tuple[SoundChunk, ...]:
        """Hand over what was decoded since, with times after the first frame, which is at ``first_frame``."""
        made = tuple(
            SoundChunk(chunk.samples_CN, chunk.rate, chunk.start - first_frame, chunk.problem)
            for chunk in self._chunks
        )
        self._chunks.clear()
        return made
