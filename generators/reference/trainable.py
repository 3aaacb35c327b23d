"""What `screentest train` can train, by name; nothing heavy is imported until it does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from ...harness.config import Config, explain
from ...harness.errors import UsageError, unknown_name

__all__ = ["TRAINABLE", "train"]

TRAINABLE: Final[dict[str, str]] = {
    "vae": "the video autoencoder",
    "dit": "the diffusion transformer, on the latents of OUT/vae or of the shipped autoencoder",
    "clip": "the image-text encoder that measures alignment",
    "subject": "the image encoder that measures subject consistency",
    "video": "the video encoder that measures Frechet video distance",
}
"""What can be trained: name -> one line about it."""

M = TypeVar("M", bound=Config)


def train(what: str, *, out: Path, overrides: Mapping[str, Any]) -> Path:
    """Train one of `TRAINABLE` into the folder ``out`` and return the checkpoint's folder.

    A run that was interrupted resumes when it is started again with the same settings. ``overrides`` are
    fields of the training configuration (steps, batch, lr, seed, device ...).

    Raises:
        UsageError: nothing of that name, a setting that does not exist, or a folder with another run in it.
    """
    if what not in TRAINABLE:
        raise unknown_name("thing to train", what, TRAINABLE)
    if what == "vae":
        from .train import TrainVae, train_vae

        return train_vae(_settings(TrainVae, overrides), out)
    if what == "dit":
        from .train import TrainDit, train_dit

        return train_dit(_settings(TrainDit, overrides), out)
    from .train_encoders import TrainEncoder, train_encoder

    return train_encoder(what, _settings(TrainEncoder, overrides), out)


def _settings(model: type[M], overrides: Mapping[str, Any]) -> M:
    try:
        return model.model_validate(dict(overrides))
    except ValidationError as error:
        raise UsageError(f"training settings: {explain(error, model)}") from None
