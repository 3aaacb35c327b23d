"""Load a pipeline onto a device, with the components, scheduler and LoRA weights that are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...harness.core.errors import ScreentestError, UsageError, describe, unknown_name
from .library import library, quiet

if TYPE_CHECKING:
    from PIL.Image import Image

    from .options import PipelineOptions
    from .weights import PipelineFiles

__all__ = ["load_pipeline", "save_memory", "start_image"]


def load_pipeline(
    files: PipelineFiles, options: PipelineOptions, lora: Path | None, *, device: str, dtype: str
) -> Any:
    """Load a pipeline for inference, from files on this machine alone.

    Raises:
        UsageError: it cannot be loaded; the sentence says why.
    """
    import torch

    from ...metrics.encoders.base import EncoderOptions
    from ...metrics.encoders.weights import torch_device, torch_dtype

    chosen = EncoderOptions(device, dtype)
    where, number = torch_device(chosen), torch_dtype(chosen)
    safe: dict[str, Any] = {"local_files_only": True, "use_safetensors": None if files.pickle else True}
    if options.variant:
        safe["variant"] = options.variant
    _ = files.components  # says what is missing
    try:
        with quiet():
            parts = {
                name: _class_of(files, name).from_pretrained(folder, torch_dtype=number, **safe)
                for name, folder in files.changed.items()
            }
            kind = getattr(library(), files.class_name)
            pipeline = kind.from_pretrained(files.root, torch_dtype=number, **parts, **safe)
            if options.scheduler:
                pipeline.scheduler = _scheduler(pipeline, options.scheduler, files.whose)
            if lora is not None:
                pipeline.load_lora_weights(lora.parent, weight_name=lora.name, adapter_name="lora")
                pipeline.set_adapters(["lora"], [options.lora_scale])
            save_memory(pipeline, options, files.whose)
            if options.offload == "none":
                pipeline.to(where)
            elif where.type == "cuda":
                {
                    "model": pipeline.enable_model_cpu_offload,
                    "sequential": pipeline.enable_sequential_cpu_offload,
                }[options.offload](device=where)
    except ScreentestError:
        raise
    except torch.OutOfMemoryError:
        raise UsageError(
            f"{files.whose} does not fit into the memory of {where}; try offload=model, offload=sequential "
            "or --dtype bfloat16"
        ) from None
    except Exception as error:  # each library below raises its own
        raise UsageError(f"{files.whose} cannot be loaded: {describe(error)[:300]}") from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def start_image(path: str, height: int, width: int) -> Image:
    """Read an image to start from; it is scaled to cover the clip, and cut around its centre.

    Raises:
        UsageError: it cannot be read.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            return ImageOps.fit(ImageOps.exif_transpose(image).convert("RGB"), (width, height))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UsageError(f"the image {path} cannot be read: {describe(error)}") from None


def _class_of(files: PipelineFiles, name: str) -> Any:
    """Find the class of a component as the pipeline names it: of diffusers or of transformers alone."""
    import transformers

    module, kind = files.index[name]
    source: Any = {"diffusers": library(), "transformers": transformers}.get(module)
    found = getattr(source, str(kind), None)
    if found is None:
        raise UsageError(f"{files.whose}: the class {module}.{kind} of {name} is not known here")
    return found


def _scheduler(pipeline: Any, name: str, whose: str) -> Any:
    given: Any = library()
    known = [one for one in dir(given) if one.endswith("Scheduler")]
    if name not in known:
        raise unknown_name("scheduler", name, known)
    try:
        return getattr(given, name).from_config(pipeline.scheduler.config)
    except Exception as error:
        raise UsageError(
            f"{whose}: the scheduler {name} does not take its settings: {describe(error)}"
        ) from None


def save_memory(pipeline: Any, options: PipelineOptions, whose: str) -> None:
    """Switch on what saves memory in decoding.

    Raises:
        UsageError: the autoencoder has no such thing.
    """
    for wanted, what in ((options.tiling, "tiling"), (options.slicing, "slicing")):
        enable = getattr(getattr(pipeline, "vae", None), f"enable_{what}", None)
        if wanted and enable is None:
            raise UsageError(f"{whose}: its autoencoder cannot decode with {what}; leave the option out")
        if wanted and enable is not None:
            enable()
