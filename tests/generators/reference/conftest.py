"""A whole checkpoint with random weights, small enough to make in a second."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from screentest.generators.reference.model.checkpoint import TEXT_FILES, checkpoint_digest, save_checkpoint
from screentest.generators.reference.model.dit import DiT, build_config
from screentest.generators.reference.model.refiner import Refiner, RefinerConfig
from screentest.generators.reference.model.text import TextConfig, build_tokenizer, clip_text_config
from screentest.generators.reference.model.vae import VAE, VAEConfig
from screentest.harness.core.items import ClipSettings
from torch import nn

WORDS = (
    "a",
    "ball",
    "big",
    "blue",
    "falls",
    "green",
    "left",
    "moves",
    "red",
    "rises",
    "square",
    "still",
    "the",
)
TINY_TEXT = TextConfig(vocabulary=len(WORDS) + 4, width=32, depth=1, heads=2)
NATIVE = ClipSettings(frames=16, height=64, width=64, fps=8)
WIDE = ClipSettings(frames=16, height=48, width=80, fps=8)


def randomise(model: nn.Module, scale: float = 0.1) -> None:
    """Give every weight a value, so that nothing stays at the zeros it starts from."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(scale * torch.randn(parameter.shape, generator=generator))


def write_text(folder: Path) -> Path:
    """Write a CLIP model with random weights and its tokenizer."""
    from transformers import CLIPConfig, CLIPModel, CLIPVisionConfig

    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, projection_dim=8
    )
    text = clip_text_config(TINY_TEXT, projection=8)
    model = CLIPModel(
        CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=8)
    )
    randomise(model)
    model.save_pretrained(folder)
    build_tokenizer(WORDS, TINY_TEXT.length).save_pretrained(folder)
    return folder


def write_tiny_checkpoint(folder: Path) -> Path:
    """Write an autoencoder, a text model and a transformer with random weights; return its folder."""
    vae = VAE(VAEConfig(widths=(16, 16, 16), encoder_blocks=(0, 0, 1), decoder_blocks=(0, 0, 1)))
    randomise(vae)
    save_checkpoint(folder / "vae", "vae", vae.config, vae.state_dict(), {})
    write_text(folder / "text")
    refiner = Refiner(RefinerConfig(width=8, blocks=1))
    randomise(refiner)
    save_checkpoint(folder / "refiner", "refiner", refiner.config, refiner.state_dict(), {})
    model = DiT(build_config("nano", 2 * TINY_TEXT.width))
    randomise(model)
    more = {
        "clips": [clip.model_dump(mode="json") for clip in (NATIVE, WIDE)],
        "vae_digest": checkpoint_digest(folder / "vae"),
        "text_digest": checkpoint_digest(folder / "text", *TEXT_FILES),
        "step": 0,
    }
    save_checkpoint(folder / "base", "dit", model.config, model.state_dict(), more)
    return folder / "base"


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def own_checkpoint(tmp_path: Path) -> Path:
    """Write a checkpoint that a test may damage."""
    return write_tiny_checkpoint(tmp_path)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Keep tiny models on one thread: more would wait for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
