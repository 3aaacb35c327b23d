"""The trials of the skills, and what they say of them."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
from screentest.generators.worlds.plane.skill_scenes import SKILL_FAMILIES
from screentest.generators.worlds.registry import find_world
from screentest.harness.core.errors import UsageError
from screentest.harness.core.keys import seeded_rng
from screentest.metrics.expectation import read_expectation
from screentest.metrics.instructions.limits import LIMITS, SLOWEST, SOURCE, still_travel
from screentest.metrics.instructions.measures import SKILLS
from screentest.metrics.validation.skill_card import (
    SkillRow,
    measure_limits,
    run_skill_trial,
    skill_rows,
    skill_trials,
)
from screentest.metrics.validation.skill_trials import (
    SkillTrial,
    clip_of,
    counterfactual,
    frames_of,
    prompts_of,
)

ONE, TWO = {"shape": "ball", "color": "red"}, {"shape": "square", "color": "blue"}


def test_a_trial_is_a_function_of_its_name():
    trial = SkillTrial("test", 0, "relation", 3, "noise")
    film, frames = frames_of(trial)
    assert (frames_of(trial)[1] == frames).all()
    assert film.scene.family == "relation"
    assert (frames_of(SkillTrial("test", 0, "relation", 4, "noise"))[1] != frames).any()
    for skill, families in SKILL_FAMILIES.items():
        assert clip_of(SkillTrial("test", 0, skill, 1)).scene.family == families[1 % len(families)]
    assert "speed" in clip_of(SkillTrial("test", 0, "speed", 0)).scene.facts


@pytest.mark.parametrize(
    ("skill", "expect", "index", "changed"),
    [
        ("relation", {"relation": {"subject": 0, "is": "above", "of": 1}}, 0, {"relation": "below"}),
        ("motion", {"motion": "left"}, 0, {"motion": "right"}),
        ("speed", {"speed": "slow"}, 0, {"speed": "fast"}),
        ("camera", {"camera": "pan-left"}, 0, {"camera": "pan-right"}),
        ("camera", {"camera": "pan-left"}, 1, {"camera": "zoom-in"}),
        ("camera", {"camera": "zoom-out"}, 2, {"camera": "still"}),
    ],
)
def test_words_are_turned_round(skill, expect, index, changed):
    turned = counterfactual(skill, {"objects": [ONE, TWO], **expect}, index)
    assert turned is not None
    (key, value), *_ = changed.items()
    assert (turned[key]["is"] if key == "relation" else turned[key]) == value


def test_objects_are_turned_round():
    both = {"objects": [ONE, TWO]}
    swapped = counterfactual("attributes", both, 0)
    assert swapped is not None
    assert [thing["color"] for thing in swapped["objects"]] == ["blue", "red"]
    alone = counterfactual("attributes", {"objects": [ONE]}, 0)
    assert alone is not None
    assert alone["objects"][0]["shape"] != "ball"
    more = counterfactual("shown", both, 5)
    assert more is not None
    assert more["objects"][2]["color"] not in ("red", "blue")
    fewer = counterfactual("nothing_uninvited", {**both, "relation": {}}, 0)
    assert fewer == {"objects": [ONE]}
    for index, count in ((0, 3), (1, 1)):
        other = counterfactual("count", {"objects": [{**ONE, "count": 2}]}, index)
        assert other is not None
        assert other["objects"][0]["count"] == count
    steps = [{"object": 0, "motion": "left"}, {"object": 1, "motion": "right"}]
    turned = counterfactual("order", {"objects": [ONE, TWO], "order": steps}, 0)
    assert turned is not None
    assert turned["order"] == steps[::-1]


def card(n: int, seed: int, groups: tuple[str, ...]) -> list[SkillRow]:
    return skill_rows([{**asdict(t), **run_skill_trial(t)} for t in skill_trials(n, seed, groups=groups)])


def test_what_moves_is_for_the_no_of_stillness_alone():
    for index, family in enumerate(SKILL_FAMILIES["stillness"]):
        trial = SkillTrial("test", 0, "stillness", index)
        kept, turned = prompts_of(trial, clip_of(trial))
        assert (kept is None, turned is None) == ((False, True) if family == "still" else (True, False))


def test_a_card_has_a_row_for_every_skill_prompt_and_group():
    rows = card(2, 1, ("plain",))
    assert [(row.skill, row.asked) for row in rows] == [
        (skill, asked) for skill in (*SKILLS, "all") for asked in ("kept", "turned")
    ]
    for row in rows:
        assert row.n + sum(row.left_out.values()) == 2
        if row.n:
            assert row.low is not None
            assert row.high is not None
            assert row.low <= (row.value or 0.0) <= row.high
    with pytest.raises(UsageError, match="unknown group of looks 'plane'; did you mean 'plain'"):
        skill_trials(1, groups=("plane",))


def test_limits_leave_room_between_what_stays_and_what_moves():
    extent, view, zoom = SOURCE.stays
    assert 0 < extent < still_travel(15 / 8) < 0.2 * SLOWEST[1]
    assert 0 < view < LIMITS.still_view < 0.5 * LIMITS.pan
    assert 0 < zoom < LIMITS.still_zoom < 0.5 * LIMITS.zoom


@pytest.mark.slow
def test_limits_are_measured_again():
    """Of the first dozen of the sixty scenes that the limits are from the quantiles are near theirs."""
    again, source = measure_limits(replace(SOURCE, clips=12))
    for name, value in asdict(again).items():
        assert value == pytest.approx(asdict(LIMITS)[name], rel=0.25), name
    assert (source.world, source.tracker) == (SOURCE.world, SOURCE.tracker)
    assert np.all(
        np.array(source.stays) <= np.array([still_travel(15 / 8), LIMITS.still_view, LIMITS.still_zoom])
    )


@pytest.mark.slow
@pytest.mark.parametrize("group", ["plain", "degraded"])
def test_skills_say_yes_to_what_is_followed_and_no_to_what_is_not(group):
    for row in card(40, 7, (group,)):
        assert row.n >= 20, row
        assert row.value is not None
        if row.asked == "kept":
            assert row.value >= 0.95, row
        else:
            assert row.value <= 0.05, row


@pytest.mark.parametrize("family", find_world("reference").families)
def test_every_prompt_of_a_trial_is_one_that_is_read(family: str):
    world = find_world("reference")
    size = world.native_clips[0]
    expect = dict(
        world.scene_clip(world.sample(seeded_rng("prompts", family), size, family, {}), size).expect
    )
    for skill, families in SKILL_FAMILIES.items():
        if family in families and expect["objects"]:
            for index in range(4):
                turned = counterfactual(skill, expect, index)
                assert turned is None or read_expectation(turned).objects
