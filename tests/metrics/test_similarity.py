"""The likeness of two clips, held to the library and to known cases."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from screentest.metrics.similarity import frame_hashes, similarity
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    peak_signal_noise_ratio,
)


def clip(side: int = 180, frames: int = 10, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (frames, 20, 20, 3))
    return small.repeat(side // 20, axis=1).repeat(side // 20, axis=2).astype(np.uint8)


def noisy(frames: np.ndarray, spread: float, seed: int = 1) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, spread, frames.shape)
    return np.clip(np.rint(frames + noise), 0, 255).astype(np.uint8)


def test_it_is_what_the_library_computes_of_the_whole_clip():
    a = clip(frames=9)
    b = noisy(a, 12)
    found = similarity(a, b)
    x, y = (torch.from_numpy(one).permute(0, 3, 1, 2).float() for one in (a, b))
    assert found.psnr == pytest.approx(float(peak_signal_noise_ratio(y, x, data_range=255.0)), abs=1e-4)
    whole = multiscale_structural_similarity_index_measure(x / 255, y / 255, data_range=1.0)
    assert found.ms_ssim == pytest.approx(float(whole), abs=1e-5)
    assert (found.scales, found.frames, found.equal) == (5, 9, 0)


def test_equal_frames_are_counted_and_one_bit_is_seen():
    a = clip(60)
    assert similarity(a, a.copy()) == similarity(a, a)
    b = a.copy()
    b[3, 5, 5, 0] ^= 1
    found = similarity(a, b)
    assert (found.equal, found.frames) == (9, 10)
    assert found.psnr == pytest.approx(10 * np.log10(255**2 * a.size))
    assert found.ms_ssim is not None
    assert 0.999 < found.ms_ssim <= 1  # in float32, one bit of 108,000 values is not seen
    hashes = frame_hashes(a)
    assert len(set(hashes)) == 10
    assert [x == y for x, y in zip(hashes, frame_hashes(b), strict=True)].count(False) == 1


def test_more_noise_is_less_alike():
    a = clip(frames=2)
    found = [similarity(a, noisy(a, spread)) for spread in (2, 8, 32)]
    assert [one.psnr for one in found] == sorted((one.psnr for one in found), reverse=True)
    assert [one.ms_ssim for one in found] == sorted((one.ms_ssim for one in found), reverse=True)


@pytest.mark.parametrize(
    ("side", "scales"), [(10, 0), (20, 1), (40, 2), (60, 3), (100, 4), (160, 4), (180, 5)]
)
def test_short_sides_have_fewer_scales(side, scales):
    a = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), dtype=np.uint8)
    found = similarity(a, noisy(a, 4))
    assert found.scales == scales
    assert (found.ms_ssim is None) == (scales == 0)


def test_clips_of_two_shapes_are_refused():
    with pytest.raises(ValueError, match="cannot be compared"):
        similarity(clip(40), clip(60))
