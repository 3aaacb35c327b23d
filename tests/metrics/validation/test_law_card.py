"""The validity card, from rows of known severities; the whole of it is made by a slow test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from screentest.generators.reference.model.reconstruction import Reconstruction
from screentest.metrics.laws.evaluation import LAWS
from screentest.metrics.laws.thresholds import ANY, Quantile, SourceThresholds
from screentest.metrics.validation.bench import validate_laws
from screentest.metrics.validation.law_card import MEDIUM, LawCard, card_trials, conditions, make_card
from screentest.metrics.validation.law_card_text import write_text

SETTINGS: dict[str, Any] = {
    "n": 4,
    "seed": 0,
    "source": {"source": "world", "version": 2},
    "thresholds": {"digest": "d" * 64},
    "autoencoder": "a" * 64,
}


def limits(threshold: float = 0.1) -> SourceThresholds:
    made = Quantile(threshold=threshold, look="plain", n=100, above=1, largest=0.2)
    return SourceThresholds(laws=dict.fromkeys((*LAWS, ANY), made), settings={"alarms": 0.01})


def row(index: int, severity: float | str, law: str | None = None, look: str = "plain") -> dict[str, Any]:
    found = dict.fromkeys(LAWS, severity) if law is None else {**dict.fromkeys(LAWS, 0.0), law: severity}
    return {
        "family": "fall",
        "index": index,
        "look": look,
        "variety": "native",
        "law": law,
        "violation": law,
        "severity": MEDIUM if law else 0.0,
        "found": found,
        "ms": [10.0 + index, 2.0],
    }


def example() -> LawCard:
    lawful = [row(k, severity) for k, severity in enumerate((0.0, 0.02, 0.3, 0.01))]
    broken = [row(k, severity, "gravity") for k, severity in enumerate((0.5, 0.01, 0.4))]
    silent = [row(3, "too short", "gravity")]
    return make_card([*lawful, *broken, *silent], limits(), SETTINGS)


def test_a_violation_is_compared_with_the_twins_and_with_the_threshold():
    card = example()
    cell = next(cell for cell in card.cells if cell.law == "gravity")
    # 0.5, 0.01 and 0.4 against their twins 0, 0.02 and 0.3: 3 + 1 + 3 of 9 pairs.
    assert cell.auc.value == pytest.approx(7 / 9)
    assert cell.found.value == pytest.approx(2 / 3)
    assert (cell.n, cell.scenes, cell.left_out) == (3, 3, {"too short": 1})
    assert cell.families == {"gravity/fall": pytest.approx(2 / 3)}
    assert cell.auc.low is not None
    assert cell.auc.low < 7 / 9


def test_false_alarms_are_counted_by_law_and_for_any():
    card = example()
    alarms = {a.law: a for a in card.alarms if a.look == "plain"}
    assert (alarms["gravity"].alarms, alarms["gravity"].n) == (1, 4)
    assert alarms[ANY].alarms == 2  # ratios 0, 0.2, 3 and 0.1 against the threshold 0.1
    floor = next(f for f in card.floors if (f.law, f.look) == ("gravity", "plain"))
    assert (floor.n, floor.median) == (4, pytest.approx(0.015))
    assert card.milliseconds["both"][0] == pytest.approx(13.5)


def test_the_text_says_what_falls_short():
    text = write_text(example(), limits())
    assert "- gravity, plain, severity 0.5: AUC 0.778" in text
    assert "found gravity/fall 67 %" in text
    assert "- gravity, plain: false alarms 25.0 %" in text
    assert "gravity: too short (1 broken clips)" in text
    assert "| gravity | 3 | 0.778 [" in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in lines)


def test_a_card_tries_every_law_under_every_condition():
    planned = card_trials(0, 4)
    for condition in conditions():
        here = [t for t in planned if (t.look, t.variety) == (condition.look, condition.variety)]
        assert {t.law for t in here} >= (set(LAWS) if condition.severities else {None})
        lawful = {t for t in here if t.law is None}
        assert all(t.twin in lawful for t in here)
    assert {t.stage for t in planned} == {"card"}


@pytest.mark.slow
def test_a_small_card_is_made_from_beginning_to_end(tmp_path: Path):
    card = validate_laws(tmp_path, Reconstruction(), n=4, seed=99)
    again = LawCard.model_validate_json((tmp_path / "card.json").read_text())
    assert again == card
    medium = {c.law: c for c in card.cells if (c.look, c.variety, c.severity) == ("plain", "native", MEDIUM)}
    assert set(medium) == set(LAWS)
    assert sum((c.auc.value or 0) > 0.9 for c in medium.values()) >= 10
    assert json.loads((tmp_path / "card-trials.jsonl").read_text().splitlines()[0])["session"]
    assert (tmp_path / "CARD.md").read_text().startswith("# Validity card of the probes")
