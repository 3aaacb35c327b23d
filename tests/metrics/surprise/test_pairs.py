"""Pairs of clips from a CSV file to shares, with an encoder of brightness in the place of a large model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.core.media import decode_count, open_clip, write_clip
from screentest.metrics import Encoder, Feature, FrameEncoder
from screentest.metrics.encoders.cache import FeatureCache
from screentest.metrics.surprise.pairs import EncoderScorer, read_pairs, score_pairs


class Brightness(FrameEncoder):
    name = "brightness"

    def identity(self) -> Mapping[str, int]:
        return {"version": 1}

    def encode_frames(self, frames_THWC) -> Feature:
        level_T = frames_THWC.mean(axis=(1, 2, 3))
        return np.stack([np.arange(len(level_T)), level_T], axis=1)


class Nothing(Brightness):
    name = "nothing"

    def encode_frames(self, frames_THWC) -> Feature:
        return np.empty((0, 2))


def grey(path: Path, *levels: int) -> Path:
    frames = [np.full((16, 16, 3), level, np.uint8) for level in levels]
    write_clip(path, np.stack(frames), 8)
    return path


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """Three pairs: right, wrong by the mean but right by the largest frame, and a tie."""
    grey(tmp_path / "a.mp4", 10, 10)
    grey(tmp_path / "a_no.mp4", 20, 20)
    grey(tmp_path / "b.mp4", 60, 60, 60)
    grey(tmp_path / "b_no.mp4", 0, 0, 120)
    grey(tmp_path / "c.mp4", 40, 40)
    grey(tmp_path / "c_no.mp4", 40, 40, 40)
    path = tmp_path / "pairs.csv"
    path.write_text(
        "possible,impossible,tag\na.mp4,a_no.mp4,gravity\nb.mp4,b_no.mp4,gravity\nc.mp4,c_no.mp4,\n"
        "a.mp4,none.mp4,\n"
    )
    return path


def test_pairs_are_scored_shared_out_and_counted(listed, tmp_path):
    cache = FeatureCache(tmp_path / "cache")
    encoder: Encoder = Brightness()
    result = score_pairs(read_pairs(listed), EncoderScorer(encoder, cache))
    assert [row.right for row in result.rows] == [1.0, 0.0, 0.5, None]
    assert [(share.tag, share.value, share.n) for share in result.accuracy] == [
        (None, 0.5, 3), ("gravity", 0.5, 2),
    ]  # fmt: skip
    scores = [row.scores for row in result.rows if row.scores is not None]
    order = [np.sign(b["impossible"] - a["possible"]) for a in scores for b in scores]
    assert result.area.value == pytest.approx((np.mean(order) + 1) / 2)
    assert list(result.left_out.values()) == [1]
    assert "none.mp4 is missing" in result.rows[3].reason
    assert (result.model, result.how) == (encoder.digest, "mean of the windows")
    assert set(result.rows[0].files) == {"possible", "impossible"}
    assert "scenes" in result.accuracy[0].method
    by_max = score_pairs(read_pairs(listed), EncoderScorer(encoder, cache, "max"))
    assert [row.right for row in by_max.rows[:3]] == [1.0, 1.0, 0.5]


def test_a_clip_is_decoded_once_for_all_its_pairs(listed, tmp_path):
    sha256 = open_clip(tmp_path / "a.mp4").sha256
    before = decode_count[sha256]
    for _ in range(2):
        score_pairs(read_pairs(listed), EncoderScorer(Brightness(), FeatureCache(tmp_path / "cache")))
    assert decode_count[sha256] == before + 1


def test_pairs_that_share_a_possible_clip_share_a_cluster(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("possible,impossible,cluster\na,b,\na,c,\nd,e,mine\n")
    assert [pair.cluster for pair in read_pairs(path)] == ["a", "a", "mine"]


def test_clips_without_a_row_are_left_out(listed, tmp_path):
    with pytest.raises(UsageError, match=r"not one of 4 pairs could be scored; first reason: .*fewer frames"):
        score_pairs(read_pairs(listed), EncoderScorer(Nothing(), FeatureCache(tmp_path / "cache")))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("possible,other\na,b\n", "should have the columns possible, impossible"),
        ("possible,impossible,law\na,b,c\n", "should have the columns possible, impossible"),
        ("possible,impossible\n", "lists no pair"),
        ("possible,impossible\na,a\n", "line 2, pairs a with itself"),
        ("possible,impossible\na\n", "line 2, should have 2 cells"),
        ("possible,impossible\n../a,b\n", "line 2: .* leads out of"),
        ("possible,impossible\n,b\n", "line 2: '' is not the name of a file"),
        ('possible,impossible\n"a,b\n', "is not CSV"),
    ],
)
def test_lists_that_are_wrong_are_sentences(tmp_path, text, sentence):
    path = tmp_path / "pairs.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=sentence):
        read_pairs(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_pairs(tmp_path / "none.csv")
