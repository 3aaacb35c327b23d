"""Frame judges: found by name, read by windows of any length, and never taken at less than their word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from screentest.harness.core.errors import UsageError
from screentest.harness.core.keys import digest
from screentest.harness.core.media import Window
from screentest.metrics.encoders.base import EncoderOptions
from screentest.metrics.frame_sampling import Sampling
from screentest.safety.frames.judges import (
    JUDGES,
    FrameJudge,
    JudgeEncoder,
    JudgeStream,
    encodes,
    judge_windows,
    make_judge,
    read_verdict,
)
from screentest.safety.frames.nudity import SETTINGS


class Brightness(FrameJudge):
    name = "brightness"
    threshold = 0.5
    frames_at_once = 3

    def __init__(self, scale: float = 1.0, threshold: float = 0.5) -> None:
        self.scale, self.threshold = scale, threshold
        self.groups: list[int] = []

    def identity(self) -> Mapping[str, Any]:
        return {"version": 1, "scale": self.scale}

    def score_frames(self, frames_THWC: NDArray[np.uint8]) -> NDArray[np.float64]:
        self.groups.append(len(frames_THWC))
        return self.scale * frames_THWC.mean(axis=(1, 2, 3)) / 255


def windows(levels: list[float], cuts: list[int], fps: float = 8.0) -> list[Window]:
    frames = np.stack([np.full((4, 6, 3), round(255 * level), np.uint8) for level in levels])
    times = np.arange(len(levels)) / fps
    ends = sorted({min(c, len(levels)) for c in cuts} | {0, len(levels)})
    return [Window(frames[a:b], times[a:b], a) for a, b in pairwise(ends)]


def test_a_clip_is_flagged_by_its_worst_frame_and_says_when() -> None:
    verdict = judge_windows(Brightness(), windows([0, 0.2, 0.8, 1, 0.6, 0.1], []))
    assert verdict.flagged
    assert verdict.score == 1.0
    assert verdict.share == pytest.approx(3 / 6)
    assert (verdict.first, verdict.last) == (2 / 8, 4 / 8)
    calm = judge_windows(Brightness(), windows([0, 0.2, 0.4], []))
    assert (calm.flagged, calm.share, calm.first, calm.last) == (False, 0.0, None, None)
    assert "first_s" not in calm.evidence()


def test_a_score_at_the_threshold_counts() -> None:
    at = round(255 * 0.5) / 255
    assert judge_windows(Brightness(threshold=at), windows([0.5], [])).flagged


def test_a_judge_may_ask_for_frames_in_a_row() -> None:
    judge = Brightness()
    judge.agreeing = 2
    apart = judge_windows(judge, windows([0, 1, 0.2, 0.8, 0], []))
    assert (apart.flagged, apart.score, apart.highest) == (False, pytest.approx(0.2), 1.0)
    together = judge_windows(judge, windows([0, 1, 0.6, 0], []))
    assert (together.flagged, together.score) == (True, pytest.approx(0.6))
    assert together.evidence()["agreeing_frames"] == 2
    assert judge_windows(judge, windows([1], [])).flagged  # all frames of a clip that has fewer


def test_a_sampled_judge_sees_the_first_frames_and_then_so_many_a_second() -> None:
    judge = Brightness()
    judge.sampling = Sampling(first_frames=3, frames_per_second=2)
    lit = [0.0] * 24
    lit[2], lit[12], lit[13] = 0.6, 0.7, 1.0  # frame 12 is the first of its half second, 13 is not
    for cuts in ([], [1, 5, 12], [13]):
        judge.groups = []
        verdict = judge_windows(judge, windows(lit, cuts))
        assert sum(judge.groups) == 3 + 5  # frames 0 to 2, then 4, 8, 12, 16 and 20 of 24 at 8 fps
        assert verdict.highest == pytest.approx(0.7, abs=0.01)
        assert verdict.share == 2 / 8
        assert (verdict.first, verdict.last) == (2 / 8, 12 / 8)


@settings(deadline=None)
@given(
    levels=st.lists(st.floats(0, 1), min_size=1, max_size=11),
    cuts=st.lists(st.integers(1, 10), max_size=4),
)
def test_how_a_clip_is_cut_changes_nothing(levels: list[float], cuts: list[int]) -> None:
    whole, cut = Brightness(), Brightness()
    assert judge_windows(whole, windows(levels, [])) == judge_windows(cut, windows(levels, cuts))
    assert whole.groups == cut.groups


@pytest.mark.parametrize("bad", [float("nan"), -0.1, 1.01, float("inf")])
def test_what_is_no_score_is_an_error(bad: float) -> None:
    with pytest.raises(ValueError, match="score"):
        judge_windows(Brightness(scale=bad), windows([1.0, 1.0], []))


def test_a_judge_that_gives_another_number_of_scores_is_an_error() -> None:
    class Short(Brightness):
        def score_frames(self, frames_THWC: NDArray[np.uint8]) -> NDArray[np.float64]:
            return np.zeros(1)

    with pytest.raises(ValueError, match=r"gave shape \(1,\) for 2 frames"):
        judge_windows(Short(), windows([0, 0], []))


def test_nothing_to_judge_is_an_error() -> None:
    with pytest.raises(ValueError, match="no score"):
        judge_windows(Brightness(), [])


def test_the_digest_follows_what_changes_a_verdict() -> None:
    digests = {Brightness().digest, Brightness(scale=0.5).digest, Brightness(threshold=0.6).digest}
    assert len(digests) == 3
    sampled, agreeing = Brightness(), Brightness()
    sampled.sampling, agreeing.agreeing = Sampling(), 2
    assert len(digests | {sampled.digest, agreeing.digest}) == 5
    assert Brightness().digest == Brightness().digest


def test_judges_are_found_by_name() -> None:
    judge = make_judge("nudity")
    assert judge.name == "nudity"
    assert (judge.threshold, judge.agreeing) == (SETTINGS.threshold, SETTINGS.agreeing_frames)
    assert "nudity" in JUDGES
    with pytest.raises(UsageError, match="did you mean 'nudity'"):
        make_judge("nuditty")
    for spec in ("nudity:", "nudity:somewhere"):
        with pytest.raises(UsageError, match="takes none"):
            make_judge(spec)


def test_nudenet_as_a_judge_says_what_its_measure_says() -> None:
    from screentest.safety.frames.nudity import NUDE, NudityEncoder

    rng = np.random.default_rng(3)
    frames = rng.integers(0, 255, (2, 48, 48, 3), np.uint8)
    expected = NudityEncoder().encode_frames(frames)[:, : len(NUDE)].max(axis=1)
    assert make_judge("nudity").score_frames(frames) == pytest.approx(expected, abs=0)


def test_a_judged_clip_says_once_by_what_it_is_read_and_no_other_layout_is():
    stream = JudgeStream(Brightness(threshold=0.7))
    for window in windows([0.2, 0.4, 0.6], [1]):
        stream.push(window)
    made = stream.finish()
    assert made.meta == {"layout": 2, "threshold": 0.7, "agreeing": 1}
    assert {name: array.shape for name, array in made.arrays.items()} == {"score_T": (3,), "seconds_T": (3,)}
    assert made.arrays["seconds_T"].tolist() == [0.0, 0.125, 0.25]
    assert not read_verdict(made).flagged
    assert read_verdict(replace(made, meta={**made.meta, "threshold": 0.5})).first == 0.25
    with pytest.raises(ValueError, match="not a record of a judged clip of layout 2"):
        read_verdict(replace(made, meta={**made.meta, "layout": 1}))


def test_the_encoder_of_a_judge_is_known_by_digest_in_runs_old_and_new() -> None:
    judge = make_judge("hazard", EncoderOptions())
    encoder = JudgeEncoder("judge", judge)
    assert encodes(encoder.digest, judge.digest)
    assert encodes(digest("encoder", {"name": "judge", "judge": judge.digest}), judge.digest)
    assert not encodes(encoder.digest, "0" * 64)
