"""Clips of the closed world's generators for detectors, and the packaged detector on some new ones."""

from pathlib import Path

import numpy as np
import pytest
from screentest.generators.reference.evaluation import detection_clips
from screentest.generators.reference.evaluation.detection_clips import (
    blend,
    flow,
    grain,
    write_detection_clips,
)
from screentest.generators.worlds.plane import NATIVE_CLIP, render, sample_scene
from screentest.harness.core.errors import UsageError
from screentest.harness.core.keys import seeded_rng
from screentest.metrics.encoders.cache import FeatureCache
from screentest.safety.detectors.corpus import folder_clips, make_corpus
from screentest.safety.detectors.detector import Detector, load_detector
from screentest.safety.detectors.extractors import MetadataExtractor, make_extractor
from screentest.safety.detectors.features import collect
from screentest.safety.detectors.preparation import prepare, read_segments
from screentest.safety.detectors.protocol import try_detector


def clip(k: int = 0) -> np.ndarray:
    scene = sample_scene(seeded_rng("detection tests", k), NATIVE_CLIP, family="uniform")
    return render(scene, NATIVE_CLIP, words="")[0]


def test_blended_frames_are_means_of_their_neighbours() -> None:
    one = clip()
    made = blend(one, seeded_rng("unused"))
    assert np.array_equal(made[::2], one[::2])
    mean = (one[0].astype(int) + one[2] + 1) // 2
    assert np.array_equal(made[1], mean)
    assert np.array_equal(made[-1], one[-1])


def test_grain_changes_every_frame_a_little() -> None:
    one = clip()
    made = grain(one, seeded_rng("grain test"))
    change = np.abs(made.astype(int) - one).mean(axis=(1, 2, 3))
    assert made.shape == one.shape
    assert (change > 0.5).all()
    assert (change < 12).all()


def test_makers_change_moving_clips_and_a_copy_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = clip()
    for name, maker in detection_clips.UNSEEN.items():
        made = maker(one, seeded_rng("unused"))
        assert made.shape == one.shape, name
        assert 20 < psnr(made, one) < 60, name
    moved = flow(one, seeded_rng("unused"))
    assert np.array_equal(moved[::2], one[::2])
    assert psnr(moved[1:-1:2], one[1:-1:2]) > psnr(blend(one, seeded_rng("unused"))[1:-1:2], one[1:-1:2])
    monkeypatch.setattr(detection_clips, "GENERATORS", {})
    monkeypatch.setattr(detection_clips, "FAMILIES", ("still",))
    write_detection_clips(tmp_path, real=2, generated=2)
    assert len(list((tmp_path / "generated" / "grain").glob("*.mp4"))) == 2
    assert not (tmp_path / "generated" / "blend").exists()


def psnr(made: np.ndarray, one: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.square(made.astype(float) - one).mean()))


def test_folders_are_written_once_and_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection_clips, "GENERATORS", {"early": "early?steps=2"})
    names = write_detection_clips(tmp_path / "one", real=3, generated=2, batch=2)
    made = ["early", "grain", "blend", "autoencoder"]
    unseen = ["flow", "upscale", "smear"]
    assert names == ["real", *(f"generated/{name}" for name in made), *(f"unseen/{name}" for name in unseen)]
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.mp4"))
    assert len(files) == 3 + 7 * 2
    (tmp_path / "one" / files[0]).unlink()
    write_detection_clips(tmp_path / "one", real=3, generated=2, batch=2)
    write_detection_clips(tmp_path / "two", real=3, generated=2, batch=2)
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    with pytest.raises(UsageError, match="need as many rendered ones"):
        write_detection_clips(tmp_path / "three", real=2, generated=3)


def test_the_packaged_detector_ranks_new_clips_of_a_checkpoint_above_rendered_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detection_clips, "GENERATORS", {"early": "early"})
    monkeypatch.setattr(detection_clips, "MAKERS", {})
    monkeypatch.setattr(detection_clips, "UNSEEN", {})
    monkeypatch.setattr(detection_clips, "_FIRST_SEED", 7_000_000)
    write_detection_clips(tmp_path, real=6, generated=6)
    detector = Detector(load_detector("world"))
    scores = {}
    for part in ("real", "generated/early"):
        scores[part] = []
        for path in sorted((tmp_path / part).rglob("*.mp4")):
            segments, facts, _ = read_segments(path, detector.file.preparation)
            found = detector.detect(prepare(segments[0], detector.file.preparation, facts))
            assert found.unlike == ()
            scores[part].append(found.score)
    assert min(scores["generated/early"]) > max(scores["real"])


@pytest.mark.slow
def test_generators_left_out_are_found_and_their_metadata_are_not(tmp_path: Path) -> None:
    write_detection_clips(tmp_path / "clips", real=160, generated=20)
    clips = [
        one
        for part, generated in (("real", False), ("generated", True))
        for one in folder_clips(tmp_path / "clips" / part, generated=generated)[0]
    ]
    combined = make_extractor("combined")
    extractors = {"combined": combined, "metadata": MetadataExtractor(before=False)}
    preparation = load_detector("world").preparation
    table = collect(make_corpus(clips), extractors, preparation, FeatureCache(tmp_path / "cache"))
    trial = try_detector(table, "combined", groups=combined.groups)
    assert len(trial.generators) == 9
    assert {name: one.auc.value for name, one in trial.generators.items() if one.auc.value < 0.9} == {}
    metadata = try_detector(table, "metadata").all_generators
    assert metadata is not None
    assert metadata.auc.value <= 0.6
