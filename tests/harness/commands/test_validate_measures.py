"""`validate --measures` on a folder: a table, a card, and clear refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from screentest.harness.commands.main import run_cli
from screentest.harness.core.media import write_clip
from screentest.harness.core.registry import Registry
from screentest.metrics.base import MEASURES, Measure
from screentest.metrics.validation import measure_bench
from screentest.metrics.validation.corruptions import CORRUPTIONS

from ...metrics.helpers import pan

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command in an empty folder, on two corruptions only; give its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SCREENTEST_CACHE", raising=False)
    few = {name: CORRUPTIONS[name] for name in ("letterbox", "exposure")}
    monkeypatch.setattr(measure_bench, "CORRUPTIONS", few)

    def call(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run_cli(list(words))
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return call


def test_a_folder_of_clips_gives_a_table_and_a_card(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    for k in range(11):
        write_clip(tmp_path / "clips" / f"{k:02}.mp4", pan(10, size=48, seed=k), 8.0)
    words = ("validate", "--measures", "quality.borders,motion.cuts", "--real", "clips", "--out", "made/card")
    code, out, err = cli(*words)
    assert code == 0
    row = next(line.split() for line in out.splitlines() if line.startswith("quality.borders"))
    assert row[:2] == ["quality.borders", "letterbox"]
    assert "card: made/card/MEASURES.md" in out
    assert "clips: 11 of 11" in err
    code, out, _ = cli(*words, "--json")
    card = json.loads(out)
    assert code == 0
    assert card == json.loads((tmp_path / "made/card/measures.json").read_text("utf-8"))
    assert {row["corruption"] for row in card["rows"]} == {"letterbox", "exposure"}


def test_a_claim_that_nothing_tries_is_refused(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    known = MEASURES.get("motion.cuts")
    named = Registry("measure", Measure)
    named.add("mine.cuts", replace(known, name="mine.cuts", sees={"swapp": "rises"}))
    named.add("mine.modes", replace(known, name="mine.modes", sees={"modes": "falls"}))
    monkeypatch.setattr(measure_bench, "MEASURES", named)
    for name, claim in (("mine.cuts", "swapp"), ("mine.modes", "modes")):
        code, _, err = cli("validate", "--measures", name)
        assert code == 2
        assert f"{name} claims to see what nothing tries: unknown corruption '{claim}'" in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--measures", "motion.flickr"), "did you mean"),
        (("--measures", "failure.rate"), "leave it out of --measures"),
        (("--measures", "motion.flicker", "--skills"), "say what to validate"),
        (("--measures", "motion.flicker", "--calibrate"), "--measures takes --real, --world"),
        (("--measures", "motion.flicker", "--family", "fal"), "did you mean 'fall'"),
        (
            ("--measures", "motion.flicker", "--real", ".", "--world", "stage"),
            "leave --world and --family out",
        ),
        (("--measures", "consistency.subject", "--world", "stage"), "--encoder subject=SOURCE"),
        (("--probes", "--family", "fall"), "--family is for --measures"),
        (("--measures", "motion.flicker", "--real", "nowhere"), "the folder nowhere does not exist"),
        (("--measures", "consistency.subject", "--real", "."), "--encoder subject=SOURCE"),
        (("--measures", "motion.flicker", "--encoder", "subjects=x"), "unknown encoder role 'subjects'"),
        (("--probes", "--encoder", "subject=x"), "--encoder is for --measures"),
    ],
)
def test_a_mistake_gets_one_sentence(cli: Cli, words: tuple[str, ...], sentence: str) -> None:
    code, _, err = cli("validate", *words)
    assert code == 2
    assert sentence in err
    assert len(err.strip().splitlines()) == 1
