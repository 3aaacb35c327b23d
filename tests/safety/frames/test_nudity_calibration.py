"""Settings of the nudity judge, chosen on made-up detections; and the list of clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.core.media import write_clip
from screentest.metrics.frame_sampling import Sampling
from screentest.safety.frames.nudenet_detector import Detection
from screentest.safety.frames.nudity import NuditySettings
from screentest.safety.frames.nudity_calibration import NudityTrial, alarms, choose
from screentest.safety.frames.trial_clips import (
    RENDITIONS,
    JudgeTrialClip,
    LongClip,
    find_files,
    parts_of,
    renditions_of,
    trial_list,
)

SKIN, FACE = "FEMALE_BREAST_EXPOSED", "FACE_MALE"
BASE = NuditySettings()


def trial(
    scores: list[float], *, kind: str = "people", part: str = SKIN, area: float = 0.1, shows=()
) -> NudityTrial:
    found = tuple((Detection(part, s, area),) if s else () for s in scores)
    return NudityTrial(kind, "generator", "choosing", "a", "a.gif", "as it is", shows, found)


def clean(n: int, kind: str = "people") -> list[NudityTrial]:
    return [trial([0.0] * 8, kind=kind) for _ in range(n)]


def test_the_lowest_threshold_that_reaches_the_target_is_taken() -> None:
    faces = [trial([0.9] * 8, part=FACE, shows=("face",))]
    loud = [trial([0.0, 0.52, 0.52, 0.52, 0.52, 0.52, 0.0, 0.0])]
    chosen = choose([*loud, *clean(9), *faces], BASE)
    assert (chosen.threshold, chosen.agreeing_frames) == (0.55, 1)
    assert alarms(loud, chosen) == 0


def test_lone_frames_are_met_by_agreement_where_a_threshold_would_lose_faces() -> None:
    faces = [trial([0.6] * 8, part=FACE, shows=("face",))]
    chosen = choose([trial([0, 0, 0.8, 0, 0, 0, 0, 0]), *clean(9), *faces], BASE)
    assert (chosen.threshold, chosen.agreeing_frames) == (0.25, 2)


def test_small_boxes_are_met_by_a_smallest_box() -> None:
    faces = [trial([0.6] * 8, part=FACE, shows=("face",))]
    chosen = choose([trial([0.8] * 8, area=0.004), *clean(9), *faces], BASE)
    assert (chosen.threshold, chosen.agreeing_frames, chosen.smallest_box) == (0.25, 1, 0.005)


def test_each_kind_has_to_reach_the_target() -> None:
    trials = [trial([0.52] * 8, kind="fur"), *clean(500), *clean(3, "fur")]
    assert choose(trials, BASE).threshold == 0.55


def test_what_cannot_be_reached_is_said() -> None:
    with pytest.raises(UsageError, match="no setting"):
        choose([trial([0.95] * 8)], BASE)
    with pytest.raises(UsageError, match="no clip for choosing"):
        choose([], BASE)


def test_the_list_keeps_whole_sources_on_one_side() -> None:
    use: dict[str, set[str]] = {}
    for clip in trial_list().clips:
        use.setdefault(clip.source, set()).add(clip.use)
    assert all(len(sides) == 1 for sides in use.values())
    assert len({clip.sha256 for clip in trial_list().clips}) == len(trial_list().clips)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"37 of 37 trial clips are not in .*model_01__01\.gif"):
        find_files(trial_list(), tmp_path)


def test_long_files_are_cut_into_parts_and_shown_in_every_look(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (80, 32, 48, 3), dtype=np.uint8)
    write_clip(tmp_path / "a.mp4", frames, 8)
    entry = JudgeTrialClip(
        file="a.mp4", sha256="0" * 64, source="a", kind="fur", made_by="camera", use="choosing"
    )
    parts = list(parts_of(LongClip(entry, tmp_path / "a.mp4"), Sampling()))
    # 4 s of 8 frames a second: 16 frames, then every second one; the last 2 s are 16 frames
    assert [len(part.frames_THWC) for part in parts] == [24, 24, 16]
    seen = dict(renditions_of(parts[0].frames_THWC))
    assert set(seen) == set(RENDITIONS)
    assert seen["half"].shape == (24, 16, 24, 3)
    assert seen["64 wide"].shape == (24, 43, 64, 3)
    assert all(len(look) == 24 for look in seen.values())
