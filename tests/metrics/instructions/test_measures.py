"""Following a prompt: clips drawn here, with prompts that they follow and prompts that they do not."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from screentest.generators.worlds.plane import expectation, render, sample_scene
from screentest.generators.worlds.plane.words import COUNTS, PLURALS, vocabulary
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.core.keys import seeded_rng
from screentest.harness.suites.loading import load_suite
from screentest.metrics import MEASURES, NotApplicable, Sample, Scored
from screentest.metrics.encoders.base import Record
from screentest.metrics.expectation import read_expectation
from screentest.metrics.instructions.limits import LIMITS, least_travel
from screentest.metrics.instructions.measures import SKILLS, every_skill, judge_all
from screentest.metrics.instructions.skills import NotAsked, SkillJudgement
from screentest.metrics.laws.evaluation import discarded
from screentest.metrics.tracking.role_assignment import assign_roles

from ..helpers import texture
from ..tracking.scenes import BLUE, GREEN, RED, Frames, Shape, draw, still, track

RED_BALL, BLUE_SQUARE = {"shape": "ball", "color": "red"}, {"shape": "square", "color": "blue"}
PAIR = {"objects": [RED_BALL, BLUE_SQUARE]}


def ball(way: Callable[[int], tuple[float, float] | None], color: tuple[int, int, int] = RED) -> Shape:
    return Shape("ball", color, 6.0, way)


_RECORDS: dict[bytes, Record] = {}


def record_of(frames: Frames) -> Record:
    """Follow the things of a clip, once."""
    key = hashlib.sha256(frames.tobytes()).digest()
    if key not in _RECORDS:
        _RECORDS[key] = track(frames).to_record()
    return _RECORDS[key]


def follows(name: str, frames: Frames, expect: dict[str, Any] | None) -> Scored:
    function = MEASURES.get(f"follows.{name}").function
    assert function is not None
    item = make_item("a prompt", 0, ClipSettings(), expect=expect)
    value = function(Sample(item, "ok", None, {}, (), {"tracks": record_of(frames)}))
    assert isinstance(value, Scored)
    return value


def failure(name: str, frames: Frames, expect: dict[str, Any]) -> object:
    scored = follows(name, frames, expect)
    assert scored.value == 0.0
    return scored.evidence["failure"]


def side_by_side() -> Frames:
    return draw([ball(still(16, 32)), Shape("square", BLUE, 5.0, still(46, 33))])


def sliding(step: float) -> Frames:
    start = 12.0 if step > 0 else 50.0
    return draw([ball(lambda t: (start + step * t, 30.0))])


BLANK = draw([])
SQUARE_ALONE = draw([Shape("square", BLUE, 5.0, still(46, 33))])


def test_every_skill_is_a_rate_of_which_more_is_better():
    for name in (*SKILLS, "all"):
        measure = MEASURES.get(f"follows.{name}")
        assert (measure.kind, measure.better, measure.needs) == ("rate", "higher", ("tracks",))
        assert measure.summary.startswith("Whether ")


def test_colors_are_bound_to_their_shapes():
    assert follows("attributes", side_by_side(), PAIR).value == 1.0
    swapped = {"objects": [{**RED_BALL, "color": "blue"}, {**BLUE_SQUARE, "color": "red"}]}
    assert failure("attributes", side_by_side(), swapped) == "wrong shape"
    near = draw([ball(still(16, 32), (240, 138, 40)), Shape("square", BLUE, 5.0, still(46, 33))])
    assert failure("attributes", near, PAIR) == "wrong color"  # orange is no red
    smudge = draw([ball(still(14, 24)), ball(still(19, 33)), ball(still(12, 38))])
    assert failure("attributes", smudge, {"objects": [RED_BALL]}) == "wrong shape"


def test_what_is_asked_for_and_not_there_is_a_failure_of_its_own_kind():
    alone = draw([ball(still(16, 32))])
    for name in ("shown", "attributes", "relation", "all"):
        expect = {**PAIR, "relation": {"is": "left"}}
        scored = follows(name, alone, expect)
        assert (scored.value, scored.evidence["failure"]) == (0.0, "not shown")
    assert follows("shown", alone, PAIR).evidence["missing"] == ["blue square"]
    assert follows("shown", side_by_side(), PAIR).value == 1.0
    flash = draw([ball(still(16, 32)), Shape("square", BLUE, 5.0, lambda t: (46, 33) if t < 2 else None)])
    assert failure("shown", flash, PAIR) == "not shown"


def test_an_empty_clip_is_discarded_and_is_no_way_out():
    expect = {**PAIR, "relation": {"is": "left"}, "motion": "left"}
    for name in ("attributes", "relation", "motion", "nothing_uninvited"):
        with pytest.raises(NotApplicable, match="discarded: nothing is tracked"):
            follows(name, BLANK, expect)
    assert failure("shown", BLANK, expect) == "not shown"
    assert failure("all", BLANK, expect) == "not shown"


def test_numbers_are_exact():
    three = draw([ball(still(x, 30)) for x in (12, 32, 52)])
    asked = {"objects": [{**RED_BALL, "count": 3}]}
    assert follows("count", three, asked).value == 1.0
    for count, missing, extra in ((2, 0, 1), (4, 1, 0)):
        scored = follows("count", three, {"objects": [{**RED_BALL, "count": count}]})
        assert (scored.value, scored.evidence["missing"], scored.evidence["extra"]) == (0.0, missing, extra)
    other = draw([ball(still(12, 30)), ball(still(32, 30)), ball(still(52, 30), GREEN)])
    assert failure("count", other, asked) == "wrong count"
    gone = draw([ball(lambda t, x=x: (x, 30) if t < 5 or x < 40 else None) for x in (12, 32, 52)])
    assert failure("count", gone, asked) == "wrong count"
    none = {"objects": [{**RED_BALL, "count": 0}, BLUE_SQUARE]}
    assert failure("count", side_by_side(), none) == "wrong count"


def test_relations_are_signed():
    def asked(where: str) -> dict[str, Any]:
        return {**PAIR, "relation": {"subject": 0, "is": where, "of": 1}}

    frames = side_by_side()
    assert follows("relation", frames, asked("left")).value == 1.0
    assert failure("relation", frames[:, :, ::-1], asked("left")) == "mirrored"
    assert follows("relation", frames[:, :, ::-1], asked("right")).value == 1.0
    assert failure("relation", frames, asked("above")) == "elsewhere"
    upright = frames.transpose(0, 2, 1, 3)
    assert follows("relation", upright, asked("above")).value == 1.0
    assert follows("relation", upright[:, ::-1], asked("below")).value == 1.0
    assert failure("relation", upright[:, ::-1], asked("above")) == "mirrored"
    reverse = {**PAIR, "relation": {"subject": 1, "is": "right", "of": 0}}
    assert follows("relation", frames, reverse).value == 1.0


@pytest.mark.parametrize(("motion", "other"), [("left", "right"), ("right", "left")])
def test_ways_to_a_side(motion, other):
    frames = sliding(2.0 if motion == "right" else -2.0)
    assert follows("motion", frames, {"objects": [RED_BALL], "motion": motion}).value == 1.0
    for asked in (other, "rise", "fall", "bounce", f"throw-{motion}"):
        assert failure("motion", frames, {"objects": [RED_BALL], "motion": asked}) == "another motion"


def test_ways_up_and_down():
    up = draw([ball(lambda t: (30.0, 50.0 - 2 * t))])
    down = draw([ball(lambda t: (30.0, 10.0 + 0.18 * t * t))])
    back = draw([ball(lambda t: (30.0, 12.0 + 2.6 * (t if t < 9 else 18 - t)))])
    arc = draw([ball(lambda t: (10.0 + 2.6 * t, 50.0 - 4.5 * t + 0.3 * t * t))])
    says = {"rise": up, "fall": down, "bounce": back, "throw-right": arc}
    for motion, frames in says.items():
        assert follows("motion", frames, {"objects": [RED_BALL], "motion": motion}).value == 1.0
    for motion, frames in (("rise", down), ("fall", up), ("bounce", down), ("rise", back), ("fall", arc)):
        assert failure("motion", frames, {"objects": [RED_BALL], "motion": motion}) == "another motion"
    resting = draw([ball(still(30, 30))])
    assert failure("motion", resting, {"objects": [RED_BALL], "motion": "left"}) == "does not move"


def test_a_direction_that_is_known_is_not_asked():
    expect = {"objects": [RED_BALL], "direction": "left"}
    with pytest.raises(NotApplicable, match="no direction of motion is asked for"):
        follows("motion", sliding(2.0), expect)


def test_speeds():
    slow, fast = sliding(64 * 0.18 / 8), sliding(64 * 0.33 / 8)  # sides a second at 8 frames a second
    expect = {"objects": [RED_BALL], "motion": "right"}
    assert follows("speed", slow, {**expect, "speed": "slow"}).value == 1.0
    assert follows("speed", fast, {**expect, "speed": "fast"}).value == 1.0
    assert failure("speed", slow, {**expect, "speed": "fast"}) == "too slow"
    assert failure("speed", fast, {**expect, "speed": "slow"}) == "too fast"
    assert failure("speed", draw([ball(still(30, 30))]), {**expect, "speed": "slow"}) == "does not move"


def test_stillness():
    expect = {"objects": [RED_BALL], "motion": "stay"}
    assert follows("stillness", draw([ball(still(30, 30))]), expect).value == 1.0
    assert failure("stillness", sliding(0.6), expect) == "moves"
    jump = draw([ball(lambda t: (30.0 if t < 8 else 36.0, 30.0))])
    assert failure("stillness", jump, expect) == "moves"
    with pytest.raises(NotApplicable, match="nothing is asked to stay"):
        follows("stillness", sliding(2.0), {"objects": [RED_BALL], "motion": "right"})


def in_turns(first: int, second: int) -> Frames:
    """A red ball goes right from frame ``first`` on, a blue square left from ``second`` on, 7 frames each."""
    one = ball(lambda t: (12.0 + 4 * min(max(t - first, 0), 7), 16.0))
    two = Shape("square", BLUE, 5.0, lambda t: (52.0 - 4 * min(max(t - second, 0), 7), 48.0))
    return draw([one, two])


def test_events_come_in_their_order():
    steps = [{"object": 0, "motion": "right"}, {"object": 1, "motion": "left"}]
    asked = {**PAIR, "order": steps}
    assert follows("order", in_turns(0, 8), asked).value == 1.0
    assert failure("order", in_turns(8, 0), asked) == "reversed"
    for second in (0, 3):
        assert failure("order", in_turns(0, second), asked) == "not one after the other"
    other = {**PAIR, "order": [steps[0], {"object": 1, "motion": "right"}]}
    assert failure("order", in_turns(0, 8), other) == "an event does not happen"


def world_view(move: str) -> Frames:
    return render(sample_scene(seeded_rng("test of views", 0), family="camera", camera=move))[0]


def test_the_camera_is_read_off_the_ground():
    frames = world_view("pan-left")
    assert follows("camera", frames, {"camera": "pan-left"}).value == 1.0
    assert follows("camera", frames[:, :, ::-1], {"camera": "pan-right"}).value == 1.0
    assert failure("camera", frames[:, :, ::-1], {"camera": "pan-left"}) == "another move"
    assert failure("camera", frames, {"camera": "zoom-in"}) == "another move"
    assert failure("camera", frames, {"camera": "still"}) == "the camera moves"
    closer = world_view("zoom-in")
    assert follows("camera", closer, {"camera": "zoom-in"}).value == 1.0
    assert failure("camera", closer, {"camera": "zoom-out"}) == "another move"
    ground = texture(64, 64, 3) // 3
    resting = np.repeat(ground[None], 16, axis=0)
    assert follows("camera", resting, {"camera": "still"}).value == 1.0
    assert failure("camera", resting, {"camera": "pan-left"}) == "the camera does not move"
    with pytest.raises(NotApplicable, match="the ground shows too little"):
        follows("camera", BLANK, {"camera": "pan-left"})


def test_before_a_bare_ground_the_camera_is_read_off_the_things():
    slid = draw([ball(lambda t: (14.0 + 2 * t, 30.0))])
    expect = {"objects": [RED_BALL], "camera": "pan-left"}
    scored = follows("camera", slid, expect)
    assert (scored.value, scored.evidence["seen_by"]) == (1.0, "the things")
    assert failure("camera", slid, {**expect, "camera": "pan-right"}) == "another move"
    resting = draw([ball(still(30, 30))])
    assert failure("camera", resting, expect) == "the camera does not move"
    assert follows("camera", resting, {**expect, "camera": "still"}).value == 1.0
    grown = np.stack([draw([Shape("ball", RED, 6.0 + 0.25 * t, still(30, 30))], 1)[0] for t in range(16)])
    assert follows("camera", grown, {**expect, "camera": "zoom-in"}).value == 1.0
    assert failure("camera", grown, expect) == "another move"
    assert failure("camera", SQUARE_ALONE, expect) == "not shown"
    with pytest.raises(NotApplicable, match="the ground shows too little"):
        follows("camera", slid, {**expect, "motion": "right"})


def test_nothing_that_nobody_asked_for():
    frames = side_by_side()
    assert follows("nothing_uninvited", frames, PAIR).value == 1.0
    scored = follows("nothing_uninvited", frames, {"objects": [RED_BALL]})
    assert (scored.value, scored.evidence["others"], scored.evidence["colors"]) == (0.0, 1, {"blue": 1})
    twice = draw([ball(still(16, 32)), ball(still(46, 32))])
    assert failure("nothing_uninvited", twice, {"objects": [RED_BALL]}) == "once too often"
    faint = draw([ball(still(16, 32)), Shape("square", (52, 54, 58), 3.0, still(46, 32))])
    smudged = follows("nothing_uninvited", faint, {"objects": [RED_BALL]})
    assert (smudged.value, smudged.evidence["smudges"]) == (1.0, 1)
    small = draw([ball(still(16, 32)), Shape("square", BLUE, 3.0, still(46, 32))])
    assert failure("nothing_uninvited", small, {"objects": [RED_BALL]}) == "uninvited"


def test_all_skills_that_are_asked_for():
    expect = {**PAIR, "relation": {"is": "left"}}
    scored = follows("all", side_by_side(), expect)
    assert (scored.value, scored.evidence["asked"]) == (
        1.0,
        ["shown", "attributes", "relation", "nothing_uninvited"],
    )
    mirrored = follows("all", side_by_side()[:, :, ::-1], expect)
    assert (mirrored.value, mirrored.evidence["failed"]) == (0.0, ["relation"])
    with pytest.raises(NotApplicable, match="camera cannot be judged: the ground shows too little"):
        follows("all", side_by_side(), {**expect, "camera": "pan-left", "motion": "stay"})
    with pytest.raises(NotApplicable, match="asks for nothing that could be followed"):
        follows("all", side_by_side(), {"custom": {"mine": 1}})


@pytest.mark.parametrize(
    ("name", "asked", "sentence"),
    [
        ("relation", {"relation": {"is": "lft"}}, "unknown relation 'lft'; did you mean 'left'"),
        ("motion", {"motion": "rises"}, "unknown motion 'rises'; did you mean 'rise'"),
        ("speed", {"speed": "quick"}, "unknown speed 'quick'"),
        ("camera", {"camera": "pan left"}, "unknown camera move 'pan left'; did you mean 'pan-left'"),
        ("order", {"order": [{"motion": "left"}, {"motion": "up"}]}, "unknown motion 'up'"),
        ("relation", {"relation": {"is": "left", "of": 7}}, "object 7 is meant, and there are 2"),
    ],
)
def test_words_that_no_skill_knows_are_a_mistake(name, asked, sentence):
    with pytest.raises(UsageError, match=sentence):
        follows(name, side_by_side(), {**PAIR, **asked})


def test_what_is_not_asked_for_does_not_apply():
    for name in ("count", "relation", "motion", "speed", "camera", "order", "stillness"):
        with pytest.raises(NotApplicable, match="asked"):
            follows(name, side_by_side(), PAIR)
    with pytest.raises(NotApplicable, match="does not say what to expect"):
        follows("shown", side_by_side(), None)
    with pytest.raises(NotApplicable, match="the outline of a star is not known"):
        follows("attributes", side_by_side(), {"objects": [{"shape": "star"}]})


def test_limits_are_those_of_the_world():
    for seed in range(30):
        scene = sample_scene(seeded_rng("test of limits", seed), family="uniform")
        speed = float(np.hypot(scene.subject.vx, scene.subject.vy))
        assert speed * 15 / 8 >= 1.9 * least_travel(15 / 8)
        if "speed" in scene.facts:
            assert (scene.facts["speed"] == "fast") == (speed > LIMITS.speed)


# -- the suite

SUITE = load_suite("instructions")
TAGS = ("count", "attributes", "relation", "motion", "speed", "camera", "order", "stillness")


def test_the_suite_asks_for_every_skill_a_dozen_times():
    empty = track(BLANK)
    asked: Counter[str] = Counter()
    for prompt in SUITE.prompts:
        cast = assign_roles(empty, read_expectation(prompt.expect))
        for name, skill in SKILLS.items():
            try:
                skill(cast)
            except NotAsked:
                continue
            except NotApplicable:
                pass
            asked[name] += 1
        assert prompt.tags[0] in TAGS
    assert set(asked) == set(SKILLS) - {"bite"}  # the world has few words for it; the suite physics asks
    assert min(asked.values()) >= 12
    tags = Counter(prompt.tags[0] for prompt in SUITE.prompts)
    assert min(tags[name] for name in TAGS) >= 12
    assert {f"follows.{name}" for name in (*asked, "all")} <= set(SUITE.measures)


def test_the_suite_speaks_as_the_world_does():
    known = set(vocabulary())
    for prompt in SUITE.prompts:
        assert set(prompt.text.split()) <= known
        words = prompt.text.split()
        for thing in (prompt.expect or {})["objects"]:
            assert thing["color"] in words
            assert {thing["shape"], PLURALS[thing["shape"]]} & set(words)


def family_of(expect: dict[str, Any]) -> str:
    """Name the family of the world's scenes that a prompt of the suite is about."""
    for fact, family in (
        ("order", "order"),
        ("relation", "relation"),
        ("camera", "camera"),
        ("collides", "collision"),
    ):
        if fact in expect:
            return family
    motion = expect.get("motion")
    of_motion = {"stay": "still", "fall": "fall", "bounce": "fall"}
    throws = {"throw-left": "projectile", "throw-right": "projectile"}
    return "count" if motion is None else {**of_motion, **throws}.get(motion, "uniform")


