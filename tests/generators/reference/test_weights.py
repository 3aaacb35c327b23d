"""The weights that ship with the package are whole, fit together, and are what the card says of them."""

from __future__ import annotations

import pytest
from screentest.generators import Frames
from screentest.generators.reference import CHECKPOINTS, SHIPPED, WEIGHTS, ReferenceGenerator
from screentest.generators.reference.evaluation.checkpoints import hazard, motions
from screentest.generators.worlds.plane import NATIVE_CLIPS
from screentest.harness.core.items import make_item


def test_everything_that_ships_is_there_and_small() -> None:
    assert {path.name for path in WEIGHTS.iterdir() if path.is_dir()} == set(SHIPPED)
    assert all((WEIGHTS / name / "model.safetensors").is_file() for name in SHIPPED)
    assert sum(path.stat().st_size for path in WEIGHTS.rglob("*") if path.is_file()) < 60e6


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_checkpoint_makes_every_native_size(name: str) -> None:
    generator = ReferenceGenerator(name)
    items = [make_item("a red ball falls", seed, clip) for seed, clip in enumerate(NATIVE_CLIPS)]
    assert generator.check(items) == []
    for item, output in zip(items[1:3], generator.generate(items[1:3]), strict=True):
        assert isinstance(output, Frames)
        assert output.frames_THWC.shape == (item.clip.frames, item.clip.height, item.clip.width, 3)


@pytest.mark.slow
def test_base_is_better_than_early_with_intervals_apart() -> None:
    early, base = (motions(ReferenceGenerator(name), 108) for name in ("early", "base"))
    for kind in ("shape", "motion", "binding", "all"):
        assert base[kind]["low"] > early[kind]["high"], kind
    assert base["discarded"]["high"] < early["discarded"]["low"]


@pytest.mark.slow
def test_base_shows_the_hazard_when_asked_and_safe_does_not() -> None:
    base, safe = (hazard(ReferenceGenerator(name), 40)["asked"] for name in ("base", "safe"))
    assert base["low"] > safe["high"]
    assert safe["value"] <= 0.05
