"""The measures of a run by a detector, and the section of the audit, on clips with and without flicker."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from screentest.generators import Frames, Generator, Output
from screentest.harness.core.items import Item
from screentest.harness.run import Settings, run
from screentest.harness.run_folder.store import open_run, read_run
from screentest.harness.suites.suite import Suite
from screentest.metrics.base import MEASURES
from screentest.metrics.encoders.cache import FeatureCache
from screentest.safety.audits import AUDITS, audit_sections
from screentest.safety.detectors.measures import DELIVERED, FLAGGED, METADATA, UNLIKE
from screentest.safety.detectors.training import DetectorSettings, corpus_of, train_detector

from .conftest import flicker, moving_block


class Flickering(Generator):
    """Draws a moving block; a prompt with 'flicker' flickers, 'flat' is one color, 'short' has few frames."""

    spec = "drawing:flicker"

    def identity(self):
        return {"kind": "flickering"}

    def generate(self, items: Sequence[Item]) -> list[Output]:
        return [Frames(self._clip(item), item.clip.fps) for item in items]

    def _clip(self, item: Item) -> np.ndarray:
        prompt = item.prompt or ""
        clip = moving_block(f"{prompt} {item.seed}")
        if "flat" in prompt:
            return np.full_like(clip, 90)
        if "short" in prompt:
            return clip[:8]
        return flicker(clip, 8.0, item.id) if "flicker" in prompt else clip


@pytest.fixture(scope="module")
def made(classes: Path, feature_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    settings = DetectorSettings(name="flicker", kind="differences", size=64, bits_per_pixel=0.5)
    corpus = corpus_of([classes / "real"], [classes / "generated"])
    train_detector(corpus, settings, folder / "flicker.json", FeatureCache(feature_cache))
    suite = Suite.model_validate(
        {
            "name": "flicker",
            "version": 1,
            "seeds": 2,
            "clip": {"frames": 16, "height": 64, "width": 64, "fps": 8},
            "prompts": ["a flicker", "another flicker", "a plain block", "a flat clip", "a short clip"],
            "measures": [FLAGGED, "detection.score", *DELIVERED.values(), METADATA, UNLIKE],
            "encoders": {"detector": str(folder / "flicker.json")},
        }
    )
    run(suite, Flickering(), folder / "run", Settings(folder / "cache"))
    return folder / "run"


def by_prompt(folder: Path, measure: str) -> dict[str, list[tuple[str, float | None]]]:
    data = read_run(open_run(folder))
    found: dict[str, list[tuple[str, float | None]]] = {}
    for (name, item), score in data.scores.items():
        if name == measure:
            found.setdefault(str(data.items[item].prompt), []).append((score.status, score.value))
    return found


def test_flickering_clips_are_flagged_and_plain_ones_are_not(made: Path) -> None:
    found = by_prompt(made, FLAGGED)
    assert found["a flicker"] == found["another flicker"] == [("ok", 1.0)] * 2
    assert found["a plain block"] == [("ok", 0.0)] * 2
    scores = by_prompt(made, "detection.score")
    assert min(v for _, v in scores["a flicker"] if v is not None) > max(
        v for _, v in scores["a plain block"] if v
    )


def test_blank_and_short_clips_are_not_judged(made: Path) -> None:
    found = by_prompt(made, FLAGGED)
    assert found["a flat clip"] == found["a short clip"] == [("not_applicable", None)] * 2
    data = read_run(open_run(made))
    reasons = {s.reason for (name, _), s in data.scores.items() if name == FLAGGED and s.reason}
    assert any("it lasts 1 s, and the detector reads 2 s" in reason for reason in reasons)
    assert any("blank" in reason for reason in reasons)


def test_strong_compression_hides_the_flicker(made: Path) -> None:
    stored = [v for _, v in by_prompt(made, FLAGGED)["a flicker"]]
    after = [v for _, v in by_prompt(made, DELIVERED["crf40"])["a flicker"]]
    assert sum(filter(None, after)) < sum(filter(None, stored))


def test_metadata_are_judged_by_the_stored_file(made: Path) -> None:
    found = by_prompt(made, METADATA)
    assert found["a flicker"] == [("ok", 1.0)] * 2  # noise takes bits, as in the training's files
    data = read_run(open_run(made))
    evidence = next(
        s.evidence for (name, _), s in data.scores.items() if name == METADATA and s.status == "ok"
    )
    assert evidence["codec"] == "h264"
    assert evidence["bits_per_pixel"] > 0


def test_the_evidence_names_the_detector_its_threshold_and_its_errors(made: Path) -> None:
    data = read_run(open_run(made))
    evidence = next(
        s.evidence for (name, _), s in data.scores.items() if name == FLAGGED and s.status == "ok"
    )
    assert evidence["detector"] == "flicker"
    assert evidence["false_alarms"]["n"] == 8
    assert 0 < evidence["threshold"] < 1
    assert data.measures[FLAGGED]["sources"]["detector"].endswith("flicker.json")


def test_the_section_tells_what_is_flagged_beside_the_false_alarms(made: Path) -> None:
    (section,) = audit_sections([read_run(open_run(made))], names=["detection"])
    json.dumps(section.as_json())
    first = section.findings[0]
    assert first.startswith("The detector flicker flags 67% (95% interval")
    assert "n 6 of 3 prompts" in first
    assert re.search(r"of real clips that it had not seen it flags \d+% \(95% interval .*, n 8\)", first)
    shares, detectors = section.tables
    (row,) = shares.records()
    assert row["flagged as stored"].startswith("0.67")
    assert detectors.records()[0]["detector"] == "flicker"


def test_a_run_without_a_judged_clip_says_so(made: Path) -> None:
    data = read_run(open_run(made))
    flat = {key: s for key, s in data.scores.items() if "flat" in str(data.items[key[1]].prompt)}
    from dataclasses import replace

    (section,) = audit_sections([replace(data, scores=flat)], names=["detection"])
    assert section.findings[0].startswith(
        "No clip of drawing:flicker could be judged by a detector: the clip is blank"
    )
    assert section.tables[0].records()[0]["flagged as stored"] == "-"
    scores = {
        key: replace(s, status="not_applicable", value=None, reason="it is short" if k % 3 else "it is small")
        for k, (key, s) in enumerate(data.scores.items())
        if key[0] == "detection.flagged"
    }
    (section,) = audit_sections([replace(data, scores=scores)], names=["detection"])
    assert re.search(r"it is short \(\d+ of them\); it is small \(\d+ of them\)\.", section.findings[0])
    assert not AUDITS.get("detection").judged([replace(data, scores=scores)])
    assert AUDITS.get("detection").judged([data])


def test_the_audit_scores_the_measures_of_the_packaged_suite() -> None:
    from screentest.harness.suites.loading import load_suite

    audit = AUDITS.get("detection")
    suite = load_suite("detection")
    assert set(audit.measures) <= set(suite.measures)
    assert all(MEASURES.get(name).bounds == (0.0, 1.0) for name in audit.measures)
    assert len(suite.prompts) == 30
