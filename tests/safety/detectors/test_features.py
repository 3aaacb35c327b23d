"""Tables of features: rows by segment, the cache, and clips that are left out."""

from pathlib import Path

import numpy as np
import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.core.media import decode_count, write_clip
from screentest.metrics.encoders.cache import FeatureCache
from screentest.safety.detectors.corpus import LabelledClip, make_corpus
from screentest.safety.detectors.extractors import make_extractor
from screentest.safety.detectors.features import UNPREPARED, collect, feature_key
from screentest.safety.detectors.preparation import Preparation

from .conftest import moving_block

PREPARATION = Preparation(size=64, bits_per_pixel=0.3)
EXTRACTORS = {"spectral": make_extractor("spectral"), "differences": make_extractor("differences")}


@pytest.fixture
def corpus(tmp_path: Path):
    clips = []
    for k, frames in enumerate((16, 40, 9, 16)):
        write_clip(tmp_path / f"{k}.mp4", moving_block(f"clip {k}", frames=frames), 8)
        clips.append(LabelledClip(tmp_path / f"{k}.mp4", k in (1, 3), f"s{k}", str(k)))
    return make_corpus(clips)


def test_each_segment_is_a_row_and_short_clips_are_left_out(corpus, tmp_path: Path) -> None:
    found = collect(corpus, EXTRACTORS, PREPARATION, FeatureCache(tmp_path / "cache"), segments=3)
    assert [clip.scene for clip in found.clips] == ["0", "1", "1", "3"]
    assert found.generated.tolist() == [False, True, True, True]
    assert found.vectors["spectral"].shape == (4, 21)
    assert [facts.frames for facts in found.facts] == [16, 40, 40, 16]
    assert len(found.left_out) == 1
    assert "2.mp4: it lasts 1.1 s" in found.left_out[0]


def test_known_features_are_read_and_nothing_is_decoded(corpus, tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "cache")
    one = collect(corpus, EXTRACTORS, PREPARATION, cache)
    before = sum(decode_count.values())
    two = collect(corpus, EXTRACTORS, PREPARATION, cache)
    # The clip that is too short has no feature to keep; it is looked at again.
    assert sum(decode_count.values()) == before + 1
    assert one.facts == two.facts
    assert all(np.array_equal(one.vectors[name], two.vectors[name]) for name in EXTRACTORS)


def test_the_key_names_all_that_changes_a_feature() -> None:
    extractor = EXTRACTORS["spectral"]
    keys = {
        feature_key(extractor, PREPARATION, 1, None),
        feature_key(extractor, PREPARATION, 2, None),
        feature_key(extractor, PREPARATION, 1, "gif"),
        feature_key(extractor, PREPARATION, 1, UNPREPARED),
        feature_key(extractor, Preparation(size=64), 1, None),
        feature_key(EXTRACTORS["differences"], PREPARATION, 1, None),
    }
    assert len(keys) == 6


def test_a_class_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    clips = []
    for k in range(4):
        write_clip(tmp_path / f"{k}.mp4", moving_block(f"clip {k}", frames=16 if k < 2 else 6), 8)
        clips.append(LabelledClip(tmp_path / f"{k}.mp4", k >= 2, f"s{k}", str(k)))
    with pytest.raises(UsageError, match=r"not one generated clip can be read: .*2.mp4: it lasts"):
        collect(make_corpus(clips), EXTRACTORS, PREPARATION, FeatureCache(tmp_path / "cache"))
