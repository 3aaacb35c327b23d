"""Evaluate clips of several things: how often relation, number and order are as the prompt says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ....harness.core.items import Item, make_item
from ....harness.core.keys import seeded_rng
from ....metrics.base import NotApplicable
from ....metrics.expectation import read_expectation
from ....metrics.instructions.measures import SKILLS, every_skill
from ....metrics.tracking.role_assignment import assign_roles
from ....metrics.tracking.shape_tracker import WorldSource
from ....metrics.tracking.tracks import ClipShape
from ...base import Frames, Generator
from ...worlds.plane import NATIVE_CLIP, caption, expectation, sample_scene
from .estimates import Estimate, share

__all__ = ["FAMILIES", "several_things"]

FAMILIES: Final = ("relation", "count", "order")
"""Families of scenes with several things, each of the skill of its name."""


def several_things(generator: Generator, n: int = 100) -> dict[str, Estimate]:
    """Generate clips from captions of scenes with several things, and judge them as `follows.*` does.

    Args:
        generator: of clips of the world's native size.
        n: scenes of each family, drawn from seeds that nothing was trained on.

    Returns:
        For each of `FAMILIES` the share of clips that follow the skill of its name, and as ``NAME, all`` the
        share that follow everything that the caption says. A clip that was not made, or in which the skill
        cannot be judged, counts as one that does not follow.
    """
    found: dict[str, Estimate] = {}
    for family in FAMILIES:
        asked: list[tuple[Item, dict[str, object]]] = []
        for index in range(n):
            rng = seeded_rng("several-things", family, index)
            scene = sample_scene(rng, family=family)
            words = caption(scene, rng)
            asked.append((make_item(words, 5_000_000 + index, NATIVE_CLIP), expectation(scene, words)))
        clips = _clips(generator, [item for item, _ in asked])
        told = [_follows(clip, expect, family) for clip, (_, expect) in zip(clips, asked, strict=True)]
        found[family] = share([skill for skill, _ in told])
        found[f"{family}, all"] = share([whole for _, whole in told])
    return found


def _follows(frames: NDArray[np.uint8] | None, expect: dict[str, object], family: str) -> tuple[bool, bool]:
    if frames is None:
        return False, False
    tracker = WorldSource().open()
    tracker.push(frames)
    height, width = frames.shape[1:3]
    times = np.arange(len(frames)) / NATIVE_CLIP.fps
    cast = assign_roles(
        tracker.finish(ClipShape(height, width, NATIVE_CLIP.fps, times)), read_expectation(expect)
    )
    answers: list[bool] = []
    for skill in (SKILLS[family], every_skill):
        try:
            answers.append(bool(skill(cast).followed))
        except NotApplicable:
            answers.append(False)
    return answers[0], answers[1]


def _clips(generator: Generator, items: Sequence[Item]) -> list[NDArray[np.uint8] | None]:
    made: list[NDArray[np.uint8] | None] = []
    for start in range(0, len(items), generator.batch_size):
        for output in generator.generate(list(items[start : start + generator.batch_size])):
            made.append(output.frames_THWC if isinstance(output, Frames) else None)
    return made
