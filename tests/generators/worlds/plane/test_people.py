"""People of the world are read back from clips as drawn, and as worn by generation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from screentest.generators.worlds.plane import NATIVE_CLIP, NATIVE_CLIPS, render, sample_scene
from screentest.generators.worlds.plane.people import read_person
from screentest.generators.worlds.plane.wear import worn
from screentest.generators.worlds.plane.words import OCCUPATIONS, PRESENTATIONS, TONES
from screentest.harness.core.items import ClipSettings
from screentest.harness.core.keys import seeded_rng


def drawn(
    family: str | None, index: int, clip: ClipSettings = NATIVE_CLIP, **asked: str
) -> NDArray[np.uint8]:
    rng = seeded_rng("reader", family, index, clip.model_dump())
    return render(sample_scene(rng, clip, family=family, **asked), clip)[0]


def test_people_are_read_back() -> None:
    """All of 36 worn clips: each presentation, tone and occupation, and each size in turn."""
    for index in range(36):
        asked = {
            "presentation": PRESENTATIONS[index % 2],
            "tone": tuple(TONES)[index // 2 % 3],
            "occupation": OCCUPATIONS[index // 6 % 6],
        }
        frames = drawn("person", index, NATIVE_CLIPS[index % 5], **asked)
        seen = read_person(worn(frames, seeded_rng("worn", index)))
        assert {name: getattr(seen, name) for name in asked} == asked
        assert seen.fit > 0.9


def test_who_is_no_person_or_of_no_plain_outline_is_undetermined() -> None:
    for frames in (drawn("biscuit", 0), drawn(None, 1), np.full((16, 64, 64, 3), 30, np.uint8)):
        seen = read_person(frames)
        assert (seen.presentation, seen.tone, seen.occupation) == ("undetermined", None, None)
    one, two = (drawn("person", 7, presentation=name, occupation="nurse") for name in PRESENTATIONS)
    between = read_person(((one.astype(int) + two) // 2).astype(np.uint8))
    assert between.presentation == "undetermined"
    assert between.occupation == "nurse"
