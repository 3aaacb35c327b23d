"""The roles ``subject`` and ``image``: sources, sampling and identity."""

from pathlib import Path

import numpy as np
import pytest
import torch
from screentest.harness.core.errors import UsageError
from screentest.metrics import EncoderOptions, make_encoder

from ..helpers import encode, noise, pan

CPU = EncoderOptions(device="cpu")


@pytest.mark.parametrize(
    ("options", "fps", "rows"),
    [
        ("", 8.0, 8),  # 4 a second of 2 seconds
        ("?fps=0", 8.0, 16),
        ("?fps=2", 8.0, 4),
        ("?fps=30", 8.0, 16),  # more than the clip has
        ("?fps=0,frames=5", 8.0, 5),
        ("?frames=3", 8.0, 3),
        ("?fps=3", 16.0, 3),
    ],
)
def test_sampling(tiny: dict[str, Path], options: str, fps: float, rows: int):
    frames = pan(16, size=40)
    encoder = make_encoder("image", f"{tiny['image']}{options}", CPU)
    got = encode(encoder, frames, fps=fps)
    assert got.shape == (rows, 32)
    assert encode(encoder, frames, fps=fps, cuts=(1, 2, 9)) == pytest.approx(got, abs=0)


def test_the_sampled_rows_are_those_of_their_frames(tiny: dict[str, Path]):
    frames = pan(16, size=40)
    whole = encode(make_encoder("subject", str(tiny["image"]), CPU), frames, fps=8.0)
    some = encode(make_encoder("image", f"{tiny['image']}?fps=2", CPU), frames, fps=8.0)
    assert some == pytest.approx(whole[::4], abs=1e-6)


def test_the_sampling_is_in_the_identity(tiny: dict[str, Path]):
    source = str(tiny["image"])
    digests = {
        make_encoder("image", source + options, CPU).digest
        for options in ("", "?fps=8", "?frames=8", "?fps=0")
    }
    assert len(digests) == 4
    assert make_encoder("image", source, CPU).digest == make_encoder("image", source + "?fps=4", CPU).digest
    assert "sampling" not in make_encoder("subject", source, CPU).identity()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("?fsp=8", "unknown key 'fsp'; did you mean 'fps'"),
        ("?fps=-1", "fps: it should be at least 0 and is -1"),
        ("?fps=fast", "fps: it should be a number and is fast"),
        ("?frames=0", "frames: it should be at least 1 and is 0"),
    ],
)
def test_a_wrong_sampling_is_a_sentence(options: str, sentence: str):
    with pytest.raises(UsageError, match=sentence):
        make_encoder("image", "efficientnet-lite0" + options)


def test_image_reads_clip_and_subject_does_not(tiny: dict[str, Path]):
    frames = noise(3, 32)
    got = encode(make_encoder("image", f"{tiny['clip']}?fps=0", CPU), frames)
    assert got == pytest.approx(encode(make_encoder("clip", str(tiny["clip"]), CPU), frames), abs=1e-6)
    with pytest.raises(UsageError, match="'subject' reads image backbones such as DINOv2"):
        make_encoder("subject", str(tiny["clip"]))


def test_the_packaged_backbone_is_that_of_subject(tiny: dict[str, Path], monkeypatch: pytest.MonkeyPatch):
    from screentest.metrics.encoders import weights

    monkeypatch.setattr(weights, "REFERENCE_WEIGHTS", tiny["subject"].parent)
    assert make_encoder("image").digest == make_encoder("image", str(tiny["subject"])).digest


def test_rows_have_length_one_in_any_precision(tiny: dict[str, Path]):
    for dtype in ("float32", "bfloat16"):
        got = encode(make_encoder("image", str(tiny["image"]), EncoderOptions("cpu", dtype)), noise(4, 32))
        assert got.dtype == np.float32
        assert np.linalg.norm(got, axis=1) == pytest.approx(1.0)
    assert torch.get_default_dtype() == torch.float32
