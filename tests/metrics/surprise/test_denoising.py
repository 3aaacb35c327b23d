"""Pairs scored by a denoising loss: both clips get the same noise; what a model does not take is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.core.media import write_clip
from screentest.metrics.surprise.denoising import DenoisingModel, DenoisingScorer, noise_levels
from screentest.metrics.surprise.pairs import read_pairs, score_pairs


class Bright:
    """It expects dark clips, and takes none of more than 4 frames."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[float, ...], int]] = []

    def identity(self) -> Mapping[str, Any]:
        return {"name": "bright"}

    def denoising_losses(
        self, frames_THWC: Any, fps: float, prompt: str, levels: Sequence[float], seed: int
    ) -> list[float]:
        if len(frames_THWC) > 4:
            raise UsageError("bright knows clips of 4 frames at most")
        self.asked.append((prompt, tuple(levels), seed))
        return [level * float(frames_THWC.mean()) for level in levels]


def grey(path: Path, level: int, frames: int = 4) -> None:
    write_clip(path, np.full((frames, 16, 16, 3), level, np.uint8), 8)


def test_both_clips_of_a_pair_get_the_same_noise_and_prompt(tmp_path: Path) -> None:
    grey(tmp_path / "a.mp4", 20)
    grey(tmp_path / "a_no.mp4", 40)
    grey(tmp_path / "b.mp4", 60)
    grey(tmp_path / "b_no.mp4", 50)
    grey(tmp_path / "long.mp4", 50, 5)
    text = "possible,impossible,tag,prompt\na.mp4,a_no.mp4,gravity,a ball falls\nb.mp4,b_no.mp4,color,\n"
    (tmp_path / "pairs.csv").write_text(text + "b.mp4,long.mp4,color,\n")
    model = Bright()
    assert isinstance(model, DenoisingModel)
    result = score_pairs(read_pairs(tmp_path / "pairs.csv"), DenoisingScorer(model, noise_levels(4)))
    assert [row.right for row in result.rows] == [1.0, 0.0, None]
    assert [share.value for share in result.accuracy] == [0.5, 0.0, 1.0]
    assert result.how == "denoising loss, mean over 4 noise levels"
    assert result.rows[2].reason == "bright knows clips of 4 frames at most"
    first = result.rows[0].scores
    assert first is not None
    assert first["possible"] == pytest.approx(0.5 * 20, abs=1)
    assert model.asked[0] == model.asked[1]
    assert model.asked[0][:2] == ("a ball falls", (0.125, 0.375, 0.625, 0.875))
    assert model.asked[2][0] == ""
    assert model.asked[0][2] != model.asked[2][2]


class Unopened(Bright):
    """Its weights are not there."""

    def identity(self) -> Mapping[str, Any]:
        raise UsageError("there is no folder x")


def test_a_model_that_cannot_be_opened_says_so_before_any_pair(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("possible,impossible\na.mp4,b.mp4\n")
    with pytest.raises(UsageError, match=r"^there is no folder x$"):
        score_pairs(read_pairs(tmp_path / "pairs.csv"), DenoisingScorer(Unopened(), noise_levels(1)))


def test_the_digest_is_of_the_model_and_its_levels() -> None:
    digests = {DenoisingScorer(Bright(), noise_levels(n), seed).digest for n in (4, 8) for seed in (0, 1)}
    assert len(digests) == 4
