"""The denoising loss of pipelines: that of their model on the clip, whatever the pipeline does around it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from screentest.generators.pipelines.denoising import KNOWN, as_latents, encoded, noised, prediction
from screentest.generators.pipelines.generator import DiffusersGenerator
from screentest.generators.pipelines.library import quiet
from screentest.generators.pipelines.options import PipelineOptions
from screentest.harness.core.errors import UsageError
from screentest.harness.core.keys import digest
from screentest.metrics.surprise.denoising import DenoisingModel

SHORT = {"max_sequence_length": "16"}
FAMILIES = {
    "wan": SHORT,
    "cogvideox": SHORT,
    "animatediff": {},
    "latte": {},
    "ltx": SHORT,
    "mochi": SHORT,
    "hunyuan-video": {},
}
FLOWS: dict[str, dict[str, Any]] = {  # settings of the schedules that the families are published with
    "wan": {"shift": 3.0},
    "ltx": {
        "use_dynamic_shifting": True,
        "base_shift": 0.95,
        "max_shift": 2.05,
        "base_image_seq_len": 1024,
        "shift_terminal": 0.1,
    },
    "mochi": {"invert_sigmas": True},
    "hunyuan-video": {"shift": 7.0},
}
LENGTHS = {"latte": 16, "mochi": 13}
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
    shown = clip(LENGTHS.get(family, 9))
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


@pytest.fixture(autouse=True)
def quietly() -> Iterator[None]:
    """Keep what the libraries warn of out of calls that a test makes itself, as the generator does."""
    with quiet():
        yield


def arguments(family: str, shown: Any, steps: int = 4) -> dict[str, Any]:
    frames, height, width = shown.shape[:3]
    given = {"num_frames": frames, "height": height, "width": width, "num_inference_steps": steps}
    given |= {"prompt": "a red ball", "guidance_scale": 1.0, "output_type": "latent"}
    return given | {name: int(value) for name, value in FAMILIES[family].items()}


def with_schedule(folder: Path, family: str) -> DiffusersGenerator:
    """Load a pipeline whose schedule is that of the published one, and whose latents have statistics."""
    from diffusers import FlowMatchEulerDiscreteScheduler

    generator = made(folder, FAMILIES[family])
    pipe = generator._pipeline
    pipe.scheduler = FlowMatchEulerDiscreteScheduler(**FLOWS[family])
    if family == "ltx":
        channels = pipe.vae.config.latent_channels
        pipe.vae.latents_mean = torch.linspace(-1, 1, channels)
        pipe.vae.latents_std = torch.linspace(0.5, 2, channels)
    return generator


@pytest.mark.parametrize("family", FLOWS)
@torch.inference_mode()
def test_a_step_of_the_pipeline_s_own_call_is_at_our_timestep_with_our_velocity(pipeline_folder, family):
    generator = with_schedule(pipeline_folder(family), family)
    pipe, name = generator._pipeline, generator.call.name
    shown = clip(LENGTHS.get(family, 9))
    given = arguments(family, shown)
    taken: list[tuple[Any, float, Any]] = []
    own_step = pipe.scheduler.step

    def step(predicted: Any, timestep: Any, sample: Any, **more: Any) -> Any:
        taken.append((predicted.clone(), float(timestep), sample.clone()))
        return own_step(predicted, timestep, sample, **more)

    clean = encoded(pipe, shown)
    shape = as_latents(pipe, name, clean)
    pipe.scheduler.step = step
    pipe(**given, latents=torch.randn(shape.shape, generator=torch.Generator().manual_seed(0)))
    pipe.scheduler.step = own_step
    sigmas = [1 - s if pipe.scheduler.config.invert_sigmas else s for s in pipe.scheduler.sigmas.tolist()]
    assert len(taken) == 4
    for number in (1, 2):
        predicted, timestep, sample = taken[number]
        level, after = sigmas[number], sigmas[number + 1]
        assert 0 < after < level < 1
        # The noise that the sample would have if it were of the clip:
        noise = (sample - (1 - level) * shape) / level
        noisy, target, at = noised(pipe.scheduler, shape, noise, level)
        assert at == pytest.approx(timestep, abs=1e-3)
        assert torch.allclose(noisy, sample, atol=1e-4)
        ours = prediction(pipe, name, given, noisy, at)
        assert torch.allclose(ours.float(), predicted.float(), atol=1e-3, rtol=1e-3)
        # A step with the right velocity ends on the straight line between clip and noise.
        pipe.scheduler._step_index = number
        (reached,) = own_step(target, torch.tensor(timestep), noisy, return_dict=False)
        assert torch.allclose(reached, torch.lerp(shape, noise, after), atol=1e-3)


@pytest.mark.parametrize("family", FLOWS)
@torch.inference_mode()
def test_the_latents_of_a_clip_are_what_the_pipeline_decodes_as_that_clip(
    pipeline_folder, family, monkeypatch
):
    generator = with_schedule(pipeline_folder(family), family)
    pipe, name = generator._pipeline, generator.call.name
    shown = clip(LENGTHS.get(family, 9))
    pixels = torch.from_numpy(shown).permute(3, 0, 1, 2)[None] / 127.5 - 1
    raw = pipe.vae.encode(pixels).latent_dist.mode()
    decoded: list[Any] = []

    def decode(latents: Any, *asked: Any, **more: Any) -> Any:
        decoded.append(latents)
        raise KeyboardInterrupt

    monkeypatch.setattr(pipe.vae, "decode", decode)
    monkeypatch.setattr(pipe.scheduler, "step", lambda predicted, at, sample, **more: (sample,))
    latents = as_latents(pipe, name, encoded(pipe, shown))
    with pytest.raises(KeyboardInterrupt):
        pipe(**{**arguments(family, shown), "output_type": "pt"}, latents=latents)
    assert torch.allclose(decoded[0], raw, atol=1e-4)
    assert not torch.allclose(encoded(pipe, shown), raw, atol=1e-2)  # they are scaled


def test_guidance_by_a_second_prompt_is_no_part_of_the_loss(pipeline_folder):
    shown = clip()
    plain, guided = (
        made(pipeline_folder("hunyuan-video"), call)
        for call in ({}, {"true_cfg_scale": "6.0", "negative_prompt": "a blue cat"})
    )
    losses = [one.denoising_losses(shown, 8.0, "a red ball", LEVELS, 3) for one in (plain, guided)]
    assert losses[0] == losses[1]


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
        (
            "ltx-from-image",
            (9, 32, 64),
            "the denoising loss of LTXImageToVideoPipeline cannot be had here; it can of WanPipeline",
        ),
    ],
)
def test_what_cannot_be_had_is_one_sentence(pipeline_folder, family, shape, sentence):
    generator = made(pipeline_folder(family), {})
    with pytest.raises(UsageError, match=sentence):
        generator.denoising_losses(clip(*shape), 8.0, "a cat", LEVELS, 3)
