"""A rigid scene under a moving camera agrees with itself, a scene that wobbles does not."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from screentest.metrics import NotApplicable, make_encoder
from screentest.metrics.encoders.epipolar import sampson_distances

from ..helpers import encode, noise, pan, score, texture


def rigid(frames: int = 13, size: int = 160, step: float = 1.5, wobble: float = 0.0) -> Any:
    """Draw four textured walls at different depths, seen by a camera that moves to the side and forward.

    With ``wobble`` the picture is bent by a smooth field of so many pixels, another one in each frame.
    """
    walls = [texture(size * 2, size * 2, seed=k, blur=1.6) for k in range(4)]
    focal, middle = float(size), (size - 1) / 2
    y, x = np.mgrid[:size, :size].astype(np.float32)
    rng = np.random.default_rng(0)
    made: list[Any] = []
    for t in range(frames):
        frame = np.zeros((size, size, 3), np.uint8)
        for k, (depth, wall) in enumerate(zip((4.0, 3.0, 2.2, 1.7), walls, strict=True)):
            ahead = depth - 0.02 * step * t
            across = (x - middle) / focal * ahead + 0.02 * step * t
            down = (y - middle) / focal * ahead
            look = [
                (across * focal / depth + size).astype(np.float32),
                (down * focal / depth + size).astype(np.float32),
            ]
            seen = cv2.remap(wall, *look, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
            left, top = -1.2 + 0.75 * k, -1.0 + 0.3 * k
            here = (across > left) & (across < left + 0.7) & (down > top) if k else np.ones_like(x, bool)
            frame[here] = seen[here]
        if wobble:
            shift = [
                cv2.GaussianBlur(rng.normal(0, 1, (size, size)).astype(np.float32), (0, 0), 14) for _ in "xy"
            ]
            bent = [s * wobble / np.abs(s).max() for s in shift]
            frame = cv2.remap(
                frame, x + bent[0], y + bent[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
            )
        made.append(frame)
    return np.stack(made)


def views(clip: Any) -> tuple[Any, Any]:
    feature = encode(make_encoder("epipolar"), clip)
    return score("geometry.epipolar", {"epipolar": feature}), score(
        "geometry.sampson_error", {"epipolar": feature}
    )


def test_a_rigid_scene_agrees_beyond_one_plane() -> None:
    inliers, error = views(rigid())
    assert inliers.value > 0.85
    assert error.value < 0.4
    assert inliers.evidence["by_one_plane"] < inliers.value
    assert inliers.evidence["pairs"] == 3


def test_where_no_plane_fits_none_is_told() -> None:
    rows = np.array([[0.9, 0.3, 80.0, 0.1, share, 0.5] for share in (0.0, 0.0, 0.0)])
    none = score("geometry.epipolar", {"epipolar": rows.copy()})
    assert none.evidence["by_one_plane"] is None
    rows[1, 4] = 0.6
    some = score("geometry.epipolar", {"epipolar": rows})
    assert some.evidence["by_one_plane"] == 0.6
    assert (none.value, some.value) == (0.9, 0.9)


def test_a_wobble_is_seen_and_more_of_it_more() -> None:
    found = [views(rigid(wobble=wobble)) for wobble in (0.0, 2.0, 4.0)]
    inliers, errors = ([pair[k].value for pair in found] for k in (0, 1))
    assert inliers == sorted(inliers, reverse=True)
    assert errors == sorted(errors)
    assert inliers[2] < inliers[0] - 0.15


def test_the_sampson_distance_by_hand() -> None:
    # a camera that moves to the side keeps every point on its row: the distance is that of the rows / sqrt 2
    sideways = np.array([[0.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    start = np.array([[3.0, 5.0], [10.0, 20.0]])
    end = start + np.array([[7.0, 0.0], [4.0, 3.0]])
    assert sampson_distances(sideways, start, end) == pytest.approx([0.0, 3 / np.sqrt(2)])
    assert sampson_distances(9 * sideways, start, end) == pytest.approx([0.0, 3 / np.sqrt(2)])


def test_no_camera_motion_is_not_applicable() -> None:
    with pytest.raises(NotApplicable, match="no camera motion"):
        views(np.repeat(texture(128, 128)[None], 12, axis=0))


def test_too_few_points_are_not_applicable() -> None:
    for clip in (noise(12, 96), np.full((12, 96, 96, 3), 90, np.uint8)):
        with pytest.raises(NotApplicable, match="fewer than 40 points"):
            views(clip)


def test_clips_under_half_a_second_are_not_applicable() -> None:
    with pytest.raises(NotApplicable, match="fewer than two frames"):
        views(pan(3))


def test_the_feature_does_not_depend_on_the_windows() -> None:
    clip = rigid(9, 96)
    one, two = (encode(make_encoder("epipolar"), clip, cuts=cuts) for cuts in ((), (1, 5, 6)))
    assert one.tobytes() == two.tobytes()


def test_matches_that_no_camera_explains_are_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise cv2.error("!model.empty()")

    clip = rigid()
    monkeypatch.setattr(cv2, "findFundamentalMat", fails)
    with pytest.raises(NotApplicable, match="no epipolar geometry fits"):
        views(clip)
