"""A detector from folders to a file, and clips judged by it."""

from pathlib import Path

import pytest
from screentest.harness.core.errors import UsageError
from screentest.metrics.encoders.cache import FeatureCache
from screentest.safety.detectors.detector import Detector, load_detector
from screentest.safety.detectors.preparation import prepare, read_segments
from screentest.safety.detectors.training import DetectorSettings, corpus_of, train_detector

SETTINGS = DetectorSettings(name="flicker", kind="differences", size=64, bits_per_pixel=0.5)


@pytest.fixture(scope="module")
def trained(classes: Path, feature_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("detector") / "flicker.json"
    corpus = corpus_of([classes / "real"], [classes / "generated"])
    train_detector(corpus, SETTINGS, out, FeatureCache(feature_cache))
    return out


def test_planted_flicker_is_found_on_clips_that_were_not_seen(trained: Path) -> None:
    own = load_detector(str(trained)).calibrated
    assert own.auc.value == 1
    assert own.recall.value == 1
    assert own.false_alarms.n == 8
    assert own.generated == ("a", "b")
    assert own.fit + own.fixed_on < 40


def test_metadata_beside_it_find_it_before_the_preparation_alone(trained: Path) -> None:
    beside = load_detector(str(trained)).metadata
    assert beside.before.value == 1  # noise takes bits
    assert beside.after.low <= 0.5 <= beside.after.high  # 2 clips against 8: no value of its own


def test_the_preparation_leaves_no_file_with_many_more_bits_than_another(
    trained: Path, classes: Path
) -> None:
    preparation = load_detector(str(trained)).preparation
    bits: list[float] = []
    for name in (
        "real/scene-0.mp4",
        "real/scene-1.mp4",
        "generated/a/scene-0.mp4",
        "generated/b/scene-0.mp4",
    ):
        segments, facts, _ = read_segments(classes / name, preparation)
        bits.append(prepare(segments[0], preparation, facts).after.bits_per_pixel)
    assert min(bits) > 0.94 * max(bits)  # before, 1.8 and 16


def test_a_clip_is_judged_with_the_preparation_of_the_fit(trained: Path, classes: Path) -> None:
    detector = Detector(load_detector(str(trained)))
    for name, flagged in (("real/scene-7.mp4", False), ("generated/b/scene-2.mp4", True)):
        segments, facts, _ = read_segments(classes / name, detector.file.preparation)
        found = detector.detect(prepare(segments[0], detector.file.preparation, facts))
        assert found.flagged is flagged
        assert (found.score >= found.threshold) is flagged
        assert found.unlike == ()


def test_training_twice_gives_the_same_file(
    trained: Path, classes: Path, feature_cache: Path, tmp_path: Path
) -> None:
    corpus = corpus_of([classes / "real"], [classes / "generated"])
    train_detector(corpus, SETTINGS, tmp_path / "again.json", FeatureCache(feature_cache))
    assert (tmp_path / "again.json").read_bytes() == trained.read_bytes()


def test_a_linear_probe_on_an_encoder_is_trained(classes: Path, feature_cache: Path, tmp_path: Path) -> None:
    settings = DetectorSettings(name="probe", kind="probe", encoder="subject=reference", size=64)
    corpus = corpus_of([classes / "real"], [classes / "generated"])
    file, _ = train_detector(corpus, settings, tmp_path / "probe.json", FeatureCache(feature_cache))
    assert len(file.head.learned.weight) == 2 * 96
    assert Detector(load_detector(str(tmp_path / "probe.json"))).file == file


def test_what_cannot_be_trained_is_refused(classes: Path, feature_cache: Path, tmp_path: Path) -> None:
    cache = FeatureCache(feature_cache)
    corpus = corpus_of([classes / "real"], [classes / "generated"])
    metadata = DetectorSettings(kind="metadata")
    with pytest.raises(UsageError, match="fit beside every other"):
        train_detector(corpus, metadata, tmp_path / "x.json", cache)
    with pytest.raises(UsageError, match=r"ends in .json"):
        train_detector(corpus, SETTINGS, tmp_path / "x", cache)
    with pytest.raises(UsageError, match="named both real and generated"):
        corpus_of([classes / "real"], [classes / "real"])
    with pytest.raises(UsageError, match="is named twice"):
        corpus_of([classes / "real", classes / "real"], [classes / "generated"])
    with pytest.raises(UsageError, match="no clips are generated"):
        corpus_of([classes / "real"], [])
