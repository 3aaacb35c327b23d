"""The plan: a pure function of suite, items, generator and batch size."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import EDIT_STRENGTH, ClipSettings, make_item
from screentest.harness.core.text import is_blank
from screentest.harness.plan import Plan, make_plan, suite_items
from screentest.harness.suites.suite import Suite

CLIP = ClipSettings(frames=4, height=16, width=16, fps=8)
WORDS = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=8).filter(
    lambda text: not is_blank(text)
)
"""Prompts that a suite takes: neither blank nor with control characters."""
WHO = {"kind": "toy", "weights": "0" * 64}


def described(texts: list[str], **changes) -> Suite:
    fields = {"name": "toy", "version": 1, "seeds": 2, "clip": CLIP.model_dump(), "measures": ["m"]}
    return Suite.model_validate({**fields, "prompts": [{"text": t} for t in texts], **changes})


def planned(suite: Suite, batch_size: int = 3, who=WHO) -> Plan:
    return make_plan(suite, suite_items(suite), generator=who, batch_size=batch_size)


def test_a_plan_is_the_same_every_time():
    assert planned(described(["a", "b"])) == planned(described(["a", "b"]))


def test_ids_do_not_change_between_releases():
    """Golden ids, computed with version 1 of the keys: runs of different releases are paired by them."""
    item = make_item("a red ball falls", 3, CLIP)
    assert item.id == "60692970aafc119a6339215070b38d998bfb8ee4fbd8f35abc796247c75ff6d8"
    assert item.cluster == "57c25279c5030ff71b8db8d9dc25abce232602b133457967324e6f6ef61b0cc0"


@pytest.mark.parametrize(
    "more",
    [
        {"tags": ("gravity",)},
        {"expect": {"motion": "fall"}},
        {"labels": {"group": ("x",)}},
        {"source": "file.mp4"},
    ],
)
def test_what_is_not_asked_of_the_generator_is_not_in_the_id(more):
    assert make_item("a", 0, CLIP, **more).id == make_item("a", 0, CLIP).id


@pytest.mark.parametrize(
    "other",
    [
        make_item("b", 0, CLIP),
        make_item("a ", 0, CLIP),
        make_item("a", 1, CLIP),
        make_item(None, 0, CLIP, source="a"),
        make_item("a", 0, CLIP, image="a.png"),
        make_item("a", 0, CLIP, video="a.png"),
        make_item("a", 0, CLIP, video="a.png", use="extend-back"),
        *(make_item("a", 0, CLIP.model_copy(update={k: 24})) for k in ("frames", "height", "width", "fps")),
    ],
)
def test_what_is_asked_of_the_generator_is_in_the_id(other):
    assert other.id != make_item("a", 0, CLIP).id


def test_what_is_done_with_a_video_is_in_the_id():
    starts = [
        {"video": "a.mp4"},
        {"video": "a.mp4", "use": "extend-back"},
        {"video": "a.mp4", "use": "edit"},
        {"video": "a.mp4", "use": "edit", "strength": 0.3},
        {"video": "a.mp4", "use": "connect", "video_to": "b.mp4"},
        {"video": "a.mp4", "use": "connect", "video_to": "c.mp4"},
    ]
    suite = described([], prompts=[{"text": "a", **start} for start in starts])
    items = suite_items(suite)
    assert len({item.id for item in items}) == len(items) == 12
    assert len({item.cluster for item in items}) == 6
    assert [(i.use, i.video_to, i.strength) for i in items[::2]] == [
        ("extend", None, None),
        ("extend-back", None, None),
        ("edit", None, EDIT_STRENGTH),
        ("edit", None, 0.3),
        ("connect", "b.mp4", None),
        ("connect", "c.mp4", None),
    ]


def test_saying_the_default_is_asking_for_the_same():
    video = make_item("a", 0, CLIP, video="a.mp4")
    # Golden: the id of a prompt with a video before there was anything but extending it.
    assert video.id == "a2863bdd53f988d2508c184c7ef02c389e76efa3badec68a212055367ca6f470"
    assert make_item("a", 0, CLIP, video="a.mp4", use="extend") == video
    edit = make_item("a", 0, CLIP, video="a.mp4", use="edit")
    assert make_item("a", 0, CLIP, video="a.mp4", use="edit", strength=EDIT_STRENGTH) == edit


def test_more_items_than_a_suite_may_have_are_refused_before_they_are_made():
    suite = described(["a", "b"]).model_copy(update={"seeds": 500_001})
    with pytest.raises(UsageError, match=r"has 1,000,002 items, prompts times seeds, and 1,000,000 at most"):
        suite_items(suite)


def test_items_of_one_prompt_share_a_cluster():
    items = suite_items(described(["a", "b"]))
    assert [i.cluster == items[0].cluster for i in items] == [True, True, False, False]
    assert make_item(None, 0, CLIP, source="a").cluster != make_item(None, 0, CLIP, source="b").cluster


def test_a_prompt_may_have_a_clip_of_its_own():
    prompts = [{"text": "a", "clip": {"frames": 8, "width": 24}}, {"text": "a"}, {"text": "b"}]
    longer, usual, other = suite_items(described([], prompts=prompts, seeds=1))
    assert (longer.clip.frames, longer.clip.height, longer.clip.width) == (8, 16, 24)
    assert usual.clip == other.clip == CLIP
    assert longer.id != usual.id
    assert longer.cluster == usual.cluster != other.cluster


def test_a_prompt_may_have_seeds_of_its_own():
    items = suite_items(described([], prompts=[{"text": "a", "seeds": 3}, {"text": "b"}]))
    assert [(i.prompt, i.seed) for i in items] == [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1)]


@given(st.lists(WORDS, min_size=1, max_size=12, unique=True), st.integers(0, 99))
def test_the_ids_do_not_depend_on_the_order_of_the_suite(texts, seed):
    mixed = list(texts)
    random.Random(seed).shuffle(mixed)
    ids = [i.id for i in suite_items(described(texts))]
    assert sorted(i.id for i in suite_items(described(mixed))) == sorted(ids)
    assert len(set(ids)) == 2 * len(texts)


@given(st.integers(1, 9), st.integers(1, 12))
def test_units_hold_every_item_once_in_order(prompts, batch_size):
    suite = described([str(k) for k in range(prompts)])
    plan = planned(suite, batch_size)
    assert plan.items == suite_items(suite)
    assert [u.number for u in plan.units] == list(range(len(plan.units)))
    assert all(len(u.items) == batch_size for u in plan.units[:-1])
    assert 1 <= len(plan.units[-1].items) <= batch_size


@pytest.mark.parametrize(
    "other",
    [
        planned(described(["a", "c"])),
        planned(described(["b", "a"])),
        planned(described(["a", "b"], version=2)),
        planned(described(["a", "b"], name="other")),
        planned(described(["a", "b"], seeds=3)),
        planned(described(["a", "b"]), who={**WHO, "weights": "1" * 64}),
        planned(described(["a", "b"]), batch_size=2),
    ],
)
def test_what_changes_the_clips_changes_the_digest_of_the_plan(other):
    assert other.digest != planned(described(["a", "b"])).digest


def test_what_does_not_change_the_clips_leaves_the_digest_of_the_plan():
    same = planned(described(["a", "b"], measures=["x", "y"], description="words", encoders={"clip": "z"}))
    assert same.digest == planned(described(["a", "b"])).digest
