"""Corruptions do what they say, in grades, and depend on the clip's name alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from screentest.metrics import MEASURES
from screentest.metrics.validation.corruptions import CAPTION, CORRUPTIONS, SET_CORRUPTIONS, corrupted
from screentest.metrics.validation.true_clips import TrueClip

from ..helpers import pan

CLIP = TrueClip("one", pan(16, size=64, step=2), 8.0, "a red ball", "balls")
OTHER = TrueClip("two", pan(16, size=64, step=2, seed=5), 8.0, "a blue box", "boxes")
GRADED = [name for name, kind in CORRUPTIONS.items() if kind.change is not None]


def frames(name: str, severity: float) -> Any:
    made = corrupted(CLIP, name, severity, OTHER)
    assert made is not None
    return made


def places(name: str, severity: float) -> list[int]:
    """Number the frames of a corrupted clip by the frames of the true one; -1 where it is none of them."""
    return [
        next((t for t, true in enumerate(CLIP.frames) if np.array_equal(true, frame)), -1)
        for frame in frames(name, severity)
    ]


@pytest.mark.parametrize("name", GRADED)
def test_every_corruption_changes_a_clip_the_same_way_each_time(name: str) -> None:
    before = CLIP.frames.copy()
    for severity in CORRUPTIONS[name].severities:
        made = frames(name, severity)
        assert made.dtype == np.uint8
        assert made.shape[1:] == CLIP.frames.shape[1:]
        assert made.shape != CLIP.frames.shape or (made != CLIP.frames).any()
        assert np.array_equal(made, frames(name, severity))
    assert np.array_equal(CLIP.frames, before)  # the true clip stays as it is


@pytest.mark.parametrize(
    "name", ["blur", "noise", "crf", "resize", "exposure", "letterbox", "flicker", "wobble"]
)
def test_a_higher_severity_is_farther_from_the_true_clip(name: str) -> None:
    away = [
        float(np.square(frames(name, s).astype(float) - CLIP.frames).mean())
        for s in CORRUPTIONS[name].severities
    ]
    assert away == sorted(away)


def test_what_happens_to_the_order_of_frames() -> None:
    assert places("freeze", 0.5) == [*range(8), *[7] * 8]
    assert places("loop", 2.0) == [*range(8)] * 2
    for window in (2, 4, 8):
        order = places("shuffle", window)
        assert sorted(order) == list(range(16))
        for start in range(0, 16, window):
            part = order[start : start + window]
            assert sorted(part) == list(range(start, start + window))
            assert part != sorted(part)
    kept = places("drop", 0.25)
    assert (len(kept), kept, kept[0], kept[-1]) == (12, sorted(kept), 0, 15)
    held = places("repeat", 0.25)
    assert (len(held), held, len(set(held))) == (16, sorted(held), 12)
    assert places("warp", 3.0) != list(range(16))
    assert places("swap", 0.25) == [*range(12), *[-1] * 4]
    assert np.array_equal(frames("swap", 0.25)[12:], OTHER.frames[12:])


def test_short_clips_and_prompts_are_left_alone() -> None:
    assert corrupted(CLIP, CAPTION, 1.0, OTHER) is None
    short = TrueClip("short", CLIP.frames[:3], 8.0)
    for name, kind in CORRUPTIONS.items():
        if kind.fewest > 3:
            assert corrupted(short, name, kind.severities[0], OTHER) is None


def test_measures_claim_to_see_only_what_is_tried() -> None:
    MEASURES.load()
    known = {*CORRUPTIONS, *SET_CORRUPTIONS}
    claims = {name: set(MEASURES.get(name).sees) for name in MEASURES}
    assert {name: sees - known for name, sees in claims.items() if sees - known} == {}
    assert sum(bool(sees) for sees in claims.values()) >= 20
    of_sets = {n for n, sees in claims.items() if sees & set(SET_CORRUPTIONS)}
    assert all(MEASURES.get(name).kind == "set" for name in of_sets)
