"""The reference generator behind the harness's interface: a checkpoint by name or folder, and a sampler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ...harness.errors import UsageError, unknown_name
from ...harness.suite import ClipSettings
from ..base import Failure, Frames, Generator, Output
from .checkpoint import checkpoint_digest, read_body
from .sampler import SamplerSettings, item_noise, sample

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

    from ...harness.keys import Json
    from ...harness.plan import Item
    from .dit import TextToVideo
    from .vae import VAE

__all__ = ["CHECKPOINTS", "WEIGHTS", "ReferenceGenerator"]

WEIGHTS: Final = Path(__file__).parent / "weights"
CHECKPOINTS: Final = ("early", "late")
SAMPLER_VERSION: Final = 1  # a change of the sampling code that changes clips is a new version


class ReferenceGenerator(Generator):
    """Text to video with the latent diffusion transformer that ships with the package.

    Args:
        checkpoint: ``early``, ``late``, or the path of a folder that `train` wrote (with its autoencoder in
            ``vae`` inside or beside it; otherwise the shipped one is taken).
        settings: steps and guidance.
        device: ``auto``, ``cpu`` or ``cuda``.
        dtype: of the arithmetic, for example ``float32`` or ``bfloat16``.

    Raises:
        UsageError: no checkpoint of that name, or no such dtype.
    """

    batch_size = 8

    def __init__(
        self,
        checkpoint: str = "late",
        *,
        settings: SamplerSettings | None = None,
        device: str = "auto",
        dtype: str = "float32",
    ) -> None:
        self.spec = f"reference:{checkpoint}"
        self.settings = settings or SamplerSettings()
        self.device, self.dtype = device, dtype
        if dtype not in ("float32", "bfloat16", "float16"):
            raise unknown_name("dtype", dtype, ["float32", "bfloat16", "float16"])
        if checkpoint in CHECKPOINTS:
            self.folder = WEIGHTS / checkpoint
        elif "/" in checkpoint or Path(checkpoint).is_dir():
            self.folder = Path(checkpoint)
        else:
            raise unknown_name("reference checkpoint", checkpoint, CHECKPOINTS)
        self._loaded: _Loaded | None = None

    @property
    def vae_folder(self) -> Path:
        """Where the autoencoder of this checkpoint is."""
        near = (self.folder / "vae", self.folder.parent / "vae")
        return next((folder for folder in near if folder.is_dir()), WEIGHTS / "vae")

    def identity(self) -> Mapping[str, Json]:
        """List the weights by digest and the sampler's settings; nothing is loaded."""
        return {
            "name": "reference",
            "model": checkpoint_digest(self.folder, "tokenizer.json"),
            "vae": checkpoint_digest(self.vae_folder),
            "sampler": {"version": SAMPLER_VERSION, **self.settings.model_dump(mode="json")},
            "dtype": self.dtype,
        }

    def check(self, items: Sequence[Item]) -> list[str]:
        """Refuse sizes that the checkpoint was not trained on, and images and videos to start from.

        Raises:
            UsageError: a size that the checkpoint does not know, an item that starts from an image or a
                video, or a checkpoint that cannot be read.
        """
        known = self._known_clip()
        for item in items:
            if item.clip != known:
                raise UsageError(
                    f"{self.spec} makes clips of {_size(known)} only, and the suite asks for "
                    f"{_size(item.clip)}; set 'clip' in the suite to what the checkpoint knows"
                )
            if item.image or item.video:
                raise UsageError(
                    f"{self.spec} reads text only, and the prompt {item.prompt!r} starts from "
                    f"{item.image or item.video}; take it out of the suite, or choose another generator"
                )
        return []

    def generate(self, items: Sequence[Item]) -> list[Output]:
        """Make one clip for each item, in order; an item without a prompt is a `Failure`."""
        asked = [item for item in items if item.prompt is not None]
        clips = iter(self._clips(asked) if asked else [])
        return [
            Failure("the reference generator needs a prompt") if item.prompt is None else next(clips)
            for item in items
        ]

    def _clips(self, items: Sequence[Item]) -> list[Frames]:
        import torch

        from .text import tokenize
        from .vae import to_pixels

        if self._loaded is None:
            self._loaded = _load(self.folder, self.vae_folder, self.device)
        parts = self._loaded
        noise = item_noise([item.id for item in items], parts.model.config.latent)
        ids = tokenize(parts.tokenizer, [item.prompt or "" for item in items])
        empty = tokenize(parts.tokenizer, [""])
        device, dtype = parts.device, getattr(torch, self.dtype)
        with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            latents = sample(parts.model, noise.to(device), ids.to(device), empty.to(device), self.settings)
            pixels = to_pixels(parts.vae.decode(parts.vae.denormalise(latents)))  # (B, T, H, W, 3)
        return [
            Frames(frames, item.clip.fps) for frames, item in zip(pixels.cpu().numpy(), items, strict=True)
        ]

    def _known_clip(self) -> ClipSettings:
        body = read_body(self.folder, "dit")
        try:
            return ClipSettings.model_validate(body.get("clip"))
        except ValueError:
            raise UsageError(
                f"{self.folder / 'config.json'} does not say which clips it was trained on"
            ) from None


@dataclass(frozen=True)
class _Loaded:
    """The parts of a checkpoint, in memory."""

    model: TextToVideo
    vae: VAE
    tokenizer: PreTrainedTokenizerFast
    device: torch.device


def _load(folder: Path, vae_folder: Path, device_name: str) -> _Loaded:
    from .dit import load_text_to_video
    from .loop import torch_device
    from .text import load_tokenizer
    from .vae import load_vae

    device = torch_device(device_name)
    trained_with = read_body(folder, "dit").get("vae_digest")
    if trained_with != checkpoint_digest(vae_folder):
        raise UsageError(
            f"the checkpoint {folder} was trained with another autoencoder than the one in {vae_folder}; put "
            f"its own autoencoder in {folder / 'vae'}"
        )
    model, vae = load_text_to_video(folder), load_vae(vae_folder)
    return _Loaded(model.to(device), vae.to(device), load_tokenizer(folder), device)


def _size(clip: ClipSettings) -> str:
    return f"{clip.frames} frames of {clip.width}x{clip.height} at {clip.fps:g} fps"
