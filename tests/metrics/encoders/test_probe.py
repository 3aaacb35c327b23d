"""Encoders are tried before they are relied on: what lacks a part or is damaged is named at once."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from screentest.harness.core.errors import ScreentestError, UsageError
from screentest.harness.run import Settings, run
from screentest.metrics.encoders.base import EncoderOptions, Feature, FrameEncoder
from screentest.metrics.encoders.clip import ClipEncoder
from screentest.metrics.encoders.image import ImageEncoder
from screentest.metrics.encoders.probe import check_encoder
from screentest.metrics.encoders.video import VideoEncoder
from screentest.metrics.encoders.weights import find_weights

CPU = EncoderOptions("cpu")


def copy_of(role: str, folder: Path) -> Path:
    shutil.copytree(find_weights(role, "reference").path, folder)
    return folder


@pytest.mark.parametrize("make", [ClipEncoder, ImageEncoder, VideoEncoder])
def test_whole_encoders_pass(make: Any) -> None:
    check_encoder(make("reference", CPU), texts=make is ClipEncoder)


def test_a_folder_without_its_tokenizer_is_refused_where_prompts_are_read(tmp_path: Path) -> None:
    folder = copy_of("clip", tmp_path / "clip")
    for path in folder.iterdir():
        if path.name.startswith(("tokenizer", "vocab", "merges", "special_tokens")):
            path.unlink()
    encoder = ClipEncoder(str(folder), CPU)
    check_encoder(encoder, texts=False)  # frames are as good as ever
    with pytest.raises(UsageError, match=r"the encoder 'clip'.*tokenizer.*may be missing"):
        check_encoder(encoder, texts=True)


def test_truncated_weights_are_refused(tmp_path: Path) -> None:
    folder = copy_of("subject", tmp_path / "subject")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    with pytest.raises(ScreentestError, match=r"subject"):
        check_encoder(ImageEncoder(str(folder), CPU), texts=False)


@pytest.mark.parametrize(
    ("value", "said"), [(0.0, "gives two unlike clips the same feature"), (np.nan, "are no finite numbers")]
)
def test_weights_of_one_value_are_refused(tmp_path: Path, value: float, said: str) -> None:
    from safetensors.numpy import load_file, save_file

    folder = copy_of("video", tmp_path / "video")
    whole = load_file(folder / "model.safetensors")
    damaged = {name: np.full_like(array, value) for name, array in whole.items()}
    save_file(damaged, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UsageError, match=said):
        check_encoder(VideoEncoder(str(folder), CPU), texts=False)


class Brightness(FrameEncoder):
    name = "test.brightness"
    error: Exception | None = None

    def identity(self) -> Mapping[str, Any]:
        return {"version": 1}

    def encode_frames(self, frames_THWC: Any) -> Feature:
        if self.error is not None:
            raise self.error
        return frames_THWC.mean(axis=(1, 2, 3))[:, None]


def test_an_encoder_that_does_not_apply_to_the_plain_clip_is_left_to_the_real_ones() -> None:
    encoder = Brightness()
    encoder.error = ValueError("too dark")
    check_encoder(encoder, texts=False)
    encoder.trial = "embeds"
    with pytest.raises(UsageError, match=r"cannot read a plain clip .*: ValueError: too dark"):
        check_encoder(encoder, texts=False)
    encoder.trial = "loads"
    encoder.error = UsageError("no such weights")
    with pytest.raises(UsageError, match="no such weights"):
        check_encoder(encoder, texts=False)
    encoder.trial = "none"
    check_encoder(encoder, texts=False)


def test_nothing_is_generated_with_an_encoder_that_reads_no_prompt(
    tmp_path: Path, make_suite: Any, generator: Any, cache: Path
) -> None:
    folder = copy_of("clip", tmp_path / "clip")
    for path in folder.iterdir():
        if path.name.startswith(("tokenizer", "vocab", "merges", "special_tokens")):
            path.unlink()
    suite = make_suite(measures=["alignment.clip"], encoders={"clip": str(folder)})
    with pytest.raises(UsageError, match="tokenizer"):
        run(suite, generator, tmp_path / "run", Settings(cache))
    assert generator.asked == []
