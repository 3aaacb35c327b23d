"""The laws as measures: every law flags a planted violation and passes its lawful twin, however it looks."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
from screentest.generators.worlds.plane.trial_violations import violations_of
from screentest.generators.worlds.plane.words import vocabulary
from screentest.generators.worlds.trials import TrialClip
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.core.run_data import ClipRecord
from screentest.harness.scoring.clips import score_key
from screentest.harness.suites.loading import load_suite
from screentest.metrics import MEASURES, NotApplicable, Sample, Scored
from screentest.metrics.base import measure
from screentest.metrics.encoders.base import Record
from screentest.metrics.expectation import read_expectation
from screentest.metrics.laws.evaluation import LAWS
from screentest.metrics.laws.measures import law_measures
from screentest.metrics.laws.thresholds import packaged_thresholds, thresholds_digest
from screentest.metrics.tracking.shape_tracker import WorldSource
from screentest.metrics.tracking.tracks import Tracks, source_name
from screentest.metrics.validation.law_trials import Trial, frames_of

from ..helpers import track_record
from ..tracking.scenes import BLUE, RED, Shape, draw, still

OTHER_LOOKS = ("ground", "noise", "crf28")
FALL = {"objects": [{"shape": "ball", "color": "red"}], "motion": "fall", "gravity": 0.32, "ideal": True}


def held(name: str, record: Record, expect: Mapping[str, Any] | None) -> Scored:
    function = MEASURES.get(f"physics.{name}").function
    assert function is not None
    item = make_item("a prompt", 0, ClipSettings(), expect=expect)
    value = function(
        Sample(item, "ok", None, {}, (), {"tracks": record}, {"thresholds": packaged_thresholds()})
    )
    assert isinstance(value, Scored)
    return value


@cache
def tracked(trial: Trial) -> tuple[TrialClip, Record]:
    made = frames_of(trial)
    assert made is not None
    film, frames = made
    return film, track_record(frames, film.clip.fps)


def follow(*shapes: Shape, frames: int = 16) -> Record:
    return track_record(draw(shapes, frames))


def falling(t: int) -> tuple[float, float]:
    return 32.0, 12.0 + 0.5 * 0.32 * 64 * (t / 8) ** 2


def test_every_law_is_a_rate_of_which_less_is_better():
    assert set(law_measures) == set(LAWS)
    for name in (*LAWS, "any", "discarded"):
        registered = MEASURES.get(f"physics.{name}")
        assert (registered.kind, registered.better, registered.needs) == ("rate", "lower", ("tracks",))
        assert registered.summary.startswith("Whether ")


@pytest.mark.parametrize(
    ("law", "look"), [(law, look) for k, law in enumerate(LAWS) for look in ("plain", OTHER_LOOKS[k % 3])]
)
def test_a_planted_violation_is_flagged_and_its_lawful_twin_is_not(law: str, look: str):
    violation, family = violations_of(law)[0]
    index = 1 if law == "energy" else 0  # a bounce
    broken = Trial("development", 1, family, index, look=look, law=law, violation=violation, severity=0.75)
    film, feature = tracked(broken)
    scored = held(law, feature, film.expect)
    assert scored.value == 1.0
    assert scored.evidence["severity"] > scored.evidence["threshold"] >= 0.01
    first = scored.evidence["first_frame"]
    assert scored.evidence["first_s"] == scored.evidence["last_s"] == pytest.approx(first / 8)
    assert held("any", feature, film.expect).value == 1.0

    film, feature = tracked(broken.twin)
    scored = held(law, feature, film.expect)
    assert scored.value == 0.0
    assert "first_frame" not in scored.evidence
    assert held("any", feature, film.expect).value == 0.0
    assert held("discarded", feature, film.expect).value == 0.0


def test_the_first_frame_at_fault_is_that_of_the_truth():
    for law, violation in (("permanence", "vanish"), ("continuity", "teleport"), ("uninvited", "uninvited")):
        trial = Trial("development", 2, "uniform", 3, law=law, violation=violation, severity=0.75)
        film, feature = tracked(trial)
        twin = frames_of(trial.twin)
        assert twin is not None
        apart = (film.draw() != twin[1]).any((1, 2, 3))
        assert held(law, feature, film.expect).evidence["first_frame"] == int(apart.argmax())


def test_the_digest_of_the_thresholds_is_in_the_evidence_and_in_the_key():
    film, feature = tracked(Trial("development", 1, "fall", 0))
    sources = packaged_thresholds().sources
    world = source_name(WorldSource())
    of_world = thresholds_digest({world: sources[world]})
    assert held("gravity", feature, film.expect).evidence["thresholds"] == of_world[:12]
    registered = MEASURES.get("physics.gravity")
    assert registered.settings == ("thresholds",)
    record = ClipRecord("item", "ok", sha256="0" * 64)
    keys = {score_key(registered, record, None, {"tracks": "1" * 64}, {"thresholds": d}) for d in "ab"}
    assert len(keys) == 2


def test_thresholds_of_another_version_of_the_tracker_are_not_used():
    tracks = Tracks.from_record(follow(Shape("ball", RED, 6.0, falling)))
    older = {**(tracks.source or {}), "version": 4}
    with pytest.raises(NotApplicable, match="has no thresholds"):
        held("gravity", Tracks(**{**tracks.__dict__, "source": older}).to_record(), FALL)


def test_roles_and_findings_of_a_clip_are_derived_once(monkeypatch):
    from screentest.metrics.tracking import role_assignment

    calls: list[object] = []
    assign = role_assignment.assign_roles
    monkeypatch.setattr(role_assignment, "assign_roles", lambda *a: calls.append(a) or assign(*a))
    film, record = tracked(Trial("development", 1, "collision", 0))
    item = make_item("a prompt", 0, ClipSettings(), expect=film.expect)
    sample = Sample(item, "ok", None, {}, (), {"tracks": record}, {"thresholds": packaged_thresholds()})
    for name in (*LAWS, "any", "discarded"):
        with contextlib.suppress(NotApplicable):
            MEASURES.get(f"physics.{name}").function(sample)
    for name in ("count", "relation", "all"):
        with contextlib.suppress(NotApplicable):
            MEASURES.get(f"follows.{name}").function(sample)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [
        ([], "the subject is not shown"),
        ([Shape("square", BLUE, 6.0, still(32, 32))], "the subject is not shown"),
        ([Shape("ball", RED, 6.0, still(32, 32))], "the subject stands still, and was asked to move"),
        (
            [Shape("ball", RED, 6.0, falling), Shape("ball", RED, 6.0, still(10, 50))],
            "the subject is there more than once from the beginning",
        ),
    ],
)
def test_a_clip_that_does_not_show_what_happens_is_discarded_and_held_to_no_law(
    shapes: list[Shape], reason: str
):
    feature = follow(*shapes)
    scored = held("discarded", feature, FALL)
    assert (scored.value, scored.evidence["reason"]) == (1.0, reason)
    for name in (*LAWS, "any"):
        with pytest.raises(NotApplicable, match=f"discarded: {reason}"):
            held(name, feature, FALL)


def test_what_comes_later_is_no_reason_to_discard():
    late = Shape("ball", RED, 6.0, lambda t: (10.0, 50.0) if t > 7 else None)
    feature = follow(Shape("ball", RED, 6.0, falling), late)
    assert held("discarded", feature, FALL).value == 0.0
    assert held("permanence", feature, FALL).value == 1.0


def test_where_no_law_applies_none_is_held():
    falls = follow(Shape("ball", RED, 6.0, falling))
    for expect in (None, {}, {"questions": [{"ask": "is it red?", "answer": True}]}):
        for name in ("gravity", "any", "discarded"):
            with pytest.raises(NotApplicable, match=r"does not say what to expect|names no objects"):
                held(name, falls, expect)
    with pytest.raises(NotApplicable, match="no bite is expected"):
        held("persistence", falls, FALL)
    with pytest.raises(NotApplicable, match="no collision is expected"):
        held("momentum", falls, FALL)
    with pytest.raises(NotApplicable, match="nothing is expected to fall"):
        held("gravity", falls, {**FALL, "motion": "left"})
    with pytest.raises(UsageError, match="unknown color 'teal'"):
        held("gravity", falls, {"objects": [{"color": "teal"}]})
    short = follow(Shape("ball", RED, 6.0, falling), frames=3)
    with pytest.raises(NotApplicable, match="too short: the fall is not seen whole in 5 frames"):
        held("gravity", short, FALL)


def test_the_camera_must_be_still_or_followed():
    tracks = Tracks.from_record(follow(Shape("ball", RED, 6.0, lambda t: (10.0 + 2 * t, 32.0))))
    tracks.camera_T4[:] = np.nan
    asked = {**FALL, "motion": "left", "camera": "pan-right"}
    with pytest.raises(NotApplicable, match="the camera is asked to move, and nothing shows whether it does"):
        held("inertia", tracks.to_record(), asked)
    tracks.camera_T4[:] = 0.0
    tracks.camera_T4[:, 0] = np.linspace(0, 20, 16)
    tracks.camera_T4[:, 3] = 0.2  # few points agree
    with pytest.raises(NotApplicable, match="the camera moves and cannot be followed to the end"):
        held("inertia", tracks.to_record(), asked)


def test_tracks_of_a_source_without_thresholds_are_not_judged():
    tracks = Tracks.from_record(follow(Shape("ball", RED, 6.0, falling)))
    unknown = Tracks(**{**tracks.__dict__, "source": {"source": "other"}}).to_record()
    with pytest.raises(NotApplicable, match="has no thresholds: make them with 'screentest validate"):
        held("gravity", unknown, FALL)
    assert held("discarded", unknown, FALL).value == 0.0


def test_evidence_is_plain_and_measures_stay_registered_once():
    film, feature = tracked(Trial("development", 1, "collision", 0))
    for name in LAWS:
        try:
            evidence = held(name, feature, film.expect).evidence
        except NotApplicable:
            continue
        assert all(value == value for value in evidence.values())
    with pytest.raises(UsageError, match=r"physics\.gravity"):
        measure("physics.gravity", version=1, better="lower", bounds=(0.0, 1.0))(lambda sample: 0.0)


def test_the_suite_expects_what_the_world_has_words_for():
    suite = load_suite("physics")
    laws = {name.removeprefix("physics.") for name in suite.measures if name.startswith("physics.")}
    assert laws == {*LAWS, "any", "discarded"}
    words = set(vocabulary())
    for prompt in suite.prompts:
        expect = read_expectation(prompt.expect)
        assert expect.objects
        assert expect.gravity is not None or expect.motion not in (
            "fall",
            "bounce",
            "throw-left",
            "throw-right",
        )
        assert set(prompt.text.split()) <= words
    assert {tag for prompt in suite.prompts for tag in prompt.tags} >= set(LAWS)
    assert sum("gravity" in prompt.tags for prompt in suite.prompts) >= 8


def test_a_camera_that_is_asked_to_move_must_be_followed_to_the_end():
    tracks = Tracks.from_record(follow(Shape("ball", RED, 6.0, lambda t: (10.0 + 2 * t, 32.0))))
    tracks.camera_T4[:] = 0.0
    tracks.camera_T4[:, 3] = 1.0
    expect = {**FALL, "motion": "left", "camera": "zoom-out"}
    assert held("rigidity", tracks.to_record(), expect).value == 0.0
    tracks.camera_T4[2:, 3] = np.nan  # lost before it has moved
    with pytest.raises(NotApplicable, match="the camera is asked to move and cannot be followed to the end"):
        held("rigidity", tracks.to_record(), expect)


def test_a_thing_that_comes_late_has_a_mass_all_the_same():
    one = Shape("ball", RED, 6.0, lambda t: (8.0 + 3 * t, 32.0) if t < 9 else (33.0 + 0.3 * (t - 8), 32.0))
    two = Shape("square", BLUE, 6.0, lambda t: None if t < 3 else (44.0 + max(0.0, 2.4 * (t - 8)), 32.0))
    balls = [{"shape": "ball", "color": "red"}, {"shape": "square", "color": "blue"}]
    expect = {"collides": [0, 1], "objects": balls, "direction": "right", "ideal": True}
    try:
        assert np.isfinite(held("momentum", follow(one, two), expect).evidence["severity"])
    except NotApplicable as why:
        pytest.fail(f"not judged: {why}")


def test_a_color_that_changes_out_of_sight_is_seen_when_the_thing_comes_out():
    for index in range(3):
        trial = Trial("development", 3, "occluder", index, law="color", violation="color", severity=1.0)
        film, feature = tracked(trial)
        assert held("discarded", feature, film.expect).value == 0.0
        assert held("color", feature, film.expect).value == 1.0
