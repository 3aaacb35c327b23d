"""Cards of measures in a gate: which card is behind a measure, what a failed one leads to, who needs none."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from screentest.harness.catalog import MEASURES
from screentest.harness.core.estimate import Estimate
from screentest.harness.gates.gate import Policy, RuleResult, gate
from screentest.harness.judges.figures import judge_notes, judges_in, keep_votes
from screentest.harness.judges.measure_cards import MeasureCard, card_of
from screentest.harness.policies.card_rules import NoCardError
from screentest.harness.run_folder.store import RunStore, read_run
from screentest.metrics.validation import packaged_cards

TRACKER = {"source": "world", "version": 5}


@pytest.fixture
def tracked(make_run):
    """Make a run of a measure of tracks."""

    def make(name: str, measure: str, tracker: Any = TRACKER, value: float = 0.0) -> RunStore:
        make_run.registry = MEASURES
        record = {"encoders": {"tracks": {"source": "world", "identity": tracker}}} if tracker else {}
        return make_run(name, {measure: lambda p, s: value}, prompts=60, seeds=1, record=record)

    return make


@pytest.mark.parametrize(
    ("measure", "label"),
    [
        ("physics.gravity", "laws, tracker world 5"),
        ("follows.count", "instructions, tracker world 5"),
        ("hallucination.extra_thing", "hallucination, tracker world 5"),
    ],
)
def test_the_card_is_of_the_tracker(tracked, measure: str, label: str) -> None:
    assert card_of(read_run(tracked("r", measure)), measure, MEASURES) == MeasureCard(label)
    with pytest.raises(NoCardError, match=r"no validity card of .* for the tracker mine 1"):
        card_of(read_run(tracked("s", measure, {"source": "mine", "version": 1})), measure, MEASURES)
    with pytest.raises(NoCardError, match="does not record the tracker"):
        card_of(read_run(tracked("t", measure, None)), measure, MEASURES)


def test_what_a_card_does_not_measure_has_none(tracked) -> None:
    measure = "hallucination.extra_things"
    with pytest.raises(NoCardError, match=r"does not measure hallucination\.extra_things"):
        card_of(read_run(tracked("r", measure)), measure, MEASURES)


def test_counts_of_outcomes_need_no_card_unless_asked(tracked) -> None:
    run = read_run(tracked("r", "refusal.rate"))
    assert card_of(run, "refusal.rate", MEASURES) is None
    with pytest.raises(NoCardError, match=r"refusal\.rate has no validity card"):
        card_of(run, "refusal.rate", MEASURES, asked=True)


def ruled(run: RunStore, measure: str, cards: str, **rule: Any) -> RuleResult:
    fields = {"name": "p", "version": 1, "cards": cards, "rules": [{"measure": measure, **rule}]}
    (found,) = gate(run, Policy.model_validate(fields), None, date(2027, 1, 15)).rules
    return found


def test_a_measure_without_a_card_passes_only_where_the_policy_says_so(tracked) -> None:
    run = tracked("r", "physics.gravity", {"source": "mine", "version": 1})
    refused = ruled(run, "physics.gravity", "required", max=0.1)
    assert refused.outcome == "INCONCLUSIVE"
    assert refused.sentence.startswith("cannot be decided: the package has no validity card of laws for")
    assert "'card: noted' in the rule" in refused.sentence
    assert ruled(run, "physics.gravity", "noted", max=0.1).outcome == "PASS"
    assert ruled(run, "physics.gravity", "required", max=0.1, card="noted").outcome == "PASS"
    assert ruled(run, "physics.gravity", "noted", max=0.1, card="required").outcome == "INCONCLUSIVE"


def test_the_verdict_names_what_passed_without_a_card(tracked) -> None:
    run = tracked("r", "physics.gravity", {"source": "mine", "version": 1})
    fields = {
        "name": "p",
        "version": 1,
        "cards": "noted",
        "rules": [{"measure": "physics.gravity", "max": 0.1}],
    }
    notes = gate(run, Policy.model_validate(fields), None, date(2027, 1, 15)).notes
    told = "passed without a validity card that holds, as the policy allows: physics.gravity"
    assert told in notes


def test_a_card_that_failed_cannot_gate(tracked, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tracked("r", "follows.count", value=1.0)
    assert ruled(run, "follows.count", "required", min=0.9).outcome == "PASS"
    card = packaged_cards.packaged_skills(TRACKER)
    assert card is not None
    worse = tuple(
        row.model_copy(update={"value": 0.5, "low": 0.3, "high": 0.7}) if row.skill == "count" else row
        for row in card.rows
    )
    failed = card.model_copy(update={"rows": worse})
    monkeypatch.setattr(packaged_cards, "packaged_skills", lambda tracker: failed)
    found = ruled(run, "follows.count", "required", min=0.9)
    assert found.outcome == "INCONCLUSIVE"
    assert "the card of follows.count failed: at 95 % confidence it finds at least 30%" in found.sentence
    assert ruled(run, "follows.count", "noted", min=0.9).outcome == "PASS"
    run = tracked("s", "follows.count", value=0.0)
    assert ruled(run, "follows.count", "required", min=0.9).outcome == "FAIL"


@pytest.mark.parametrize(("generator", "source"), [("folder:x", "real"), ("reference:base", "world")])
def test_a_card_of_corruptions_is_of_clips_like_the_runs(make_run, generator: str, source: str) -> None:
    make_run.registry = MEASURES
    card = packaged_cards.packaged_measures(source)
    assert card is not None
    seen = 0
    for k, (name, about) in enumerate(card.measures.items()):
        claims = [row for row in card.of(name) if row.claimed and row.found != "unknown"]
        if name not in MEASURES or about.per == "set" or not claims or name.startswith("safety."):
            continue
        needs = {role: card.settings["encoders"][role] for role in MEASURES.get(name).needs}
        for version in (about.version, about.version + 1):
            fields = {name: {"encoders": needs, "version": version}}
            run = make_run(
                f"{source}{k}-{version}",
                {name: lambda p, s: 0.5},
                fields=fields,
                generator=generator,
                prompts=1,
            )
            if version > about.version:
                with pytest.raises(NoCardError, match="has no validity card"):
                    card_of(read_run(run), name, MEASURES)
                continue
            found = card_of(read_run(run), name, MEASURES)
            assert found is not None
            assert found.label == f"corruptions, {'real clips' if source == 'real' else 'reference world'}"
            assert bool(found.failed) == bool(card.failed(name))
        seen += 1
    assert seen >= 5


def test_a_measure_of_geometry_has_the_card_of_real_clips_or_else_of_rooms(
    make_run, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run.registry = MEASURES
    run = read_run(make_run("r", {"geometry.epipolar": lambda p, s: 0.9}, prompts=3, seeds=1))
    assert card_of(run, "geometry.epipolar", MEASURES) == MeasureCard("corruptions, real clips")
    packaged = packaged_cards.packaged_measures
    monkeypatch.setattr(
        packaged_cards, "packaged_measures", lambda source: packaged(source) if source == "stage" else None
    )
    assert card_of(run, "geometry.epipolar", MEASURES) == MeasureCard("corruptions, rooms of the world stage")


def test_a_measure_of_sound_has_the_card_of_planted_faults(make_run) -> None:
    make_run.registry = MEASURES
    names = ("sound.synchrony", "sound.loudness")
    run = read_run(make_run("r", {name: lambda p, s: 0.1 for name in names}, prompts=3, seeds=1))
    assert card_of(run, "sound.synchrony", MEASURES) == MeasureCard("faults of sound, drawn clips")
    with pytest.raises(NoCardError, match=r"sound\.loudness has no validity card"):
        card_of(run, "sound.loudness", MEASURES)
    run.measures["sound.synchrony"]["version"] = 99
    with pytest.raises(NoCardError, match=r"sound\.synchrony has no validity card"):
        card_of(run, "sound.synchrony", MEASURES)


def test_a_measure_of_sound_that_sees_no_fault_fails(make_run, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run.registry = MEASURES
    run = read_run(make_run("r", {"sound.cuts": lambda p, s: 0.1}, prompts=3, seeds=1))
    card = packaged_cards.packaged_sound()
    assert card is not None
    blind = [row.model_copy(update={"low": 0.5} if row.fault == "gaps" else {}) for row in card.rows]
    faulty = card.model_copy(update={"rows": tuple(blind)})
    monkeypatch.setattr(packaged_cards, "packaged_sound", lambda: faulty)
    found = card_of(run, "sound.cuts", MEASURES)
    assert found is not None
    assert found.failed.endswith("failed: it does not see gaps up to 0.15")


def test_a_judge_that_says_how_surely_a_clip_shows_its_prompt_counts_once_people_agree(make_run) -> None:
    make_run.registry = MEASURES
    name, judge = "alignment.vqa", "ab" * 32
    fields = {name: {"encoders": {"vqa": judge}}}
    record = {"encoders": {"vqa": {"source": "small", "identity": {}}}}
    run = make_run("r", {name: lambda p, s: 0.9}, prompts=60, seeds=1, fields=fields, record=record)
    asked = ruled(run, name, "required", min=0.5)
    assert asked.outcome == "INCONCLUSIVE"
    assert "rests on a judge whose agreement with people is not known" in asked.sentence
    assert "--question follows" in asked.sentence
    runs = run.folder.absolute().parent

    def votes(question: str, value: float, low: float) -> None:
        found = Estimate(value=value, low=low, high=1.0, n=80, clusters=40)
        keep_votes(runs, judge, {name: {question: found}})

    votes("natural", 0.9, 0.8)  # another question is no evidence
    assert ruled(run, name, "required", min=0.5).outcome == "INCONCLUSIVE"
    votes("follows", 0.6, 0.48)
    failed = ruled(run, name, "required", min=0.5)
    assert failed.outcome == "INCONCLUSIVE"
    assert "chose in 60% of 80 votes, and at 95% confidence perhaps in 48% only" in failed.sentence
    votes("follows", 0.7, 0.58)
    assert ruled(run, name, "required", min=0.5).outcome == "PASS"
    assert card_of(read_run(run), name, MEASURES) == MeasureCard("agreement with 80 votes")
    assert ruled(run, name, "required", min=0.95).outcome == "FAIL"
    (figures,) = judges_in(read_run(run))
    assert figures.name == "small"
    assert figures.measures == (name,)
    noted = judge_notes([figures], runs)[name][0]
    assert noted.startswith("rests on the judge small abababababab: error not measured")
    assert "agrees with people: follows 0.70 [0.58, 1.00] (80 votes)" in noted


def test_a_measure_of_puzzles_has_the_card_of_drawn_puzzles(monkeypatch: pytest.MonkeyPatch):
    from screentest.metrics.validation.goal_card import GoalCard, GoalRow

    about: dict[str, Any] = {"family": "maze", "look": "all", "method": "Wilson", "n": 40}
    rows = (
        GoalRow(kind="specificity", fault="solved", value=1.0, low=0.9, high=1.0, **about),
        GoalRow(kind="sensitivity", fault="skips", value=0.9, low=0.8, high=1.0, **about),
        GoalRow(kind="sensitivity", fault="through-wall", value=0.2, low=0.05, high=0.4, **about),
    )
    card = GoalCard(settings={"measures": {"goals.maze": 1}, "encoder": "abc"}, clips=9, rows=rows)
    monkeypatch.setattr(packaged_cards, "packaged_goals", lambda: card)

    def of(encoder: str) -> Any:
        fields = {"version": 1, "encoders": {"hues": encoder}}
        return SimpleNamespace(name="r", record={}, measures={"goals.maze": fields})

    found = card_of(of("abc"), "goals.maze", MEASURES)
    assert found is not None
    assert found.failed.endswith("failed: it does not see through-wall of a maze")
    with pytest.raises(NoCardError, match="has no validity card"):
        card_of(of("other"), "goals.maze", MEASURES)
