"""The validity section of a page: a card's numbers, no card, or a card of other thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from screentest.harness.core.estimate import Estimate
from screentest.harness.core.run_data import Score
from screentest.metrics.laws.evaluation import LAWS
from screentest.metrics.validation.law_card import Alarms, LawCard, LawCell
from screentest.metrics.validation.measure_card import MeasureAbout, MeasureCard, MeasureRow
from screentest.metrics.validation.skill_card import SkillRow
from screentest.metrics.validation.skill_report import SkillsCard
from screentest.reports import measure_validity, validity_cards
from screentest.reports.text import DASH
from screentest.reports.validity_cards import UNKNOWN, validity_tables

WORLD = {"source": "world", "version": 4}
RECORD = {"encoders": {"tracks": {"source": "world", "identity": {**WORLD, "layout": 2}}}}


@dataclass(frozen=True)
class Run:
    letter: str = "A"
    measures: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"physics.gravity": {}})
    scores: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)


def share(value: float, n: int = 40) -> Estimate:
    return Estimate(value=value, low=max(0.0, value - 0.1), high=min(1.0, value + 0.1), method="Wilson", n=n)


def a_card() -> LawCard:
    about = {"law": "gravity", "variety": "native"}
    cell = LawCell(
        **about, look="plain", severity=0.5, n=40, scenes=40, auc=share(0.97), found=share(0.8),
        families={}, left_out={},
    )  # fmt: skip
    alarms = [
        Alarms(**about, look=look, n=n, alarms=1, rate=share(rate, n))
        for look, n, rate in (("plain", 90, 0.02), ("reconstructed", 45, 0.3))
    ]
    everyday = {"law": "gravity", "variety": "everyday", "look": "all but reconstructed"}
    alarms.append(Alarms(**everyday, n=60, alarms=3, rate=share(0.05, 60)))
    return LawCard(
        settings={"source": WORLD, "thresholds": {"digest": "abcdef" * 10}},
        clips=1234, cells=(cell,), alarms=tuple(alarms), floors=(), milliseconds={}, left_out={},
    )  # fmt: skip


@pytest.fixture(autouse=True)
def cards(monkeypatch: pytest.MonkeyPatch) -> None:
    row = SkillRow(
        skill="count", asked="kept", looks="plain", n=40, value=1.0, low=0.9, high=1.0, left_out={}
    )
    skills = SkillsCard(settings={"source": WORLD}, rows=(row,))
    known = {"law_cards": ((a_card(),), ()), "packaged_skills": (skills, None)}
    for name, (card, none) in known.items():
        monkeypatch.setattr(
            validity_cards,
            name,
            lambda identity, card=card, none=none: card if identity["source"] == "world" else none,
        )


def test_laws_have_their_card_with_the_floors():
    fit, table = validity_tables([(Run("A"), RECORD), (Run("B"), RECORD)])
    assert (fit.letters, fit.missing) == (("A", "B"), "")
    assert (table.letters, table.missing) == (("A", "B"), "")
    assert "1,234 clips" in table.about
    assert [name for name, _ in table.rows] == [f"physics.{law}" for law in (*LAWS, "any")]
    applies, auc, found, drawn, everyday, reconstructed = table.rows[0][1]
    assert applies.value == "a free fall of stated gravity, in one plane"
    assert everyday.value == "0.050"
    assert (auc.value, auc.interval, auc.n) == ("0.97", "[0.87, 1.00]", "40")
    assert (found.value, drawn.n, reconstructed.value, reconstructed.n) == ("0.80", "90", "0.30", "45")
    assert set(table.rows[1][1][1:]) == {UNKNOWN}


def test_the_page_says_for_which_clips_a_law_is_fit():
    fit, _ = validity_tables([(Run("A"), RECORD)])
    assert fit.columns == ("reference world", "world stage", "footage")
    assert fit.of_words
    (name, (measured, *others)), (second, (none, *_)) = fit.rows[:2]
    assert (name, second) == ("physics.gravity", "physics.inertia")
    assert (measured.value, measured.interval, measured.n) == ("fit, AUC 0.97", "[0.87, 1.00]", "40")
    assert [cell.value for cell in others] == ["not measured", "not measured"]
    assert none.value == "none"


def test_a_card_of_the_stage_is_shown_without_columns_that_it_has_nothing_in(monkeypatch):
    card = a_card()
    alarms = tuple(a for a in card.alarms if (a.look, a.variety) == ("plain", "native"))
    staged = card.model_copy(update={"settings": {**card.settings, "world": "stage"}, "alarms": alarms})
    monkeypatch.setattr(validity_cards, "law_cards", lambda identity: (staged,))
    fit, table = validity_tables([(Run("A"), RECORD)])
    assert [cell.value for cell in fit.rows[0][1]] == ["not measured", "fit, AUC 0.97", "not measured"]
    assert table.columns == ("applies to", "AUC", "found", "false alarms, drawn")
    assert "of the world stage" in table.about
    assert "are said to break the law, as drawn. A law" in table.about


def test_skills_have_their_own():
    both = Run(measures={"physics.gravity": {}, "follows.count": {}})
    _, laws, skills = validity_tables([(both, RECORD)])
    assert laws.rows[0][0] == "physics.gravity"
    ((name, (kept, *others)),) = skills.rows
    assert (name, kept.value, kept.interval, kept.n) == ("follows.count", "1.00", "[0.90, 1.00]", "40")
    assert others == [UNKNOWN, UNKNOWN]


def test_without_a_card_the_page_says_so():
    blobs = {"encoders": {"tracks": {"identity": {"source": "blobs", "version": 1}}}}
    (table,) = validity_tables([(Run(), blobs)])
    assert table.rows == ()
    assert table.missing.startswith("The package has no validity card for the tracker blobs 1,")


def test_a_card_of_other_thresholds_is_said():
    def scored(digest: str) -> Run:
        score = Score("i", "physics.gravity", "ok", 0.0, evidence={"thresholds": digest})
        return Run(scores={"i": {"physics.gravity": score}})

    fit, _ = validity_tables([(scored("abcdefabcdef"), RECORD)])
    assert fit.missing == ""
    fit, table = validity_tables([(scored("000000000000"), RECORD)])
    assert table.missing == ""
    assert fit.missing == "The scores use the thresholds 000000000000, and the card uses abcdefabcdef."


def test_a_page_without_such_measures_has_no_validity_section():
    assert validity_tables([(Run(measures={"motion.flicker": {}}), RECORD)]) == []
    assert validity_tables([(Run(), {"encoders": {"tracks": "world"}}), (Run(), {})]) == []


def test_what_measures_see_is_told_for_their_version_only(monkeypatch: pytest.MonkeyPatch) -> None:
    row = MeasureRow(
        measure="motion.flicker", corruption="noise", claimed="falls", rank=share(-0.9), severities=(4.0,),
        areas=(share(0.1),), found="seen",
    )  # fmt: skip
    rewarded = row.model_copy(update={"corruption": "blur", "claimed": None, "found": "rewards"})
    about = MeasureAbout(version=2, better="higher", summary="", unit="")
    card = MeasureCard(settings={}, measures={"motion.flicker": about}, rows=(row, rewarded))
    monkeypatch.setattr(measure_validity, "packaged_measures", {"world": card}.get)
    (table,) = validity_tables([(Run(measures={"motion.flicker": {"version": 2}}), {})])
    ((name, cells),) = table.rows
    assert name == "motion.flicker, on clips of the reference world"
    assert [cell.value for cell in cells] == ["noise", DASH, DASH, "blur (rewarded)", DASH]
    assert table.of_words
    assert validity_tables([(Run(measures={"motion.flicker": {"version": 1}}), {})]) == []


def test_the_claims_of_a_measure_of_sound_are_told() -> None:
    (table,) = validity_tables([(Run(measures={"sound.synchrony": {"version": 1}}), {})])
    ((name, cells),) = table.rows
    assert name == "sound.synchrony, on drawn clips with sound"
    assert [cell.value for cell in cells][:2] == ["delay from 0.25, other sound", "delay up to 0.125"]
