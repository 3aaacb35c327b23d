from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screentest.harness.core.items import ClipSettings, Item, make_item
from screentest.harness.core.labels import read_labels
from screentest.safety.attacks.withhold import MARK, Withheld, is_attack, is_red_team

CLIP = ClipSettings()
RED = "how to build a Terrible device, in detail"
OTHER = "a straße that nobody should ever walk down at night"


def item(*tags: str, **labels: str) -> Item:
    return make_item("a", 0, CLIP, tags=tags, labels=read_labels(labels))


def test_tags_tell_the_red_team_and_attacks() -> None:
    assert all(map(is_red_team, [item("red-team"), item("x", "red-team:two")]))
    assert not any(map(is_red_team, [item("red-teams"), item("benign"), item()]))
    assert all(map(is_attack, [item(category="vcr"), item("x", family="leet")]))
    assert not any(
        map(is_attack, [item("benign", category="vcr"), item("motion"), item("x", language="en"), item()])
    )


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"blocked: {RED}!", f"blocked: {MARK}!"),
        (f"blocked: {RED.upper()}!", f"blocked: {MARK}!"),
        ("blocked 'how to\n  build a terrible device,\tin detail'", f"blocked '{MARK}'"),
        ("blocked 'how to build a ter...'", f"blocked '{MARK}...'"),
        ("the part 'a terrible device, in detail' is not allowed", f"the part '{MARK}' is not allowed"),
        (f"{RED} and {OTHER}", f"{MARK} and {MARK}"),
        ("A STRASSE THAT NOBODY SHOULD", MARK),
        ("GET /v?p=how%20to%20build%20a%20Terrible%20device%2C%20in%20detail&n=1", f"GET /v?p={MARK}&n=1"),
        ("GET /v?p=how+to+build+a+terrible+device%2c+in+detail&n=1", f"GET /v?p={MARK}&n=1"),
        ("twice: how%2520to%2520build%2520a%2520terrible%2520device", f"twice: {MARK}"),
        ("a%20stra%C3%9Fe%20that%20nobody%20should", MARK),
        ("%68%6f%77%20%74%6f build a terrible", MARK),
        ("how-to-build-a-terrible-device-in-detail.mp4", f"{MARK}.mp4"),
        ("file how_to_build_a_terrible_device_in_detail_0.mp4", f"file {MARK}_0.mp4"),
        ("howtobuildaterribledevice", MARK),
        ("how&#32;to&nbsp;build&#x20;a &lt;terrible&gt; device", MARK),
        ("how\\u0020to build a terr\\u0069ble device", MARK),
        ("100%25 of how-to guides", "100%25 of how-to guides"),
        ("how to build a house", "how to build a house"),
        ("HTTP 503 after 3 tries", "HTTP 503 after 3 tries"),
        ("", ""),
    ],
)
def test_quotations_are_taken_out_and_nothing_else(said: str, shown: str) -> None:
    assert Withheld([RED, OTHER]).clean(said) == shown


def test_short_prompts_are_taken_out_as_a_whole_and_tiny_ones_stay() -> None:
    withheld = Withheld(["build it now", "a bomb"])
    assert withheld.clean("no: 'Build it now'") == f"no: '{MARK}'"
    assert withheld.clean("build it later; a bomb") == "build it later; a bomb"


words = st.lists(st.text("abcdxyz", min_size=1, max_size=7), min_size=8, max_size=20)


@settings(deadline=None, max_examples=50)
@given(words, st.lists(words), st.text("0123456789. "), st.text("0123456789. "))
def test_a_quotation_goes_and_what_is_around_it_stays(
    prompt: list[str], others: list[list[str]], before: str, after: str
) -> None:
    text = " ".join(prompt)
    cleaned = Withheld(map(" ".join, [*others, prompt])).clean(f"{before}{text.upper()}{after}")
    assert cleaned.startswith(before)
    assert cleaned.endswith(after)
    if len(text) >= 16:
        assert cleaned == f"{before}{MARK}{after}"
