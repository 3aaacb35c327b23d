"""Loudness by ITU-R BS.1770-4 and EBU R 128, by FFmpeg's filter ``ebur128``."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ABSOLUTE_GATE", "LoudnessMeter"]

ABSOLUTE_GATE = -70.0
"""Loudness in LUFS under which nothing counts (BS.1770-4, section 2.4); silence has no loudness."""


class LoudnessMeter:
    """Integrated loudness of sound that comes in pieces, in bounded memory.

    Args:
        rate: samples a second.
        channels: 1 or 2, or more, of which the first two are heard.
    """

    def __init__(self, rate: int, channels: int) -> None:
        from av.filter import Graph

        self._layout = "mono" if channels == 1 else "stereo"
        self._rate, self._seen = rate, 0
        graph = Graph()
        self._source = graph.add_abuffer(
            format="fltp", sample_rate=rate, layout=self._layout, time_base=Fraction(1, rate)
        )
        meter: Any = graph.add("ebur128", "metadata=1")
        self._sink = graph.add("abuffersink")
        self._source.link_to(meter)
        meter.link_to(self._sink)
        graph.configure()
        self._graph = graph
        self._integrated: float | None = None

    def push(self, samples_CN: NDArray[np.float32]) -> None:
        """Take the next samples."""
        import av

        part = np.ascontiguousarray(samples_CN[: 1 if self._layout == "mono" else 2], np.float32)
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=self._layout)
        frame.sample_rate, frame.pts = self._rate, self._seen
        frame.time_base = Fraction(1, self._rate)
        self._seen += part.shape[1]
        self._source.push(frame)
        self._read()

    def finish(self) -> float | None:
        """Return the integrated loudness in LUFS; None where nothing is above the gate for 0.4 s."""
        self._source.push(None)
        self._read()
        heard = self._integrated
        return heard if heard is not None and heard > ABSOLUTE_GATE else None

    def _read(self) -> None:
        from av.error import BlockingIOError, EOFError

        while True:
            try:
                made: Any = self._sink.pull()
            except (BlockingIOError, EOFError):
                return
            told = made.metadata.get("lavfi.r128.I")
            if told is not None:
                self._integrated = float(told)
