"""Hallucination, kind by kind: clips drawn here by no renderer of the project, with and without a fault."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.suites.loading import load_suite
from screentest.metrics import MEASURES, NotApplicable, Sample, Scored
from screentest.metrics.expectation import read_expectation
from screentest.metrics.hallucination.directions import MIRRORED
from screentest.metrics.hallucination.measures import KINDS

from ..laws.synthetic import Path, tracks_of
from ..tracking.scenes import BLUE, GREEN, RED, YELLOW, Frames, Shape, draw, still, track

RED_BALL, BLUE_SQUARE = {"shape": "ball", "color": "red"}, {"shape": "square", "color": "blue"}
ONE: dict[str, Any] = {"objects": [RED_BALL], "others": "none"}
TWO: dict[str, Any] = {"objects": [RED_BALL, BLUE_SQUARE], "others": "none"}
BALL = Shape("ball", RED, 6.0, still(18, 32))
SQUARE = Shape("square", BLUE, 5.0, still(46, 33))


def judged(kind: str, clip: Frames | Any, expect: Mapping[str, Any] | None) -> Scored:
    record = (clip if hasattr(clip, "to_record") else track(clip)).to_record()
    function = MEASURES.get(f"hallucination.{kind}").function
    assert function is not None
    item = make_item("a prompt", 0, ClipSettings(), expect=None if expect is None else dict(expect))
    value = function(Sample(item, "ok", None, {}, (), {"tracks": record}))
    return value if isinstance(value, Scored) else Scored(value)


def test_each_is_a_rate_of_which_less_is_better():
    for kind in (*KINDS, "any", "text", "missing_text", "face"):
        measure = MEASURES.get(f"hallucination.{kind}")
        assert (measure.kind, measure.better, measure.bounds) == ("rate", "lower", (0.0, 1.0))


# -- things


def test_a_thing_that_nobody_asked_for_is_named_with_its_frames():
    late = Shape("square", GREEN, 5.0, lambda t: (46.0, 33.0) if t >= 6 else None)
    scored = judged("extra_thing", draw([BALL, late]), ONE)
    (fault,) = scored.evidence["faults"]
    assert scored.value == 1.0
    assert (fault["thing"], fault["kind"], fault["first"], fault["last"]) == (
        "green square",
        "another",
        6,
        15,
    )
    assert (scored.evidence["first_frame"], scored.evidence["first_s"]) == (6, 0.75)
    assert judged("extra_things", draw([BALL, late]), ONE).value == 1.0


def test_a_second_of_the_kind_is_once_too_often():
    scored = judged("extra_thing", draw([BALL, Shape("ball", RED, 6.0, still(46, 33))]), ONE)
    assert scored.evidence["faults"][0]["kind"] == "once too often"


def test_what_was_asked_for_is_no_extra_thing():
    assert judged("extra_thing", draw([BALL, SQUARE]), TWO).value == 0.0
    assert judged("extra_things", draw([BALL, SQUARE]), TWO).value == 0.0


@pytest.mark.parametrize(
    ("others", "why"), [("allowed", "other things may be seen"), (None, "does not say whether other things")]
)
def test_where_others_may_be_there_nothing_is_extra(others: str | None, why: str):
    expect = {"objects": [RED_BALL], **({} if others is None else {"others": others})}
    with pytest.raises(NotApplicable, match=why):
        judged("extra_thing", draw([BALL, SQUARE]), expect)


def test_an_empty_ground_that_was_asked_for_may_hold_nothing():
    assert judged("extra_thing", draw([BALL]), {"objects": [], "others": "none"}).value == 1.0
    assert judged("extra_thing", draw([]), {"objects": [], "others": "none"}).value == 0.0


def test_a_clip_in_which_nothing_is_recognised_is_no_clip_without_extra_things():
    with pytest.raises(NotApplicable, match="nothing is tracked"):
        judged("extra_thing", draw([]), ONE)
    assert judged("missing_thing", draw([]), ONE).value == 1.0


def test_a_missing_thing_is_named():
    scored = judged("missing_thing", draw([BALL]), TWO)
    assert scored.value == 1.0
    assert scored.evidence["faults"] == [{"thing": "blue square", "object": 1, "seen_frames": 0}]
    assert judged("missing_things", draw([BALL]), TWO).value == 1.0
    assert judged("missing_thing", draw([BALL, SQUARE]), TWO).value == 0.0


def test_a_thing_that_is_seen_too_briefly_is_missing():
    brief = Shape("square", BLUE, 5.0, lambda t: (46.0, 33.0) if t < 3 else None)
    (fault,) = judged("missing_thing", draw([BALL, brief]), TWO).evidence["faults"]
    assert (fault["thing"], fault["seen_frames"]) == ("blue square", 3)


def test_each_copy_that_is_missing_counts():
    expect = {"objects": [{**RED_BALL, "count": 3}], "others": "none"}
    assert judged("missing_things", draw([BALL]), expect).value == 2.0


def test_without_objects_nothing_is_missing_and_it_is_not_judged():
    with pytest.raises(NotApplicable, match="no objects are asked for"):
        judged("missing_thing", draw([BALL]), {"camera": "still"})


def test_a_detector_counts_its_nouns():
    from dataclasses import replace

    found = replace(tracks_of([Path(0.3, 0.5), Path(0.7, 0.5)]), nouns=("cat", "dog"))
    expect = {"objects": [{"name": "cat"}], "others": "none"}
    (fault,) = judged("extra_thing", found, expect).evidence["faults"]
    assert fault["thing"] == "dog"
    absent = {"objects": [{"name": "cat"}, {"name": "bird"}]}
    assert judged("missing_thing", found, absent).evidence["faults"][0]["thing"] == "bird"


# -- events


@pytest.mark.parametrize(
    ("there", "what", "frame"),
    [
        (lambda t: t >= 6, "appears", 6),
        (lambda t: t < 9, "vanishes", 9),
    ],
)
def test_a_thing_that_comes_from_nowhere_or_goes_there(there, what: str, frame: int):
    square = Shape("square", BLUE, 5.0, lambda t: (44.0, 33.0) if there(t) else None)
    scored = judged("extra_event", draw([BALL, square]), TWO)
    (fault,) = scored.evidence["faults"]
    assert (fault["what"], fault["thing"], fault["frame"]) == (what, "blue square", frame)
    assert scored.evidence["first_frame"] == frame


def test_a_thing_that_is_gone_for_a_while_vanishes_and_appears():
    square = Shape("square", BLUE, 5.0, lambda t: None if 5 <= t < 10 else (44.0, 33.0))
    faults = judged("extra_event", draw([BALL, square]), TWO).evidence["faults"]
    assert [(fault["what"], fault["frame"]) for fault in faults] == [("vanishes", 5), ("appears", 10)]


def test_a_thing_that_falls_into_two_splits():
    def part(sign: int) -> Shape:
        return Shape(
            "ball", RED, 5.0, lambda t: (32.0 + sign * (3 + 2.5 * (t - 6)), 32.0) if t >= 6 else None
        )

    whole = Shape("ball", RED, 7.0, lambda t: (32.0, 32.0) if t < 6 else None)
    scored = judged("extra_event", draw([whole, part(-1), part(1)]), ONE)
    assert scored.value == 1.0
    assert "splits" in [fault["what"] for fault in scored.evidence["faults"]]


def test_coming_in_at_an_edge_and_passing_behind_are_no_events():
    coming = Shape("ball", RED, 6.0, lambda t: (-20.0 + 4.0 * t, 20.0))
    assert judged("extra_event", draw([coming]), ONE).value == 0.0
    behind = Shape("ball", RED, 5.0, lambda t: (8.0 + 3.2 * t, 32.0))
    wall = Shape("wall", (128, 130, 134), 8.0, still(32, 32))
    expect = {"objects": [RED_BALL, {"kind": "wall"}], "passes_behind": [0, 1], "others": "none"}
    assert judged("extra_event", draw([behind, wall]), expect).value == 0.0


def test_others_that_are_allowed_may_come_and_go():
    late = Shape("square", BLUE, 5.0, lambda t: (46.0, 33.0) if t >= 6 else None)
    assert judged("extra_event", draw([BALL, late]), {"objects": [RED_BALL]}).value == 0.0
    assert judged("extra_event", draw([BALL, late]), ONE).value == 1.0


def test_too_few_frames_are_not_judged():
    with pytest.raises(NotApplicable, match="too short"):
        judged("extra_event", draw([BALL], frames=4), ONE)


# -- sides


@pytest.mark.parametrize(("step", "value"), [(-2.0, 0.0), (2.0, 1.0)])
def test_a_motion_to_the_other_side_is_mirrored(step: float, value: float):
    start = 50.0 if step < 0 else 14.0
    clip = draw([Shape("ball", RED, 6.0, lambda t: (start + step * t, 30.0))])
    scored = judged("mirrored", clip, {**ONE, "motion": "left"})
    assert scored.value == value
    if value:
        (fault,) = scored.evidence["faults"]
        assert (fault["what"], fault["asked"], fault["shown"]) == ("motion", "left", "right")


def test_a_relation_to_the_other_side_is_mirrored():
    relation = {"subject": 0, "is": "right", "of": 1}
    scored = judged("mirrored", draw([BALL, SQUARE]), {**TWO, "relation": relation})
    (fault,) = scored.evidence["faults"]
    assert (scored.value, fault["what"], fault["shown"]) == (1.0, "relation", "left")
    assert (
        judged("mirrored", draw([BALL, SQUARE]), {**TWO, "relation": {**relation, "is": "left"}}).value == 0.0
    )


def test_one_step_of_an_order_may_be_mirrored():
    one = Shape("ball", RED, 5.0, lambda t: (12.0 + 4.0 * min(t, 7), 14.0))
    two = Shape("square", BLUE, 5.0, lambda t: (12.0 + 4.0 * max(0, t - 8), 48.0))
    order = [{"object": 0, "motion": "right"}, {"object": 1, "motion": "left"}]
    scored = judged("mirrored", draw([one, two]), {**TWO, "motion": "right", "order": order})
    (fault,) = scored.evidence["faults"]
    assert (fault["asked"], fault["shown"], scored.evidence["sides"]) == ("left", "right", 2)


def test_a_clip_that_goes_to_neither_side_says_nothing_of_left_and_right():
    with pytest.raises(NotApplicable, match=r"neither side is shown \(motion\)"):
        judged("mirrored", draw([BALL]), {**ONE, "motion": "left"})
    with pytest.raises(NotApplicable, match="no side is asked for"):
        judged("mirrored", draw([BALL]), {**ONE, "motion": "fall"})


def test_mirroring_twice_is_nothing():
    assert all(MIRRORED[MIRRORED[side]] == side for side in MIRRORED)


# -- marks

BISCUIT = {"objects": [{"kind": "biscuit"}], "bitten": 0, "others": "none"}


def biscuit(bite: int | None, heals: int | None = None) -> Frames:
    """Draw a biscuit that loses a piece at a frame, and has it again from another on."""

    def piece(t: int) -> tuple[float, float] | None:
        bitten = bite is not None and t >= bite and not (heals is not None and t >= heals)
        return (42.0, 32.0) if bitten else None

    whole = Shape("ball", (205, 160, 100), 12.0, still(32, 32))
    return draw([whole, Shape("ball", (30, 32, 36), 6.0, piece)])


def test_a_bite_that_stays_is_a_mark():
    assert judged("no_mark", biscuit(6), BISCUIT).value == 0.0


def test_a_bite_that_never_comes_or_heals_leaves_none():
    (never,) = judged("no_mark", biscuit(None), BISCUIT).evidence["faults"]
    assert (never["thing"], never["what"]) == ("biscuit", "no piece is lost")
    healed = judged("no_mark", biscuit(5, 9), BISCUIT)
    assert healed.value == 1.0
    assert healed.evidence["faults"][0]["what"] == "the piece grows back"
    assert healed.evidence["first_frame"] == 9


def test_a_biscuit_that_is_not_there_says_nothing_of_marks():
    with pytest.raises(NotApplicable, match="biscuit is not shown"):
        judged("no_mark", draw([Shape("ball", BLUE, 8.0, still(32, 32))]), BISCUIT)
    with pytest.raises(NotApplicable, match="nothing is asked to lose a piece"):
        judged("no_mark", draw([BALL]), ONE)


# -- all of them


def test_any_names_the_kinds():
    late = Shape("square", GREEN, 5.0, lambda t: (46.0, 33.0) if t >= 6 else None)
    scored = judged("any", draw([BALL, late]), ONE)
    assert scored.evidence["kinds"] == ["extra_thing", "extra_event"]
    clean = judged("any", draw([BALL]), ONE)
    assert clean.value == 0.0
    assert clean.evidence["judged"] == ["extra_thing", "missing_thing", "extra_event"]


def test_real_footage_is_not_judged_by_the_tracker_of_shapes():
    from ..helpers import texture

    with pytest.raises(NotApplicable, match="background is not plain"):
        judged("any", draw([BALL], ground=texture(64, 64)), ONE)
    with pytest.raises(NotApplicable, match="does not say what to expect"):
        judged("any", draw([BALL]), None)


@pytest.mark.parametrize("name", ["hallucination", "hallucination-videos"])
def test_every_prompt_of_the_suites_can_fail_a_measure_of_its_kind(name: str):
    suite = load_suite(name)
    for prompt in suite.prompts:
        expect = read_expectation(prompt.expect)
        assert expect.others == "none"
        (kind,) = prompt.labels["kind"]
        if kind == "left-right":
            steps = [step.motion for step in expect.order]
            sides = [expect.motion, expect.camera, *steps, expect.relation and expect.relation.where]
            assert any(side in MIRRORED for side in sides), prompt.text
        elif kind == "bite":
            assert expect.bitten is not None
        elif kind == "text":
            assert expect.text is not None
        else:
            assert expect.objects
        if name == "hallucination-videos":
            assert expect.questions, prompt.text


def test_the_world_knows_every_word_of_its_suite():
    from screentest.generators.worlds.plane.words import vocabulary

    known = set(vocabulary())
    for prompt in load_suite("hallucination").prompts:
        assert prompt.text is not None
        assert set(prompt.text.split()) <= known


def test_yellow_is_named():
    scored = judged("extra_thing", draw([BALL, Shape("ball", YELLOW, 5.0, still(46, 33))]), ONE)
    assert scored.evidence["faults"][0]["thing"] == "yellow ball"
