"""The ``sound`` encoder: the level, the onsets and the loudness of a clip's sound, without weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import MediaError
from ..encoders.base import Encoder, EncoderOptions, Record, Stream
from ..encoders.registry import ENCODERS, EncoderEntry
from .loudness import LoudnessMeter

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window
    from ...harness.core.sound import SoundChunk

__all__ = ["CLIPPED", "FLOOR", "SOUND", "STEP", "SoundEncoder"]

SOUND: Final = "sound"
_VERSION: Final = 1
STEP: Final = 0.01
"""Seconds of a block, for which there is a level and an onset strength."""
FLOOR: Final = -120.0
"""Level in dB of full scale that digital silence is given."""
CLIPPED: Final = 0.999
"""Share of full scale from which a sample is at the end of the range, if its neighbour is, too."""
_SPECTRUM: Final = 4  # blocks of a spectrum
_COMPRESSION: Final = 100.0  # of magnitudes, as hearing compresses: log(1 + c x)

_F = NDArray[np.float32]


class SoundEncoder(Encoder):
    """Describe the sound of a clip in blocks of 10 ms.

    Arrays: ``level``, the largest over channels of the root mean square in dB of full scale (B,), and
    ``onset``, the spectral flux (B,): the growth of log(1 + 100 |X|) since the block before, summed over the
    frequencies of 40 ms of the mean of the channels. Metadata: ``present``, ``start`` and ``seconds`` of the
    sound after the first frame, ``rate``, ``channels``, ``clipped`` (share of samples) and ``lufs``
    (integrated loudness; null where nothing is loud enough).
    """

    name = SOUND
    hears = True
    trial = "none"

    @property
    def fewest_frames(self) -> int:
        """The number of frames that a clip needs to have a feature."""
        return 1

    def identity(self) -> Mapping[str, Json]:
        """List the version and the block."""
        return {"version": _VERSION, "step": STEP}

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip."""
        del info
        return _Sound()


class _Sound:
    def __init__(self) -> None:
        self._meter: LoudnessMeter | None = None
        self._waiting: _F = np.zeros((1, 0), np.float32)
        self._history: _F = np.zeros(0, np.float32)
        self._taper = np.zeros(0)
        self._spectrum: NDArray[np.float64] | None = None
        self._levels: list[float] = []
        self._onsets: list[float] = []
        self._rate = self._channels = self._samples = self._clipped = 0
        self._start = 0.0
        self._last_full: NDArray[np.bool_] | None = None

    def push(self, window: Window) -> None:
        for chunk in window.sound:
            if chunk.problem:
                raise MediaError(chunk.problem)
            self._hear(chunk)

    def finish(self) -> Record:
        if self._meter is None:
            return Record({}, {"present": False})
        if self._waiting.shape[1]:
            self._block(self._waiting)
        arrays = {"level": np.array(self._levels, np.float32), "onset": np.array(self._onsets, np.float32)}
        total = self._samples * self._channels
        meta: dict[str, Json] = {
            "present": True,
            "start": self._start,
            "seconds": self._samples / self._rate,
            "rate": self._rate,
            "channels": self._channels,
            "clipped": self._clipped / total,
            "lufs": self._meter.finish(),
        }
        return Record(arrays, meta)

    def _hear(self, chunk: SoundChunk) -> None:
        samples_CN = chunk.samples_CN
        if self._meter is None:
            self._rate, self._channels = chunk.rate, len(samples_CN)
            self._start = chunk.start
            self._meter = LoudnessMeter(self._rate, self._channels)
            self._waiting = np.zeros((self._channels, 0), np.float32)
            self._history = np.zeros(_SPECTRUM * self._size, np.float32)
            self._taper = np.hanning(len(self._history))
        if (chunk.rate, len(samples_CN)) != (self._rate, self._channels):
            raise MediaError("the sound changes its rate or its channels; make it of one kind")
        self._meter.push(samples_CN)
        self._samples += samples_CN.shape[1]
        self._count_clipped(samples_CN)
        waiting = np.concatenate([self._waiting, samples_CN], axis=1)
        size = self._size
        whole = waiting.shape[1] // size * size
        for start in range(0, whole, size):
            self._block(waiting[:, start : start + size])
        self._waiting = waiting[:, whole:]

    @property
    def _size(self) -> int:
        return max(1, round(self._rate * STEP))

    def _block(self, part_CN: _F) -> None:
        power = float(np.square(part_CN, dtype=np.float64).mean(axis=1).max())
        self._levels.append(max(FLOOR, 10.0 * np.log10(power)) if power > 0 else FLOOR)
        mono = part_CN.mean(axis=0)
        self._history = np.concatenate([self._history[len(mono) :], mono])
        windowed = self._history * self._taper
        spectrum = np.log1p(_COMPRESSION * np.abs(np.fft.rfft(windowed)) / len(windowed))
        rise = 0.0 if self._spectrum is None else float(np.maximum(spectrum - self._spectrum, 0.0).sum())
        self._onsets.append(rise)
        self._spectrum = spectrum

    def _count_clipped(self, samples_CN: _F) -> None:
        """Count samples at the ends of the range with a neighbour that is, too: one alone is a peak."""
        full = np.abs(samples_CN) >= CLIPPED
        before = np.zeros((len(full), 1), bool) if self._last_full is None else self._last_full
        joined = np.concatenate([before, full], axis=1)
        self._clipped += int((joined[:, 1:] & joined[:, :-1]).sum())
        self._last_full = full[:, -1:]


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    del source, options
    return SoundEncoder()


ENCODERS.add(SOUND, EncoderEntry("level, onsets and loudness of the sound, no weights", _build))
