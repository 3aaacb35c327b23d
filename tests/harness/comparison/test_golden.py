"""Golden clips: every way in which a run can be, or not be, what it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from screentest.generators import Failure, Frames, Refusal
from screentest.harness.comparison.golden import SameSeed, exit_code, same_seed
from screentest.harness.core.errors import UsageError
from screentest.harness.run import Settings, run
from screentest.harness.run_folder.store import open_run


def make(folder: Path, suite: Any, base: Any, change: Any = None) -> Path:
    class Changed(type(base)):
        def generate(self, items: Any) -> Any:
            outputs = super().generate(items)
            return [
                out if change is None else change(out, item) for out, item in zip(outputs, items, strict=True)
            ]

    run(suite, Changed(), folder, Settings(folder.parent / "cache"))
    return folder


def held(run_folder: Path, golden: Path, **tolerances: float) -> SameSeed:
    return same_seed(open_run(run_folder), open_run(golden), **tolerances)


@pytest.fixture
def golden(tmp_path, suite, generator) -> Path:
    return make(tmp_path / "golden", suite, generator)


def brighter(by: int) -> Any:
    def change(output: Frames, item: Any) -> Frames:
        if item.seed != 1 or item.prompt != "block number 2":
            return output
        return Frames(np.clip(output.frames_THWC.astype(int) + by, 0, 255).astype(np.uint8), output.fps)

    return change


def test_the_same_clips_pass_frame_by_frame(tmp_path, suite, generator, golden):
    found = held(make(tmp_path / "now", suite, generator), golden)
    assert (found.verdict, exit_code(found)) == ("PASS", 0)
    assert found.identical == found.count("same") == 8
    assert (found.missing, found.extra) == (0, 0)


def test_one_clip_that_differs_fails_unless_it_is_within_the_tolerances(tmp_path, suite, generator, golden):
    now = make(tmp_path / "now", suite, generator, brighter(3))
    found = held(now, golden)
    assert (found.verdict, exit_code(found), found.count("different"), found.identical) == ("FAIL", 1, 1, 7)
    (one,) = (item for item in found.items if item.same == "different")
    assert one.reason == "6 of 6 frames not equal"
    assert one.psnr is not None
    assert 36 < one.psnr < 40  # 20 log10(255 / 3) is 38.6
    assert held(now, golden, least_psnr=30).verdict == "PASS"
    strict = held(now, golden, least_psnr=45)
    assert strict.verdict == "FAIL"
    assert "PSNR is" in next(item.reason for item in strict.items if item.same == "different")
    assert held(now, golden, least_psnr=30, least_ms_ssim=0.99999).verdict == "FAIL"
    assert held(now, golden, least_ms_ssim=0.5).verdict == "PASS"


@pytest.mark.parametrize(
    ("instead", "verdict", "reason"),
    [
        (Refusal("no"), "FAIL", r"refused \(no\), and the golden item is ok"),
        (Failure("out of memory"), "FAIL", r"failed \(out of memory\), and the golden item is ok"),
        (
            Frames(np.zeros((5, 32, 40, 3), np.uint8), 8.0),
            "FAIL",
            "it has 5 frames of 40x32, and the golden clip 6",
        ),
    ],
)
def test_another_outcome_or_format_is_different(tmp_path, suite, generator, golden, instead, verdict, reason):
    def change(output: Any, item: Any) -> Any:
        return instead if item.seed == 0 and item.prompt == "block number 0" else output

    found = held(make(tmp_path / "now", suite, generator, change), golden, least_psnr=1)
    assert found.verdict == verdict
    (one,) = (item for item in found.items if item.same == "different")
    import re

    assert re.search(reason, one.reason)


def test_refused_in_both_is_the_same_and_failed_in_the_golden_run_is_unknown(tmp_path, make_suite, generator):
    suite = make_suite(prompts=["a block", "refuse this", "fail at this"], seeds=1)
    golden, now = (make(tmp_path / name, suite, generator) for name in ("golden", "now"))
    found = held(now, golden)
    assert [item.same for item in found.items] == ["same", "same", "unknown"]
    assert (found.verdict, exit_code(found)) == ("INCONCLUSIVE", 3)


def test_a_golden_item_that_the_run_lacks_is_never_a_pass(tmp_path, suite, make_suite, generator, golden):
    fewer = make_suite(prompts=[{"text": f"block number {k}", "tags": []} for k in range(2)])
    now = make(tmp_path / "now", fewer, generator)
    found = held(now, golden)
    assert (found.verdict, found.missing, found.count("same")) == ("INCONCLUSIVE", 4, 4)
    assert held(golden, now).extra == 4


def test_a_clip_that_is_gone_is_unknown_and_a_run_against_itself_is_refused(
    tmp_path, suite, generator, golden
):
    now = make(tmp_path / "now", suite, generator)
    next((now / "clips").glob("*.mp4")).unlink()
    found = held(now, golden)
    assert found.verdict == "INCONCLUSIVE"
    (told,) = (item.reason for item in found.items if item.same == "unknown")
    assert "was deleted; restore it, or let the 'screentest run' that made it, with --retry-failed" in told
    with pytest.raises(UsageError, match="is the same run twice"):
        held(golden, golden)


def test_what_changed_between_the_records_is_listed(tmp_path, suite, generator, golden, monkeypatch):
    now = make(tmp_path / "now", suite, generator)
    store, old = open_run(now), open_run(golden)
    versions = {**old.record["versions"], "torch": "1.0"}
    monkeypatch.setitem(old.record, "versions", versions)
    assert any(change.startswith("torch: 1.0 before, ") for change in same_seed(store, old).changes)
