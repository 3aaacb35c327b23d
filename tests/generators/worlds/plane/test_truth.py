from __future__ import annotations

import json

import pytest
from screentest.generators.worlds.plane import (
    FAMILIES,
    expectation,
    render,
    sample_scene,
    violate,
    world_clips,
)
from screentest.generators.worlds.plane.scene import Scene
from screentest.generators.worlds.plane.words import caption
from screentest.harness.core.keys import canonical_json, seeded_rng


def drawn(family: str, seed: int = 0, **asked: str) -> Scene:
    return sample_scene(seeded_rng("truth", family, seed), family=family, **asked)


@pytest.mark.parametrize("family", FAMILIES)
def test_truth_is_json_and_says_nothing_of_what_nobody_asked(family: str) -> None:
    scene = drawn(family)
    listed = render(scene)[1].to_json()
    assert json.loads(canonical_json(listed)) == json.loads(json.dumps(listed))
    assert listed["violation"] is None
    assert listed["family"] == family
    assert "family" not in listed["expect"]
    assert len(listed["position_px"]) == len(listed["visible_share"]) == len(listed["things"])
    assert len(listed["position_px"][0]) == len(listed["camera"]) == 16


def test_a_broken_law_is_in_the_truth() -> None:
    scene = violate(drawn("uniform"), "teleport", 0.5, seeded_rng(1))
    frames_truth = render(scene)[1]
    listed = frames_truth.to_json()["violation"]
    assert listed == {
        "law": "teleport",
        "severity": 0.5,
        "at": scene.violation.at,
        "sign": scene.violation.sign,
        "first_frame": frames_truth.first_fault,
    }
    assert listed["first_frame"] == round(scene.violation.at * 8)


def test_the_subject_s_values_are_the_first_thing_s() -> None:
    for frames, truth in world_clips(3, "truth"):
        assert len(frames) == 16
        assert (truth.position_T2 == truth.position_NT2[0]).all()
        assert (truth.velocity_T2 == truth.velocity_NT2[0]).all()
        assert truth.radius == truth.radius_NT[0, 0]


def test_a_clip_depends_on_its_seed_and_number_alone() -> None:
    few, more = (
        list(world_clips(3, "a", families=("fall", "count"))),
        list(world_clips(5, "a", families=("fall", "count"))),
    )
    for (frames, truth), (again, same) in zip(few, more, strict=False):
        assert (frames == again).all()
        assert (truth.caption, truth.scene) == (same.caption, same.scene)
    assert next(world_clips(1, "b", families=("fall", "count")))[1].scene != few[0][1].scene
    assert {truth.scene.family for _, truth in world_clips(20, "a", families=("fall", "count"))} == {
        "fall",
        "count",
    }


def test_expectations_by_hand() -> None:
    scene = drawn("uniform", motion="left", color="red", shape="ball", size="big")
    scene.facts["speed"] = "fast"
    ball = {"shape": "ball", "color": "red", "size": "big"}
    assert expectation(scene) == {"ideal": True, "objects": [ball], "motion": "left", "speed": "fast"}
    del ball["size"]
    plain = {"ideal": True, "objects": [ball], "motion": "left"}
    assert expectation(scene, "a red ball moves left") == plain
    assert expectation(scene, "a large red ball moves left")["objects"] == [{**ball, "size": "big"}]
    assert expectation(scene, "a red ball moves left quickly")["speed"] == "fast"
    count = drawn("count", count="three", color="blue", shape="square")
    objects = [{"shape": "square", "color": "blue", "count": 3}]
    assert expectation(count, "three blue squares") == {"ideal": True, "objects": objects}
    relation = expectation(drawn("relation", relation="above"))
    assert relation["relation"] == {"subject": 0, "is": "above", "of": 1}
    assert len(relation["objects"]) == 2
    order = expectation(drawn("order", motion="left", second="right"))
    assert order["order"] == [{"object": 0, "motion": "left"}, {"object": 1, "motion": "right"}]
    assert expectation(drawn("camera", camera="zoom-in"))["camera"] == "zoom-in"
    assert expectation(drawn("occluder"))["objects"][1] == {"kind": "wall"}


def test_nobody_expects_a_presentation_or_a_tone() -> None:
    person = expectation(drawn("person", occupation="nurse"))
    assert person == {"ideal": True, "objects": [{"kind": "person", "occupation": "nurse"}]}


@pytest.mark.parametrize("family", FAMILIES)
def test_an_expectation_holds_what_its_caption_says(family: str) -> None:
    """Colors, counts, motions' own words, and sizes and speeds only where they are said."""
    for seed in range(12):
        rng = seeded_rng("fits", family, seed)
        scene = sample_scene(rng, family=family)
        words = caption(scene, rng)
        said, expect = words.split(), expectation(scene, words)
        for thing in expect["objects"]:
            if "color" in thing:
                assert thing["color"] in said
            sizes = {"small": {"small", "little"}, "big": {"big", "large"}}
            if "size" in thing:
                assert sizes[thing["size"]] & set(said)
        said_sizes = len({"small", "little", "big", "large"} & set(said)) > 0
        assert said_sizes == any("size" in thing for thing in expect["objects"])
        assert ("speed" in expect) == bool({"slowly", "quickly", "fast"} & set(said))
        if "occupation" in expect["objects"][0]:
            assert expect["objects"][0]["occupation"] in said
        if "count" in expect["objects"][0]:
            assert ("one", "two", "three", "four")[expect["objects"][0]["count"] - 1] in said
