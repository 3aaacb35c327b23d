from __future__ import annotations

import numpy as np
import pytest
from screentest.generators.worlds.plane import FAMILIES, render, sample_scene
from screentest.harness.core.errors import UsageError
from screentest.harness.core.keys import seeded_rng
from screentest.metrics import make_encoder
from screentest.metrics.encoders.base import Record
from screentest.metrics.tracking.tracks import Tracks, plain_noun

from ..helpers import encode, parts_of
from .scenes import BLUE, GRAY, RED, Shape, draw, still, track


def moving() -> np.ndarray:
    return draw(
        [Shape("ball", RED, 6.0, lambda t: (12.0 + 2 * t, 20.0)), Shape("square", BLUE, 5.0, still(40, 50))]
    )


def test_tracks_survive_the_way_through_a_feature():
    tracks = track(moving())
    again = Tracks.from_record(tracks.to_record())
    assert (again.things, again.frames, again.height, again.width, again.fps) == (2, 16, 64, 64, 8.0)
    for name in (
        "position_NT2",
        "box_NT4",
        "area_NT",
        "color_NT3",
        "shape_NTS",
        "visible_NT",
        "camera_T4",
    ):
        np.testing.assert_array_equal(getattr(again, name), getattr(tracks, name))
    assert again.nouns == tracks.nouns == (None, None)


def test_some_of_the_things_are_chosen_in_the_order_given():
    shapes = [Shape("ball", RED, 6.0, still(16, 30)), Shape("ball", BLUE, 6.0, still(46, 30))]
    tracks = track(draw(shapes, 6))
    assert tracks.things == 2
    second = tracks.chosen([1])
    assert second.things == 1
    assert len(second.nouns) == 1
    assert second.color_NT3[0, 0].tolist() == tracks.color_NT3[1, 0].tolist()
    assert tracks.chosen([1, 0]).area_NT.tolist() == tracks.area_NT[::-1].tolist()
    assert tracks.chosen([]).things == 0
    assert second.camera_T4.shape == tracks.camera_T4.shape


def test_no_things_are_no_things():
    tracks = track(draw([]))
    again = Tracks.from_record(tracks.to_record())
    assert again.things == 0
    assert again.frames == 16
    with pytest.raises(ValueError, match="holds no tracks"):
        Tracks.from_record(Record({"position_NT2": np.zeros((3, 2))}))


def test_the_windows_of_the_decoder_do_not_change_the_feature():
    frames = np.concatenate([moving()] * 5)  # more than a block
    encoder = make_encoder("tracks", "world")
    whole = encode(encoder, frames)
    assert parts_of(encode(encoder, frames, cuts=(1, 30, 79))) == parts_of(whole)


def test_a_large_clip_is_given_in_its_own_pixels():
    large = np.asarray(moving()).repeat(6, axis=1).repeat(6, axis=2)
    tracks = track(large)
    expected = (track(moving()).position_NT2 + 0.5) * 6 - 0.5  # repeated pixels: no detail is added
    assert tracks.position_NT2 == pytest.approx(expected, abs=1.0)
    assert tracks.area_NT == pytest.approx(track(moving()).area_NT * 36, rel=0.03)


def test_what_is_hidden_is_not_seen_and_comes_back_as_itself():
    wall = Shape("wall", GRAY, 9.0, still(32, 32))
    tracks = track(draw([Shape("ball", RED, 6.0, lambda t: (8.0 + 3.2 * t, 32.0)), wall]))
    assert tracks.things == 2
    red = int(np.nanmedian(tracks.color_NT3[:, :, 0], axis=1).argmax())
    hidden = ~tracks.seen_NT[red]
    assert 2 <= hidden.sum() <= 5
    assert not hidden[[0, 1, 2, 13, 14, 15]].any()
    assert (tracks.visible_NT[red][hidden] == 0).all()
    assert tracks.visible_NT[red][0] == 1.0
    assert tracks.visible_NT[red].max() == 1.0


def test_camera_motion_is_taken_off():
    rng = seeded_rng("test of tracks", 3)
    frames, truth = render(sample_scene(rng, family="camera", camera="pan-left"))
    tracks = track(frames)
    assert np.ptp(truth.position_NT2[0, :, 0]) > 15
    assert np.ptp(tracks.still_NT2[0, :, 0]) < 1.5


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - {"person", "biscuit"}))
def test_places_in_world_clips_are_true(family):
    for index in range(3):
        frames, truth = render(sample_scene(seeded_rng("test of tracks", family, index), family=family))
        tracks = track(frames)
        assert tracks.things == len(truth.position_NT2)
        whole = truth.visible_NT > 0.999
        for n, t in zip(*np.nonzero(whole), strict=True):
            away = np.hypot(*(tracks.position_NT2[:, t] - truth.position_NT2[n, t]).T)
            assert np.nanmin(away) < 0.35


def test_a_person_with_a_waving_hand_is_one_thing():
    for index in range(4):
        frames, _ = render(sample_scene(seeded_rng("test of people", index), family="person"))
        tracks = track(frames)
        assert tracks.things == 1
        assert tracks.seen_NT.all()


def test_sources_are_known_or_a_mistake():
    assert make_encoder("tracks").digest == make_encoder("tracks", "world").digest
    assert make_encoder("tracks", "reference").digest == make_encoder("tracks", "world").digest
    with pytest.raises(UsageError, match=r"'blob' of the encoder 'tracks'"):
        make_encoder("tracks", "blob")
    assert plain_noun("red  Ball") == plain_noun("red ball") != plain_noun("ball")
