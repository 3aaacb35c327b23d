"""Weights: finding the folder that a source names, hashing it, and loading a model from it.

A source is ``reference`` (packaged), a folder in the Hugging Face layout, or a hub id with an optional
``@revision``. Only safetensors are read, and every parameter must be in the file: a model that would start
with parameters drawn at random is refused, since it would measure nothing under the name of something.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...harness.core.errors import MissingWeightsError, UsageError
from ...harness.core.hub import hub_snapshot
from ...harness.core.keys import folder_digest
from ...harness.core.specs import parse_argument, split_revision

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from .base import EncoderOptions

__all__ = ["WeightsFolder", "find_weights", "load_model", "model_type", "torch_device", "torch_dtype"]

REFERENCE_WEIGHTS = Path(__file__).resolve().parents[2] / "generators" / "reference" / "weights"

_SINGLE = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_SETTINGS = (
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "video_preprocessor_config.json",
)
_TOKENIZER = (
    "added_tokens.json",
    "chat_template.jinja",
    "merges.txt",
    "special_tokens_map.json",
    "spiece.model",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
)
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


@dataclass(frozen=True)
class WeightsFolder:
    """A folder with a model's configuration and safetensors.

    Attributes:
        source: how the user named it; for messages only, never part of an identity.
        path: where it is on this machine.
        files: what is read from it, and so what its digest covers.
    """

    source: str
    path: Path
    files: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Hash the files, 64 hex digits, without loading them."""
        return folder_digest(self.path, self.files)

    def read_json(self, *names: str) -> dict[str, Any] | None:
        """Read the first of these JSON files that is there; None where none is."""
        for name in names:
            if name in self.files:
                value: Any = json.loads((self.path / name).read_text("utf-8"))
                if not isinstance(value, dict):
                    raise UsageError(f"{self.path / name} should hold a JSON object")
                return dict(value)  # pyright: ignore[reportUnknownArgumentType]
        return None

    def config(self) -> dict[str, Any]:
        """Read ``config.json``."""
        return self.read_json("config.json") or {}


def find_weights(role: str, source: str, *, kind: str = "encoder", also: Sequence[str] = ()) -> WeightsFolder:
    """Find the weights of a role on this machine, downloading a hub id that is not here yet.

    Args:
        role: which, for messages and for the packaged ones.
        source: see above; ``reference`` is for encoders only.
        kind: of what it is a role, for messages.
        also: names of further settings files that are read where they are there.

    Raises:
        MissingWeightsError: they are not here and cannot be had; the sentence says what to do.
        UsageError: the folder holds pickled weights only, or is not a model in the Hugging Face layout.
    """
    whose = f"{kind} {role!r}"
    if not Path(source).expanduser().is_dir():
        parse_argument(source, f"the source {source!r} of the {whose}", path=True).without_options()
    if source == "reference" and kind == "encoder":
        path = REFERENCE_WEIGHTS / role
        if not (path / "config.json").is_file():
            raise MissingWeightsError(
                f"the reference weights of the encoder {role!r} are not at {path}; train them with "
                f"`screentest train`, or give the suite other weights: encoders: {{{role}: FOLDER or HUB/ID}}"
            )
    elif Path(source).expanduser().is_dir():
        path = Path(source).expanduser()
    elif source.startswith(("/", ".", "~")) or split_revision(source)[0].count("/") != 1:
        packaged = ", or 'reference'" if kind == "encoder" else ""
        raise MissingWeightsError(
            f"the weights {source!r} of the {whose} are not a folder on this machine; give a folder "
            f"in the Hugging Face layout, a hub id such as openai/clip-vit-large-patch14{packaged}"
        )
    else:
        path = _hub_snapshot(whose, source, also)
    return WeightsFolder(source, path, _list_files(whose, source, path, also))


def model_type(weights: WeightsFolder, role: str, known: Sequence[str], how: str = "reads") -> str:
    """Read off a configuration which kind of model it is.

    Args:
        weights: the folder.
        role: of the encoder, for messages.
        known: the kinds that the encoder takes; empty for any.
        how: what it does with them, for messages.

    Raises:
        UsageError: the model is of another kind.
    """
    kind = str(weights.config().get("model_type"))
    if known and kind not in known:
        kinds = " and ".join(filter(None, (", ".join(known[:-1]), known[-1])))
        raise UsageError(f"the encoder {role!r} {how} {kinds} models; {weights.source!r} is {kind!r}")
    return kind


