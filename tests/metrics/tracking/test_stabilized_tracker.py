"""The tracker `motion` follows what moves before a camera that may move, and knows when it cannot."""

from __future__ import annotations

import numpy as np
import pytest
from screentest.metrics import NotApplicable, make_encoder
from screentest.metrics.laws.evaluation import assignment_for
from screentest.metrics.laws.motion import gravity
from screentest.metrics.tracking.stabilized_tracker import MotionSource
from screentest.metrics.tracking.tracks import ClipShape, Tracks

from ..helpers import texture
from .scenes import BLUE, RED, Frames, Shape, draw

SCENERY = texture(128, 128, 1, blur=1.5) // 2 + 60
OTHER = (texture(128, 128, 5, blur=1.0) // 4 + np.array([150, 20, 90])).astype(np.uint8)


def follow(frames: Frames, fps: float = 8.0) -> Tracks:
    tracker = MotionSource().open()
    tracker.push(frames)
    return tracker.finish(ClipShape(frames.shape[1], frames.shape[2], fps, np.arange(len(frames)) / fps))


def ball(x: float, step: float, color: tuple[int, int, int] = RED) -> Shape:
    return Shape("ball", color, 8.0, lambda t: (x + step * t, 40.0))


def panned(frames: Frames, step: int) -> Frames:
    """Cut a window of 64 x 64 out of frames, which moves to the right."""
    return np.stack([frame[:64, step * t : step * t + 64] for t, frame in enumerate(frames)])


def test_a_ball_is_followed_while_the_camera_pans():
    whole = draw([ball(20.0, 4.0)], 16, SCENERY, 128)
    tracks = follow(panned(whole, 3))
    assert tracks.things == 1
    expected = np.stack([20.0 + np.arange(16) * 1.0, np.full(16, 40.0)], axis=1)
    away = np.hypot(*(tracks.position_NT2[0] - expected).T)
    assert float(np.median(away)) < 0.7
    assert tracks.camera_T4[-1, 0] == pytest.approx(-45, abs=1.5)
    assert tracks.camera_T4[:, 3].min() > 0.6
    still = tracks.still_NT2[0] - np.stack([20.0 + 4.0 * np.arange(16), np.full(16, 40.0)], axis=1)
    assert float(np.median(np.hypot(*still.T))) < 1.5


def test_noise_is_no_motion_of_the_camera():
    frames = draw([ball(20.0, 4.0)], 16, SCENERY, 128)
    noisy = np.clip(frames + np.random.default_rng(0).normal(0, 5, frames.shape), 0, 255).astype(np.uint8)
    tracks = follow(noisy)
    assert tracks.things == 1
    assert (tracks.camera_T4[:, :3] == 0).all()


def test_two_that_touch_are_kept_apart():
    frames = draw(
        [ball(20.0, 3.0), Shape("ball", BLUE, 8.0, lambda t: (110 - 3.0 * t, 40.0))], 14, SCENERY, 128
    )
    tracks = follow(frames)
    assert tracks.things == 2
    assert tracks.seen_NT.all()
    first = int(np.argmin(tracks.position_NT2[:, 0, 0]))
    away = np.abs(tracks.position_NT2[first, :, 0] - (20 + 3.0 * np.arange(14)))
    assert float(away.max()) < 3


def test_what_goes_behind_a_still_wall_is_hidden_and_what_vanishes_is_not():
    frames = draw([ball(14.0, 5.0)], 20, SCENERY, 128)
    passing = frames.copy()
    passing[:, :, 50:74] = SCENERY[:, 50:74]
    tracks = follow(passing)
    assert tracks.things == 1
    assert tracks.hidden_NT is not None
    gone = ~tracks.seen_NT[0]
    assert gone.any()
    assert (tracks.hidden_NT[0] >= gone).all()
    vanishing = frames.copy()
    vanishing[8:13] = SCENERY
    tracks = follow(vanishing)
    assert tracks.hidden_NT is not None
    assert (~tracks.seen_NT[0]).sum() == 5
    assert not tracks.hidden_NT.any()
    assert Tracks.from_record(tracks.to_record()).hidden_NT is not None


def test_light_that_changes_is_taken_out():
    frames = draw([ball(20.0, 4.0)], 16, SCENERY, 128)
    dims = (frames * np.linspace(1.0, 0.6, 16)[:, None, None, None]).astype(np.uint8)
    tracks = follow(dims)
    assert tracks.things == 1
    red = tracks.color_NT3[0, :, 0]
    assert np.ptp(red) < 0.15 * red.mean()


def test_colors_are_those_of_the_best_light():
    """The light rises from half: the ball is red from the first frame on, and no dark one."""
    frames = draw([ball(20.0, 4.0)], 16, SCENERY, 128)
    rises = (frames * np.linspace(0.5, 1.0, 16)[:, None, None, None]).astype(np.uint8)
    tracks = follow(rises)
    assert tracks.things == 1
    assert np.median(tracks.color_NT3[0, :4], axis=0) == pytest.approx(RED, abs=20)
    thing = {"shape": "ball", "color": "red"}
    assert assignment_for(tracks, {"objects": [thing], "motion": "right"}).subject.track == 0


def test_a_color_in_the_shade_is_that_color_and_another_is_not():
    shade = (round(0.65 * BLUE[0]), round(0.65 * BLUE[1]), round(0.65 * BLUE[2]))
    tracks = follow(draw([ball(20.0, 4.0, shade)], 16, SCENERY, 128))
    for color, track in (("blue", 0), ("red", None), ("white", None)):
        expect = {"objects": [{"shape": "ball", "color": color}], "motion": "right"}
        assert assignment_for(tracks, expect).subject.track == track


def test_what_is_two_pixels_thin_is_no_thing():
    frames = draw([ball(20.0, 4.0)], 16, SCENERY, 128)
    for t, frame in enumerate(frames):
        frame[80:82, 40 + 3 * t : 70 + 3 * t] = RED
    assert follow(frames).things == 1


def test_what_never_moves_is_left_out_where_it_is_gone_later_and_kept_where_it_appears():
    frames = draw([ball(20.0, 4.0)], 16, SCENERY, 128)
    gone, appears = frames.copy(), frames.copy()
    gone[:5, 90:106, 60:76] = BLUE
    appears[10:, 90:106, 60:76] = BLUE
    assert follow(gone).things == 1
    tracks = follow(appears)
    assert tracks.things == 2
    assert tracks.seen_NT.sum(axis=1).tolist() == [16, 6]


def test_what_cannot_be_followed_has_its_reason():
    one = draw([ball(20.0, 4.0)], 8, SCENERY, 128)
    other = draw([ball(20.0, 4.0)], 8, OTHER, 128)
    with pytest.raises(NotApplicable, match="there is a cut before frame 8"):
        follow(np.concatenate([one, other]))
    with pytest.raises(NotApplicable, match="at most 600 frames"):
        follow(np.zeros((601, 16, 16, 3), np.uint8))
    assert follow(np.repeat(one[:1], 6, axis=0)).things == 0
    assert follow(one[:1]).things == 0


def test_it_is_a_source_of_tracks():
    assert make_encoder("tracks", "motion").identity()["source"] == "motion"


def test_a_bounce_on_a_floor_that_is_not_seen_as_a_thing_splits_a_fall():
    """Falls at 2 sides a second squared from y = 20 pixels, and comes up again at 0.7 of its speed."""
    hit = np.sqrt(2 * 90 / 256.0)
    speed = 0.7 * 256.0 * hit

    def way(t: int) -> tuple[float, float]:
        s = t / 10
        if s < hit:
            return 60.0, 20.0 + 128.0 * s**2
        return 60.0, 110.0 - speed * (s - hit) + 128.0 * (s - hit) ** 2

    tracks = follow(draw([Shape("ball", RED, 8.0, way)], 17, SCENERY, 128), fps=10.0)
    thing = {"shape": "ball", "color": "red"}
    assigned = assignment_for(tracks, {"objects": [thing], "motion": "bounce", "ideal": True, "gravity": 2.0})
    assert gravity(assigned).severity < 0.05
    doubled = assignment_for(tracks, {"objects": [thing], "motion": "bounce", "ideal": True, "gravity": 4.0})
    assert gravity(doubled).severity == pytest.approx(0.5, abs=0.05)
