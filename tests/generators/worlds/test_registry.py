"""Worlds by name."""

from __future__ import annotations

import numpy as np
import pytest
from screentest.generators.worlds.plane import NATIVE_CLIP, world_clips
from screentest.generators.worlds.registry import WORLDS, World, find_world
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings
from screentest.harness.suites.reference_sets import ReferenceClips
from screentest.harness.suites.suite import ReferenceSet


def test_every_world_is_one():
    for name in WORLDS:
        world = find_world(name)
        assert isinstance(world, World)
        assert world.name == name
        assert world.families
        assert world.laws


def test_the_reference_world_gives_its_clips():
    ((frames, truth),) = find_world("reference").clips(1, "a seed", NATIVE_CLIP)
    ((same, _),) = world_clips(1, "a seed", NATIVE_CLIP)
    assert np.array_equal(frames, same)
    assert truth.caption


def test_an_unknown_world_is_one_sentence():
    with pytest.raises(UsageError, match="unknown world 'refrence'; did you mean 'reference'"):
        find_world("refrence")


def test_a_second_world_is_an_addition(monkeypatch):
    class Grey:
        name, version = "grey", 3

        def clips(self, n, seed, clip, *, families=()):
            for _ in range(n):
                yield np.full((clip.frames, clip.height, clip.width, 3), 128, np.uint8), None

    monkeypatch.setitem(WORLDS, "grey", Grey)
    clip = ClipSettings(frames=4, height=32, width=32, fps=8)
    of_grey = ReferenceClips(ReferenceSet(world="grey", clips=2), clip)
    assert len(list(of_grey._clips(0))) == 2
    assert of_grey.digest != ReferenceClips(ReferenceSet(world="reference", clips=2), clip).digest
