"""The section of the audit: shares with intervals, what was lost, and what is not said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from screentest.generators.signed import SignedGenerator
from screentest.generators.watermarked import WatermarkedGenerator
from screentest.harness.audit import AuditChoices, audit_run
from screentest.harness.run import Settings, run
from screentest.harness.run_folder.store import open_run, read_run
from screentest.harness.suites.loading import load_suite
from screentest.safety.audits import AUDITS, audit_sections
from screentest.safety.provenance.watermarks import make_mark


def test_signed_and_watermarked_clips_have_a_section(
    signed: Any, make_suite: Any, generator: Any, tmp_path: Path, cache: Path
) -> None:
    suite = make_suite(
        measures=list(AUDITS.get("provenance").measures),
        encoders={"provenance": str(signed.folder / "ca" / "anchor.pem"), "watermark": "spread"},
        clip={"frames": 6, "height": 64, "width": 64, "fps": 8},
    )
    made = SignedGenerator(
        WatermarkedGenerator(generator, make_mark("spread", "the test")), signed.credentials
    )
    run(suite, made, tmp_path / "run", Settings(cache))
    (section,) = audit_sections([read_run(open_run(tmp_path / "run"))], names=["provenance"])
    trusted = section.findings[0]
    assert trusted.startswith("Trusted as made by a model, share of clips: 1.00 [0.")
    assert "n 8 (4)" in trusted
    lost = next(text for text in section.findings if "manifest is lost" in text)
    assert [name for name in ("remux", "container", "trim", "transcode") if name in lost] == [
        "remux", "container", "trim", "transcode",
    ]  # fmt: skip
    assert "copy" not in lost
    assert any("Watermark detected, share of clips: 1.00" in text for text in section.findings)
    marks, survival = section.tables
    assert [row["mark"] for row in marks.records()] == [
        "trusted, and marked as made by a model",
        "no manifest",
        "invalid: changed after signing",
        "watermark detected",
    ]
    rows = {row["delivery"]: row for row in survival.records()}
    assert rows["copy"]["manifest kept"].startswith("1.00")
    assert rows["copy"]["watermark kept"] == "-"
    assert rows["crf28"]["watermark kept"].startswith("1.00")
    assert rows["crf28"]["manifest kept"] == "-"
    assert section.notes[0] == "signers of the manifests, by clip: Acme Video (trusted): 8"


def test_a_run_without_anchors_says_why_there_is_no_share(
    signed: Any, make_suite: Any, generator: Any, tmp_path: Path, cache: Path
) -> None:
    suite = make_suite(measures=["provenance.trusted_rate"], encoders={"provenance": "none"})
    run(suite, SignedGenerator(generator, signed.credentials), tmp_path / "run", Settings(cache))
    (section,) = audit_sections([read_run(open_run(tmp_path / "run"))], names=["provenance"])
    assert "no value" in section.findings[0]
    assert "no trust anchors were given" in section.findings[0]
    # What has a value without anchors, as the share without a manifest, is not what the audit rests on.
    asked = AuditChoices(audits=("provenance",))
    found = audit_run(tmp_path / "run", asked, Settings(cache))
    assert found.missing["provenance"].startswith("it rests on no value: trusted as made by a model")
    assert "--encoder provenance=FILE.pem" in found.missing["provenance"]


def test_its_suite_has_its_measures() -> None:
    suite = load_suite("provenance")
    assert set(AUDITS.get("provenance").measures) <= set(suite.measures)
    assert len(suite.prompts) == 30
