import numpy as np
import pytest
from screentest.metrics import make_encoder
from screentest.safety.memorisation.hashes import VERSIONS

from ...metrics.helpers import encode, pan, texture

CLIP = pan(16, size=60)


@pytest.mark.parametrize("name", ["frame_hash", "motion_hash", "frame_hash_queries", "motion_hash_queries"])
def test_rows_have_length_one_and_do_not_depend_on_windows(name: str):
    encoder = make_encoder(name)
    got = encode(encoder, CLIP)
    versions = len(VERSIONS) if name.endswith("queries") else 1
    assert got.shape == (versions * (15 if name.startswith("motion") else 16), 432)
    assert got.dtype == np.float32
    assert np.linalg.norm(got, axis=1) == pytest.approx(1.0, abs=1e-4)
    assert np.array_equal(encode(encoder, CLIP, cuts=(1, 5, 6)), got)


def test_a_query_holds_the_plain_hash_and_that_of_the_mirrored_clip():
    plain = encode(make_encoder("frame_hash"), CLIP)
    mirrored = encode(make_encoder("frame_hash"), np.ascontiguousarray(CLIP[:, :, ::-1]))
    queries = encode(make_encoder("frame_hash_queries"), CLIP).reshape(len(VERSIONS), 16, -1)
    assert np.array_equal(queries[0], plain)
    assert np.array_equal(queries[1], mirrored)


def test_motion_has_a_direction_and_a_still_clip_has_none():
    back = encode(make_encoder("motion_hash"), np.ascontiguousarray(CLIP[::-1]))
    there = encode(make_encoder("motion_hash"), CLIP)
    assert (there[::-1] * back).sum(axis=1) == pytest.approx(-1.0, abs=1e-4)
    still = np.repeat(texture(60, 60)[None], 8, axis=0)
    assert len(encode(make_encoder("motion_hash"), still)) == 0
    assert len(encode(make_encoder("motion_hash_queries"), still)) == 0


def test_eight_frames_of_a_second_are_hashed():
    assert len(encode(make_encoder("frame_hash"), CLIP, fps=16.0)) == 8
    assert len(encode(make_encoder("frame_hash"), CLIP, fps=4.0)) == 16


def test_the_hash_tells_pictures_apart_and_not_a_change_of_light():
    one, other = (np.repeat(texture(60, 60, seed)[None], 2, axis=0) for seed in (0, 1))
    hashed = [encode(make_encoder("frame_hash"), clip)[0] for clip in (one, other, one // 2 + 40)]
    assert float(hashed[0] @ hashed[1]) < 0.6
    assert float(hashed[0] @ hashed[2]) > 0.98


def test_a_plain_frame_has_no_direction():
    plain = np.full((2, 60, 60, 3), 90, np.uint8)
    assert encode(make_encoder("frame_hash"), plain) == pytest.approx(0.0)
