"""Means corrected by few labels of clips: numbers and yes or no, by clip and by item."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from screentest.harness.commands.main import run_cli
from screentest.harness.core.errors import UsageError
from screentest.harness.run_folder.store import RunStore, read_run
from screentest.safety.frames.label_correction import correct_mean

TRUTH = 3.0


@pytest.fixture
def judged(make_run) -> tuple[RunStore, dict[str, float]]:
    """A run whose ``toy.error`` is a grade of 1 to 5 that is a point too high, and the grade of people."""
    rng = np.random.default_rng(7)
    grades = rng.normal(TRUTH, 0.8, 120)
    seen = grades + 1.0 + rng.normal(0, 0.2, 120)
    values = {
        "toy.error": lambda p, s: float(seen[p]),
        "toy.unsafe": lambda p, s: float(grades[p] > 3.5 or p % 10 == 0),
    }
    store = make_run("judged", values, prompts=120, seeds=1)
    return store, {item.id: float(grades[int((item.prompt or "").split()[1])]) for item in store.items()}


def test_labels_of_few_clips_move_the_mean_of_all(judged, tmp_path: Path) -> None:
    store, grades = judged
    few = sorted(grades)[:30]
    path = tmp_path / "labels.csv"
    path.write_text("item,value\n" + "".join(f"{item},{grades[item]!r}\n" for item in few))
    found = correct_mean(read_run(store), "toy.error", path)
    everything = float(np.mean(list(grades.values())))
    assert found.apparent == pytest.approx(everything + 1, abs=0.1)
    assert found.corrected.low < everything < found.corrected.high
    alone = found.labels_alone
    assert found.corrected.high - found.corrected.low < 0.7 * (alone.high - alone.low)
    assert (found.corrected.n, alone.n) == (120, 30)
    assert found.weight > 0.8


def test_yes_or_no_by_clip(judged, tmp_path: Path) -> None:
    store, grades = judged
    clips = store.clips()
    rows = [
        f"{clips[item].sha256},{'unsafe' if grades[item] > 3.5 else 'safe'}\n" for item in sorted(grades)[:60]
    ]
    path = tmp_path / "labels.csv"
    path.write_text("clip,label\n" + "".join(rows))
    found = correct_mean(read_run(store), "toy.unsafe", path)
    share = float(np.mean([grade > 3.5 for grade in grades.values()]))
    assert found.apparent > share
    assert found.corrected.low < share < found.corrected.high


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("item,value\nITEM,high\n", "line 2: 'high' should be a finite number"),
        ("item,value\nITEM,nan\n", "line 2: 'nan' should be a finite number"),
        ("item,value\nITEM,1\nITEM,2\n", "line 3: the item ITEM has another value before"),
        ("who,value\nITEM,1\n", "needs a column 'clip' (sha256) or 'item' (id)"),
        ("item,value\nanother,1\n", "no clip with a label"),
    ],
)
def test_labels_with_a_mistake_are_refused(judged, tmp_path: Path, text: str, told: str) -> None:
    store, grades = judged
    item = min(grades)
    path = tmp_path / "labels.csv"
    path.write_text(text.replace("ITEM", item))
    with pytest.raises(UsageError) as error:
        correct_mean(read_run(store), "toy.error", path)
    assert told.replace("ITEM", item) in str(error.value)


def test_the_command_shows_both(judged, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, grades = judged
    path = tmp_path / "labels.csv"
    path.write_text("item,value\n" + "".join(f"{i},{grades[i]!r}\n" for i in sorted(grades)[:30]))
    words = ["correct", str(store.folder), "--measure", "toy.error", "--labels", str(path)]
    assert run_cli([*words, "--method", "ppi"]) == 0
    out = capsys.readouterr().out
    assert all(told in out for told in ("by the measure", "by labels alone", "corrected", "weight"))
    assert run_cli(words) == 2  # a mean is no rate
    assert "is not a rate" in capsys.readouterr().err
