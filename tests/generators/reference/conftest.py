"""A whole checkpoint with random weights, small enough to make in a second."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from screentest.generators.reference.checkpoint import checkpoint_digest, save_checkpoint
from screentest.generators.reference.dit import TextToVideo, build_config
from screentest.generators.reference.text import TextConfig, build_tokenizer
from screentest.generators.reference.vae import VAE, VAEConfig
from screentest.generators.reference.words import vocabulary
from screentest.generators.reference.world import NATIVE_CLIP
from torch import nn

TINY_TEXT = TextConfig(vocabulary=len(vocabulary()) + 4, width=32, depth=1, heads=2, length=16)


def randomise(model: nn.Module, scale: float = 0.1) -> None:
    """Give every weight a value, so that nothing stays at the zeros it starts from."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(scale * torch.randn(parameter.shape, generator=generator))


def write_tiny_checkpoint(folder: Path) -> Path:
    """Write an autoencoder and a transformer with random weights; return the transformer's folder."""
    vae = VAE(VAEConfig(widths=(16, 16, 16), encoder_blocks=(0, 0, 1), decoder_blocks=(0, 0, 1)))
    randomise(vae)
    save_checkpoint(folder / "vae", "vae", vae.config, vae.state_dict(), {})
    model = TextToVideo(build_config("nano", TINY_TEXT))
    randomise(model)
    more = {
        "clip": NATIVE_CLIP.model_dump(mode="json"),
        "vae_digest": checkpoint_digest(folder / "vae"),
        "step": 0,
    }
    save_checkpoint(folder / "late", "dit", model.config, model.state_dict(), more)
    build_tokenizer(vocabulary(), TINY_TEXT.length).save_pretrained(folder / "late")
    return folder / "late"


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def own_checkpoint(tmp_path: Path) -> Path:
    """Write a checkpoint that a test may damage."""
    return write_tiny_checkpoint(tmp_path)
