"""The models that `screentest train` can train, by name; heavy libraries are imported only for training."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import ValidationError

from ....harness.core.config import Config, explain
from ....harness.core.errors import UsageError, unknown_name
from ..model.checkpoint import write_beside
from ..model.parts import CHECKPOINTS, WEIGHTS

if TYPE_CHECKING:
    from .dit import TrainDit
    from .loop import Watch

__all__ = ["SHIPPED", "TRAINABLE", "export", "settings_of", "train"]

TRAINABLE: Final[dict[str, str]] = {
    "vae": "the video autoencoder",
    "text": "the model that reads prompts for the diffusion transformer",
    "dit": "the diffusion transformer, with OUT/vae and OUT/text or the shipped ones",
    "refiner": "the second stage of the cascade, on what OUT/vae or the shipped autoencoder makes of clips",
    "clip": "the image-text encoder that measures alignment",
    "subject": "the image encoder that measures subject consistency",
    "hazard": "the frame classifier that detects the hazard glyph",
    "video": "the video encoder that measures Frechet video distance",
}
"""Trainable models: name -> one line of description."""

SHIPPED: Final = ("vae", "text", "refiner", *CHECKPOINTS, "clip", "subject", "hazard", "video")
"""The checkpoints that ship with the package, each a folder of ``weights/``."""

_CHECKPOINT_FILES: Final = (
    "config.json",
    "model.safetensors",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
)
M = TypeVar("M", bound=Config)


def train(
    what: str,
    *,
    out: Path,
    overrides: Mapping[str, Any],
    watch: Callable[[TrainDit, Path], Watch | None] | None = None,
) -> Path:
    """Train one of `TRAINABLE` into the folder ``out`` and return the checkpoint's folder.

    A run that was interrupted resumes when it is started again with the same settings. ``overrides`` are
    fields of the training configuration (steps, batch, lr, seed, device ...). ``watch`` makes what watches
    the training of the diffusion transformer.

    Raises:
        UsageError: nothing of that name, a setting that does not exist, or a folder with another run in it.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; name a folder for what is trained")
    kind, run = _trainer(what)
    settings = _settings(kind, overrides)
    if what == "dit" and watch is not None:
        return run(settings, out, watch(settings, out))
    return run(settings, out)


def settings_of(what: str) -> type[Config]:
    """Find the training configuration of one of `TRAINABLE`: what can be set.

    Raises:
        UsageError: nothing of that name.
    """
    return _trainer(what)[0]


def _trainer(what: str) -> tuple[type[Any], Callable[..., Path]]:
    """Find the training configuration, and what trains by it into a folder."""
    if what not in TRAINABLE:
        raise unknown_name("thing to train", what, TRAINABLE)
    if what == "vae":
        from .vae import TrainVae, train_vae

        return TrainVae, train_vae
    if what == "text":
        from .text import TrainText, train_text

        return TrainText, train_text
    if what == "refiner":
        from .refiner import TrainRefiner, train_refiner

        return TrainRefiner, train_refiner
    if what == "dit":
        from .dit import TrainDit, train_dit

        return TrainDit, train_dit
    from .encoders import TrainEncoder, train_encoder

    return TrainEncoder, partial(train_encoder, what)


def export(out: Path, *, weights: Path = WEIGHTS, names: Sequence[str] = SHIPPED) -> list[str]:
    """Copy trained checkpoints from ``out`` to where they ship from; return the names that were there.

    Raises:
        UsageError: none of them is in ``out``.
    """
    found = [name for name in names if (out / name / "model.safetensors").is_file()]
    if not found:
        raise UsageError(f"no checkpoint in {out}: none of {', '.join(names)}; train there first")
    for name in found:
        folder = weights / name
        folder.mkdir(parents=True, exist_ok=True)
        for file in _CHECKPOINT_FILES:
            source = out / name / file
            if source.is_file():
                write_beside(folder / file, partial(shutil.copyfile, source))
    return found


def _settings(model: type[M], overrides: Mapping[str, Any]) -> M:
    try:
        return model.model_validate(dict(overrides))
    except ValidationError as error:
        raise UsageError(f"training settings: {explain(error, model)}") from None
