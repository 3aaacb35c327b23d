"""What a generator is given, and what becomes of the answers of one that is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from screentest.generators.base import ANY_START, Failure, Frames, Generator, NotApplicable, Output, answers
from screentest.harness.core.items import ClipSettings, Item, make_item

CLIP = ClipSettings(frames=2, height=16, width=16)
STARTS: dict[str, dict[str, Any]] = {
    "image": {"image": "a.png"},
    "extend": {"video": "a.mp4"},
    "extend-back": {"video": "a.mp4", "use": "extend-back"},
    "edit": {"video": "a.mp4", "use": "edit"},
    "connect": {"video": "a.mp4", "use": "connect", "video_to": "b.mp4"},
}


class Grey(Generator):
    spec = "grey"

    def __init__(self, *starts: Any) -> None:
        self.starts = frozenset(starts)
        self.given: list[Item] = []

    def identity(self) -> Mapping[str, Any]:
        return {"kind": "grey"}

    def generate(self, items: Sequence[Item]) -> list[Output]:
        self.given.extend(items)
        return [Frames(np.full((2, 16, 16, 3), 10 * item.seed, np.uint8), 8.0) for item in items]


def test_every_start_has_its_case():
    assert set(STARTS) == ANY_START


@pytest.mark.parametrize("start", STARTS)
def test_a_generator_is_given_only_what_it_can_start_from(start):
    item = make_item("a ball", 0, CLIP, **STARTS[start])
    able, unable = Grey(start), Grey(*(ANY_START - {start}))
    assert isinstance(answers(able, [item])[0], Frames)
    (answer,) = answers(unable, [item])
    assert isinstance(answer, NotApplicable)
    assert answer.reason.startswith("grey cannot start a clip from ")
    assert unable.given == []


def test_items_that_do_not_apply_leave_the_others_in_order():
    items = [make_item("a ball", k, CLIP, **(STARTS["image"] if k == 1 else {})) for k in range(4)]
    outputs = answers(Grey(), items)
    assert isinstance(outputs[1], NotApplicable)
    shades = [int(o.frames_THWC.max()) for o in outputs if isinstance(o, Frames)]
    assert shades == [0, 20, 30]


def test_an_answer_of_another_kind_is_a_failure_that_names_all_kinds():
    class Wrong(Grey):
        def generate(self, items: Sequence[Item]) -> Any:
            return ["a path"] * len(items)

    (answer,) = answers(Wrong(), [make_item("a ball", 0, CLIP)])
    assert isinstance(answer, Failure)
    assert "NotApplicable" in answer.reason
