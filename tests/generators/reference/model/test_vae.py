from __future__ import annotations

import torch
from screentest.generators.reference.model.vae import (
    VAE,
    VAEConfig,
    depth_to_space,
    space_to_depth,
    to_pixels,
    to_unit,
)

from ..conftest import randomise

TINY = VAEConfig(widths=(16, 16, 16), encoder_blocks=(0, 0, 1), decoder_blocks=(0, 0, 1), latent_channels=4)


def test_space_and_depth_are_inverses() -> None:
    x = torch.randn(2, 3, 4, 8, 16)
    folded = space_to_depth(x, (2, 4, 8))
    assert folded.shape == (2, 3 * 64, 2, 2, 2)
    assert torch.equal(depth_to_space(folded, (2, 4, 8)), x)
    # One output position holds one neighbourhood.
    assert sorted(folded[0, :, 0, 0, 0].tolist()) == sorted(x[0, :, :2, :4, :8].flatten().tolist())


def test_compression_is_four_in_time_and_eight_in_space() -> None:
    model = VAE(TINY)
    posterior = model.encode(torch.randn(2, 3, 8, 32, 48))
    assert posterior.mean.shape == (2, 4, 2, 4, 6)
    assert model.decode(posterior.mean).shape == (2, 3, 8, 32, 48)


def test_a_place_is_coded_alike_in_a_crop_and_in_the_whole() -> None:
    model = VAE(TINY)
    randomise(model)
    clip = torch.randn(1, 3, 8, 96, 96)
    whole = model.encode(clip).mean[..., 5:7, 5:7]
    crop = model.encode(clip[..., 16:80, 16:80]).mean[..., 3:5, 3:5]
    torch.testing.assert_close(whole, crop, atol=1e-4, rtol=1e-4)


def test_kl_is_zero_for_the_standard_normal_and_grows_away_from_it() -> None:
    model = VAE(TINY)
    posterior = model.encode(torch.zeros(1, 3, 4, 8, 8))
    posterior.mean, posterior.log_variance = torch.zeros(1), torch.zeros(1)
    assert posterior.kl().item() == 0
    posterior.mean = torch.tensor([2.0])
    assert posterior.kl().item() == 2.0
    assert posterior.sample(torch.tensor([0.5])).item() == 2.5


def test_normalising_is_undone() -> None:
    model = VAE(TINY.model_copy(update={"latent_mean": (1.0, 2, 3, 4), "latent_std": (1.0, 2, 3, 4)}))
    latents = torch.randn(2, 4, 1, 2, 2)
    normal = model.normalise(latents)
    torch.testing.assert_close(normal[:, 1], (latents[:, 1] - 2) / 2)
    torch.testing.assert_close(model.denormalise(normal), latents)


def test_pixels_survive_the_way_to_floats_and_back() -> None:
    frames = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16, 1).expand(1, 4, 16, 16, 3)
    unit = to_unit(frames)
    assert unit.shape == (1, 3, 4, 16, 16)
    assert (unit.min().item(), unit.max().item()) == (-1.0, 1.0)
    assert torch.equal(to_pixels(unit), frames)
