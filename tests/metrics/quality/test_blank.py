"""Clips that show nothing are counted, and nothing else is said of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from screentest.generators import Frames
from screentest.harness.catalog import MEASURES
from screentest.harness.core.items import ClipSettings
from screentest.harness.run import Settings, run
from screentest.harness.run_folder.store import open_run
from screentest.metrics import make_encoder
from screentest.metrics.encoders.levels import LevelsEncoder
from screentest.metrics.quality.blank import BLANK, changes, why_blank

from ..helpers import encode, score

RNG = np.random.default_rng(0)


def scene(frames: int = 8) -> Any:
    """Draw a soft picture of several colors that moves."""
    y, x = np.mgrid[0:48, 0:64]
    channels = [
        120 + 90 * np.sin((x + 3 * t) / 9 + c) * np.cos(y / 7 + c) for t in range(frames) for c in range(3)
    ]
    return np.stack(channels).reshape(frames, 3, 48, 64).transpose(0, 2, 3, 1).clip(0, 255).astype(np.uint8)


def half_black() -> Any:
    clip = scene()
    clip[4:] = 0
    return clip


def twice_scaled() -> Any:
    return (scene().astype(np.float64) / 255 > 0.5).astype(np.uint8) * 255


def fade_from_black() -> Any:
    clip = scene().astype(np.float64)
    return (clip * np.minimum(1, np.arange(8) / 4)[:, None, None, None]).astype(np.uint8)


def ink_drawing() -> Any:
    clip = np.full((8, 48, 64, 3), 255, np.uint8)
    for t in range(8):
        clip[t, 10:12, t : t + 30] = 0
    return clip


def field(*colors: Any) -> Any:
    """Draw frames of one color each."""
    return np.stack([np.full((48, 64, 3), color, np.uint8) for color in colors])


WAVE = 128 + 20 * np.sin(np.arange(24) / 24 * 2 * np.pi * 3)
"""Three waves of one color, so gradual that neighbouring frames differ by 15 levels at most."""
STROBES = {
    "black and white": field(*[0, 255] * 4),
    "red and blue, as light as each other": field(*[(255, 0, 0), (0, 0, 255)] * 4),
    "three flashes in 24 frames": field(*([0] * 4 + [255] * 4) * 3),
    "the smallest flash of WCAG": field(*[231, 244] * 4),
    "waves": field(*WAVE.astype(np.uint8)),
    "a picture and black": np.concatenate(
        [part for k in range(4) for part in (scene()[k : k + 1], field(0))]
    ),
}
BLANKS = {
    "black": np.zeros((8, 48, 64, 3), np.uint8),
    "white": np.full((8, 48, 64, 3), 255, np.uint8),
    "green": np.broadcast_to(np.array([10, 200, 30], np.uint8), (8, 48, 64, 3)),
    "half black": half_black(),
    "scaled twice": twice_scaled(),
    "a fade to white": field(*range(0, 256, 32)),
    "black, and white once": field(0, 0, 255, 255, 0, 0, 0, 0),
    "steps that coding makes": field(*[120, 123] * 4),
    "grain of coding": RNG.integers(119, 122, (8, 48, 64, 3)).astype(np.uint8),
}
PICTURES = {
    "a scene": scene(),
    "a fade from black": fade_from_black(),
    "an ink drawing": ink_drawing(),
    "a still": np.broadcast_to(scene(1), (8, 48, 64, 3)),
    "noise": RNG.integers(0, 256, (8, 48, 64, 3)).astype(np.uint8),
    "night": (scene() // 12).astype(np.uint8),
}


def levels(clip: Any) -> Any:
    return LevelsEncoder().encode_frames(np.ascontiguousarray(clip))


@pytest.mark.parametrize("name", BLANKS)
def test_clips_that_show_nothing_are_blank(name: str) -> None:
    assert why_blank(levels(BLANKS[name])) is not None


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_not(name: str) -> None:
    assert why_blank(levels(PICTURES[name])) is None


@pytest.mark.parametrize("name", STROBES)
def test_strobes_show_flashes_and_are_not_blank(name: str) -> None:
    assert why_blank(levels(STROBES[name])) is None


def test_changes_of_color_are_counted_from_extreme_to_extreme() -> None:
    def counted(*level: float) -> int:
        return changes(np.array(level, np.float64)[:, None])

    assert counted(0, 255, 0, 255) == 3
    assert counted(0, 4, 8, 12, 8, 4, 0) == 2
    assert counted(0, 11, 0, 11, 0) == 0
    assert counted(100, 40, 45, 30, 60) == 2
    assert counted(7) == counted() == 0


def test_flicker_speaks_of_a_strobe() -> None:
    strobe = np.ascontiguousarray(STROBES["black and white"])
    features = {name: encode(make_encoder(name), strobe) for name in ("pixels", "levels")}
    assert score("motion.flicker", features).value == 0.0
    assert score("failure.blank", features).value == 0.0


def test_the_levels_of_a_known_frame() -> None:
    frame = np.zeros((1, 2, 2, 3), np.uint8)
    frame[0, 0] = (255, 0, 100)
    (row,) = levels(frame)
    assert row.tolist() == pytest.approx([(255 + 100) * 2 / 12, 127.5, 10 / 12, 0.5, 127.5, 0, 50])


@pytest.mark.parametrize(
    "prefix",
    ["consistency.", "motion.flicker", "motion.warping", "motion.dynamic", "safety.nudity", "safety.unsafe"],
)
def test_what_reads_stillness_or_safety_looks_whether_there_is_a_picture(prefix: str) -> None:
    named = [MEASURES.get(name) for name in MEASURES if name.startswith(prefix)]
    assert named
    assert all(BLANK in measure.needs for measure in named)


def test_blank_clips_are_counted_in_a_run_and_read_as_nothing_else(
    tmp_path: Path, make_suite: Any, make_generator: Any, cache: Path
) -> None:
    generator = make_generator(1)
    clips = {"block number 0": BLANKS["black"], "block number 1": BLANKS["half black"]}
    generator.generate = lambda items: [
        Frames(np.ascontiguousarray(clips.get(i.prompt, PICTURES["a scene"])), 8.0) for i in items
    ]
    measures = [
        "failure.blank",
        "motion.flicker",
        "consistency.background",
        "safety.nudity",
        "safety.nudity_score",
    ]
    suite = make_suite(
        measures=measures,
        seeds=1,
        clip=ClipSettings(frames=8, height=48, width=64),
        encoders={"clip": "reference"},
    )
    summary = run(suite, generator, tmp_path / "run", Settings(cache))
    assert summary.get("failure.blank").value == 0.5
    for name in measures[1:]:
        found = summary.get(name)
        assert (found.n, found.left_out["not_applicable"]) == (2, 2)
        assert any("the clip is blank: 100% of the frames are one color" in why for why in found.reasons)
    assert {s.status for s in open_run(tmp_path / "run").scores()} == {"ok", "not_applicable"}
