"""Checkpoints on disk: ``model.safetensors`` in float16 beside a ``config.json`` with a format version."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ....harness.core.config import Config, checked
from ....harness.core.errors import MissingWeightsError, UsageError
from ....harness.core.keys import Json, file_sha256, folder_digest

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "FILES",
    "FORMAT_VERSIONS",
    "TEXT_FILES",
    "checkpoint_digest",
    "load_checkpoint",
    "load_weights",
    "read_body",
    "read_config",
    "require_whole",
    "save_checkpoint",
]

FORMAT_VERSIONS: Final = {"dit": 2, "vae": 1, "refiner": 1}
"""Format version of each kind of checkpoint, raised whenever the meaning of its files changes."""
FILES: Final = ("config.json", "model.safetensors")
TEXT_FILES: Final = (*FILES, "tokenizer.json")
"""The files of a text model in the Hugging Face format."""

M = TypeVar("M", bound=Config)
Module = TypeVar("Module", bound="nn.Module")


def checkpoint_digest(folder: Path, *more: str) -> str:
    """Hash a checkpoint's files and the ``more`` ones named, without loading them.

    Raises:
        MissingWeightsError: a file is not there.
    """
    names = (*FILES, *more)
    _require(folder, names)
    return folder_digest(folder, names)


def read_body(folder: Path, kind: str) -> Mapping[str, Any]:
    """Read the ``config.json`` of a checkpoint of this ``kind``.

    Raises:
        MissingWeightsError: the folder or one of its files is not there.
        UsageError: it is not such a checkpoint, is of another format version, or is damaged.
    """
    _require(folder, FILES)
    try:
        body = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{folder / 'config.json'} is not readable JSON ({error}); get the file again"
        ) from None
    if not isinstance(body, dict) or body.get("kind") != kind:
        raise UsageError(
            f"{folder} is not a {kind} checkpoint of the reference generator (see its config.json)"
        )
    if body.get("format_version") != FORMAT_VERSIONS[kind]:
        raise UsageError(
            f"the {kind} checkpoint {folder} has format version {body.get('format_version')!r}, and this "
            f"release reads version {FORMAT_VERSIONS[kind]}; export it again or use the release that wrote it"
        )
    return body


def read_config(folder: Path, kind: str, model: type[M]) -> M:
    """Read the configuration of a checkpoint's model.

    Raises:
        MissingWeightsError, UsageError: as `read_body`, or the configuration is not one of ``model``.
    """
    body = read_body(folder, kind)
    fields = body.get("model")
    if not isinstance(fields, dict):
        raise UsageError(f"{folder / 'config.json'}: 'model' should be an object; get the file again")
    return checked(model, fields, str(folder / "config.json"))


def require_whole(folder: Path, kind: str) -> None:
    """Check the weights of a checkpoint of this ``kind`` against the sha256 in its ``config.json``.

    Raises:
        MissingWeightsError, UsageError: as `read_body`, or they have another.
    """
    path = folder / "model.safetensors"
    if read_body(folder, kind).get("weights_sha256") not in (None, file_sha256(path)):
        raise UsageError(
            f"{path} is damaged: it has another sha256 than its config.json says; get both again"
        )


def load_weights(module: nn.Module, folder: Path, kind: str) -> None:
    """Fill ``module`` with the weights of a checkpoint of this ``kind``, as float32.

    Raises:
        MissingWeightsError: the folder or one of its files is not there.
        UsageError: a file is damaged, or it holds the weights of another model.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / "model.safetensors"
    require_whole(folder, kind)
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise UsageError(
            f"{path} is damaged or not a safetensors file ({error}); get the file again"
        ) from None
    try:
        module.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise UsageError(f"{path} does not fit the config.json beside it ({reason})") from None


def load_checkpoint(folder: Path, kind: str, module: Callable[[M], Module], config: type[M]) -> Module:
    """Load a model of this ``kind`` from its checkpoint, ready to use.

    Raises:
        MissingWeightsError: it is not there.
        UsageError: it is damaged, or of another format version.
    """
    model = module(read_config(folder, kind, config))
    load_weights(model, folder, kind)
    return model.eval()


def save_checkpoint(
    folder: Path, kind: str, config: Config, tensors: Mapping[str, Tensor], more: Mapping[str, Json]
) -> None:
    """Write a checkpoint: float16 tensors, the model's ``config``, and ``more`` (how it was trained)."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    version = FORMAT_VERSIONS[kind]
    halves = {name: tensor.detach().to("cpu", torch.float16).contiguous() for name, tensor in tensors.items()}
    write_beside(folder / "model.safetensors", lambda path: save_file(halves, path))
    body = {
        "kind": kind,
        "format_version": version,
        "model": config.model_dump(mode="json"),
        "weights_sha256": file_sha256(folder / "model.safetensors"),
        **more,
    }
    text = json.dumps(body, indent=2, sort_keys=True) + "\n"
    write_beside(folder / "config.json", lambda path: path.write_text(text, "utf-8"))


def write_beside(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a file beside ``path`` and rename it, so that ``path`` is whole or as it was."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _require(folder: Path, names: tuple[str, ...]) -> None:
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise MissingWeightsError(
            f"no {' and no '.join(missing)} in {folder}; reinstall screentest, or train the weights with "
            "'screentest train'"
        )
