"""The cards that come with the package are of the probes, and the thresholds, that come with it."""

from __future__ import annotations

from screentest.metrics.instructions.limits import DIGEST
from screentest.metrics.instructions.measures import SKILLS
from screentest.metrics.laws.evaluation import LAWS
from screentest.metrics.laws.thresholds import ANY, packaged_thresholds, thresholds_digest
from screentest.metrics.tracking.shape_tracker import WorldSource
from screentest.metrics.tracking.tracks import source_name
from screentest.metrics.validation.law_card import EVERYDAY, MEDIUM, LawCard
from screentest.metrics.validation.law_card_text import write_text
from screentest.metrics.validation.packaged_cards import DATA, packaged_card, packaged_skills


def of_world() -> LawCard:
    card = packaged_card(WorldSource().identity())
    assert card is not None
    return card


def test_the_card_is_of_the_packaged_thresholds():
    name = source_name(WorldSource())
    limits = packaged_thresholds().sources[name]
    assert of_world().settings["thresholds"]["digest"] == thresholds_digest({name: limits})
    assert (DATA / "world" / "CARD.md").read_text("utf-8") == write_text(of_world(), limits)


def test_the_skills_card_is_of_the_packaged_limits_and_every_skill_is_right_where_clips_are_plain():
    card = packaged_skills(WorldSource().identity())
    assert card is not None
    assert card.settings["limits"] == DIGEST
    for skill in (*SKILLS, "all"):
        kept, turned = (card.get(skill, asked, "plain") for asked in ("kept", "turned"))
        assert kept is not None
        assert turned is not None
        assert (kept.value or 0.0) >= 0.95
        assert turned.value is not None
        assert turned.value <= 0.05


def test_another_version_of_a_source_has_no_card():
    identity = {**WorldSource().identity(), "version": 10**6}
    assert packaged_card(identity) is None


def test_what_was_aimed_at_is_reached_by_every_law():
    """An AUC of at least 0.95 at the medium severity, and at most 2 % false alarms over the five looks."""
    card = of_world()
    medium = [c for c in card.cells if (c.look, c.variety, c.severity) == ("plain", "native", MEDIUM)]
    assert {c.law for c in medium} == set(LAWS)
    assert all((c.auc.value or 0.0) >= 0.95 for c in medium)
    lawful = [a for a in card.alarms if a.look == "all but reconstructed" and a.variety == "native"]
    assert {a.law for a in lawful} >= set(LAWS)
    assert all(a.rate.value is not None and a.rate.value <= 0.02 for a in lawful)


def test_lawful_everyday_motion_is_rarely_called_a_violation():
    card = of_world()
    assert len(card.phenomena) == 15
    everyday = {a.law: a for a in card.alarms if (a.look, a.variety) == ("all but reconstructed", EVERYDAY)}
    assert (everyday[ANY].rate.value or 0.0) <= 0.05
    assert everyday[ANY].n == sum(p.n - p.discarded for p in card.phenomena)
    assert sum(p.broken.get(ANY, 0) for p in card.phenomena) == everyday[ANY].alarms
