import cv2
import numpy as np
import pytest
from screentest.metrics import make_encoder
from screentest.metrics.encoders.flow import FlowEncoder, FlowSettings

from ..helpers import encode, noise, pan, texture


def test_an_exact_translation_is_explained_and_its_length_is_read():
    error, valid, motion = encode(make_encoder("flow"), pan(6, step=3)).T
    assert (error / valid).max() < 1e-3  # of 3: rounding of sub-pixel lookups
    assert valid.min() > 0.8  # what leaves the frame is not compared
    assert motion == pytest.approx(np.full(5, 3 / 64), rel=0.1)


def test_noise_is_not_explained_by_motion():
    error, valid, _ = encode(make_encoder("flow"), noise(4)).T
    assert (error / valid).min() > 0.1


def test_a_still_clip_has_no_motion():
    still = np.repeat(texture(48, 64)[None], 4, axis=0)
    assert encode(make_encoder("flow"), still).tolist() == [[0.0, 1.0, 0.0]] * 3


@pytest.mark.parametrize(
    "size", [(1, 1), (2, 3), (8, 8), (17, 200), (200, 17), (1, 512), (600, 20), (33, 512)], ids=str
)
def test_any_frame_size_is_safe(size: tuple[int, int]):
    frames = np.stack([texture(*size, seed=s) for s in (0, 1)])
    feature = encode(make_encoder("flow"), frames)
    assert feature.shape == (1, 3)
    assert np.isfinite(feature).all()


def test_large_frames_are_reduced_and_the_limit_is_part_of_the_identity():
    small, large = FlowEncoder(FlowSettings(longest=32)), FlowEncoder()
    assert small.digest != large.digest
    motion = encode(small, pan(3, size=64, step=4))[:, 2]
    assert motion == pytest.approx(np.full(2, 4 / 64), rel=0.15)  # relative to the frame, so unchanged


def test_the_number_of_threads_does_not_change_the_flow():
    frames = np.stack([texture(144, 256, seed=1, blur=3), texture(144, 256, seed=2, blur=3)])
    before = cv2.getNumThreads()
    try:
        features = []
        for threads in (1, 4):
            cv2.setNumThreads(threads)
            features.append(encode(make_encoder("flow"), frames).tobytes())
    finally:
        cv2.setNumThreads(before)
    assert features[0] == features[1]


@pytest.mark.parametrize(
    ("fps", "frames", "pairs"), [(8, 16, 15), (24, 16, 5), (30, 9, 2), (4, 3, 2), (60, 8, 0)]
)
def test_dynamics_samples_eight_frames_a_second(fps: float, frames: int, pairs: int):
    feature = encode(make_encoder("dynamics"), pan(frames, size=24, step=1), fps=fps)
    assert feature.shape == (pairs, 2)
    assert np.all(feature[:, 1] == max(1, round(fps / 8)) / fps)


def test_dynamics_adds_up_the_motion_of_the_frames_between():
    motion = encode(make_encoder("dynamics"), pan(7, step=1), fps=24)[:, 0]
    assert motion == pytest.approx(np.full(2, 3 / 64), rel=0.1)