@pytest.mark.slow
@pytest.mark.parametrize("prompt", SUITE.prompts, ids=lambda prompt: prompt.text)
def test_a_faithful_clip_of_each_prompt_follows_it(prompt):
    """The world draws what is asked; of the second thing, whose look it chooses, that look is asked for."""
    expect = dict(prompt.expect)
    first = expect["objects"][0]
    asked = {key: first[key] for key in ("shape", "color")}
    for key in ("motion", "camera"):
        asked |= {key: expect[key]} if key in expect and expect[key] != "stay" else {}
    asked |= {"relation": expect["relation"]["is"]} if "relation" in expect else {}
    asked |= {"second": expect["order"][1]["motion"]} if "order" in expect else {}
    asked |= {"count": COUNTS[first["count"] - 1]} if "count" in first else {}
    for attempt in range(60):
        scene = sample_scene(seeded_rng("suite", prompt.text, attempt), family=family_of(expect), **asked)
        if expect.get("speed") in (None, scene.facts.get("speed")):
            break
    shown = expectation(scene)["objects"]
    expect["objects"] = [first, *(shown[1:] if "count" not in first else [])]
    found = judge_all(assign_roles(track(render(scene)[0]), read_expectation(expect)))
    judged = {name: one for name, one in found.items() if isinstance(one, SkillJudgement)}
    assert [name for name, one in judged.items() if not one.followed] == []
    assert set(found) == set(judged)


