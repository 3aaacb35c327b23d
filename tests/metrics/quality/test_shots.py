"""A hard cut is counted and not smeared; loops are found, and steady motion is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from screentest.metrics import NotApplicable, make_encoder
from screentest.metrics.quality.shots import find_loop, shots_of

from ..helpers import encode, noise, score, texture


def pan(frames: int, step: int = 3, seed: int = 0) -> Any:
    """A translation to the left of a picture with large parts, as scenes have."""
    wide = texture(64, 64 + step * frames, seed, blur=9.0)
    return np.stack([wide[:, step * t : step * t + 64] for t in range(frames)])


def cuts(clip: Any) -> Any:
    return score("motion.cuts", {"shots": encode(make_encoder("shots"), clip)})


def loops(clip: Any) -> Any:
    return find_loop(encode(make_encoder("small-frames"), clip))


def test_a_cut_is_found_where_it_is() -> None:
    found = cuts(np.concatenate([pan(7, seed=1), pan(6, seed=2), pan(8, seed=3)]))
    assert (found.value, found.evidence["frames"]) == (2.0, [7, 13])


@pytest.mark.parametrize("seed", range(5))
def test_motion_noise_and_shuffled_frames_are_no_cuts(seed: int) -> None:
    assert cuts(pan(12, step=4, seed=seed)).value == 0
    assert cuts(noise(12, seed=seed)).value == 0
    shuffled = pan(12, step=12, seed=seed)[np.random.default_rng(seed).permutation(12)]
    assert cuts(shuffled).value == 0


def test_a_change_of_exposure_and_a_fade_are_no_cuts() -> None:
    clip = pan(10).astype(np.float64) / 2
    brighter = clip.copy()
    brighter[5:] += 60
    fade = clip * np.linspace(1, 0, 10)[:, None, None, None]
    for one in (brighter, fade):
        assert cuts(one.astype(np.uint8)).value == 0


def test_a_cut_needs_frames_around_it() -> None:
    with pytest.raises(NotApplicable, match="fewer than four frames"):
        cuts(pan(3))


def test_consistency_is_told_within_the_shots() -> None:
    rng = np.random.default_rng(0)
    one, two = (np.repeat(rng.standard_normal((1, 16)), 6, axis=0) for _ in range(2))
    shots = encode(make_encoder("shots"), np.concatenate([pan(6, seed=1), pan(6, seed=2)]))
    found = score("consistency.subject", {"subject": np.concatenate([one, two]), "shots": shots})
    assert found.evidence["cuts"] == [6]
    assert found.evidence["within_shots"] == pytest.approx(1.0)
    assert found.value < 0.95
    sampled = score("consistency.subject", {"subject": np.concatenate([one[::2], two[::2]]), "shots": shots})
    assert sampled.evidence["cuts"] == [6]
    assert "within_shots" not in sampled.evidence  # it is not known which rows are of which shot
    whole = score("consistency.subject", {"subject": np.concatenate([one, two])})
    assert whole.value == found.value  # VBench's number stays as it is
    assert "cuts" not in whole.evidence


@given(st.sets(st.integers(1, 50), max_size=6))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_shots_cover_a_clip(places: set[int]) -> None:
    found = sorted(places)
    shots = shots_of(60, found)
    assert [t for a, b in shots for t in range(a, b)] == list(range(60))
    assert len(shots) == len(found) + 1


def test_a_part_that_is_played_again_is_found_with_its_period() -> None:
    found = loops(np.tile(pan(10, step=4), (3, 1, 1, 1)))
    assert found is not None
    assert found.period == 10


def test_a_motion_that_comes_back_closes_the_loop() -> None:
    wide = texture(96, 160, blur=9.0)
    turn = np.rint(30 - 30 * np.cos(np.arange(24) / 24 * 2 * np.pi)).astype(int)
    found = loops(np.stack([wide[:, p : p + 96] for p in turn]))
    assert found is not None
    assert found.closed
    assert found.period is None


@pytest.mark.parametrize("step", [1, 3])
def test_steady_motion_is_no_loop(step: int) -> None:
    found = loops(pan(24, step=step))
    assert found is not None
    assert not found.closed
    assert found.period is None


def test_still_and_short_clips_do_not_loop() -> None:
    still = np.repeat(pan(1), 16, axis=0)
    for clip, why in ((still, "nothing moves"), (pan(5), "fewer than 8 frames")):
        with pytest.raises(NotApplicable, match=why):
            score("motion.loop", {"small-frames": encode(make_encoder("small-frames"), clip)})


def test_distances_by_the_fast_transform_are_those_by_hand() -> None:
    from screentest.metrics.quality import shots

    small = np.random.default_rng(0).uniform(0, 255, (23, 12))
    by_hand = [np.square(small[: 23 - g] - small[g:]).mean() for g in range(23)]
    assert shots._distances(small) == pytest.approx(by_hand, abs=1e-8)


@pytest.mark.parametrize("name", ["shots", "small-frames"])
def test_features_do_not_depend_on_the_windows(name: str) -> None:
    clip = noise(11, 32)
    one, two = encode(make_encoder(name), clip), encode(make_encoder(name), clip, cuts=(1, 4, 9))
    assert one.tobytes() == two.tobytes()
