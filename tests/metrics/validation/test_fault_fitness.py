"""Signs and puzzles are fit or blunt by the rule of the laws, as their packaged cards say."""

from __future__ import annotations

import pytest
from screentest.metrics.validation.fault_fitness import goal_records, sign_records
from screentest.metrics.validation.packaged_cards import packaged_goals, packaged_signs


def test_each_sign_has_a_word_a_planted_fault_from_its_numbers():
    found = sign_records()
    card = packaged_signs()
    assert card is not None
    words = {(name, one["fault"]): one["fitness"] for name, listed in found.items() for one in listed}
    assert words[("signs.appears", "vanish")] == words[("signs.warp", "warp")] == "fit"
    assert words[("signs.shadows", "shadow")] == words[("signs.merges", "merge")] == "blunt"
    for cell in card.cells:
        if cell.severity == 0.5:
            (one,) = (r for r in found[f"signs.{cell.sign}"] if r["fault"] == cell.fault)
            assert (one["violations"], one["auc"]["value"]) == (cell.n, cell.auc.value)
    (warp,) = found["signs.warp"]
    assert (warp["lawful"], warp["false_alarms"]["value"]) == (44, 0)
    assert warp["text"].startswith("world stage, warp: fit, AUC 1.00, finds 7 of 12, false alarms 0 of 44")


def test_each_measure_of_puzzles_has_a_word_and_that_of_all_has_each_of_theirs():
    found = goal_records()
    assert [one["fitness"] for one in found["goals.solved"]] == ["fit"] * 3
    assert found["goals.solved"] == [found[f"goals.{puzzle}"][0] for puzzle in ("maze", "clock", "tower")]
    (clock,) = found["goals.clock"]
    assert clock["false_alarms"]["value"] == pytest.approx(0.05)
    assert clock["text"].endswith("failures of a clock: fit, AUC 1.00, finds 60 of 60, false alarms 1 of 20")


def test_the_claims_of_all_puzzles_are_those_of_each():
    card = packaged_goals()
    assert card is not None
    seen, missed = card.claims("goals.solved")
    assert {"skips of a maze", "turns-back of a clock", "floats of a tower"} <= set(seen)
    assert len(seen) == sum(len(card.claims(f"goals.{one}")[0]) for one in card.families)
    assert missed == []
