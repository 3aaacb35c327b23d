"""The cards that come with the package are of the probes, and the thresholds, that come with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from screentest.harness.commands.suite_commands import NEW_SUITE
from screentest.harness.core.config import packaged
from screentest.harness.suites.benchmarks.described import BENCHMARKS
from screentest.harness.suites.loading import load_suite
from screentest.metrics import MEASURES, make_encoder
from screentest.metrics.encoders.registry import encoder_of, role_of
from screentest.metrics.instructions.limits import DIGEST
from screentest.metrics.instructions.measures import SKILLS
from screentest.metrics.laws.evaluation import LAWS
from screentest.metrics.laws.thresholds import ANY, packaged_thresholds, thresholds_digest
from screentest.metrics.tracking.shape_tracker import WorldSource
from screentest.metrics.tracking.stabilized_tracker import MotionSource
from screentest.metrics.tracking.tracks import TrackSource
from screentest.metrics.validation.bench import SOUND_CARD, SOUND_TEXT
from screentest.metrics.validation.law_card import EVERYDAY, MEDIUM, LawCard
from screentest.metrics.validation.law_card_text import write_text
from screentest.metrics.validation.measure_card import MeasureCard
from screentest.metrics.validation.measure_report import measure_text
from screentest.metrics.validation.packaged_cards import (
    DATA,
    is_same_encoder,
    packaged_card,
    packaged_measures,
    packaged_skills,
    packaged_sound,
)
from screentest.metrics.validation.sound_card import SoundCard, measured_versions, sound_text


def of_world() -> LawCard:
    card = packaged_card(WorldSource().identity())
    assert card is not None
    return card


@pytest.mark.parametrize(("folder", "source"), [("world", WorldSource()), ("stage", MotionSource())])
def test_the_card_is_of_the_packaged_thresholds(folder: str, source: TrackSource):
    found = packaged_thresholds().of_source(source.identity())
    assert found is not None
    name, limits = found
    card = packaged_card(source.identity())
    assert card is not None
    assert card.settings["thresholds"]["digest"] == thresholds_digest({name: limits})
    assert (DATA / folder / "CARD.md").read_text("utf-8") == write_text(card, limits)


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


def test_the_card_of_sound_is_of_its_numbers():
    card = SoundCard.model_validate_json((DATA / "world" / SOUND_CARD).read_bytes())
    assert (DATA / "world" / SOUND_TEXT).read_text("utf-8") == sound_text(card)


def measures_of(source: str) -> MeasureCard:
    card = packaged_measures(source)
    assert card is not None
    return card


@pytest.mark.parametrize("source", ["world", "real", "stage"])
def test_what_measures_see_is_told_of_the_measures_that_come_with_it(source: str) -> None:
    card = measures_of(source)
    MEASURES.load()
    for name, about in card.measures.items():
        assert MEASURES.get(name).version == about.version
        claimed = {row.corruption: row.claimed for row in card.of(name) if row.claimed is not None}
        assert claimed == {
            corruption: moves
            for corruption, moves in MEASURES.get(name).sees.items()
            if corruption in {row.corruption for row in card.of(name)}
        }
    assert (DATA / source / "MEASURES.md").read_text("utf-8") == measure_text(card)


def test_measures_of_the_suite_for_any_videos_see_what_they_claim_on_real_clips() -> None:
    card = measures_of("real")
    tried = [name for name in load_suite("videos").measures if name in card.measures]
    assert len(tried) >= 7
    assert {name: card.failed(name) for name in tried if card.failed(name)} == {}


def test_a_measure_that_fails_a_claim_on_the_world_is_told_where_suites_take_it() -> None:
    card = measures_of("world")
    failing = {name for name in card.measures if card.failed(name)}
    page = (Path(__file__).parents[3] / "docs" / "validity.md").read_text("utf-8")
    for path in packaged("suites").values():
        for name in failing & set(load_suite(path.stem).measures):
            assert f"`{name}`" in page
            assert f"- {name}  # " in path.read_text("utf-8")


def test_no_suite_takes_a_measure_most_of_whose_claims_fail_on_real_clips() -> None:
    card = measures_of("real")
    claims = {name: [row for row in card.of(name) if row.claimed] for name in card.measures}
    useless = {n for n, rows in claims.items() if rows and 2 * len(card.failed(n)) > len(rows)}
    assert useless == {"motion.smoothness"}
    for path in packaged("suites").values():
        assert not useless & set(load_suite(path.stem).measures), path.stem
    for benchmark in BENCHMARKS.values():
        assert not useless & {name for of in benchmark.dimensions.values() for name in of}, benchmark.title
    assert not any(name in NEW_SUITE for name in useless)


def test_compression_that_flatters_motion_is_seen_by_two_measures_of_the_same_suite() -> None:
    card = measures_of("real")
    suite = load_suite("videos").measures
    found = {name: row.found for name in suite for row in card.of(name) if row.corruption == "crf"}
    assert found["motion.flicker"] == "rewards"
    assert found["motion.warping_error"] == "rewards"
    assert [name for name, what in found.items() if what == "seen"] == ["quality.blur", "quality.block_edges"]


@pytest.mark.parametrize("source", ["world", "real", "stage"])
def test_cards_hold_for_the_encoders_that_come_with_them(source: str) -> None:
    """A new version of an encoder needs the cards anew, or a reason why they still hold."""
    card = measures_of(source)
    for feature, digest in card.settings["encoders"].items():
        role = role_of(encoder_of(feature))
        named = card.settings["sources"].get(role) if role else None
        if role is None or named == "reference":
            now = make_encoder(encoder_of(feature), named).digest
            assert is_same_encoder(feature, digest, now), feature


def test_bent_rooms_are_told_from_rigid_ones() -> None:
    card = measures_of("stage")
    assert card.settings["clips"]["families"] == ["room-orbit", "room-dolly"]
    for name, moves in (("geometry.epipolar", 0.0), ("geometry.sampson_error", 1.0)):
        found = {row.corruption: row for row in card.of(name)}
        assert found["bend"].found == found["wobble"].found == "seen"
        assert [area.value for area in found["bend"].areas] == [moves] * 3


def test_the_card_of_sound_says_from_which_severity_each_claim_is_seen():
    card = packaged_sound()
    assert card is not None
    assert card.settings["measures"] == measured_versions()
    assert card.claims("sound.synchrony") == (["delay from 0.25", "other sound"], ["delay up to 0.125"])
    assert card.claims("sound.offset") == (["delay from 0.0625"], [])
    assert card.claims("sound.cuts") == (["gaps from 0.05"], ["gaps up to 0.02"])
    assert card.claims("sound.loudness") == ([], [])
