"""Measures of watermarks in a run, and the generator that marks its clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from screentest.generators import Frames, VideoFile, make_generator
from screentest.generators.watermarked import WatermarkedGenerator
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.core.media import write_clip
from screentest.harness.run import Settings, run
from screentest.harness.run_folder.store import open_run, read_run
from screentest.safety.provenance.spread_spectrum import BITS
from screentest.safety.provenance.watermark_encoders import DELIVERED
from screentest.safety.provenance.watermarks import make_mark

MEASURES = ["detected_rate", "bit_accuracy", *(f"survival.{name}" for name in DELIVERED)]
CLIP = {"frames": 8, "height": 64, "width": 64, "fps": 8}


def suite_with(make_suite: Any, source: str = "spread") -> Any:
    return make_suite(
        measures=[f"watermark.{name}" for name in MEASURES],
        encoders={"watermark": source},
        seeds=1,
        clip=CLIP,
    )


def test_marked_clips_are_detected_and_unmarked_ones_are_not(
    make_suite: Any, generator: Any, tmp_path: Path, cache: Path
) -> None:
    suite = suite_with(make_suite)
    marked = WatermarkedGenerator(generator, make_mark("spread", "the test"))
    run(suite, marked, tmp_path / "marked", Settings(cache))
    run(suite, generator, tmp_path / "plain", Settings(cache))
    data = read_run(open_run(tmp_path / "marked"))
    plain = read_run(open_run(tmp_path / "plain"))
    for item in data.items:
        assert data.scores["watermark.detected_rate", item].value == 1.0
        assert data.scores["watermark.bit_accuracy", item].value == 1.0
        for operation in ("crf18", "transcode", "crf28", "trim"):
            score = data.scores[f"watermark.survival.{operation}", item]
            assert score.value == 1.0
            assert score.evidence["bits"] == BITS
        assert plain.scores["watermark.detected_rate", item].value == 0.0
        assert 0.2 < (plain.scores["watermark.bit_accuracy", item].value or 0) < 0.8
        assert plain.scores["watermark.survival.crf28", item].status == "not_applicable"


def test_another_key_does_not_read_the_mark(
    make_suite: Any, generator: Any, tmp_path: Path, cache: Path
) -> None:
    (tmp_path / "key").write_bytes(bytes(range(32)))
    marked = WatermarkedGenerator(generator, make_mark("spread", "the test"))
    suite = suite_with(make_suite, f"spread?key={tmp_path / 'key'}")
    suite = suite.model_copy(update={"measures": ("watermark.detected_rate",)})
    run(suite, marked, tmp_path / "run", Settings(cache))
    data = read_run(open_run(tmp_path / "run"))
    assert {score.value for score in data.scores.values()} == {0.0}


def test_files_of_a_generator_are_marked_too(tmp_path: Path, generator: Any) -> None:
    (item,) = [make_item("a block", 0, ClipSettings(**CLIP))]
    frames = generator.generate([item])[0].frames_THWC
    write_clip(tmp_path / "a.mp4", frames, 8)

    class Files(type(generator)):
        def generate(self, items: Any) -> Any:
            return [VideoFile(tmp_path / "a.mp4") for _ in items]

    mark = make_mark("spread", "the test")
    (output,) = WatermarkedGenerator(Files(), mark).generate([item])
    assert isinstance(output, Frames)
    assert output.fps == 8
    assert mark.judge(mark.votes(output.frames_THWC)).detected
    assert np.abs(output.frames_THWC.astype(int) - frames).mean() < 6


def test_specs_of_wrapped_generators() -> None:
    made = make_generator("watermarked:[reference:base]?mark=[spread?payload=0000ffff]")
    identity: Any = made.identity()
    assert identity["mark"]["payload"] == "0000ffff"
    assert identity["inner"] == make_generator("reference:base").identity()
    assert make_generator("watermarked:reference:base").world == "reference"
    with pytest.raises(UsageError, match="unknown watermark 'spred'"):
        make_generator("watermarked:[reference:base]?mark=spred")
    with pytest.raises(UsageError, match="names no generator"):
        make_generator("watermarked:mark=spread")
