"""The weights that ship with the package are whole, fit together, and are what the card says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from screentest.generators import Frames
from screentest.generators.reference import (
    CHECKPOINTS,
    SHIPPED,
    WEIGHTS,
    ReferenceGenerator,
    SamplerSettings,
)
from screentest.generators.reference.evaluation.checkpoints import hazard, motions
from screentest.generators.reference.evaluation.several import FAMILIES, several_things
from screentest.generators.reference.evaluation.starts import color_edits, image_starts
from screentest.generators.worlds.plane import NATIVE_CLIPS, world_clips
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.core.media import write_clip


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


@pytest.mark.slow
def test_late_with_fresh_noise_follows_relations_numbers_and_orders_of_several_things() -> None:
    settings = SamplerSettings(solver="renoise", guidance=1.5)
    found = several_things(ReferenceGenerator("late", settings=settings), 40)
    for family in FAMILIES:
        assert found[family]["high"] >= 0.7, family
        assert found[family]["low"] >= 0.5, family


def test_a_start_of_another_world_is_refused_and_one_of_its_own_is_not(tmp_path: Path) -> None:
    generator, clip = ReferenceGenerator("base"), ClipSettings()
    y, x = np.mgrid[0:64, 0:64]
    gradient = np.stack([4 * x, 4 * y, 255 - 2 * x], -1).astype(np.uint8)
    Image.fromarray(gradient).save(tmp_path / "gradient.png")
    (own, _), *_ = world_clips(1, "start-test", clip, families=("fall",))
    Image.fromarray(own[0]).save(tmp_path / "own.png")
    write_clip(tmp_path / "own.mp4", own, 8)
    write_clip(tmp_path / "gradient.mp4", np.repeat(gradient[None], 16, axis=0), 8)
    assert generator.check([make_item("a ball falls", 0, clip, image=str(tmp_path / "own.png"))]) == []
    own_video = str(tmp_path / "own.mp4")
    assert generator.check([make_item("a ball falls", 0, clip, video=own_video, use="edit")]) == []
    for start in ({"image": "gradient.png"}, {"video": "gradient.mp4", "use": "extend"}):
        named: dict[str, Any] = {k: str(tmp_path / v) if k != "use" else v for k, v in start.items()}
        with pytest.raises(UsageError, match=r"gradient\.\w+ is unlike .*dB, and 26 are needed"):
            generator.check([make_item("a ball falls", 0, clip, **named)])


@pytest.mark.slow
def test_edits_take_and_keep_the_background_and_images_come_back() -> None:
    generator = ReferenceGenerator("base")
    edits, starts = color_edits(generator, 40), image_starts(generator, 26)
    for kind in ("color", "shape", "background_kept"):
        assert edits[kind]["value"] >= 0.8, kind
    assert starts["made"]["value"] >= 0.8
    assert starts["first_db"]["value"] >= 33


def test_a_few_edits_take_and_an_image_comes_back() -> None:
    """The fast form of the above."""
    generator = ReferenceGenerator("base")
    edits, starts = color_edits(generator, 4), image_starts(generator, 2)
    assert edits["color"]["value"] >= 0.75
    assert edits["background_db"]["value"] >= 33
    assert starts["made"]["value"] == 1.0
    assert starts["first_db"]["value"] >= 33
