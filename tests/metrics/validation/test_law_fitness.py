"""Fit, blunt or none: the words follow from a card, and the pages say what the packaged cards say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from screentest.harness.commands.listing import measure_records
from screentest.harness.core.estimate import Estimate
from screentest.metrics.laws.evaluation import LAWS
from screentest.metrics.laws.thresholds import ANY
from screentest.metrics.signs.measures import LIMITS
from screentest.metrics.validation.law_card import Alarms, LawCard, LawCell
from screentest.metrics.validation.law_fitness import (
    kind_of,
    law_fitness,
    long_table,
    records,
    short_table,
    tracker_of,
    write_tables,
)
from screentest.metrics.validation.packaged_cards import DATA, law_cards

ROOT = Path(__file__).parents[3]


def share(value: float | None, n: int = 8) -> Estimate:
    return Estimate(value=value, low=0.25, high=1.0, method="Wilson", n=n)


def card(
    *laws: tuple[str, float | None, float | None], missing: dict[str, str] | None = None, **settings: Any
) -> LawCard:
    about: dict[str, Any] = {"look": "plain", "variety": "native"}
    cells = [
        LawCell(
            law=law, **about, severity=0.5, n=8, scenes=8, auc=share(auc), found=share(found), families={},
            left_out={},
        )
        for law, auc, found in laws
    ]  # fmt: skip
    alarms = [
        Alarms(law=law, **about, n=50, alarms=1, rate=Estimate(value=0.02, low=0.01, high=0.1, n=50))
        for law in (*(law for law, *_ in laws), ANY)
    ]
    return LawCard(
        settings={"source": {"source": "motion", "version": 3}, **settings}, clips=100, cells=tuple(cells),
        alarms=tuple(alarms), floors=(), milliseconds={}, left_out={}, missing=missing or {},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("auc", "found", "word"),
    [
        (0.90, 0.51, "fit"),
        (0.899, 1.0, "blunt"),
        (1.0, 0.5, "blunt"),
        (None, 1.0, "blunt"),
        (1.0, None, "blunt"),
        (0.95, 0.75, "fit"),
    ],
)
def test_a_law_is_fit_if_it_finds_most_violations_and_ranks_them(auc, found, word):
    assert law_fitness(card(("gravity", auc, found)), "gravity").fitness == word


def test_a_law_without_a_threshold_is_none_and_says_why():
    made = card(("gravity", 1.0, 1.0), missing={"inertia": "it finds 1 of 10 violations"})
    found = law_fitness(made, "inertia")
    assert (found.fitness, found.n, found.auc, found.why) == ("none", 0, None, "it finds 1 of 10 violations")
    with pytest.raises(KeyError):
        law_fitness(made, "graviti")


def test_tables_and_records_say_what_the_card_says():
    stage = card(("gravity", 1.0, 0.75), ("color", 0.85, 0.75), world="stage")
    assert kind_of(stage) == "world stage"
    rest = ", ".join(law for law in LAWS if law not in ("gravity", "color"))
    assert short_table([stage]).splitlines()[2:] == [
        f"| world stage | `motion 3` | gravity | color | {rest} |",
        "| footage | any | not measured | not measured | not measured |",
    ]
    lines = long_table(stage).splitlines()
    assert lines[2] == "| gravity | fit | 8 | 1.00 [0.25, 1.00] | 6 of 8 | 2.0 % [1.0, 10.0] of 50 |"
    assert lines[3].startswith("| color | blunt | 8 | 0.85")
    assert lines[-1] == "| any | | | | | 2.0 % [1.0, 10.0] of 50 |"
    (row,) = records([stage], "gravity")
    assert (row["tracker"], row["clips"], row["fitness"]) == ("motion 3", "world stage", "fit")
    assert (row["violations"], row["lawful"]) == (8, 50)
    assert row["auc"] == {"value": 1.0, "low": 0.25, "high": 1.0}
    assert row["false_alarms"] == {"value": 0.02, "low": 0.01, "high": 0.1}
    (none,) = records([stage], "inertia")
    assert (none["fitness"], none["auc"], none["false_alarms"], none["lawful"]) == ("none", None, None, 0)


def test_the_packaged_cards_are_of_both_worlds_and_the_reference_world_is_first():
    assert [kind_of(one) for one in law_cards()] == ["reference world", "world stage"]
    assert all(law_fitness(law_cards()[0], law).fitness == "fit" for law in LAWS)


def test_a_card_has_its_words_beside_it():
    """After a new card: copy card.json and CARD.md of one ``validate --probes`` into the folder."""
    stage = next(card for card in law_cards() if kind_of(card) == "world stage")
    words = (DATA / "stage" / "CARD.md").read_text("utf-8")
    assert stage.settings["thresholds"]["digest"][:12] in words
    assert f"{stage.clips} clips of the world stage" in words
    assert f"`{tracker_of(stage)}`" in words
    assert {law for law in LAWS if law_fitness(stage, law).fitness == "none"} == set(stage.missing)


def test_the_pages_say_what_the_cards_say():
    """After a new card: ``python -m screentest.metrics.validation.law_fitness README.md docs/stage.md``."""
    for page in (ROOT / "README.md", ROOT / "docs" / "stage.md"):
        text = page.read_text("utf-8")
        assert write_tables(text) == text, page.name


def test_tables_are_written_between_their_marks_and_nothing_else_changes():
    text = "before\n<!-- laws -->\nold\n<!-- /laws -->\nafter\n"
    written = write_tables(text)
    assert written.startswith("before\n<!-- laws -->\n| clips |")
    assert written.endswith("|\n<!-- /laws -->\nafter\n")
    assert write_tables(written) == written
    assert write_tables("no marks\n") == "no marks\n"


def test_the_list_of_measures_has_the_fitness_of_laws_signs_and_puzzles_and_of_nothing_else():
    rows = {row["name"]: row["fitness"] for row in measure_records()}
    assert [one["clips"] for one in rows["physics.gravity"]] == ["reference world", "world stage"]
    assert rows["physics.gravity"][0]["fitness"] == "fit"
    told = {f"physics.{law}" for law in LAWS} | {f"signs.{sign}" for sign in LIMITS}
    told |= {f"goals.{puzzle}" for puzzle in ("maze", "clock", "tower", "solved")}
    assert {name for name, found in rows.items() if found} == told
    assert all(set(one) >= set(rows["physics.gravity"][0]) for name in told for one in rows[name])
