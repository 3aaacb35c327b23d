from __future__ import annotations

import pytest
import torch
from screentest.generators.reference.dit import DiT, TextToVideo, build_config, sincos_position
from screentest.generators.reference.text import TextConfig
from screentest.harness.errors import UsageError

from .conftest import TINY_TEXT, randomise


def inputs(config_text: TextConfig, batch: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(batch, 16, 4, 8, 8, generator=generator)
    ids = torch.randint(4, config_text.vocabulary, (batch, config_text.length), generator=generator)
    ids[:, 0], ids[:, -1] = 2, 3
    return x, torch.linspace(0.1, 0.9, batch), ids


def test_it_starts_as_the_zero_velocity() -> None:
    model = TextToVideo(build_config("nano", TINY_TEXT))
    x, time, ids = inputs(TINY_TEXT)
    assert torch.equal(model(x, time, ids), torch.zeros_like(x))


def test_a_block_starts_as_the_identity() -> None:
    block = DiT(build_config("nano", TINY_TEXT)).blocks[0]
    tokens = torch.randn(2, 5, 48)
    assert torch.equal(block(tokens, torch.randn(2, 48)), tokens)


def test_patches_go_back_where_they_came_from() -> None:
    config = build_config("nano", TINY_TEXT, latent=(2, 4, 6, 8), patch=(2, 2, 4))
    patches = DiT(config).patches
    x = torch.arange(2 * 4 * 6 * 8.0).view(1, 2, 4, 6, 8)
    captured: list[torch.Tensor] = []
    patches.project.register_forward_pre_hook(lambda _, args: captured.append(args[0]))
    assert patches(x).shape == (1, 2 * 3 * 2, 48)
    assert torch.equal(patches.restore(captured[0]), x)


def test_everything_that_is_told_matters() -> None:
    model = TextToVideo(build_config("nano", TINY_TEXT)).eval()
    randomise(model)
    x, time, ids = inputs(TINY_TEXT)
    with torch.no_grad():
        base = model(x, time, ids)
        assert base.shape == x.shape
        assert (model(x, time + 0.05, ids) - base).abs().max() > 1e-3
        other = ids.clone()
        other[:, 1] = torch.where(ids[:, 1] == 4, 5, 4)
        assert (model(x, time, other) - base).abs().max() > 1e-3


def test_a_clip_does_not_depend_on_its_batch() -> None:
    model = TextToVideo(build_config("nano", TINY_TEXT)).eval()
    randomise(model)
    x, time, ids = inputs(TINY_TEXT)
    with torch.no_grad():
        together = model(x, time, ids)
        alone = torch.cat([model(x[i : i + 1], time[i : i + 1], ids[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


def test_every_cell_has_a_position_of_its_own() -> None:
    position = sincos_position((4, 4, 4), 48)[0]
    assert position.shape == (64, 48)
    distances = torch.cdist(position, position) + 1e9 * torch.eye(64)
    assert distances.min() > 0.3


def test_an_unknown_size_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean 'small'"):
        build_config("smal", TINY_TEXT)


def test_the_shipped_size_is_about_three_million_parameters() -> None:
    text = TextConfig(vocabulary=TINY_TEXT.vocabulary)
    model = DiT(build_config("small", text))
    assert 2_000_000 < sum(p.numel() for p in model.parameters()) < 3_500_000
