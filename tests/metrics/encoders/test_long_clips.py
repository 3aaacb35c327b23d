"""Clips of a minute and of an hour: features take a row a frame, and the memory of scoring no more."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from screentest.harness.core.limits import MAX_FRAMES
from screentest.metrics.encoders.base import RowBuffer

_SCORE = """
import json, resource, sys
from pathlib import Path
import numpy as np
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.core.media import decode, open_clip
from screentest.metrics import MEASURES, Sample, make_encoder
import screentest.harness.catalog
clip = open_clip(Path(sys.argv[1]))
names = ("pixels", "levels", "shots", "small-frames", "subject")
encoders = {n: make_encoder(n, "reference") if n == "subject" else make_encoder(n) for n in names}
streams = {name: encoder.open(clip.info) for name, encoder in encoders.items()}
frames = decode(clip, list(streams.values())).frames
features = {name: stream.finish() for name, stream in streams.items()}
sample = Sample(make_item("a disc", 0, ClipSettings()), "ok", clip.info, features)
values = {}
for name in ("motion.flicker", "consistency.subject", "consistency.drift", "motion.cuts", "motion.loop"):
    values[name] = MEASURES.get(name).function(sample).value
print(json.dumps([frames, values, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def disc(path: Path, frames: int) -> None:
    """Write a small clip of a disc on its way over a ground whose color drifts, 8 frames a second."""
    y, x = np.mgrid[0:64, 0:64].astype(np.float32)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=Fraction(8), options={"crf": "23", "preset": "ultrafast"})
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for t in range(frames):
            picture = np.full((64, 64, 3), (60 + 80 * t / frames, 90, 120), np.float32)
            picture += (20 * np.sin(x / 5))[..., None]
            picture[(x - 32 - 20 * np.sin(t / 11)) ** 2 + (y - 32 - 20 * np.cos(t / 13)) ** 2 < 36] = (
                230,
                60,
                40,
            )
            frame = av.VideoFrame.from_ndarray(picture.clip(0, 255).astype(np.uint8), format="rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


def scored(path: Path) -> tuple[int, dict[str, float], float]:
    """Score a clip in a process of its own: frames, values, and the peak of its memory in MB."""
    done = subprocess.run(
        [sys.executable, "-c", _SCORE, str(path)], capture_output=True, text=True, timeout=1800, check=True
    )
    frames, values, peak = json.loads(done.stdout.splitlines()[-1])
    return frames, values, peak


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_an_hour_is_scored_in_the_memory_of_a_minute_and_its_features(tmp_path: Path) -> None:
    disc(tmp_path / "minute.mp4", 480)
    disc(tmp_path / "hour.mp4", 28_800)
    minute_frames, minute, minute_peak = scored(tmp_path / "minute.mp4")
    hour_frames, hour, hour_peak = scored(tmp_path / "hour.mp4")
    assert (minute_frames, hour_frames) == (480, 28_800)
    assert hour_peak - minute_peak < 300  # 202 measured: features, and copies that measures make of them
    assert hour["motion.cuts"] == minute["motion.cuts"] == 0
    assert hour["motion.flicker"] == pytest.approx(minute["motion.flicker"], abs=0.01)
    assert hour["consistency.subject"] > 0.5


def test_an_hour_at_thirty_frames_a_second_can_be_read() -> None:
    assert MAX_FRAMES == 60 * 60 * 30


def test_rows_are_kept_as_they_would_be_joined() -> None:
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(n, 3)).astype(np.float32) for n in (0, 1, 300, 7, 1000)]
    buffer = RowBuffer()
    assert buffer.all() is None
    for part in parts:
        buffer.add(part)
    joined = buffer.all()
    assert joined is not None
    assert joined.dtype == np.float32
    np.testing.assert_array_equal(joined, np.concatenate(parts))
    buffer.add(np.full((1, 3), 1e300))
    wider = buffer.all()
    assert wider is not None
    assert wider.dtype == np.float64
    assert wider[-1, 0] == 1e300
