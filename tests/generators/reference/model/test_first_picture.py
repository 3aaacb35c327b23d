from __future__ import annotations

import torch
from screentest.generators.reference.model.first_picture import fit_first_pictures
from screentest.generators.reference.model.parts import WEIGHTS
from screentest.generators.reference.model.vae import encode_clips, load_vae, to_unit
from screentest.generators.worlds.plane import NATIVE_CLIP, render
from screentest.generators.worlds.plane.families import sample_scene
from screentest.harness.core.keys import seeded_rng


def test_the_first_picture_becomes_the_image_and_the_others_stay() -> None:
    vae = load_vae(WEIGHTS / "vae")
    scene = sample_scene(seeded_rng("first"), motion="left")
    right = torch.from_numpy(render(scene, NATIVE_CLIP, words="")[0])
    wrong = right.roll(2, dims=2)  # two pixels off
    with torch.inference_mode():
        latents = vae.normalise(encode_clips(vae, wrong[None], torch.device("cpu")))
        before = vae.decode(vae.denormalise(latents))[0]
        fitted = fit_first_pictures(vae, latents, to_unit(right[None])[:, :, 0])
        after = vae.decode(vae.denormalise(fitted))[0]
    wanted = to_unit(right[None])[0, :, 0]

    def psnr(one: torch.Tensor, other: torch.Tensor) -> float:
        return float(10 * torch.log10(4 / (one - other).square().mean()))

    assert psnr(before[:, 0], wanted) < 28
    assert psnr(after[:, 0], wanted) > 33
    assert psnr(after[:, 1:4], before[:, 1:4]) > 30
    assert torch.equal(fitted[:, :, 1:], latents[:, :, 1:])


def test_each_clip_is_fitted_by_itself() -> None:
    vae = load_vae(WEIGHTS / "vae")
    latents = torch.randn(2, 16, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    pictures = torch.zeros(2, 3, 32, 32)
    together = fit_first_pictures(vae, latents, pictures)
    alone = torch.cat([fit_first_pictures(vae, latents[n : n + 1], pictures[n : n + 1]) for n in (0, 1)])
    torch.testing.assert_close(together, alone, atol=1e-3, rtol=1e-3)
