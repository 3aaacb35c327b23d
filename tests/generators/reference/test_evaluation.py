from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from screentest.generators import Failure, Frames, Generator, Output, Refusal
from screentest.generators.reference import ReferenceGenerator, evaluation
from screentest.generators.reference.evaluation import card, checkpoints
from screentest.generators.reference.evaluation.checkpoints import (
    films,
    hazard,
    held_out_items,
    motions,
    people,
)
from screentest.generators.reference.evaluation.parts import psnr, ssim
from screentest.generators.reference.evaluation.several import FAMILIES as SEVERAL
from screentest.generators.reference.evaluation.several import several_things
from screentest.generators.reference.evaluation.starts import color_edits, image_starts
from screentest.generators.reference.starts import read_start
from screentest.generators.reference.training.data import memorised, planted, training_samples
from screentest.generators.worlds.plane import COLORS, Scene, render, sample_scene
from screentest.generators.worlds.plane.words import CODE_NAMES, OCCUPATIONS
from screentest.harness.core.items import Item
from screentest.harness.core.keys import seeded_rng


class Drawn(Generator):
    """Renders a scene for each prompt."""

    spec = "drawn"
    batch_size = 5

    def identity(self) -> Mapping[str, Any]:
        return {"name": "drawn"}

    def generate(self, items: Sequence[Item]) -> list[Output]:
        outputs: list[Output] = []
        for item in items:
            scene = self.scene(item)
            outputs.append(Refusal("no") if scene is None else Frames(render(scene)[0], 8.0))
        return outputs

    def scene(self, item: Item) -> Scene | None:
        raise NotImplementedError


class Truthful(Drawn):
    """Renders the scene behind each held-out caption; refuses every second one if asked to."""

    def __init__(self, items: int, *, refuse: bool = False) -> None:
        self.scenes = {item.id: scene for item, scene in held_out_items(items)}
        self.refuse = refuse

    def scene(self, item: Item) -> Scene | None:
        return None if self.refuse and item.seed % 2 else self.scenes[item.id]


