from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from pydantic import ValidationError
from screentest.harness.core.items import ClipSettings, Item, make_item, make_items


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"fps": 1e-300}, "fps"),
        ({"fps": 1001}, "fps"),
        ({"frames": 108_001}, "frames"),
        ({"width": 8192, "height": 8192}, "16,777,216 pixels are the limit"),
        ({"width": 4096, "height": 4096, "frames": 2049}, "more than 2,048 frames"),
    ],
)
def test_a_suite_may_not_ask_for_what_cannot_be_read(settings: dict[str, float], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ClipSettings.model_validate(settings)
    assert ClipSettings(width=4096, height=4096, frames=2048, fps=0.01).frames == 2048


def test_the_items_of_a_prompt_are_those_that_are_made_one_by_one() -> None:
    clip = ClipSettings(frames=8)
    more: dict[str, Any] = {"tags": ["a", "category:vcr"], "labels": {"x": ("1",)}, "expect": {"objects": []}}
    ways: tuple[dict[str, str], ...] = ({}, {"image": "a.png"}, {"video": "a.mp4"})
    for start in (*ways, {"video": "a.mp4", "use": "edit"}):
        made = list(make_items("a ball", range(3), clip, **more, **start))
        assert made == [make_item("a ball", seed, clip, **more, **start) for seed in range(3)]
        assert made[0].prompt is made[2].prompt
        assert made[0].labels is made[2].labels


def test_the_item_of_another_seed_keeps_all_else() -> None:
    values = {field.name: f"{field.name} as given" for field in fields(Item)}
    item = Item(**values)
    assert item.with_seed("other", 7) == replace(item, id="other", seed=7)
