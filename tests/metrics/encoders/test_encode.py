"""One pass over a stored clip: matrices, records, files, and what an encoder does not apply to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.core.keys import Json
from screentest.harness.core.media import ClipInfo, open_clip, write_clip
from screentest.metrics import Encoder, Feature, NotApplicable
from screentest.metrics.encoders.base import FileEncoder, FrameEncoder, Record, Stream
from screentest.metrics.encoders.cache import FeatureCache
from screentest.metrics.encoders.encode import Encoded, encode_clip, encode_file

from ..helpers import noise


class Mean(FrameEncoder):
    name = "test.mean"

    def identity(self) -> Mapping[str, Json]:
        return {"version": 1}

    def encode_frames(self, frames_THWC: np.ndarray) -> Feature:
        return frames_THWC.mean(axis=(1, 2, 3))[:, None]


class Size(FileEncoder):
    """Reads the file and not its frames."""

    name = "test.size"
    ran = 0

    def __init__(self, layout: int = 1) -> None:
        self.layout = layout

    def identity(self) -> Mapping[str, Json]:
        return {"layout": self.layout}

    def encode_file(self, path: Path, info: ClipInfo) -> Record:
        type(self).ran += 1
        return Record({"bytes": np.array([path.stat().st_size])}, {"name": "größe", "frames": info.frames})


class Moving(Encoder):
    """Applies to no clip."""

    name = "test.moving"
    opened = 0

    def identity(self) -> Mapping[str, Json]:
        return {"version": 1}

    def open(self, info: ClipInfo) -> Stream:
        type(self).opened += 1
        return self

    def push(self, window: object) -> None:
        del window

    def finish(self) -> Feature:
        raise NotApplicable("nothing moves")


@pytest.fixture
def clip(tmp_path: Path) -> tuple[str, Path]:
    path = tmp_path / "clip.mp4"
    write_clip(path, noise(5, 32), 8.0)
    return open_clip(path).sha256, path


def encoded(clip: tuple[str, Path], tmp_path: Path, *encoders: Encoder) -> Encoded:
    cache = FeatureCache(tmp_path / "cache")
    return encode_clip(*clip, {encoder.name: encoder for encoder in encoders}, cache)


def test_matrices_records_and_reasons_come_of_one_pass_and_are_cached(clip, tmp_path):
    Size.ran = Moving.opened = 0
    for _ in range(2):
        made = encoded(clip, tmp_path, Mean(), Size(), Moving())
        assert made.matrices["test.mean"].shape == (5, 1)
        record = made.records["test.size"]
        assert record.arrays["bytes"].tolist() == [clip[1].stat().st_size]
        assert record.meta == {"name": "größe", "frames": 5}
        assert made.not_applicable == {"test.moving": "nothing moves"}
        assert not made.problems
    assert (Size.ran, Moving.opened) == (1, 1)


def test_a_record_of_an_older_layout_is_made_anew(clip, tmp_path):
    Size.ran = 0
    encoded(clip, tmp_path, Size(layout=1))
    encoded(clip, tmp_path, Size(layout=2))
    assert Size.ran == 2


def test_a_damaged_record_is_made_anew(clip, tmp_path):
    Size.ran = 0
    encoded(clip, tmp_path, Size())
    (entry,) = (tmp_path / "cache").rglob("*.arrays")
    entry.write_bytes(entry.read_bytes()[:100])
    assert encoded(clip, tmp_path, Size()).records["test.size"].meta["frames"] == 5
    assert Size.ran == 2


def test_an_encoder_of_files_takes_no_bare_frames():
    with pytest.raises(TypeError, match="reads files, not frames"):
        Size().open(ClipInfo(1, 1, 1.0, 1, 1.0, "raw", "memory"))


def test_a_set_is_not_compared_by_a_record(clip, tmp_path):
    with pytest.raises(UsageError, match=r"compared by matrices, and the feature 'test\.size' is a record"):
        encode_file(clip[1], Size(), FeatureCache(tmp_path / "cache"))
