"""The denoising loss of a pipeline of diffusers on given clips, by its own call.

A clip is encoded, noised to a level as in training, and given to the pipeline as its latents, with a
scheduler of one step in the place of its own: what the pipeline hands to that step is the model's prediction,
after all that the pipeline does before it. The loss is its mean squared error, without guidance, which is no
part of the likelihood.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import torch

from ...harness.core.errors import UsageError, describe
from ...harness.core.keys import digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["KNOWN", "as_latents", "denoising_losses", "encoded", "noised", "prediction"]

KNOWN: Final = {
    "WanPipeline": "CT",
    "CogVideoXPipeline": "TC",
    "AnimateDiffPipeline": "CT",
    "LattePipeline": "CT",
    "HunyuanVideoPipeline": "CT",
    "MochiPipeline": "CT",
    "LTXPipeline": "tokens",
}
"""Pipelines whose latents are known here -> their layout: the order of channels and frames, or tokens."""


class _PredictionError(Exception):
    """Carries the model's prediction out of a pipeline's call."""

    def __init__(self, prediction: Tensor) -> None:
        super().__init__("the prediction is made")
        self.prediction = prediction


class _OneStep:
    """A scheduler of one step, which ends the call with what the model predicts."""

    order = 1
    init_noise_sigma = 1.0

    def __init__(self, scheduler: Any, timestep: float) -> None:
        self._scheduler = scheduler
        self.config = scheduler.config
        self.timesteps = torch.tensor([timestep])
        self.sigmas = torch.tensor([timestep / float(scheduler.config.num_train_timesteps), 0.0])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scheduler, name)

    def set_timesteps(
        self,
        num_inference_steps: int | None = None,
        device: Any = None,
        timesteps: Any = None,
        sigmas: Any = None,
        mu: Any = None,
    ) -> None:
        """Keep the one timestep, whatever is asked for."""
        del num_inference_steps, timesteps, sigmas, mu
        self.timesteps = self.timesteps.to(device)

    def set_begin_index(self, begin_index: int = 0) -> None:
        """Do nothing: there is one step."""

    def scale_model_input(self, sample: Tensor, timestep: Any = None) -> Tensor:
        """Give the sample as it is: it is noised as the model was trained on it."""
        del timestep
        return sample

    def step(self, model_output: Tensor, timestep: Any, sample: Tensor, return_dict: bool = True) -> None:
        """End the call."""
        del timestep, sample, return_dict
        raise _PredictionError(model_output)


def denoising_losses(
    pipeline: Any,
    name: str,
    frames_THWC: NDArray[np.uint8],
    arguments: Mapping[str, Any],
    levels: Sequence[float],
    seed: int,
) -> list[float]:
    """Compute the mean squared error of the prediction for a clip, one for each level.

    For models of rectified flow a level is the share of noise; for others the timestep over all of them.

    Args:
        pipeline: loaded, of one of `KNOWN`.
        name: of its class.
        frames_THWC: uint8 RGB, of a size and length that it makes.
        arguments: of its call, without latents and scheduler.
        levels: in (0, 1).
        seed: of the noise.

    Raises:
        UsageError: the pipeline's scheduler says too little of the training, or the call fails.
    """
    clean = encoded(pipeline, frames_THWC)
    losses: list[float] = []
    own = pipeline.scheduler
    for level in levels:
        key = digest("denoising noise", {"seed": seed, "level": level})
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(int(key[:15], 16)))
        noise = noise.to(clean.device, clean.dtype)
        noisy, target, timestep = noised(own, clean, noise, level)
        made = prediction(pipeline, name, arguments, as_latents(pipeline, name, noisy), timestep)
        error = made.double() - as_latents(pipeline, name, target).double()
        losses.append(float(error.square().mean()))
    return losses


def prediction(
    pipeline: Any, name: str, arguments: Mapping[str, Any], latents: Tensor, timestep: float
) -> Tensor:
    """Take the model's prediction for noisy latents out of the pipeline's own call.

    Args:
        pipeline: loaded, of one of `KNOWN`.
        name: of its class.
        arguments: of its call, without latents.
        latents: as the pipeline holds them; see `as_latents`.
        timestep: of the noise in them.

    Raises:
        UsageError: the call fails, or makes no step.
    """
    own = pipeline.scheduler
    pipeline.scheduler = _OneStep(own, timestep)
    try:
        pipeline(**arguments, latents=latents)
    except _PredictionError as made:
        return made.prediction
    except Exception as error:
        raise UsageError(f"{name} failed on the clip: {describe(error)[:300]}") from error
    finally:
        pipeline.scheduler = own
        pipeline.maybe_free_model_hooks()
    raise UsageError(f"the denoising loss of {name} cannot be had: its call makes no step")


def as_latents(pipeline: Any, name: str, latents_BCTHW: Tensor) -> Tensor:
    """Lay latents out as the pipeline holds them: (B, C, T, H, W), (B, T, C, H, W) or tokens (B, N, C)."""
    layout = KNOWN[name]
    if layout == "tokens":
        sides = (pipeline.transformer_spatial_patch_size, pipeline.transformer_temporal_patch_size)
        return pipeline._pack_latents(latents_BCTHW, *sides)
    return latents_BCTHW.transpose(1, 2) if layout == "TC" else latents_BCTHW


def encoded(pipeline: Any, frames_THWC: NDArray[np.uint8]) -> Tensor:
    """Encode a clip as the pipeline's latents are in training: (1, C, T, H, W)."""
    vae = pipeline.vae
    x_TCHW = torch.from_numpy(frames_THWC).permute(0, 3, 1, 2).to(pipeline._execution_device, vae.dtype)
    x_TCHW = x_TCHW / 127.5 - 1.0
    if type(vae).__name__ == "AutoencoderKL":  # frame by frame
        coded = torch.cat([vae.encode(frame[None]).latent_dist.mode() for frame in x_TCHW])
        latent = coded.transpose(0, 1)[None]
    else:
        latent = vae.encode(x_TCHW.transpose(0, 1)[None]).latent_dist.mode()
    config = vae.config
    mean, std = (_statistic(vae, part) for part in ("latents_mean", "latents_std"))
    if mean is not None and std is not None:
        shape = (1, -1, 1, 1, 1)
        of_mean, of_std = (torch.as_tensor(v, device=latent.device, dtype=latent.dtype) for v in (mean, std))
        latent = (latent - of_mean.view(shape)) / of_std.view(shape)
    else:
        latent = latent - (getattr(config, "shift_factor", None) or 0.0)
    return latent * (getattr(config, "scaling_factor", None) or 1.0)