# -- what is bitten


@pytest.mark.parametrize(("bite", "followed"), [(None, True), (1e9, False), (0.0, False)])
def test_a_biscuit_that_is_never_bitten_or_bitten_from_the_start_is_not_what_was_asked(bite, followed):
    for seed in range(3):
        scene = sample_scene(seeded_rng("test of bites", seed), family="biscuit")
        if bite is not None:
            scene = replace(scene, things=(replace(scene.subject, bite=bite),))
        frames, expect = render(scene)[0], {"objects": [{"kind": "biscuit"}], "bitten": 0}
        scored = follows("bite", frames, expect)
        assert scored.value == float(followed)
        assert follows("all", frames, expect).value == float(followed)
        assert followed or scored.evidence["failure"] == "no piece is lost"
    with pytest.raises(NotApplicable, match="nothing is asked to lose a piece"):
        follows("bite", frames, {"objects": [{"kind": "biscuit"}]})


def test_what_stands_still_though_asked_to_move_fails_under_a_source_that_sees_what_moves_alone():
    resting = replace(track(BLANK), sees_still=False)
    moves, stays = ({"objects": [RED_BALL], "motion": motion} for motion in ("left", "stay"))
    for name in ("shown", "motion", "all"):
        judged = {**SKILLS, "all": every_skill}[name](assign_roles(resting, read_expectation(moves)))
        assert (judged.followed, judged.evidence["failure"]) == (False, "nothing moves")
    with pytest.raises(NotApplicable, match="nothing moves in the clip, and the source"):
        SKILLS["stillness"](assign_roles(resting, read_expectation(stays)))
    assert (
        discarded(assign_roles(resting, read_expectation(moves)))
        == "nothing like the subject is seen to move"
    )
