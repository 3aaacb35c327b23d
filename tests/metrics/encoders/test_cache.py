"""The feature cache: an entry that was changed, or that is another's, is made anew."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from screentest.harness.core.media import ClipInfo, write_clip
from screentest.metrics.encoders.array_file import ArrayFile, write_arrays
from screentest.metrics.encoders.base import Record
from screentest.metrics.encoders.cache import FeatureCache

CLIP, OTHER, ENCODER = "a" * 64, "b" * 64, "c" * 64
MATRIX = np.arange(12, dtype=np.float32).reshape(4, 3)
INFO = ClipInfo(32, 16, 8.0, 4, 0.5, "h264", "mp4")


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "cache")


def put_set(cache: FeatureCache) -> None:
    with cache.write_set("d" * 64, ENCODER, "a set") as index:
        index.add("a", MATRIX[:2])
        index.add("b", MATRIX[2:])
        index.finish()


def read(path: Path) -> tuple[Any, dict[str, Any]]:
    with path.open("rb") as file:
        held = ArrayFile(file)
        return held.told, {name: held.read(name) for name in held.names}


def change(path: Path, **arrays: np.ndarray) -> None:
    told, held = read(path)
    write_arrays(path, told, {**held, **arrays})


def test_what_is_put_comes_back(cache: FeatureCache) -> None:
    cache.put(CLIP, ENCODER, MATRIX)
    cache.put(OTHER, ENCODER, Record({"boxes": MATRIX}, {"frames": 4}))
    cache.put_info(CLIP, INFO)
    put_set(cache)
    cache.put_text("a ball", ENCODER, MATRIX[:1])
    assert np.array_equal(cache.get(CLIP, ENCODER), MATRIX)  # type: ignore[arg-type]
    record = cache.get(OTHER, ENCODER)
    assert isinstance(record, Record)
    assert np.array_equal(record.arrays["boxes"], MATRIX)
    assert record.meta == {"frames": 4}
    assert cache.get_info(CLIP) == INFO
    features, clips = cache.get_set("d" * 64, ENCODER) or (None, None)
    assert np.array_equal(features, MATRIX)  # type: ignore[arg-type]
    assert clips == ["a", "a", "b", "b"]
    assert np.array_equal(cache.get_text("a ball", ENCODER), MATRIX[:1])  # type: ignore[arg-type]


def test_a_feature_that_was_changed_is_none(cache: FeatureCache) -> None:
    for feature in (MATRIX, Record({"boxes": MATRIX}, {"frames": 4})):
        cache.put(CLIP, ENCODER, feature)
        (path,) = cache.folder.rglob("*.arrays")
        kept = path.read_bytes()
        name = "0.feature" if feature is MATRIX else "0.array.boxes"
        for other in (np.zeros_like(MATRIX), MATRIX.reshape(3, 4), MATRIX.astype(np.float64), MATRIX[:3]):
            change(path, **{name: other})
            assert cache.get(CLIP, ENCODER) is None
            path.write_bytes(kept)
        assert cache.get(CLIP, ENCODER) is not None


def test_an_entry_of_another_clip_or_from_before_digests_is_none(cache: FeatureCache) -> None:
    cache.put(CLIP, ENCODER, MATRIX)
    cache.put_info(CLIP, INFO)
    (path,) = cache.folder.rglob("*.arrays")
    other = path.parents[1] / OTHER[:2] / f"{OTHER}.arrays"
    other.parent.mkdir()
    shutil.copy(path, other)
    assert cache.get(OTHER, ENCODER) is None
    assert cache.get_info(OTHER) is None
    with path.open("wb") as file:
        np.savez(file, feature=MATRIX)
    assert cache.get(CLIP, ENCODER) is None
    cache.put(CLIP, ENCODER, MATRIX)
    assert cache.get(CLIP, ENCODER) is not None


def test_a_clip_has_one_file_in_which_features_are_added_and_replaced(cache: FeatureCache) -> None:
    cache.put_clip(CLIP, INFO, {ENCODER: MATRIX, "d" * 64: Record({"boxes": MATRIX}, {"frames": 4})})
    cache.put(CLIP, "e" * 64, MATRIX[:1])
    cache.put(CLIP, "d" * 64, MATRIX[1:])
    assert len(list(cache.folder.rglob("*.*"))) == 1
    info, found = cache.get_clip(CLIP, [ENCODER, "d" * 64, "e" * 64, "f" * 64])
    assert info == INFO
    assert {name[0]: np.shape(feature) for name, feature in found.items()} == {  # type: ignore[arg-type]
        "c": (4, 3),
        "d": (3, 3),
        "e": (1, 3),
    }


def test_a_cache_of_small_features_is_smaller_than_small_clips(cache: FeatureCache, tmp_path: Path) -> None:
    clip = tmp_path / "a.mp4"
    write_clip(clip, np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8), 8)
    cache.put_clip(CLIP, INFO, {ENCODER: MATRIX, "d" * 64: MATRIX})
    (path,) = cache.folder.rglob("*.arrays")
    assert path.stat().st_size < clip.stat().st_size


def test_what_decoding_told_and_sets_are_held_to_their_digests(cache: FeatureCache) -> None:
    cache.put_info(CLIP, INFO)
    (path,) = cache.folder.rglob("*.arrays")
    told, arrays = read(path)
    told["info"]["info"]["fps"] = 60.0
    write_arrays(path, told, arrays)
    assert cache.get_info(CLIP) is None
    put_set(cache)
    (path,) = cache.folder.rglob("rows.bin")
    path.write_bytes(np.zeros_like(MATRIX).tobytes())
    assert cache.get_set("d" * 64, ENCODER) is None
