"""The options of ``diffusers:``: ours, and those of the pipeline's own call, held to its signature."""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Mapping
from typing import Any, Final, Literal, cast

from pydantic import Field

from ...harness.core.config import Config
from ...harness.core.errors import UsageError
from ...harness.core.keys import Json
from ...harness.core.specs import Spec
from .library import PipelineCall

__all__ = ["PipelineOptions", "call_options", "split_options"]


class PipelineOptions(Config):
    """How a pipeline is loaded and run; every other option is one of its own call."""

    base: str = Field(
        default="", description="pipeline that a folder of checkpoints or LoRA weights belongs to"
    )
    lora: str = Field(default="", description="path of LoRA weights, a safetensors file")
    lora_scale: float = Field(default=1.0, description="weight of the LoRA")
    scheduler: str = Field(default="", description="class of another scheduler, with the same configuration")
    variant: str = Field(default="", description="of the weight files, such as fp16")
    pickle: bool = Field(
        default=False, description="read weights that are not safetensors, which can run code"
    )
    batch: int = Field(default=1, ge=1, le=256, description="clips at once")
    offload: Literal["none", "model", "sequential"] = Field(
        default="none", description="keep on the GPU what runs only: needs accelerate"
    )
    tiling: bool = Field(default=False, description="decode in tiles, which needs less memory")
    slicing: bool = Field(default=False, description="decode a batch one by one")


_SHORT: Final = {"steps": "num_inference_steps", "guidance": "guidance_scale", "negative": "negative_prompt"}
_OURS: Final = frozenset(
    {
        *("prompt", "image", "video", "height", "width", "num_frames", "video_length", "fps", "frame_rate"),
        *(
            "generator",
            "latents",
            "output_type",
            "return_dict",
            "num_videos_per_prompt",
            "num_images_per_prompt",
        ),
        *("callback", "callback_steps", "callback_on_step_end", "callback_on_step_end_tensor_inputs"),
    }
)
"""Parameters that the suite and this generator set."""


def split_options(spec: Spec) -> tuple[PipelineOptions, dict[str, str]]:
    """Split the options of a spec into ours and those of the pipeline's call.

    Raises:
        UsageError: a value of ours is wrong.
    """
    ours = {name: value for name, value in spec.options.items() if name in PipelineOptions.model_fields}
    rest = {name: value for name, value in spec.options.items() if name not in ours}
    return Spec(spec.argument, ours, spec.whose).settings(PipelineOptions), rest


def call_options(given: Mapping[str, str], call: PipelineCall, whose: str) -> dict[str, Json]:
    """Read options of a pipeline's call: each by its full name or a short one, of the type of its default.

    Raises:
        UsageError: the call has no such parameter (the nearest names are given), or it is the suite's to set.
    """
    found: dict[str, Json] = {}
    for written, value in given.items():
        name = _SHORT.get(written, written)
        if name in _OURS or name.endswith(("_embeds", "_embeds_mask", "_attention_mask")):
            raise UsageError(f"{whose}: {written} is set by the suite and its items, not by an option")
        if name not in call.defaults:
            raise UsageError(f"{whose}: {call.name} takes no {name!r}{_nearest(written, call)}")
        if name in found:
            raise UsageError(f"{whose}: {name} is given twice, once as {written}")
        found[name] = _read(value, call.defaults[name], f"{whose}: {written}")
    return found


def _nearest(name: str, call: PipelineCall) -> str:
    shown = {short: short for short, full in _SHORT.items() if full in call.defaults}
    shown |= {full: full for full in call.defaults if full not in _OURS}
    shown |= {one: one for one in PipelineOptions.model_fields}
    near = difflib.get_close_matches(name, shown, n=2, cutoff=0.55)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def _read(value: str, default: object, whose: str) -> Json:
    if isinstance(default, str):
        return value
    try:
        read = cast("Json", json.loads({"yes": "true", "no": "false"}.get(value, value)))
    except ValueError:
        if default is None or default is inspect.Parameter.empty:
            return value
        read = value
    wanted: Any = type(default)
    if isinstance(default, bool) != isinstance(read, bool) and isinstance(default, bool | int | float):
        raise UsageError(
            f"{whose} should be {'yes or no' if wanted is bool else 'a number'} and is {value!r}"
        )
    if (
        isinstance(default, int | float)
        and not isinstance(default, bool)
        and not isinstance(read, int | float)
    ):
        raise UsageError(f"{whose} should be a number and is {value!r}")
    return read
