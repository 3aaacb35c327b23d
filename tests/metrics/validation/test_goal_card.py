"""The card of puzzles: what it counts of given rows, and that the packaged one is of what comes with it."""

from __future__ import annotations

from typing import Any

import pytest
from screentest.metrics import MEASURES
from screentest.metrics.goals.encoder import HueEncoder
from screentest.metrics.validation.goal_card import (
    LOOKS,
    SOLVED,
    GoalCard,
    goal_rows,
    goal_settings,
    goal_text,
)
from screentest.metrics.validation.packaged_cards import DATA, packaged_goals


def row(number: int, fault: str, ratio: float | None, look: str = "noise") -> dict[str, Any]:
    found = (
        {"why": "no red thing is seen"} if ratio is None else {"ratio": ratio, "rule": "", "reached": True}
    )
    return {"family": "maze", "number": number, "look": look, "fault": fault, **found}


def a_card() -> GoalCard:
    rows = [row(k, SOLVED, 0.3) for k in range(7)] + [row(7, SOLVED, 1.2), row(8, SOLVED, None)]
    rows += [row(k, "skips", 2.0) for k in range(6)] + [row(6, "skips", 0.2), row(7, "skips", 0.9)]
    return GoalCard(settings=goal_settings(1, 0), clips=len(rows), rows=tuple(goal_rows(rows)))


def test_sensitivity_specificity_and_auc_are_counted_with_what_is_left_out():
    card = a_card()
    specificity = card.get("maze", "specificity", SOLVED)
    assert specificity is not None
    assert (specificity.value, specificity.n) == (7 / 8, 8)
    assert specificity.left_out == {"not_applicable": 1}
    assert specificity.reasons == {"no red thing is seen": 1}
    found = card.get("maze", "sensitivity", "skips", "noise")
    assert found is not None
    assert (found.value, found.n) == (6 / 8, 8)
    area = card.get("maze", "AUC", "skips")
    assert area is not None
    # of 8 x 8 pairs: 6 failures are above all 8 solved clips, 0.9 above 7 of them and 0.2 above none
    assert area.value == pytest.approx((6 * 8 + 7) / 64)
    assert card.families == ("maze", "clock", "tower")
    assert card.claims("goals.maze") == ([], ["skips"])
    assert "no red thing is seen (1 of 17)" in goal_text(card)


def test_the_packaged_card_is_of_the_measures_and_the_encoder_that_come_with_it():
    card = packaged_goals()
    assert card is not None
    MEASURES.load()
    assert card.settings["measures"] == {
        name: MEASURES.get(name).version
        for name in ("goals.maze", "goals.clock", "goals.tower", "goals.solved")
    }
    assert card.settings["encoder"] == HueEncoder().digest
    assert (DATA / "stage" / "GOALS.md").read_text("utf-8") == goal_text(card)
    for family in card.families:
        found = card.get(family, "sensitivity", "all")
        right = card.get(family, "specificity", SOLVED)
        assert found is not None
        assert right is not None
        assert (found.value or 0.0) >= 0.9
        assert (right.value or 0.0) >= 0.9
        assert {row.look for row in card.rows if row.family == family} == {"all", *LOOKS}
