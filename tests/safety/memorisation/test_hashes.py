import numpy as np
import pytest
from screentest.metrics import make_encoder
from screentest.safety.memorisation.hashes import VERSIONS

from ...metrics.helpers import encode, pan, texture

CLIP = pan(16, size=60)


@pytest.mark.parametrize("name", ["motion_hash", "motion_hash_queries"])
def test_rows_have_length_one_and_do_not_depend_on_windows(name: str):
    encoder = make_encoder(name)
    got = encode(encoder, CLIP)
    versions = len(VERSIONS) if name.endswith("queries") else 1
    assert got.shape == (versions * 15, 432)
    assert got.dtype == np.float32
    assert np.linalg.norm(got, axis=1) == pytest.approx(1.0, abs=1e-4)
    assert np.array_equal(encode(encoder, CLIP, cuts=(1, 5, 6)), got)


def test_a_query_holds_the_plain_hash_and_that_of_the_mirrored_clip():
    plain = encode(make_encoder("motion_hash"), CLIP)
    mirrored = encode(make_encoder("motion_hash"), np.ascontiguousarray(CLIP[:, :, ::-1]))
    queries = encode(make_encoder("motion_hash_queries"), CLIP).reshape(len(VERSIONS), 15, -1)
    assert np.array_equal(queries[0], plain)
    assert np.array_equal(queries[1], mirrored)


def test_motion_has_a_direction_and_a_still_clip_has_none():
    back = encode(make_encoder("motion_hash"), np.ascontiguousarray(CLIP[::-1]))
    there = encode(make_encoder("motion_hash"), CLIP)
    assert (there[::-1] * back).sum(axis=1) == pytest.approx(-1.0, abs=1e-4)
    still = np.repeat(texture(60, 60)[None], 8, axis=0)
    assert len(encode(make_encoder("motion_hash"), still)) == 0
    assert len(encode(make_encoder("motion_hash_queries"), still)) == 0
    assert len(encode(make_encoder("motion_hash"), still[:1])) == 0


def test_eight_frames_of_a_second_are_hashed():
    assert len(encode(make_encoder("motion_hash"), CLIP, fps=16.0)) == 7
    assert len(encode(make_encoder("motion_hash"), CLIP, fps=4.0)) == 15
