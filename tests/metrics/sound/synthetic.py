"""Clips with sound whose truth is known: a ball that bounces, and a click at each bounce."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.core.media import ClipInfo, Window, open_clip, write_clip
from screentest.harness.core.sound import SoundChunk, SoundTrack
from screentest.metrics import MEASURES, NotApplicable, Sample, Scored
from screentest.metrics.encoders.base import Encoder, Record
from screentest.metrics.encoders.cache import FeatureCache
from screentest.metrics.encoders.encode import Encoded, encode_clip
from screentest.metrics.encoders.registry import make_encoder
from screentest.metrics.sound.synchrony import Synchrony, synchrony

RATE, FPS = 16_000, 16.0
Floats = np.ndarray


def events(seconds: float, seed: int = 0) -> Floats:
    """Times of events, unevenly apart."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.25, 0.9, 64))
    return times[times < seconds - 0.2]


def clicks(
    times: Floats, seconds: float, *, delay: float = 0.0, noise: float = 0.003, seed: int = 0
) -> SoundTrack:
    """A decaying click at each time, over a little noise."""
    rng = np.random.default_rng(seed)
    samples = noise * rng.standard_normal(round(seconds * RATE))
    decay = np.exp(-np.arange(round(0.08 * RATE)) / (0.015 * RATE)) * rng.standard_normal(round(0.08 * RATE))
    for time in times + delay:
        start = round(time * RATE)
        if 0 <= start < len(samples):
            part = decay[: len(samples) - start]
            samples[start : start + len(part)] += 0.25 * part
    return SoundTrack(samples.astype(np.float32)[None].clip(-1, 1), RATE)


def jumps(times: Floats, seconds: float, seed: int = 0) -> np.ndarray:
    """A block that stands still and jumps at each time: uint8 (T, 48, 48, 3), 16 a second."""
    rng = np.random.default_rng(seed)
    frames = np.full((round(seconds * FPS), 48, 48, 3), 90, np.uint8)
    frames += rng.integers(0, 3, frames.shape, dtype=np.uint8)
    for t in range(len(frames)):
        place = int((times <= t / FPS).sum()) * 11 % 32
        frames[t, 16:32, place : place + 16] = (220, 60, 40)
    return frames


def tone(seconds: float, level: float = 0.1, rate: int = RATE, hz: float = 440.0) -> SoundTrack:
    time = np.arange(round(seconds * rate)) / rate
    return SoundTrack((level * np.sin(2 * np.pi * hz * time)).astype(np.float32)[None], rate)


def still(seconds: float) -> np.ndarray:
    return jumps(np.array([0.3]), seconds)


def encoded(folder: Path, frames: np.ndarray, sound: SoundTrack | None, **more: Encoder) -> Encoded:
    path = folder / "clip.mp4"
    write_clip(path, frames, FPS, sound)
    encoders = {
        "sound": make_encoder("sound"),
        "pixels": make_encoder("pixels"),
        "levels": make_encoder("levels"),
    }
    return encode_clip(open_clip(path).sha256, path, {**encoders, **more}, FeatureCache(folder / "cache"))


def take(
    name: str, made: Encoded, expect: Mapping[str, Any] | None = None, prompt: str | None = "a red ball"
) -> Scored | str:
    """Take a measure; the reason where it does not apply."""
    function = MEASURES.get(name).function
    assert function is not None
    source = None if prompt else "clip.mp4"
    item = make_item(prompt, 0, ClipSettings(), source=source, expect=dict(expect) if expect else None)
    try:
        value = function(Sample(item, "ok", made.info, made.matrices, records=made.records))
    except NotApplicable as why:
        return str(why)
    return value if isinstance(value, Scored) else Scored(value)


def compare(frames: np.ndarray, track: SoundTrack) -> Synchrony | None:
    """Compare sound and picture without a file between."""
    stream = make_encoder("sound").open(
        ClipInfo(48, 48, FPS, len(frames), len(frames) / FPS, "raw", "memory")
    )
    chunk = SoundChunk(track.samples_CN, track.rate, 0.0)
    stream.push(Window(frames[:1], np.zeros(1), 0, (chunk,)))
    made = stream.finish()
    assert isinstance(made, Record)
    motion = np.abs(np.diff(frames.astype(float), axis=0)).mean(axis=(1, 2, 3))
    return synchrony(made.arrays["onset"], 0.0, motion, FPS)


def sound_of(made: Encoded) -> Record:
    found = made.features["sound"]
    assert isinstance(found, Record)
    return found
