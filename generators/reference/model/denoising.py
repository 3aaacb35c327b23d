"""The denoising loss of given clips: how far the predicted velocity is from the true one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from .vae import encode_clips

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from .dit import DiT
    from .text import TextConditioner
    from .vae import VAE

__all__ = ["denoising_errors"]


def denoising_errors(
    parts: tuple[DiT, VAE, TextConditioner],
    clips: NDArray[np.uint8],
    captions: Sequence[str],
    times: Sequence[float],
    noise: Callable[[int, float, Sequence[int]], Tensor],
) -> NDArray[np.float64]:
    """Compute the mean squared error of the predicted velocity of each clip at each time: (N, times).

    Args:
        parts: the transformer, the autoencoder and the text model, on one device.
        clips: uint8 RGB (N, T, H, W, 3).
        captions: one for each clip.
        times: of the noise, in (0, 1), 1 for nothing else.
        noise: gives that of clip n at a time, in the shape of its latent.
    """
    model, vae, text = parts
    device = next(model.parameters()).device
    with torch.inference_mode():
        clean = vae.normalise(encode_clips(vae, torch.from_numpy(clips), device))
        words, pooled = text(list(captions))
        found: list[Tensor] = []
        for time in times:
            drawn = [noise(n, time, clean.shape[1:]).to(device) for n in range(len(clips))]
            mixed = torch.lerp(clean, torch.stack(drawn), time)
            velocity = model(list(mixed), torch.full((len(clips),), time, device=device), words, pooled)
            error = (torch.stack(velocity) - (torch.stack(drawn) - clean)).double().square()
            found.append(error.mean(dim=(1, 2, 3, 4)))
        return torch.stack(found, dim=1).cpu().numpy()