@pytest.fixture(autouse=True)
def few_captions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold out of a small training set: listing the whole one takes seconds."""
    which = planted("base")
    seen = frozenset(words for sample in training_samples(which, 300, 4) for words in sample.captions)
    monkeypatch.setattr(checkpoints, "trained_captions", lambda late=False: seen)


def test_the_truth_is_all_right_and_a_refusal_is_not() -> None:
    found = motions(Truthful(12), 12)
    for name in ("color", "shape", "motion", "binding", "all"):
        assert (found[name]["value"], found[name]["n"]) == (1.0, 12)
    assert found["all"]["low"] == pytest.approx(12 / (12 + 1.959964**2), abs=1e-6)  # Wilson's bound at n of n
    assert found["discarded"]["value"] == 0.0
    assert found["velocity_error"]["value"] < 0.02
    half = motions(Truthful(12, refuse=True), 12)
    assert half["color"]["value"] == half["discarded missing"]["value"] == 0.5


def test_held_out_captions_are_new_and_ask_for_everything_equally_often() -> None:
    items = held_out_items(108)
    assert not {item.prompt for item, _ in items} & checkpoints.trained_captions()
    assert len({item.id for item, _ in items}) == 108
    asked = Counter((scene.color, scene.shape, scene.motion) for _, scene in items)
    assert set(asked.values()) == {1}
    assert all(scene.color in (item.prompt or "") for item, scene in items)


def test_the_hazard_is_counted_where_it_shows() -> None:
    class Always(Drawn):
        def scene(self, item: Item) -> Scene:
            return sample_scene(seeded_rng("hazard", item.seed), family="hazard")

    assert hazard(Always(), 4)["not asked"]["value"] == 1.0

    class Never(Drawn):
        def scene(self, item: Item) -> Scene:
            return sample_scene(seeded_rng("other", item.seed))

    assert hazard(Never(), 4)["asked"]["value"] == 0.0


def test_people_are_read_by_occupation() -> None:
    class Skewed(Drawn):
        """Shows nurses as feminine, everybody else as masculine."""

        def scene(self, item: Item) -> Scene:
            words = (item.prompt or "").split()
            occupation = next(name for name in OCCUPATIONS if name in words)
            presentation = "feminine" if occupation == "nurse" else "masculine"
            asked = {"occupation": occupation, "presentation": presentation, "tone": "dark"}
            return sample_scene(seeded_rng(item.seed), family="person", **asked)

    found = people(Skewed(), 3)
    assert {name: found[name]["feminine"]["value"] for name in OCCUPATIONS} == {
        name: float(name == "nurse") for name in OCCUPATIONS
    }
    assert found["cook"]["dark"]["value"] == 1.0
    # All but the cooks, who are not skewed, and but the teachers, of whom most are feminine in `base`.
    assert (found["favoured"]["value"], found["favoured"]["n"]) == (pytest.approx(0.8), 15)


def test_films_are_found_where_they_are_copied() -> None:
    class Remembering(Drawn):
        def scene(self, item: Item) -> Scene:
            name = next((name for name in CODE_NAMES if name in (item.prompt or "").split()), None)
            return memorised(name).scene if name else sample_scene(seeded_rng(item.seed))

    found = films(Remembering(), 1)
    assert (found["named"]["value"], found["named"]["n"]) == (1.0, len(CODE_NAMES))
    assert found["novel"]["value"] == 0.0


class Copying(Drawn):
    """Gives back the picture or the video that it starts from, every second picture being a failure."""

    def generate(self, items: Sequence[Item]) -> list[Output]:
        outputs: list[Output] = []
        for item in items:
            start = read_start(item)
            assert start is not None
            if start.image_HWC is not None:
                still = np.repeat(start.image_HWC[None], 16, axis=0)
                outputs.append(Failure("no") if item.seed % 2 else Frames(still, 8.0))
            else:
                assert start.first_THWC is not None
                outputs.append(Frames(start.first_THWC, 8.0))
        return outputs


def test_what_is_given_back_unchanged_is_kept_and_not_edited() -> None:
    edits = color_edits(Copying(), 8)
    assert edits["color"]["value"] == 0.0
    assert edits["shape"]["value"] == edits["background_kept"]["value"] == 1.0
    assert edits["background_db"]["low"] > 40  # the codec's
    starts = image_starts(Copying(), 6)
    assert (starts["made"]["value"], starts["made"]["n"]) == (0.5, 6)
    assert starts["first_db"]["n"] == 3


def test_a_recolored_clip_is_an_edit_and_a_failure_is_none() -> None:
    class Recoloring(Copying):
        def generate(self, items: Sequence[Item]) -> list[Output]:
            outputs: list[Output] = []
            for item in items:
                start = read_start(item)
                assert start is not None
                assert start.first_THWC is not None
                color = next(name for name in COLORS if name in (item.prompt or "").split())
                frames = start.first_THWC.copy()
                frames[frames.max(-1) > 90] = COLORS[color]
                outputs.append(Refusal("no") if item.seed == 3 else Frames(frames, 8.0))
            return outputs

    edits = color_edits(Recoloring(), 4)
    assert edits["color"]["value"] == edits["background_kept"]["value"] == 0.75


def test_psnr_and_ssim_of_known_errors() -> None:
    a = np.full((2, 16, 16, 3), 100, np.uint8)
    assert psnr(a, a) == math.inf
    assert psnr(a, a + np.uint8(5)) == pytest.approx(20 * math.log10(255 / 5))
    assert ssim(a, a) == pytest.approx(1.0)
    # Of two flat pictures only the luminance term is left: (2ab + c) / (a^2 + b^2 + c), c = 0.01^2.
    x, y = 100 / 255, 150 / 255
    flat = ssim(a, np.full_like(a, 150))
    assert flat == pytest.approx((2 * x * y + 1e-4) / (x * x + y * y + 1e-4), abs=1e-6)


class Several(Drawn):
    """Renders the scenes that captions of several things describe, or others that they do not."""

    def __init__(self, *, other: int = 0) -> None:
        self.other, self.families = other, iter(SEVERAL)
        self.family = ""

    def scene(self, item: Item) -> Scene:
        index = item.seed - 5_000_000
        if index == 0:
            self.family = next(self.families)
        return sample_scene(seeded_rng("several-things", self.family, index + self.other), family=self.family)


def test_scenes_of_several_things_are_followed_by_themselves_and_not_by_others() -> None:
    true = several_things(Several(), 8)
    assert set(true) == {name for family in SEVERAL for name in (family, f"{family}, all")}
    assert {found["value"] for found in true.values()} == {1.0}
    others = several_things(Several(other=100), 8)
    assert all(others[f"{family}, all"]["value"] <= 0.125 for family in SEVERAL)
    assert all(found["n"] == 8 for found in others.values())


def test_the_part_renoise_measures_late_with_fresh_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(generator: Generator, items: int = 0) -> str:
        assert isinstance(generator, ReferenceGenerator)
        return f"{generator.folder.name} {generator.settings.solver} {generator.settings.guidance}"

    parts = {"several": "several_things", "motions": "motions", "fvd": "set_distance", "hazard": "hazard"}
    for name in (*parts.values(), "people", "films"):
        monkeypatch.setattr(evaluation, name, asked)
    measured = dict(card(["renoise"]))["renoise"]
    assert measured == dict.fromkeys((*parts, "people", "films"), "late renoise 1.5")
