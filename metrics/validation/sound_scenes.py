"""Clips with sound of known truth: a block jumps with a click each time, and faults are planted into it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.clip_info import ClipInfo, Window
from ...harness.core.keys import seeded_rng
from ...harness.core.sound import SoundChunk
from ..encoders.base import Record
from ..sound.encoder import SoundEncoder

__all__ = ["FAULTS", "FPS", "RATE", "SECONDS", "Scene", "as_coded", "planted", "record_of", "scene"]

RATE: Final = 44_100
FPS: Final = 16.0
SECONDS: Final = 8.0
_SIDE: Final = 48
FAULTS: Final[dict[str, tuple[float, ...]]] = {
    "delay": (0.0625, 0.125, 0.25, 0.375),
    "gaps": (0.02, 0.05, 0.15),
    "clipping": (1.2, 2.0, 6.0),
    "cut short": (0.1, 0.5, 2.0),
    "other sound": (1.0,),
}
"""Faults -> their severities: seconds of delay, in turn early and late; seconds of each of three gaps; gain
over full scale; seconds that are missing at the end; sound of another scene."""


@dataclass(frozen=True)
class Scene:
    """Frames, uint8 (T, 48, 48, 3), and their sound, (1, N), both from 0 s on."""

    frames_THWC: NDArray[np.uint8]
    samples_CN: NDArray[np.float32]

    @cached_property
    def motion(self) -> NDArray[np.float64]:
        """The mean change from each frame to the next, in levels."""
        return np.abs(np.diff(self.frames_THWC.astype(np.float64), axis=0)).mean(axis=(1, 2, 3))


@lru_cache(maxsize=4)
def scene(seed: int, number: int) -> Scene:
    """Draw a scene: times of events, level and color of the clicks, and the noise under them are its own."""
    rng = seeded_rng("sound scene", seed, number)
    times = np.cumsum(rng.uniform(0.25, 1.0, 40))
    times = times[times < SECONDS - 0.3]
    frames = np.full((round(SECONDS * FPS), _SIDE, _SIDE, 3), rng.integers(40, 200), np.uint8)
    color = rng.integers(0, 256, 3)
    place = rng.integers(0, _SIDE - 16, (len(times) + 1, 2))
    for t, frame_HWC in enumerate(frames):
        y, x = place[int((times <= t / FPS).sum())]
        frame_HWC[y : y + 16, x : x + 16] = color
    frames = np.clip(frames + rng.normal(0, 2, frames.shape), 0, 255).astype(np.uint8)
    samples = rng.uniform(0.001, 0.02) * rng.standard_normal(round(SECONDS * RATE))
    length = round(0.25 * RATE)
    for time in times:
        ring = np.sin(2 * np.pi * rng.uniform(200, 3000) * np.arange(length) / RATE)
        noise = rng.standard_normal(length)
        decay = np.exp(-np.arange(length) / (rng.uniform(0.01, 0.06) * RATE))
        start = round(time * RATE)
        part = (rng.uniform(0.2, 0.5) * decay * (0.5 * ring + 0.2 * noise))[: len(samples) - start]
        samples[start : start + len(part)] += part
    samples *= 0.9 / np.abs(samples).max()
    return Scene(frames, samples.astype(np.float32)[None])


def planted(whole: Scene, fault: str, severity: float, seed: int, number: int) -> Scene:
    """Plant a fault into the sound of a scene."""
    rng = seeded_rng("sound fault", seed, number, fault, severity)
    samples = whole.samples_CN.copy()
    if fault == "delay":
        shift = round(severity * RATE) * (1 if number % 2 else -1)
        samples = np.roll(samples, shift, axis=1)
    elif fault == "gaps":
        size = round(severity * RATE)
        for third in range(3):  # within a click, where there is sound to cut
            span = samples.shape[1] // 3
            loud = np.abs(samples[0, third * span : (third + 1) * span - 2 * size])
            start = third * span + int(loud.argmax()) + int(rng.integers(0, max(1, RATE // 100)))
            samples[:, start : start + size] = 0.0
    elif fault == "clipping":
        samples = np.clip(samples * (severity / 0.9), -1.0, 1.0)
    elif fault == "cut short":
        samples = samples[:, : -round(severity * RATE)]
    else:
        samples = scene(seed + 1, number).samples_CN
    return Scene(whole.frames_THWC, samples.astype(np.float32))


def as_coded(samples_CN: NDArray[np.float32], bits: int = 64_000) -> NDArray[np.float32]:
    """Code sound as AAC in MP4, as services deliver it, and decode it again."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=RATE)
        stream.codec_context.layout = "mono"
        stream.codec_context.bit_rate = bits
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples_CN), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = RATE, 0
        resampler: Any = av.AudioResampler(format="fltp", layout="mono", rate=RATE, frame_size=1024)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r") as read:
        parts = [np.asarray(one.to_ndarray(), np.float32) for one in read.decode(audio=0)]
    decoded = np.concatenate(parts, axis=1)
    return decoded[:, : samples_CN.shape[1]]


def record_of(samples_CN: NDArray[np.float32]) -> Record:
    """Encode sound as the encoder does of a clip."""
    info = ClipInfo(_SIDE, _SIDE, FPS, round(SECONDS * FPS), SECONDS, "raw", "memory")
    stream = SoundEncoder().open(info)
    nothing = np.zeros((0, _SIDE, _SIDE, 3), np.uint8)
    stream.push(Window(nothing, np.zeros(0), 0, (SoundChunk(samples_CN, RATE, 0.0),)))
    made = stream.finish()
    assert isinstance(made, Record)
    return made
