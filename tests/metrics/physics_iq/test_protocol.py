"""Physics-IQ: the arithmetic of both scores, shots against a batch computation, and what is left out."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from screentest.harness.core.errors import UsageError
from screentest.harness.core.media import decode_count, open_clip, write_clip
from screentest.metrics.encoders.cache import FeatureCache
from screentest.metrics.physics_iq.motion_masks import Agreement
from screentest.metrics.physics_iq.protocol import (
    PhysicsIQSettings,
    original_score,
    physics_iq,
    verified_score,
)
from screentest.metrics.physics_iq.takes import Shot, find_shots

SHORT = PhysicsIQSettings(seconds=1.0, scale=2)


# -- the arithmetic


def test_published_components_give_the_published_score():
    """Components of 46.23, 31.33 and 26.67 % with an MSE excess of 0.70 % are printed as 34.05.

    Each printed number is rounded to 0.005, so the sum may be off by 0.01 and its print by 0.005 more.
    """
    generated = np.array([0.4623, 0.3133, 0.2667, 0.0070])
    assert original_score(generated, np.array([1.0, 1.0, 1.0, 0.0])) == pytest.approx(34.05, abs=0.015)
    assert original_score(generated, np.array([1.0, 1.0, 1.0, 0.0])) == pytest.approx(34.0433, abs=1e-4)


def test_the_example_of_the_published_tests():
    """MSE 0.1, IoUs 0.4, 0.5, 0.6 over 0.3, 0.25, 0.5, MSE of the takes 0.05: 146.11 before the clip."""
    generated, variance = np.array([0.5, 0.4, 0.6, 0.1]), np.array([0.25, 0.3, 0.5, 0.05])
    assert original_score(generated, variance) == 100.0
    assert original_score(generated / 2, variance) == pytest.approx(100 * (1.4611111 / 2 + 0.025), abs=1e-4)
    assert original_score(np.array([0.01, 0.01, 0.01, 0.9]), np.array([1, 1, 1, 0.05])) == 0.0


def test_the_second_take_itself_scores_100_by_both():
    take = Agreement(0.678, 0.535, 0.577, 0.002)
    values = np.array(astuple(take))
    assert original_score(values, values) == 100.0
    assert verified_score(take, take) == 100.0


def test_verified_clips_each_share_and_turns_the_error_around():
    variance = Agreement(0.5, 0.5, 0.5, 0.002)
    assert verified_score(Agreement(1.0, 0.25, 0.1, 0.004), variance) == pytest.approx(
        100 * (1 + 0.5 + 0.2 + 0.5) / 4
    )
    assert verified_score(Agreement(0.0, 0.0, 0.0, 0.0), Agreement(0, 0, 0, 0)) == 25.0
    assert verified_score(Agreement(0.1, 0.1, 0.1, 1.0), Agreement(0, 0, 0, 0)) == 75.0


shares = st.floats(0, 1)


@given(a=shares, b=shares, c=shares, mse=shares, takes=shares)
def test_verified_is_between_0_and_100(a, b, c, mse, takes):
    score = verified_score(Agreement(a, b, c, mse), Agreement(b, c, a, takes))
    assert 0.0 <= score <= 100.0


def test_takes_that_share_no_motion_have_no_original_score():
    assert np.isnan(original_score(np.array([0.5, 0.5, 0.5, 0.0]), np.array([0.0, 0.5, 0.5, 0.0])))


# -- whole shots


def ball(path: Path, *, speed: float = 2.0, fps: float = 12, seconds: float = 1.5, size: int = 48) -> Path:
    """A white disc that rolls to the right over a textured ground."""
    rng = np.random.default_rng(0)
    ground = cv2.resize(rng.integers(40, 90, (8, 8, 3), dtype=np.uint8), (size, size))
    frames = np.stack([ground] * round(fps * seconds))
    for t, frame in enumerate(frames):
        cv2.circle(frame, (round(8 + speed * t * 12 / fps), size // 2), 6, (240, 240, 240), -1)
    write_clip(path, frames, fps)
    return path


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("iq")
    takes, made = root / "takes", root / "made"
    takes.mkdir()
    made.mkdir()
    for name, speeds in (("roll", (2.0, 2.1, 1.5)), ("swift", (3.0, 3.1, 2.9)), ("slow", (1.0, 1.0, 0.0))):
        ball(takes / f"{name}_take-1.mp4", speed=speeds[0])
        ball(takes / f"{name}_take-2.mp4", speed=speeds[1])
        ball(made / f"{name}.mp4", speed=speeds[2])
    return takes, made


def by_hand(paths: list[Path], scale: int, count: int) -> list[dict[str, float]]:
    """Both agreements of a shot, by a second implementation that holds all frames at once."""
    clips, masks = [], []
    for path in paths:
        frames = np.concatenate([w.frames_THWC for w in open_clip(path).windows()])[:count]
        grey = [cv2.GaussianBlur(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), (5, 5), 0) for f in frames]
        mean, found = grey[0].astype(np.float64), [np.zeros_like(grey[0])]
        for image in grey[1:]:
            mean = 0.7 * mean + 0.3 * image
            far = np.abs(image.astype(np.int64) - np.rint(mean).astype(np.int64)) > 10
            opened = cv2.dilate(cv2.erode(far.astype(np.uint8), np.ones((5, 5))), np.ones((5, 5)))
            found.append(cv2.erode(cv2.dilate(opened, np.ones((5, 5))), np.ones((5, 5))))
        height, width = (side // scale for side in frames.shape[1:3])
        clips.append(np.stack([cv2.resize(f, (width, height)) for f in frames]) / 255.0)
        masks.append(np.stack([cv2.resize(m * 255, (width, height)) > 127 for m in found]))

    def agreement(k: int) -> dict[str, float]:
        a, b = masks[0], masks[k]
        frame_by_frame = [
            (x & y).sum() / (x | y).sum() if (x | y).any() else 1.0 for x, y in zip(a, b, strict=True)
        ]
        return {
            "spatial": (a.any(0) & b.any(0)).sum() / (a.any(0) | b.any(0)).sum(),
            "spatiotemporal": float(np.mean(frame_by_frame)),
            "weighted_spatial": np.minimum(a.mean(0), b.mean(0)).sum()
            / np.maximum(a.mean(0), b.mean(0)).sum(),
            "mse": float(((clips[0] - clips[k]) ** 2).mean()),
        }

    return [agreement(2), agreement(1)]


def test_agreements_are_those_of_a_second_implementation(folders):
    for shot in find_shots(*folders):
        (row,) = physics_iq([shot], SHORT).rows
        generated, variance = by_hand([shot.take1, shot.take2, shot.generated], 2, 12)  # type: ignore[list-item]
        assert row.generated == pytest.approx(generated, rel=1e-9)
        assert row.variance == pytest.approx(variance, rel=1e-9)


def test_both_scores_follow_from_the_rows_and_closer_clips_score_higher(folders):
    result = physics_iq(find_shots(*folders), SHORT)
    assert (result.shots, result.scenarios, result.left_out) == (3, 3, {})
    scores = {row.scenario: row.verified for row in result.rows}
    assert result.verified.value == pytest.approx(np.mean(list(scores.values())))
    assert scores["slow"] < scores["roll"] < scores["swift"]
    means = [[np.mean([getattr(r, part)[k] for r in result.rows]) for k in result.generated]
             for part in ("generated", "variance")]  # fmt: skip
    assert result.original.value == pytest.approx(original_score(np.array(means[0]), np.array(means[1])))
    assert 0 <= result.original.low <= result.original.value <= result.original.high <= 100  # type: ignore[operator]
    assert "3 scenarios" in result.original.method
    still = next(row for row in result.rows if row.scenario == "slow")
    assert "nothing moves in the generated clip" in still.notes


def test_takes_compared_with_themselves_score_100(folders):
    takes, _ = folders
    shots = [
        Shot(s.scenario, "", s.take1, s.take2, s.take2) for s in find_shots(*folders) if s.scenario != "slow"
    ]
    result = physics_iq(shots, SHORT)
    assert (result.original.value, result.verified.value) == (100.0, 100.0)
    assert result.original.low < 100  # type: ignore[operator]
    assert result.original.high == 100
    assert {row.verified for row in result.rows} == {100.0}
    assert all(takes in s.take1.parents for s in shots)  # type: ignore[union-attr]


def test_another_rate_and_size_are_brought_together_and_said(folders, tmp_path):
    takes, _ = folders
    made = ball(tmp_path / "roll.mp4", fps=8, size=32, speed=2.0 * 32 / 48, seconds=2.0)
    shot = Shot("roll", "", takes / "roll_take-1.mp4", takes / "roll_take-2.mp4", made)
    (row,) = physics_iq([shot], SHORT).rows
    assert row.status == "ok"
    assert row.notes == (
        "the generated clip was resized: 32x32 against 48x48 of take 1",
        "take 1 was resampled from 12 to 8 frames a second",
        "take 2 was resampled from 12 to 8 frames a second",
        "the generated clip has 2 s, of which 1 are compared",
    )


def test_one_file_as_both_takes_is_said(folders):
    takes, made = folders
    first = takes / "roll_take-1.mp4"
    (row,) = physics_iq([Shot("roll", "", first, first, made / "roll.mp4")], SHORT).rows
    assert "the two takes are one and the same file, which shows no physical variance" in row.notes
    assert row.variance == {"spatial": 1.0, "spatiotemporal": 1.0, "weighted_spatial": 1.0, "mse": 0.0}


def test_what_cannot_be_compared_is_left_out_with_its_reason(folders, tmp_path):
    takes, made = folders
    first, second = takes / "roll_take-1.mp4", takes / "roll_take-2.mp4"
    wide = tmp_path / "wide.mp4"
    write_clip(wide, np.zeros((20, 48, 96, 3), np.uint8), 12)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video at all")
    shots = [
        Shot("good", "", first, second, made / "roll.mp4"),
        Shot("short", "", first, second, ball(tmp_path / "short.mp4", seconds=0.5)),
        Shot("wide", "", first, second, wide),
        Shot("broken", "", first, second, broken),
        Shot("absent", "", first, second, None),
    ]
    result = physics_iq(shots, SHORT)
    assert (result.shots, len(result.rows), sum(result.left_out.values())) == (1, 5, 4)
    assert result.verified.low is None
    assert "one scenario only" in result.verified.notes[0]
    reasons = {row.scenario: row.reason for row in result.rows}
    assert reasons["short"].startswith("the generated clip has 6 of the 12 frames that 1 s take")
    assert "another aspect ratio, 96x48 against 48x48 of take 1" in reasons["wide"]
    assert "not a video that FFmpeg can read" in reasons["broken"]
    assert reasons["absent"] == "no file for the generated clip"
    assert all(row.generated is None and row.verified is None for row in result.rows[1:])

    stretched = physics_iq([shots[2]], PhysicsIQSettings(seconds=1.0, scale=2, stretch=True))
    assert stretched.rows[0].notes[0].startswith("the generated clip was stretched")
    with pytest.raises(UsageError, match="not one of 1 shots could be compared; first reason: no file"):
        physics_iq(shots[4:], SHORT)


def test_a_shot_is_compared_once_and_another_setting_is_another_comparison(folders, tmp_path):
    shots = find_shots(*folders)[:1]
    cache = FeatureCache(tmp_path / "cache")
    sha256 = open_clip(shots[0].generated).sha256  # type: ignore[arg-type]
    before = decode_count[sha256]
    fresh = physics_iq(shots, SHORT, cache=cache)
    again = physics_iq(shots, SHORT, cache=cache)
    assert decode_count[sha256] == before + 1
    assert again == fresh
    physics_iq(shots, PhysicsIQSettings(seconds=1.0, scale=1), cache=cache)
    assert decode_count[sha256] == before + 2


def test_views_of_a_scenario_share_a_cluster(folders):
    takes, made = folders
    shots = [
        Shot(name, view, takes / f"{name}_take-1.mp4", takes / f"{name}_take-2.mp4", made / f"{name}.mp4")
        for name in ("roll", "swift")
        for view in ("view-a", "view-b")
    ]
    result = physics_iq(shots, SHORT)
    once = physics_iq(shots[::2], SHORT)
    assert (result.shots, result.scenarios) == (4, 2)
    assert (result.original.value, result.original.low) == (once.original.value, once.original.low)
    assert (result.verified.value, result.verified.low) == pytest.approx(
        (once.verified.value, once.verified.low)
    )
