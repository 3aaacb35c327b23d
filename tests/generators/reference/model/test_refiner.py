from __future__ import annotations

from pathlib import Path

import torch
from screentest.generators.reference import train
from screentest.generators.reference.model.refiner import (
    Refiner,
    RefinerConfig,
    interpolate,
    load_refiner,
    refine,
)

from ..conftest import randomise


def test_it_starts_as_the_interpolation() -> None:
    clips = torch.randn(2, 3, 4, 8, 10)
    out = Refiner(RefinerConfig(width=8, blocks=1))(clips)
    assert out.shape == (2, 3, 4, 16, 20)
    torch.testing.assert_close(out, interpolate(clips))


def test_parts_of_a_clip_give_what_the_whole_gives() -> None:
    model = Refiner(RefinerConfig(width=8, blocks=1)).eval()
    randomise(model)
    clips = torch.randn(1, 3, 11, 8, 8)
    with torch.inference_mode():
        whole = model(clips)
        for frames in (1, 4, 5, 11, 16):
            torch.testing.assert_close(refine(model, clips, frames), whole, atol=1e-5, rtol=1e-5)


def test_training_writes_what_loads(tmp_path: Path, tiny_checkpoint: Path) -> None:
    (tmp_path / "vae").symlink_to(tiny_checkpoint.parent / "vae")
    model = {"width": 8, "blocks": 1}
    settings = {"steps": 2, "batch": 2, "clips": 2, "model": model, "tracking": "none"}
    folder = train("refiner", out=tmp_path, overrides=settings)
    assert folder == tmp_path / "refiner"
    assert load_refiner(folder).config.width == 8
