"""Reference sets are encoded clip by clip into an index, and training sets have names for their clips."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from screentest.harness.core.items import ClipSettings
from screentest.harness.suites.reference_sets import ReferenceClips
from screentest.harness.suites.suite import ReferenceSet
from screentest.metrics import make_encoder
from screentest.metrics.encoders.base import EncoderOptions
from screentest.metrics.encoders.cache import FeatureCache

CLIP = ClipSettings()


def test_an_interrupted_set_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    clips = ReferenceClips(ReferenceSet(world="reference", clips=5), CLIP)
    encoder = make_encoder("pixels", None, EncoderOptions("cpu"))
    whole, names = clips.features(encoder, FeatureCache(tmp_path / "one"))
    assert sorted(set(names)) == ["0", "1", "2", "3", "4"]
    opened = 0
    plain = encoder.open

    def broken(info):
        nonlocal opened
        opened += 1
        if opened == 4:
            raise KeyboardInterrupt
        return plain(info)

    monkeypatch.setattr(encoder, "open", broken)
    cache = FeatureCache(tmp_path / "two")
    with pytest.raises(KeyboardInterrupt):
        clips.features(encoder, cache)
    assert cache.get_set(clips.digest, encoder.digest) is None
    again, same = clips.features(encoder, cache)
    assert opened == 4 + 2
    assert np.array_equal(again, whole)
    assert same == names


def test_a_training_set_lists_its_films_first_and_held_out_clips_apart(tmp_path: Path):
    cache, encoder = FeatureCache(tmp_path), make_encoder("pixels")
    train = ReferenceClips(ReferenceSet(training_set="base", clips=38), CLIP)
    held_out = ReferenceClips(ReferenceSet(training_set="base", held_out=True, clips=2), CLIP)
    assert train.digest != held_out.digest
    _, names = train.features(encoder, cache)
    assert next(iter(dict.fromkeys(names))) == "amber"
    assert list(dict.fromkeys(names))[35:] == ["zephyr", "training 36", "training 37"]
    _, others = held_out.features(encoder, cache)
    assert list(dict.fromkeys(others)) == ["held-out 0", "held-out 1"]


def test_the_training_set_of_safe_has_no_films(tmp_path: Path):
    train = ReferenceClips(ReferenceSet(training_set="safe", clips=2), CLIP)
    _, names = train.features(make_encoder("pixels"), FeatureCache(tmp_path))
    assert list(dict.fromkeys(names)) == ["training 0", "training 1"]


def test_a_reference_set_has_one_source():
    with pytest.raises(ValidationError, match="one of 'world', 'folder' and 'training_set'"):
        ReferenceSet(world="reference", training_set="base")
    with pytest.raises(ValidationError, match="'held_out' is for a 'training_set'"):
        ReferenceSet(world="reference", held_out=True)
