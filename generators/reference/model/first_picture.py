"""Fit the first latent frame of a sampled clip to the image that the clip starts from.

The transformer is told the image and draws a first latent frame of four pictures; a moving thing may lie a
pixel off in it. A few steps of gradient descent through the decoder bring the first picture back to the image
and hold the others where they are. As hard data consistency: Song et al. 2023, "Solving Inverse Problems with
Latent Diffusion Models" (arXiv:2307.08123).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from torch import Tensor

    from .vae import VAE

__all__ = ["fit_first_pictures"]

STEPS: Final = 30
RATE: Final = 0.1  # of Adam, in standard deviations of the latents
HOLD: Final = 0.1  # weight of the three pictures after the first, which are to stay as they are
_CONTEXT: Final = 2  # latent frames that are decoded: the first, and the next, which the decoder looks at


def fit_first_pictures(vae: VAE, latents: Tensor, pictures: Tensor) -> Tensor:
    """Fit clips to their images.

    Args:
        vae: decodes normalised latents.
        latents: (B, C, T, H, W), of unit variance a channel.
        pictures: (B, 3, 8 H, 8 W) in [-1, 1].

    Returns:
        Latents that differ from ``latents`` in their first frame alone.
    """
    import torch

    with torch.inference_mode(False), torch.enable_grad():
        rest, wanted = latents[:, :, 1:_CONTEXT].clone(), pictures.clone()
        first = latents[:, :, :1].clone().requires_grad_()
        held: Tensor | None = None
        adam = torch.optim.Adam([first], lr=RATE, betas=(0.8, 0.9))
        for _ in range(STEPS):
            decoded = vae.decode(vae.denormalise(torch.cat([first, rest], dim=2)))  # (B, 3, 4 to 8, H, W)
            held = decoded[:, :, 1:4].detach() if held is None else held
            error = (decoded[:, :, 0] - wanted).square().sum()
            error = error + HOLD * (decoded[:, :, 1:4] - held).square().sum()
            (first.grad,) = torch.autograd.grad(error, [first])
            adam.step()
        return torch.cat([first.detach(), latents[:, :, 1:]], dim=2)
