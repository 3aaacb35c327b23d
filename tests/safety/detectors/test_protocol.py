"""The protocol: what is held out has no say in the fit or the threshold."""

from pathlib import Path

import numpy as np
import pytest
from screentest.safety.detectors.corpus import LabelledClip, folds
from screentest.safety.detectors.features import FeatureTable
from screentest.safety.detectors.preparation import FileFacts
from screentest.safety.detectors.protocol import FALSE_ALARMS, fit_and_fix, held_out, try_detector

FACTS = FileFacts(8, 16, 64, 64, "h264", 0.2)


def table(
    real: int = 80, generators: tuple[str, ...] = ("one", "two", "odd"), each: int = 20, seed: int = 0
) -> FeatureTable:
    """Plant a trace that "one" and "two" share in the first number, and one of "odd" alone in the second."""
    rng = np.random.default_rng(seed)
    clips = [LabelledClip(Path(f"r{k}"), False, f"camera{k % 4}", f"scene{k}") for k in range(real)]
    rows = [rng.normal(size=3) for _ in clips]
    for name in generators:
        for k in range(each):
            clips.append(LabelledClip(Path(f"{name}{k}"), True, name, f"scene{k}"))
            rows.append(rng.normal(size=3) + ((0, 6, 0) if name == "odd" else (4, 0, 0)))
    return FeatureTable(tuple(clips), {"d": np.stack(rows)}, (FACTS,) * len(clips))


def test_a_shared_trace_is_found_on_a_held_out_generator_and_another_is_not() -> None:
    found = try_detector(table(), "d")
    assert found.generators["one"].auc.value > 0.95
    assert found.generators["two"].auc.value > 0.95
    assert 0.2 < found.generators["odd"].auc.value < 0.8
    assert found.all_generators is not None
    assert (found.all_generators.real, found.all_generators.generated) == (80, 60)
    assert found.all_real_sources is not None
    assert set(found.real_sources) == {"camera0", "camera1", "camera2", "camera3"}
    # With its like among the clips of the fit, "odd" is found.
    alone = try_detector(table(generators=("odd",)), "d")
    assert alone.generators == {}
    assert alone.all_generators is not None
    assert alone.all_generators.auc.value > 0.95


def test_no_clip_scene_or_generator_that_is_tried_was_seen() -> None:
    of = table()
    parts = folds(of.scenes, (~of.generated).tolist())
    sources, scenes = np.array(of.sources), np.array(of.scenes)
    fits = list(held_out(of, parts))
    assert len(fits) == 3 * 4
    tried_real = np.zeros(len(parts), int)
    for name, fit, fix, tried in fits:
        assert not (fit & fix).any()
        assert not ((fit | fix) & tried).any()
        assert name not in set(sources[fit])
        assert not set(scenes[fit | fix]) & set(scenes[tried])
        assert not of.generated[fix].any()
        assert set(sources[tried & of.generated]) == {name}
        tried_real += tried & ~of.generated
    assert set(tried_real[~of.generated].tolist()) == {3}  # once for each generator


def test_the_threshold_is_of_the_calibration_clips_alone() -> None:
    of = table()
    parts = folds(of.scenes, (~of.generated).tolist())
    _, fit, fix, tried = next(held_out(of, parts))
    fitted = fit_and_fix(of, "d", fit, fix)
    assert fitted.calibration == int(fix.sum())
    assert fitted.flags(of.vectors["d"][fix]).mean() <= FALSE_ALARMS
    moved = dict(of.vectors)
    moved["d"] = of.vectors["d"].copy()
    moved["d"][tried] += 100
    again = fit_and_fix(FeatureTable(of.clips, moved, of.facts), "d", fit, fix)
    assert again == fitted


def test_real_footage_of_another_kind_gives_false_alarms_when_it_is_held_out() -> None:
    of = table()
    vectors = of.vectors["d"].copy()
    odd = [k for k, clip in enumerate(of.clips) if clip.source == "camera0"]
    vectors[odd] += (4, 0, 0)
    found = try_detector(FeatureTable(of.clips, {"d": vectors}, of.facts), "d")
    assert found.real_sources["camera0"].false_alarms.value > 0.3
    assert found.real_sources["camera1"].false_alarms.value < 0.2


def test_a_known_direction_needs_no_generated_clip_to_be_learned() -> None:
    of = table(generators=("one", "two"))
    first = FeatureTable(of.clips, {"d": of.vectors["d"][:, :1]}, of.facts)
    right = try_detector(first, "d", falling=False)
    wrong = try_detector(first, "d", falling=True)
    assert right.all_generators is not None
    assert wrong.all_generators is not None
    assert right.all_generators.auc.value + wrong.all_generators.auc.value == pytest.approx(1)
    assert right.all_generators.auc.value > 0.95


def test_a_delivery_that_removes_the_trace_lowers_what_is_found() -> None:
    of = table(generators=("one", "two"))
    washed = of.vectors["d"].copy()
    washed[of.generated, 0] -= 4
    lost = np.array([k != 3 for k in range(len(of.clips))])
    kept = tuple(clip for k, clip in enumerate(of.clips) if lost[k])
    other = FeatureTable(kept, {"d": washed[lost]}, of.facts[1:])
    found = try_detector(of, "d", deliveries={"same": of, "washed": other})
    assert found.all_generators is not None
    assert found.deliveries["same"].auc.value == found.all_generators.auc.value
    assert found.deliveries["washed"].auc.value < 0.65
    assert found.deliveries["washed"].real == 79


def test_confounds_show_before_the_preparation_alone() -> None:
    prepared = table(generators=("one", "two"))
    plain = prepared.vectors["d"].copy()
    rng = np.random.default_rng(9)
    level = FeatureTable(prepared.clips, {"d": rng.normal(size=plain.shape)}, prepared.facts)
    plain[prepared.generated, 2] += 10
    found = try_detector(level, "d", unprepared=FeatureTable(prepared.clips, {"d": plain}, prepared.facts))
    assert found.unprepared is not None
    assert found.all_generators is not None
    assert found.unprepared.auc.value > 0.95
    assert found.all_generators.auc.value < 0.65
