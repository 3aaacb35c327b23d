from pathlib import Path

import numpy as np
import pytest
from screentest.harness.core.errors import MissingWeightsError
from screentest.harness.core.media import Clip, open_clip, write_clip
from screentest.metrics import NotApplicable
from screentest.metrics.against import compare_clips, lpips_distance
from screentest.metrics.similarity import similarity

from .helpers import Frames, pan


def clip_of(path: Path, frames: Frames, fps: float = 8.0) -> Clip:
    write_clip(path, frames, fps)
    return open_clip(path)


def decoded(clip: Clip) -> Frames:
    return np.concatenate([window.frames_THWC for window in clip.windows()])


def test_it_is_the_similarity_of_whole_clips_in_the_same_time(tmp_path: Path):
    frames = pan(20, 64)
    noisy = np.clip(frames.astype(int) + np.random.default_rng(0).integers(-9, 10, frames.shape), 0, 255)
    a, b = clip_of(tmp_path / "a.mp4", noisy.astype(np.uint8)), clip_of(tmp_path / "b.mp4", frames)
    found = compare_clips(a, b)
    whole = similarity(decoded(a), decoded(b))
    assert (found.frames, found.alone) == (20, 0)
    assert found.psnr == pytest.approx(whole.psnr, rel=1e-12)
    assert found.ms_ssim == pytest.approx(whole.ms_ssim, rel=1e-12)
    assert found.ssim is not None
    assert 0.5 < found.ssim < 1.0


def test_ssim_and_psnr_of_flat_frames_by_hand(tmp_path: Path):
    black, grey = np.zeros((2, 16, 16, 3), np.uint8), np.full((2, 16, 16, 3), 51, np.uint8)
    a, b = clip_of(tmp_path / "a.mp4", black), clip_of(tmp_path / "b.mp4", grey)
    level = float(decoded(b).mean() - decoded(a).mean())
    found = compare_clips(a, b)
    assert found.psnr == pytest.approx(20 * np.log10(255 / level), abs=1e-6)
    # of two flat frames the luminance term alone is left: (2 m n + c) / (m^2 + n^2 + c), c = 0.01^2
    m, n = float(decoded(a).mean()) / 255, float(decoded(b).mean()) / 255
    assert found.ssim == pytest.approx((2 * m * n + 1e-4) / (m * m + n * n + 1e-4), abs=1e-4)


def test_equal_clips_have_no_psnr(tmp_path: Path):
    a = clip_of(tmp_path / "a.mp4", pan(4, 32))
    found = compare_clips(a, a)
    assert (found.psnr, found.ssim, found.ms_ssim) == (None, 1.0, 1.0)


def test_another_frame_rate_is_aligned_in_time(tmp_path: Path):
    frames = pan(24, 32)
    fast, slow = clip_of(tmp_path / "f.mp4", frames, 24.0), clip_of(tmp_path / "s.mp4", frames[::3], 8.0)
    assert compare_clips(slow, fast).psnr is None  # each of its frames is in the other at its time
    longer = clip_of(tmp_path / "l.mp4", frames[:12], 8.0)
    found = compare_clips(longer, slow)
    assert (found.frames, found.alone) == (8, 4)
    assert found.psnr is not None
    assert found.worst_frame > 0


def test_another_size_is_refused(tmp_path: Path):
    a, b = clip_of(tmp_path / "a.mp4", pan(4, 32)), clip_of(tmp_path / "b.mp4", pan(4, 48))
    with pytest.raises(NotApplicable, match="frames of 32x32 and 48x48"):
        compare_clips(a, b)


def test_lpips_takes_part_and_is_named_where_its_weights_are_missing(tmp_path: Path):
    a, b = clip_of(tmp_path / "a.mp4", pan(9, 32)), clip_of(tmp_path / "b.mp4", pan(9, 32, seed=1))
    found = compare_clips(a, b, lambda x, y: [float(k) for k in range(len(x))])
    assert found.lpips == pytest.approx((sum(range(8)) + 0) / 9)
    with pytest.raises(MissingWeightsError, match="needs torchvision and its weights"):
        lpips_distance("alex")
