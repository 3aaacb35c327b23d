"""Planted hallucinations: what the measures are held against must itself be as it says."""

from __future__ import annotations

import numpy as np
import pytest
from screentest.generators.worlds.plane.fault_scenes import FAULT_FAMILIES, fault_clip
from screentest.generators.worlds.registry import find_world
from screentest.harness.core.errors import UsageError

NAME = ("test", 0)


@pytest.mark.parametrize("fault", sorted(FAULT_FAMILIES))
def test_every_family_shows_the_fault_and_expects_the_faithful_scene(fault: str):
    for family in FAULT_FAMILIES[fault]:
        clip = fault_clip(fault, family, NAME, 0)
        frames = clip.draw()
        assert frames.shape == (16, 64, 64, 3)
        assert clip.expect["ideal"] is True
        np.testing.assert_array_equal(frames, fault_clip(fault, family, NAME, 0).draw())
        assert (frames != fault_clip(fault, family, NAME, 1).draw()).any()


def test_a_mirrored_clip_is_the_faithful_one_seen_in_a_mirror():
    from dataclasses import replace

    for family in ("uniform", "relation", "camera"):
        mirrored = fault_clip("mirror", family, NAME, 0)
        width = 1.0
        back = tuple(replace(t, x=width - t.x, vx=-t.vx) for t in mirrored.scene.things)
        scene = replace(
            mirrored.scene,
            things=back,
            camera=replace(mirrored.scene.camera, vx=-mirrored.scene.camera.vx),
            dots=tuple((width - x, y) for x, y in mirrored.scene.dots),
        )
        faithful = replace(mirrored, scene=scene).draw()
        assert np.abs(mirrored.draw()[:, :, ::-1].astype(int) - faithful).max() <= 1


def test_a_removed_thing_is_in_no_frame_and_a_flash_in_some():
    removed = fault_clip("removed", "relation", NAME, 0)
    colors = [thing.color for thing in removed.scene.things if thing.x > -1]
    assert len(colors) == len(removed.scene.things) - 1
    flash = fault_clip("flash", "still", NAME, 0)
    start, stop = flash.cut
    assert 0 < start < stop <= 16
    still = flash.draw()
    assert (still[0] == still[start - 1]).all()
    assert (still[0] != still[start]).any()


def test_a_split_keeps_the_area_and_begins_where_the_whole_was():
    clip = fault_clip("split", "still", NAME, 0)
    assert clip.instead is not None
    parts = clip.instead.things
    assert sum(part.radius**2 for part in parts) == pytest.approx(clip.scene.subject.radius**2)
    since = clip.cut[0] / clip.clip.fps
    middle = np.mean([(part.x + part.vx * since, part.y + part.vy * since) for part in parts], axis=0)
    assert middle == pytest.approx([clip.scene.subject.x, clip.scene.subject.y])


def test_no_fault_is_the_faithful_scene():
    clip = fault_clip(None, "biscuit", NAME, 0)
    assert clip.instead is None
    assert clip.scene.violation is None


def test_mistakes_are_sentences():
    with pytest.raises(UsageError, match="did you mean 'mirror'"):
        fault_clip("miror", "uniform", NAME, 0)
    with pytest.raises(UsageError, match="'biscuit' cannot show the fault 'mirror'"):
        fault_clip("mirror", "biscuit", NAME, 0)


def test_the_world_has_them():
    world = find_world("reference")
    assert dict(world.fault_families) == FAULT_FAMILIES
    assert (
        world.fault_clip("heal", "biscuit", NAME, 0).draw() == fault_clip("heal", "biscuit", NAME, 0).draw()
    ).all()
