"""Joined shots of real cameras and of a world: lawful ones raise no alarm, a fault is found in its shot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from screentest.harness.core.errors import UsageError
from screentest.harness.core.media import open_clip
from screentest.metrics.signs.encoder import signs_of
from screentest.metrics.signs.findings import Sign
from screentest.metrics.signs.measures import LIMITS
from screentest.metrics.tracking.mask_regions import reduced
from screentest.metrics.validation.sign_trials import SignTrial, trial_clip

REAL = Path(__file__).parents[3].parent / "shared/data/clips/real"
pytestmark = pytest.mark.slow


def drawn(family: str, fault: str | None = None) -> NDArray[np.uint8]:
    try:
        clip, _ = trial_clip(SignTrial("stage", 5, family, 0, fault, 1.0 if fault else 0.0))
        return clip.draw()
    except (UsageError, ImportError) as why:
        pytest.skip(str(why))


def filmed(name: str, first: int, count: int, side: int = 128) -> NDArray[np.uint8]:
    path = REAL / name
    if not path.is_file():
        pytest.skip(f"there is no {path}")
    frames = np.concatenate([window.frames_THWC for window in open_clip(path).windows()])
    square = [reduced(f[:, : f.shape[0]], side)[0] for f in frames[first : first + count]]
    return np.stack(square)


def alarms(shots: list[NDArray[np.uint8]]) -> dict[str, Sign]:
    found = signs_of(np.concatenate(shots), 10)
    return {n: s for n, s in found.items() if n != "warp" and isinstance(s, Sign) and s.strength >= LIMITS[n]}


@pytest.mark.parametrize(
    ("one", "two"), [("glide", "fall"), ("throw", "collision"), ("room-orbit", "spin"), ("crowd", "pan")]
)
def test_a_cut_between_lawful_shots_of_the_world_adds_no_alarm(one: str, two: str):
    shots = drawn(one), drawn(two)
    alone = {name: sign.strength for shot in shots for name, sign in alarms([shot]).items()}
    assert {name: sign.strength for name, sign in alarms(list(shots)).items()} == alone
    assert "appears" not in alone


@pytest.mark.parametrize("lawful", ["fall", "spin", "room-dolly"])
def test_a_faulty_shot_is_found_before_and_after_a_lawful_one(lawful: str):
    broken = drawn("glide", "vanish")
    alone = alarms([broken])["appears"]
    after = alarms([drawn(lawful), broken])["appears"]
    before = alarms([broken, drawn(lawful)])["appears"]
    assert (after.frame, after.strength) == (alone.frame + 20, alone.strength)
    assert (before.frame, before.strength) == (alone.frame, alone.strength)
    assert (alone.shot, after.shot, before.shot) == (None, (20, 39), (0, 19))


def test_shots_of_real_cameras_raise_no_alarm_and_a_fault_between_them_is_found():
    pool, face = filmed("test.mp4", 0, 25), filmed("test.avi", 0, 25)
    assert alarms([pool, face]) == {}
    broken = drawn("glide", "vanish")
    found = alarms([pool, broken, face])
    assert set(found) == {"appears"}
    assert found["appears"].shot == (25, 44)
