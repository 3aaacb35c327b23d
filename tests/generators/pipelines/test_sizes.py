"""The nearest size and length that a pipeline can make."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from screentest.generators.pipelines.sizes import Grid, divisor_in, grid_of, rounded
from screentest.harness.core.items import ClipSettings


@pytest.mark.parametrize(
    ("pipeline", "grid"),
    [
        ({"vae_scale_factor_spatial": 8, "vae_scale_factor_temporal": 4, "patch": (1, 2, 2)}, Grid(16, 4)),
        ({"vae_spatial_compression_ratio": 32, "vae_temporal_compression_ratio": 8, "patch": 1}, Grid(32, 8)),
        ({"vae_scale_factor": 8}, Grid(8, 1)),
        ({"vae_scale_factor": 8, "patch": 2, "video_length": 16}, Grid(16, 1, 16)),
        ({}, Grid(8, 1)),
    ],
)
def test_the_grid_is_read_off_the_pipeline(pipeline, grid):
    fields = dict(pipeline)
    own = {"patch_size": fields.pop("patch", 1)}
    if "video_length" in fields:
        own["video_length"] = fields.pop("video_length")
    if "patch_size" in own and own["patch_size"] != 1:
        fields["transformer"] = SimpleNamespace(config=SimpleNamespace(**own))
    assert grid_of(SimpleNamespace(**fields)) == grid


@given(
    st.integers(1, 200),
    st.integers(8, 2000),
    st.integers(8, 2000),
    st.sampled_from([8, 16, 32, 24]),
    st.integers(1, 8),
)
def test_the_rounded_clip_is_possible_and_the_nearest(frames, height, width, side, step):
    clip = ClipSettings(frames=frames, height=height, width=width)
    found = rounded(clip, Grid(side, step))
    assert (found[0] - 1) % step == 0
    assert abs(found[0] - frames) <= step / 2
    for got, asked in zip(found[1:], (height, width), strict=True):
        assert got % side == 0
        assert got >= side
        assert abs(got - asked) <= side / 2 or got == side


def test_a_complaint_names_the_divisor():
    assert divisor_in("`height` and `width` have to be divisible by 32 but are 30 and 41.") == 32
    assert divisor_in("something else") is None
    assert divisor_in("divisible by 0") is None
    assert Grid(16, 4).with_side(24) == Grid(48, 4)
