from __future__ import annotations

import numpy as np
import pytest
from screentest.metrics import NotApplicable, make_encoder
from screentest.metrics.tracking.motion_tracker import BlobSource
from screentest.metrics.tracking.tracks import ClipShape, Tracks

from ..helpers import encode, pan, parts_of, texture
from .scenes import BLUE, RED, Frames, Shape, draw, still

SCENERY = texture(64, 64, 1, blur=1.5) // 2 + 20


def follow(frames: Frames, fps: float = 8.0) -> Tracks:
    tracker = BlobSource().open()
    tracker.push(frames)
    return tracker.finish(ClipShape(frames.shape[1], frames.shape[2], fps, np.arange(len(frames)) / fps))


def walk(step: float, ground: object = SCENERY, frames: int = 16) -> Frames:
    return draw([Shape("ball", RED, 7.0, lambda t: (10.0 + step * t, 30.0))], frames, ground)


@pytest.mark.parametrize("ground", [SCENERY, (30, 32, 36), (205, 208, 200)])
@pytest.mark.parametrize("step", [3.0, 1.2])
def test_what_moves_is_followed_on_any_ground(ground, step):
    """At the slower step the ball never leaves the place where it was at first."""
    tracks = follow(walk(step, ground))
    assert tracks.things == 1
    assert tracks.seen_NT.all()
    expected = np.stack([10.0 + step * np.arange(16), np.full(16, 30.0)], axis=1)
    away = np.hypot(*(tracks.position_NT2[0] - expected).T)
    assert float(np.median(away)) < 0.6
    assert float(away.max()) < 2.5
    assert np.median(tracks.area_NT[0]) == pytest.approx(np.pi * 49, rel=0.2)
    assert np.linalg.norm(np.median(tracks.color_NT3[0], axis=0) - RED) < 25
    assert tracks.shape_NTS[0].mean(axis=0).argmax() == 0


def test_what_stands_still_is_the_ground():
    mover = Shape("ball", RED, 5.0, lambda t: (8.0 + 3 * t, 50.0))
    tracks = follow(draw([Shape("square", BLUE, 6.0, still(30, 20)), mover], ground=SCENERY))
    assert tracks.things == 1
    assert abs(tracks.position_NT2[0, 0, 1] - 50) < 1


def test_what_leaves_its_place_late_leaves_no_ghost():
    late = Shape("square", BLUE, 6.0, lambda t: (12.0 + 4 * max(0, t - 10), 30.0))
    tracks = follow(draw([late], ground=SCENERY))
    assert tracks.things == 1
    assert tracks.seen_NT.all()
    assert np.hypot(*(tracks.position_NT2[0, 0] - (12, 30))) < 1
    assert np.hypot(*(tracks.position_NT2[0, -1] - (32, 30))) < 1


def test_a_soft_shadow_is_no_thing():
    frames = walk(3.0)
    for t in range(16):
        x = 10 + 3 * t
        frames[t, 40:46, max(0, x - 6) : x + 7] = frames[t, 40:46, max(0, x - 6) : x + 7] * 0.82
    tracks = follow(frames)
    assert tracks.things == 1
    assert float(np.nanmax(tracks.box_NT4[0, :, 3])) < 40


def test_a_moving_camera_is_said():
    with pytest.raises(NotApplicable, match=r"the camera moves|more than half of the frame changes"):
        follow(pan(16, 64, 3))
    moving = pan(16, 64, 1)
    for t in range(16):
        moving[t, 20:32, 3 * t : 3 * t + 12] = RED
    with pytest.raises(NotApplicable, match="needs a still camera; use 'world' or a detector"):
        follow(moving)


def test_where_nothing_moves_there_are_no_tracks():
    tracks = follow(draw([Shape("ball", RED, 7.0, still(30, 30))], ground=SCENERY))
    assert (tracks.things, tracks.sees_still) == (0, False)
    assert follow(walk(3.0)).sees_still is False


def test_noise_is_nothing_that_moves():
    rng = np.random.default_rng(0)
    noisy = np.clip(walk(3.0) + rng.normal(0, 6, (16, 64, 64, 3)), 0, 255).astype(np.uint8)
    tracks = follow(noisy)
    assert tracks.things == 1
    assert tracks.seen_NT.mean() > 0.8


def test_large_clips_are_given_in_their_own_pixels():
    small = walk(3.0)
    large = small.repeat(8, axis=1).repeat(8, axis=2)
    tracks = follow(large)
    assert tracks.things == 1
    expected = (follow(small).position_NT2 + 0.5) * 8 - 0.5
    assert tracks.position_NT2 == pytest.approx(expected, abs=3.0)


def test_windows_do_not_change_the_feature():
    frames = walk(0.4, frames=150)
    encoder = make_encoder("tracks", "blobs")
    assert encoder.digest != make_encoder("tracks", "world").digest
    whole = encode(encoder, frames)
    assert parts_of(encode(encoder, frames, cuts=(7, 128, 140))) == parts_of(whole)
