from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from screentest.generators.worlds.plane import (
    FAMILIES,
    NATIVE_CLIP,
    NATIVE_CLIPS,
    fits,
    sample_scene,
    simulate,
)
from screentest.generators.worlds.plane.families import SINGLE_MOTIONS, choices
from screentest.generators.worlds.plane.scene import Scene, Thing, frame_size
from screentest.generators.worlds.plane.words import (
    CAMERA_MOVES,
    COLORS,
    COUNTS,
    MOTIONS,
    OCCUPATIONS,
    PRESENTATIONS,
    RELATIONS,
    SHAPES,
    SIZES,
    TONES,
)
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings
from screentest.harness.core.keys import seeded_rng

EVERY = [(family, clip) for family in FAMILIES for clip in NATIVE_CLIPS if fits(family, clip)]
SIDEWAYS = ("left", "right")
CHOICES = {
    "uniform": {"shape": SHAPES, "color": COLORS, "size": SIZES, "motion": ("left", "right", "rise")},
    "fall": {"shape": SHAPES, "color": COLORS, "size": SIZES, "motion": ("fall", "bounce")},
    "still": {"shape": SHAPES, "color": COLORS, "size": SIZES},
    "projectile": {"shape": SHAPES, "color": COLORS, "motion": ("throw-left", "throw-right")},
    "collision": {"shape": ("ball", "square"), "color": COLORS, "motion": SIDEWAYS},
    "occluder": {"shape": SHAPES, "color": COLORS, "motion": SIDEWAYS},
    "block": {"shape": ("ball", "square"), "color": COLORS, "motion": SIDEWAYS},
    "biscuit": {},
    "relation": {"shape": SHAPES, "color": COLORS, "relation": RELATIONS},
    "count": {"shape": SHAPES, "color": COLORS, "count": COUNTS},
    "camera": {"shape": SHAPES, "color": COLORS, "camera": CAMERA_MOVES},
    "order": {"shape": SHAPES, "color": COLORS, "motion": SIDEWAYS, "second": SIDEWAYS},
    "person": {"occupation": OCCUPATIONS, "presentation": PRESENTATIONS, "tone": TONES},
    "hazard": {"motion": (*SIDEWAYS, "stay")},
}


def scene_of(family: str, clip: ClipSettings, seed: int, **asked: str) -> Scene:
    return sample_scene(seeded_rng("families", family, seed), clip, family=family, **asked)


def least_room(scene: Scene, clip: ClipSettings) -> float:
    """How far the things stay within the frame, in sides, at the worst; walls may stand out of it."""
    width, height = frame_size(clip)
    course = simulate(scene, clip)
    rooms: list[float] = []
    for thing, place in zip(scene.things, course.position_NT2, strict=True):
        if thing.kind != "wall":
            left, up, right, down = thing.reach
            x, y = place.T
            rooms += [(x - left).min(), (y - up).min(), (width - right - x).min(), (height - down - y).min()]
    return min(rooms)


@pytest.mark.parametrize(("family", "clip"), EVERY)
def test_every_family_stays_in_the_frame_at_every_size_that_it_fits(family: str, clip: ClipSettings) -> None:
    for seed in range(6):
        scene = scene_of(family, clip, seed)
        assert scene.family == family
        assert scene == scene_of(family, clip, seed)
        if family != "camera":
            assert least_room(scene, clip) > -0.01  # a contact is found a substep late
    assert scene_of(family, clip, 0) != scene_of(family, clip, 1)


def test_native_sizes_have_room_for_what_the_training_set_shows_there() -> None:
    least = {"uniform", "fall", "still", "relation", "count", "camera", "person", "hazard"}
    long = {"projectile", "biscuit", "order"}
    wide = {"collision", "occluder", "block"}
    there = [{family for family in FAMILIES if fits(family, clip)} for clip in NATIVE_CLIPS]
    assert there == [least | long | wide, least, least | long | wide, least | long | wide, least | long]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(
    frames=st.integers(1, 60),
    height=st.integers(16, 160),
    width=st.integers(16, 160),
    fps=st.sampled_from([2.0, 7.5, 8.0, 24.0]),
    family=st.sampled_from([name for name in FAMILIES if name != "camera"]),
)
def test_what_fits_stays_in_the_frame_at_any_size(
    frames: int, height: int, width: int, fps: float, family: str
) -> None:
    clip = ClipSettings(frames=frames, height=height, width=width, fps=fps)
    assume(fits(family, clip))
    scene = scene_of(family, clip, frames)
    assert least_room(scene, clip) > -0.02
    if scene.facts.get("motion") in SIDEWAYS and family in ("uniform", "hazard"):
        assert not simulate(scene, clip).contacts


@pytest.mark.parametrize(
    ("family", "clip"),
    [
        ("uniform", ClipSettings(frames=1, height=64, width=64, fps=8)),
        ("fall", ClipSettings(frames=4, height=64, width=64, fps=8)),
        ("uniform", ClipSettings(frames=64, height=64, width=64, fps=8)),
        ("collision", ClipSettings(frames=16, height=80, width=48, fps=8)),
        ("still", ClipSettings(frames=16, height=32, width=96, fps=8)),
        ("order", ClipSettings(frames=8, height=64, width=64, fps=8)),
    ],
)
def test_a_clip_without_room_is_one_sentence(family: str, clip: ClipSettings) -> None:
    with pytest.raises(
        UsageError, match=rf"{clip.width}x{clip.height}.* has no room for the family '{family}'; use"
    ):
        sample_scene(seeded_rng(1), clip, family=family)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_asked_for_is_kept(family: str) -> None:
    for kind, names in CHOICES[family].items():
        for name in names:
            scene = scene_of(family, NATIVE_CLIP, 3, **{kind: name})
            if kind in ("shape", "color", "size", "occupation", "presentation", "tone"):
                assert getattr(scene.subject, kind) == name
            else:
                assert scene.facts[kind] == name
    with pytest.raises(UsageError, match=rf"the family '{family}' has no flavour to choose; it has"):
        scene_of(family, NATIVE_CLIP, 3, flavour="mint")