def _statistic(vae: Any, name: str) -> Any:
    """Give a mean or deviation of the latents' channels: of the configuration, or among the weights."""
    told = getattr(vae.config, name, None)
    return getattr(vae, name, None) if told is None else told


def noised(scheduler: Any, clean: Tensor, noise: Tensor, level: float) -> tuple[Tensor, Tensor, float]:
    """Noise latents as in training: the noisy latents, what the model should predict, and the timestep.

    The timestep of a flow is its share of noise, over all of them; the shift of a schedule decides which
    shares a sampler visits, and not what the model is told of one. Where the scheduler has its shares
    inverted, time runs from noise to the clip, and so does the velocity.
    """
    config = scheduler.config
    steps = int(config.num_train_timesteps)
    kind = config.get("prediction_type", "epsilon")
    flows = (
        "FlowMatch" in type(scheduler).__name__ or config.get("use_flow_sigmas") or kind.startswith("flow")
    )
    if flows:
        noisy = torch.lerp(clean, noise, level)
        if config.get("invert_sigmas"):
            return noisy, clean - noise, (1 - level) * steps
        return noisy, noise - clean, level * steps
    products = getattr(scheduler, "alphas_cumprod", None)
    if products is None or kind not in ("epsilon", "v_prediction", "sample"):
        raise UsageError(
            f"the scheduler {type(scheduler).__name__} with predictions of {kind!r} does not say how its "
            "model was trained; name another with scheduler="
        )
    timestep = round(level * (steps - 1))
    share = float(products[timestep])
    keep, add = share**0.5, (1 - share) ** 0.5
    targets = {"epsilon": noise, "v_prediction": keep * noise - add * clean, "sample": clean}
    return keep * clean + add * noise, targets[kind], timestep
