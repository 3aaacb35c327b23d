"""The denoising loss of pipelines: that of their model on the clip, whatever the pipeline does around it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from screentest.generators.pipelines.denoising import KNOWN
from screentest.generators.pipelines.generator import DiffusersGenerator
from screentest.generators.pipelines.options import PipelineOptions
from screentest.harness.core.errors import UsageError
from screentest.harness.core.keys import digest
from screentest.metrics.surprise.denoising import DenoisingModel

SHORT = {"max_sequence_length": "16"}
FAMILIES = {"wan": SHORT, "cogvideox": SHORT, "animatediff": {}, "latte": {}}
LEVELS = (0.25, 0.75)


def made(folder: Path, call: dict[str, str]) -> DiffusersGenerator:
    return DiffusersGenerator(str(folder), PipelineOptions(), {"steps": "2", **call}, device="cpu")


def clip(frames: int = 9, height: int = 32, width: int = 64) -> Any:
    rng = np.random.default_rng(frames)
    return rng.integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_known_family_gives_the_loss_of_a_clip(pipeline_folder, family):
    generator = made(pipeline_folder(family), FAMILIES[family])
    assert isinstance(generator, DenoisingModel)
    shown = clip(16 if family == "latte" else 9)
    losses = generator.denoising_losses(shown, 8.0, "a red ball falls", LEVELS, 3)
    assert len(losses) == 2
    assert all(0 < loss < 100 for loss in losses)
    assert generator.denoising_losses(shown, 8.0, "a red ball falls", LEVELS, 3) == losses
    assert generator.denoising_losses(shown, 8.0, "a red ball falls", LEVELS, 4) != losses
    assert generator.denoising_losses(255 - shown, 8.0, "a red ball falls", LEVELS, 3) != losses
    assert generator.call.name in KNOWN
    assert type(generator._pipeline.scheduler).__name__ != "_OneStep"  # the pipeline's own is back


def test_the_loss_of_wan_is_that_of_its_transformer_by_hand(pipeline_folder):
    generator, level = made(pipeline_folder("wan"), SHORT), 0.4
    shown = clip()
    (loss,) = generator.denoising_losses(shown, 8.0, "a cat", (level,), 7)
    pipe = generator._pipeline
    with torch.no_grad():
        pixels = torch.from_numpy(shown).permute(3, 0, 1, 2)[None] / 127.5 - 1
        mean, std = (
            torch.tensor(part).view(1, -1, 1, 1, 1)
            for part in (pipe.vae.config.latents_mean, pipe.vae.config.latents_std)
        )
        clean = (pipe.vae.encode(pixels).latent_dist.mode() - mean) / std
        key = digest("denoising noise", {"seed": 7, "level": level})
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(int(key[:15], 16)))
        words = pipe.encode_prompt("a cat", do_classifier_free_guidance=False, max_sequence_length=16)[0]
        predicted = pipe.transformer(
            hidden_states=(1 - level) * clean + level * noise,
            timestep=torch.tensor([1000 * level]),
            encoder_hidden_states=words,
        ).sample
    assert loss == pytest.approx(float((predicted - (noise - clean)).square().mean()), rel=1e-4)


def test_frames_that_a_pipeline_cannot_make_are_left_out_and_said(pipeline_folder, capsys):
    generator = made(pipeline_folder("wan"), SHORT)
    shown = clip(12)
    losses = generator.denoising_losses(shown, 8.0, "a cat", LEVELS, 3)
    assert losses == generator.denoising_losses(shown[:9], 8.0, "a cat", LEVELS, 3)
    assert capsys.readouterr().err.count("WanPipeline reads the first 9 of 12 frames") == 1


@pytest.mark.parametrize(
    ("family", "shape", "sentence"),
    [
        (
            "wan",
            (9, 32, 40),
            "makes clips whose sides are multiples of 16, and this one has 9 frames of 40x32",
        ),
        ("latte", (9, 32, 64), "of 16 frames, and this one has 9 frames of 64x32"),
        ("ltx", (9, 32, 64), "the denoising loss of LTXPipeline cannot be had here; it can of WanPipeline"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(pipeline_folder, family, shape, sentence):
    generator = made(pipeline_folder(family), {})
    with pytest.raises(UsageError, match=sentence):
        generator.denoising_losses(clip(*shape), 8.0, "a cat", LEVELS, 3)