@pytest.mark.parametrize("family", FAMILIES)
def test_asking_for_what_was_drawn_changes_nothing(family: str) -> None:
    for seed in range(4):
        rng, same = seeded_rng("asked", family, seed), seeded_rng("asked", family, seed)
        free = sample_scene(rng, family=family)
        drawn = {kind: free.facts.get(kind) or str(getattr(free.subject, kind)) for kind in CHOICES[family]}
        assert sample_scene(same, family=family, **drawn) == free
        assert rng.bit_generator.state == same.bit_generator.state


@pytest.mark.parametrize("family", FAMILIES)
def test_choices_are_listed(family: str) -> None:
    only = {"size": ("small",)} if "shape" in CHOICES[family] and "size" not in CHOICES[family] else {}
    listed = {**CHOICES[family], **only, **({"motion": ("stay",)} if family == "still" else {})}
    assert choices(family) == {kind: tuple(names) for kind, names in listed.items()}


def without(thing: Thing, *names: str) -> Thing:
    return dataclasses.replace(thing, **dict.fromkeys(names, ""))


@pytest.mark.parametrize("kind", ["color", "occupation", "presentation", "tone"])
def test_how_a_thing_looks_moves_no_other_draw(kind: str) -> None:
    for family in FAMILIES:
        for name in CHOICES[family].get(kind, ()):
            rng, same = seeded_rng("moves", family), seeded_rng("moves", family)
            free, asked = sample_scene(rng, family=family), sample_scene(same, family=family, **{kind: name})
            assert rng.bit_generator.state == same.bit_generator.state
            # The second thing never has the subject's color, so that one may change with it.
            looks = {"color"} if kind == "color" else {kind}
            assert [without(t, *looks) for t in asked.things] == [without(t, *looks) for t in free.things]
            assert asked.background == free.background


def test_two_things_have_two_colors() -> None:
    for family in ("collision", "relation", "order"):
        for seed in range(30):
            one, two = scene_of(family, NATIVE_CLIP, seed).things
            assert one.color != two.color


def test_without_a_family_it_is_a_single_shape_in_one_of_the_motions() -> None:
    seen = {sample_scene(seeded_rng("single", seed)).motion for seed in range(80)}
    assert seen == set(MOTIONS)
    for motion in MOTIONS:
        scene = sample_scene(seeded_rng(1), motion=motion, color="red")
        assert (scene.motion, scene.color, scene.family) == (motion, "red", SINGLE_MOTIONS[motion])


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"family": "colision"}, "unknown family 'colision'; did you mean 'collision'"),
        ({"shape": "bal"}, "unknown shape 'bal'; did you mean 'ball'"),
        ({"motion": "fal"}, "unknown motion 'fal'; did you mean 'fall'"),
        ({"family": "still", "motion": "fall"}, "unknown motion 'fall'. Known: stay"),
        ({"family": "collision", "size": "big"}, "unknown size 'big'. Known: small"),
        ({"family": "collision", "shape": "triangle"}, "unknown shape 'triangle'. Known: ball, square"),
    ],
)
def test_names_that_there_are_not(asked: dict[str, str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        sample_scene(seeded_rng(1), **asked)


def test_what_is_slow_and_fast_is_so() -> None:
    for seed in range(40):
        scene = scene_of("uniform", NATIVE_CLIP, seed)
        speed = float(np.hypot(scene.subject.vx, scene.subject.vy))
        assert scene.facts.get("speed") == ("slow" if speed <= 0.2 else "fast" if speed >= 0.3 else None)


def test_a_count_is_the_number_of_things_and_none_overlap() -> None:
    for clip in NATIVE_CLIPS:
        for index, count in enumerate(COUNTS):
            things = scene_of("count", clip, index, count=count).things
            assert len(things) == index + 1
            for a in range(len(things)):
                for b in range(a):
                    one, two = things[a], things[b]
                    apart_x = abs(one.x - two.x) - one.reach[0] - two.reach[0]
                    apart_y = abs(one.y - two.y) - max(
                        one.reach[1] + two.reach[3], one.reach[3] + two.reach[1]
                    )
                    assert max(apart_x, apart_y) > 0


@pytest.mark.parametrize("relation", RELATIONS)
def test_a_relation_holds(relation: str) -> None:
    axis, sign = {"left": (0, -1), "right": (0, 1), "above": (1, -1), "below": (1, 1)}[relation]
    for clip in NATIVE_CLIPS:
        for seed in range(5):
            one, two = scene_of("relation", clip, seed, relation=relation).things
            offset = (one.x - two.x, one.y - two.y)
            assert sign * offset[axis] > 2 * abs(offset[1 - axis])
            assert sign * offset[axis] > one.radius + two.radius
