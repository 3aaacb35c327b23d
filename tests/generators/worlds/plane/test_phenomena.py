"""Lawful everyday motion: every phenomenon is drawn, is what it says, and keeps its laws."""

from __future__ import annotations

import numpy as np
import pytest
from screentest.generators.worlds.plane.phenomena import PHENOMENA, PhenomenonClip, phenomenon_clip
from screentest.generators.worlds.trials import TrialRequest
from screentest.harness.core.items import ClipSettings
from screentest.metrics.expectation import read_expectation

CLIP = ClipSettings(frames=16, height=64, width=64, fps=8)


def clip_of(name: str, index: int = 0) -> PhenomenonClip:
    return phenomenon_clip(TrialRequest(("test", name, index), name, index, CLIP, ("red", "blue")))


@pytest.mark.parametrize("name", PHENOMENA)
def test_a_phenomenon_is_drawn_and_its_expectation_is_read(name: str):
    made = clip_of(name)
    frames = made.draw()
    assert frames.shape == (16, 64, 64, 3)
    assert np.array_equal(frames, clip_of(name).draw())
    assert (frames[0] != frames[-1]).any()
    expect = read_expectation(made.expect)
    assert len(expect.objects) == len(made.movers)
    for mover in made.movers[:1]:
        assert ((mover.place_T2 > 0) & (mover.place_T2 < 1)).all()


def gaps(made: PhenomenonClip) -> np.ndarray:
    one, two = made.movers
    apart = np.hypot(*(two.place_T2 - one.place_T2).T)
    return apart - one.radius_T - two.radius_T


@pytest.mark.parametrize("name", ["chase", "both-move", "soft-contact", "pixel-apart", "glancing"])
def test_things_that_collide_keep_momentum_and_do_not_overlap(name: str):
    for index in range(6):
        made = clip_of(name, index)
        speeds = [np.diff(mover.place_T2, axis=0) * 8 for mover in made.movers]
        areas = [(np.pi if mover.shape == "ball" else 4.0) * mover.radius_T[0] ** 2 for mover in made.movers]
        momentum = sum(area * speed for area, speed in zip(areas, speeds, strict=True))
        np.testing.assert_allclose(momentum[0], momentum[-1], atol=1e-9)
        if all(mover.shape == "ball" for mover in made.movers):
            assert gaps(made).min() > -1.1 / 64


def test_friction_slows_light_dims_and_what_comes_nearer_grows():
    speeds = np.abs(np.diff(clip_of("friction").movers[0].place_T2[:, 0]))
    assert (np.diff(speeds) <= 1e-9).all()
    dimming = clip_of("dimming").draw().astype(float)
    assert dimming[-1].mean() < 0.75 * dimming[0].mean()
    radius = clip_of("coming-nearer").movers[0].radius_T
    assert (np.diff(radius) > 0).all()
