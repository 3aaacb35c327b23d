"""What is no thing of its own: soft edges, ringing beside an edge, patterns, and a large thing as ground."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from screentest.metrics.tracking.background import fit_background
from screentest.metrics.validation.law_trials import Trial, frames_of

from .scenes import BLUE, GRAY, RED, WHITE, Frames, Shape, draw, still, track


def things(frames: Frames) -> list[tuple[int, ...]]:
    """Colors of the things that are followed, rounded to what tells them apart."""
    tracks = track(frames)
    median = np.nanmedian(tracks.color_NT3, axis=1)
    return sorted(tuple(int(v) for v in color) for color in np.round(median / 64) * 64)


def test_the_blurred_edge_of_a_bright_thing_is_no_gray_thing():
    shapes = [Shape("square", WHITE, 8.0, still(44, 30)), Shape("square", GRAY, 7.0, still(18, 30))]
    small = draw(shapes, frames=4)
    large = np.stack([cv2.resize(f, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR) for f in small])
    assert len(things(large)) == len(things(small)) == 2


def test_a_dark_rim_beside_a_bright_thing_is_no_thing():
    frames = draw([Shape("square", WHITE, 8.0, still(32, 32))], frames=4)
    ringing = frames.copy()
    ringing[:, 24:41, 41:45] = 2  # darker than the ground, up to four pixels from the edge
    assert things(ringing) == things(frames)
    apart = frames.copy()
    apart[:, 24:41, 54:59] = 2  # as dark, but far away
    assert len(things(apart)) == 2


def test_two_colors_that_touch_are_two_things_and_a_mixture_at_their_border_is_none():
    moving = Shape("square", BLUE, 7.0, lambda t: (39.0 + 3 * t, 30.0))
    frames = draw([Shape("square", RED, 7.0, still(25, 30)), moving], frames=4)
    mixed = frames.copy()
    mixed[0, 24:37, 31:33] = (np.array(RED) + BLUE) // 2
    assert len(things(mixed)) == len(things(frames)) == 2


def test_a_sign_is_one_thing_whatever_else_is_in_the_clip():
    made = frames_of(Trial("development", 0, "hazard", 0, variety="together"))
    assert made is not None
    assert track(made[1]).things == 2


@pytest.mark.parametrize("noise", [0.0, 10.0])
def test_a_wall_over_a_third_of_the_frame_is_not_taken_for_the_ground(noise: float):
    rng = np.random.default_rng(0)
    clean = draw([Shape("wall", GRAY, 11.5, still(32, 32))], frames=6, ground=(29, 31, 24))
    frames = np.rint(clean + rng.normal(0, noise, clean.shape)).clip(0, 255).astype(np.uint8)
    ground = fit_background(frames)
    assert np.abs(ground.color_HW3 - (29, 31, 24)).max() < 4
    assert track(frames).things == 1


def test_the_ghost_that_a_codec_leaves_of_a_bright_thing_is_no_thing():
    moving = Shape("square", WHITE, 8.0, lambda t: (16.0 + 2 * t, 20.0))
    ghost = Shape("square", (45, 47, 51), 6.0, still(46, 46))  # 26 levels from the ground; the thing has 360
    frames = draw([moving, ghost], frames=6)
    assert len(things(frames)) == 1
    assert len(things(draw([ghost], frames=6))) == 1  # on its own it is a thing


def test_what_is_never_there_for_two_frames_is_a_flicker():
    flicker = Shape("square", (52, 51, 56), 4.0, lambda t: (46.0, 46.0) if t in (2, 4) else None)
    lasting = Shape("square", (52, 51, 56), 4.0, lambda t: (46.0, 46.0) if t in (2, 3) else None)
    red = Shape("ball", RED, 7.0, still(20, 20))
    assert len(things(draw([red, flicker], frames=8))) == 1
    assert len(things(draw([red, lasting], frames=8))) == 2