def _hub_snapshot(whose: str, source: str, also: Sequence[str]) -> Path:
    def whole(path: Path) -> bool:
        return (path / "config.json").is_file() and any((path / name).is_file() for name in (_SINGLE, _INDEX))

    return hub_snapshot(
        source,
        [*_SETTINGS, *_TOKENIZER, *also, _SINGLE, _INDEX, "model-*.safetensors"],
        whole,
        what=f"the weights {source!r} of the {whose}",
        then=f"give their folder as the source of the {whose}",
    )


def _list_files(whose: str, source: str, path: Path, also: Sequence[str]) -> tuple[str, ...]:
    if not (path / "config.json").is_file():
        raise MissingWeightsError(
            f"the weights {source!r} of the {whose} have no config.json in {path}; "
            "point to a folder in the Hugging Face layout (as save_pretrained writes it)"
        )
    if (path / _INDEX).is_file():
        index = json.loads((path / _INDEX).read_text("utf-8"))
        tensors = [_INDEX, *sorted({Path(str(name)).name for name in index["weight_map"].values()})]
    else:
        tensors = [_SINGLE]
    missing = [name for name in tensors if not (path / name).is_file()]
    if missing and any(next(path.glob(pattern), None) for pattern in _PICKLED):
        raise UsageError(
            f"the weights {source!r} of the {whose} are pickled files, which can run code when they "
            f"are opened; screentest reads safetensors only: convert them to {_SINGLE}, or name a revision "
            "that has it (OWNER/NAME@REVISION)"
        )
    if missing:
        raise MissingWeightsError(
            f"the weights {source!r} of the {whose} lack {', '.join(missing)} in {path}"
        )
    settings = [name for name in (*_SETTINGS, *_TOKENIZER, *also) if (path / name).is_file()]
    return tuple(sorted({*tensors, *settings}))


def load_model(
    weights: WeightsFolder, model_class: Any, options: EncoderOptions, *, unused: Sequence[str] = ()
) -> PreTrainedModel:
    """Load a transformers model for inference from safetensors on disk.

    Args:
        weights: the folder.
        model_class: a class with ``from_pretrained``.
        options: device and dtype.
        unused: prefixes of parameters that the encoder never reads, which may be missing.

    Raises:
        UsageError: a parameter is missing from the file or of another shape, or device or dtype is wrong.
    """
    from safetensors import SafetensorError
    from transformers.utils import logging

    device, dtype = torch_device(options), torch_dtype(options)
    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    # What the library would print as a warning is raised below as an error.
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        model, info = model_class.from_pretrained(
            weights.path,
            local_files_only=True,
            use_safetensors=True,
            dtype=dtype,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UsageError(f"the weights {weights.source!r} cannot be loaded: {reason}") from error
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()
    _refuse_random_parameters(weights, info, unused)
    return model.eval().requires_grad_(False).to(device)


def _refuse_random_parameters(weights: WeightsFolder, info: Mapping[str, Any], unused: Sequence[str]) -> None:
    absent = [str(name) for name in info.get("missing_keys", ())]
    absent += [str(key[0] if isinstance(key, tuple) else key) for key in info.get("mismatched_keys", ())]
    wanted = sorted(name for name in absent if not name.startswith(tuple(unused)))
    if wanted:
        more = f" and {len(wanted) - 3} more" if len(wanted) > 3 else ""
        raise UsageError(
            f"the weights {weights.source!r} lack parameters that the encoder reads "
            f"({', '.join(wanted[:3])}{more}), which would be left at random; is this the right model?"
        )


def torch_device(options: EncoderOptions) -> torch.device:
    """Choose the device: ``auto`` is the GPU where there is one.

    Raises:
        UsageError: the device is unknown, or not there.
    """
    import torch

    if options.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(options.device)
    except RuntimeError:
        raise UsageError(f"unknown device {options.device!r}; known: auto, cpu, cuda") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError("the device cuda was asked for, but PyTorch sees no GPU here; use auto or cpu")
    return device


def torch_dtype(options: EncoderOptions) -> torch.dtype:
    """Choose the torch dtype of weights and activations.

    Raises:
        UsageError: the name is not one of float32, bfloat16, float16.
    """
    import torch

    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if options.dtype not in known:
        raise UsageError(f"unknown dtype {options.dtype!r}; known: {', '.join(known)}")
    return known[options.dtype]
