"""Watermarks by name: specs, keys, payloads, plug-ins, and when one counts as detected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from screentest.harness.core.errors import UsageError
from screentest.safety.provenance.watermarks import MAX_FPR, WATERMARKS, Watermark, make_mark


def add_corner(frames_THWC: NDArray[np.uint8], payload: NDArray[np.bool_], key: bytes) -> NDArray[np.uint8]:
    marked = frames_THWC.copy()
    marked[:, 0, : len(payload), 0] = np.where(payload, 255, 0)
    return marked


def read_corner(frames_THWC: NDArray[np.uint8], key: bytes) -> NDArray[np.float64]:
    return frames_THWC[:, 0, :20, 0].mean(axis=0) - 127.5


def test_a_plug_in_is_a_pair_of_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WATERMARKS, "_entries", dict(WATERMARKS._entries))
    WATERMARKS.add("corner", Watermark("a row of dots", 1, 20, add_corner, read_corner))
    mark = make_mark("corner?payload=0f0f0", "the test")
    frames = np.full((3, 32, 32, 3), 100, np.uint8)
    found = mark.judge(mark.votes(mark.encode(frames)))
    assert (found.matching, found.bits, found.accuracy, found.detected) == (20, 20, 1.0, True)
    assert found.p == pytest.approx(0.5**20)
    assert len(mark.identity()["source"]) == 2  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("encode", "decode", "words"),
    [
        (lambda f, p, k: f[:1], read_corner, "should return frames of the same shape"),
        (add_corner, lambda f, k: np.zeros(3), r"returned votes of shape \(1, 3\)"),
    ],
)
def test_a_plug_in_that_returns_something_else_is_told(encode, decode, words, monkeypatch) -> None:
    monkeypatch.setattr(WATERMARKS, "_entries", dict(WATERMARKS._entries))
    WATERMARKS.add("wrong", Watermark("wrong", 1, 20, encode, decode))
    mark = make_mark("wrong", "the test")
    frames = np.full((3, 32, 32, 3), 100, np.uint8)
    with pytest.raises(UsageError, match=words):
        mark.votes(mark.encode(frames))


def test_the_threshold_is_the_binomial_tail_over_all_alignments() -> None:
    mark = make_mark("spread", "the test")
    signs = np.where(mark.payload, 1.0, -1.0)
    for wrong, detected in ((0, True), (2, True), (3, False), (16, False)):
        votes = np.stack([np.where(np.arange(32) < wrong, -signs, signs), -signs])
        found = mark.judge(votes)
        assert (found.matching, found.detected) == (32 - wrong, detected)
    # P(Bin(32, 1/2) >= 30) = (1 + 32 + 496) / 2^32, for two alignments.
    votes = np.stack([np.where(np.arange(32) < 2, -signs, signs), -signs])
    assert mark.judge(votes).p == pytest.approx(2 * 529 / 2**32)
    assert mark.judge(votes).p <= MAX_FPR


def test_no_vote_is_a_wrong_bit() -> None:
    mark = make_mark("spread", "the test")
    assert mark.judge(np.zeros((2, 32))).matching == 0
    assert mark.judge(np.full((2, 32), np.nan)).matching == 0


def test_another_key_or_payload_is_another_identity(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a" * 32)
    (tmp_path / "b").write_bytes(b"b" * 32)
    (tmp_path / "copy").write_bytes(b"a" * 32)
    marks = [make_mark(f"spread?key={tmp_path / name}", "the test") for name in ("a", "b", "copy")]
    marks.append(make_mark("spread", "the test"))
    marks.append(make_mark("spread?payload=00000001", "the test"))
    identities = [mark.identity() for mark in marks]
    assert identities[0] == identities[2]
    assert len({str(identity) for identity in identities}) == 4
    assert "aaaa" not in repr(marks[0]) + str(identities[0])


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("spred", "did you mean 'spread'"),
        ("spread?payload=xyz", "should be 8 hexadecimal digits, for 32 bits"),
        ("spread?payload=123456789", "should be 8 hexadecimal digits"),
        ("spread?key=none.bin", "there is no file none.bin, which should hold the watermark's key"),
        ("spread?kye=a", "did you mean 'key'"),
    ],
)
def test_mistakes_get_one_sentence(source: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make_mark(source, "--encoder watermark")


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"secret")
    with pytest.raises(UsageError, match="should have 16 to 4096 bytes, drawn at random"):
        make_mark(f"spread?key={tmp_path / 'key'}", "the test")
    with pytest.raises(UsageError, match="cannot be read"):
        make_mark(f"spread?key={tmp_path}", "the test")
