from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from screentest.generators import Frames, Generator, Output, Refusal
from screentest.generators.reference.evaluate import generator_accuracy, held_out_items, psnr
from screentest.generators.reference.world import render
from screentest.harness.plan import Item


class Truthful(Generator):
    """Renders the scene behind each held-out caption; refuses every second one if asked to."""

    spec = "truthful"
    batch_size = 5

    def __init__(self, items: int, *, refuse: bool = False) -> None:
        self.scenes = {item.id: scene for item, scene in held_out_items(items)}
        self.refuse = refuse

    def identity(self) -> Mapping[str, Any]:
        return {"name": "truthful"}

    def generate(self, items: Sequence[Item]) -> list[Output]:
        return [
            Refusal("no") if self.refuse and item.seed % 2 else Frames(render(self.scenes[item.id])[0], 8.0)
            for item in items
        ]


def test_the_truth_is_all_right_and_a_refusal_is_not() -> None:
    shares = generator_accuracy(Truthful(6), 6)
    assert {name: share["share"] for name, share in shares.items()} == {
        "color": 1.0,
        "shape": 1.0,
        "motion": 1.0,
        "all": 1.0,
    }
    assert shares["all"]["n"] == 6
    low = shares["all"]["low"]
    assert low == pytest.approx(6 / (6 + 1.959964**2), abs=1e-6)  # Wilson's bound at n of n
    assert generator_accuracy(Truthful(6, refuse=True), 6)["color"]["share"] == 0.5


def test_held_out_captions_ask_for_everything_equally_often() -> None:
    items = held_out_items(108)
    assert len({item.id for item, _ in items}) == 108
    asked = Counter((scene.color, scene.shape, scene.motion) for _, scene in items)
    assert set(asked.values()) == {1}
    assert all(scene.color in (item.prompt or "") for item, scene in items)


def test_psnr_of_a_known_error() -> None:
    a = np.full((2, 4, 4, 3), 100, np.uint8)
    assert psnr(a, a) == math.inf
    assert psnr(a, a + np.uint8(10)) == pytest.approx(20 * math.log10(25.5))
