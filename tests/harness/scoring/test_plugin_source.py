"""The code of a plug-in's measure is part of the keys of its scores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from screentest.harness.catalog import MEASURES
from screentest.harness.core.run_data import ClipRecord
from screentest.harness.core.source_files import run_file
from screentest.harness.scoring.clips import score_key
from screentest.metrics import Measure

TEXT = """
from screentest.metrics import measure

def value():
    return {value}

@measure("edited.same", version=1, better="higher", bounds=(0, 9))
def of(sample):
    return value()
"""
CLIP = ClipRecord("a", "ok", sha256="0" * 64, file="a.mp4")


@pytest.fixture
def load(tmp_path: Path):
    def measure(folder: str, value: int) -> Measure:
        path = tmp_path / folder / "mine.py"
        path.parent.mkdir()
        path.write_text(TEXT.format(value=value))
        run_file(path, "plugin")
        return MEASURES._entries.pop("edited.same")

    return measure


def test_scores_of_an_edited_measure_are_taken_anew(load: Callable[[str, int], Measure]) -> None:
    keys = [score_key(load(str(k), value), CLIP, None, {}) for k, value in enumerate((1, 2, 1))]
    assert keys[0] == keys[2] != keys[1]


def test_our_own_measures_go_by_their_version() -> None:
    assert {MEASURES.get(name).source for name in ("motion.flicker", "fidelity.fvd", "physics.gravity")} == {
        None
    }
