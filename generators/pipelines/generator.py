"""Pipelines of diffusers as a generator: ``diffusers:ID-or-folder?steps=30,guidance=5``.

The noise of a clip comes from ``torch.Generator("cpu").manual_seed(item_seed(item))``, on every device. The
length and size of a clip are rounded to what the pipeline can make. ``docs/diffusers.md`` has the options.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...harness.core.errors import MissingWeightsError, ScreentestError, UsageError, describe
from ...harness.core.keys import digest
from ...harness.core.progress import note
from ...harness.core.specs import parse_argument
from ..base import Failure, Frames, Generator, Output, Refusal
from .frames import clips_of, unsafe_of
from .library import PipelineCall, library, library_version, pipeline_call, quiet
from .loading import load_pipeline, start_image
from .options import PipelineOptions, call_options, split_options
from .sizes import Grid, divisor_in, grid_of, rounded
from .weights import PipelineFiles, find_pipeline, sha256_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...harness.core.items import ClipSettings, Item
    from ...harness.core.keys import Json

__all__ = ["DiffusersGenerator", "item_seed", "make_diffusers"]

VERSION: Final = 1
"""Raise it when the same pipeline, options and item give another clip."""
_UNSAFE: Final = ("guardrail", "safety checker", "nsfw", "unsafe")
"""Words of the errors by which pipelines refuse a prompt or a clip."""


def item_seed(item: Item) -> int:
    """Derive the seed of an item's noise from its id: prompts do not share noise."""
    return int(digest("diffusers-noise", {"item": item.id})[:15], 16)


class DiffusersGenerator(Generator):
    """Make clips with a pipeline of diffusers.

    Args:
        source: a folder, or a hub id with an optional ``@revision``.
        options: how it is loaded and run.
        call: options of the pipeline's own call, as written.
        device: ``auto``, ``cpu`` or ``cuda``.
        dtype: of the weights and activations.
        spec: the user's spec.

    Raises:
        UsageError: the batch is wrong, or diffusers cannot offload on this device.
    """

    def __init__(
        self,
        source: str,
        options: PipelineOptions | None = None,
        call: Mapping[str, str] | None = None,
        *,
        device: str = "auto",
        dtype: str = "float32",
        spec: str = "",
    ) -> None:
        self.spec = spec or f"diffusers:{source}"
        self.source, self.options, self.device, self.dtype = (
            source,
            options or PipelineOptions(),
            device,
            dtype,
        )
        self.batch_size = self.options.batch
        self._written = dict(call or {})
        self._said: set[object] = set()

    # -- what is known without loading weights

    @cached_property
    def files(self) -> PipelineFiles:
        """The pipeline's files on this machine."""
        whose = f"--generator {self.spec}"
        return find_pipeline(self.source, self.options.base, whose, pickle=self.options.pickle)

    @cached_property
    def call(self) -> PipelineCall:
        """What the pipeline's call takes."""
        return pipeline_call(self.files.class_name, f"--generator {self.spec}")

    @cached_property
    def own_options(self) -> Mapping[str, Json]:
        """Options of the pipeline's own call."""
        return call_options(self._written, self.call, f"--generator {self.spec}")

    @property
    def lora(self) -> Path | None:
        """The LoRA weights: those that are named, else those of the checkpoint's folder."""
        return Path(self.options.lora).expanduser() if self.options.lora else self.files.lora

    def identity(self) -> Mapping[str, Json]:
        """List the pipeline's files by digest, its options and the version of diffusers."""
        own = dict(self.own_options)
        lora = self.lora
        if lora is not None and not lora.is_file():
            raise MissingWeightsError(f"--generator {self.spec}: there is no file of LoRA weights {lora}")
        if lora is not None and lora.suffix != ".safetensors" and not self.options.pickle:
            raise UsageError(
                f"--generator {self.spec}: {lora} is not a safetensors file; pickle=yes allows it"
            )
        return {
            "kind": "diffusers",
            "version": VERSION,
            "pipeline": self.files.class_name,
            "files": self.files.digest,
            "call": own,
            "lora": None if lora is None else [sha256_of([lora])[lora], self.options.lora_scale],
            "scheduler": self.options.scheduler or None,
            "variant": self.options.variant or None,
            "tiling": self.options.tiling,
            "dtype": self.dtype,
            "diffusers": library_version(),
        }

    def why_not(self, item: Item) -> str:
        """Say why an item cannot be given to the pipeline: it starts from what the call does not take."""
        name = self.call.name
        if item.video is not None:
            return f"{name} cannot start a clip from a video"
        if item.image is not None and not self.call.takes_image:
            return f"{name} cannot start a clip from an image"
        if item.image is None and self.call.needs_image:
            return f"{name} needs an image to start from"
        return ""

    def check(self, items: Sequence[Item]) -> list[str]:
        """Refuse an image that is missing; warn of a pipeline that reads no prompt.

        Raises:
            UsageError: an image cannot be read.
        """
        for path in dict.fromkeys(item.image for item in items if item.image is not None):
            start_image(path, 16, 16)
        if not self.call.takes_prompt:
            return [f"{self.call.name} reads no prompt: its clips depend on the images alone"]
        return []

    # -- generation

    @cached_property
    def _pipeline(self) -> Any:
        return load_pipeline(self.files, self.options, self.lora, device=self.device, dtype=self.dtype)

    @cached_property
    def _grid(self) -> Grid:
        return grid_of(self._pipeline)

    def denoising_losses(
        self, frames_THWC: NDArray[np.uint8], fps: float, prompt: str, levels: Sequence[float], seed: int
    ) -> list[float]:
        """Compute the loss of the pipeline's model on a given clip, one for each noise level in (0, 1).

        Frames beyond the last that the pipeline can make are left out, which is said once.

        Raises:
            UsageError: the loss of such a pipeline cannot be had, it cannot make clips of this size, or its
                call fails.
        """
        import torch

        from .denoising import denoising_losses

        self._refuse_without_loss()
        frames, height, width = frames_THWC.shape[:3]
        grid = self._grid
        fitting = grid.only or 1 + grid.step * ((frames - 1) // grid.step)
        if height % grid.side or width % grid.side or fitting > frames:
            raise UsageError(
                f"{self.call.name} makes clips whose sides are multiples of {grid.side}"
                f"{f', of {grid.only} frames' if grid.only else ''}, and this one has {frames} frames of "
                f"{width}x{height}"
            )
        if fitting < frames:
            self._say(("loss", frames), f"{self.call.name} reads the first {fitting} of {frames} frames")
        arguments: dict[str, Any] = {
            **self.own_options,
            self.call.length: fitting,
            "height": height,
            "width": width,
            "prompt": prompt,
            "num_inference_steps": 2,  # one is made; the schedule of Mochi divides by half of the number
            "guidance_scale": 1.0,
            "true_cfg_scale": 1.0,
            "output_type": "latent",
        }
        arguments |= self._rate(fps)
        arguments = {name: value for name, value in arguments.items() if name in self.call.defaults}
        with torch.inference_mode(), quiet():
            return denoising_losses(
                self._pipeline, self.call.name, frames_THWC[:fitting], arguments, levels, seed
            )

    def _rate(self, fps: float) -> dict[str, float]:
        """Give the argument of the frame rate, whole where its default is; none where the call has none."""
        name = self.call.rate
        if name is None:
            return {}
        return {name: round(fps) if isinstance(self.call.defaults[name], int) else fps}

    def _refuse_without_loss(self) -> None:
        from .denoising import KNOWN

        if self.call.name not in KNOWN:
            raise UsageError(
                f"the denoising loss of {self.call.name} cannot be had here; it can of {', '.join(KNOWN)}"
            )

    def generate(self, items: Sequence[Item]) -> list[Output]:
        """Make one clip for each item; items of one size and without an image share a batch."""
        groups: dict[object, list[Item]] = {}
        for item in items:
            groups.setdefault(item.clip if item.image is None else item.id, []).append(item)
        outputs: dict[str, Output] = {}
        for group in groups.values():
            outputs |= zip((item.id for item in group), self._group(group), strict=True)
        return [outputs[item.id] for item in items]

    def _group(self, items: Sequence[Item]) -> list[Output]:
        try:
            return self._clips(items)
        except ScreentestError:
            raise
        except Exception as error:
            return self._after(error, items)

    def _after(self, error: Exception, items: Sequence[Item]) -> list[Output]:
        """Give the outputs after an error: refusals, failures, or those of another try."""
        message = str(error)
        divisor = divisor_in(message) if isinstance(error, ValueError) else None
        if divisor is not None and self._grid.side % divisor:
            self._grid = self._grid.with_side(divisor)
            return self._group(items)
        if any(word in message.lower() for word in _UNSAFE):
            if len(items) > 1:
                return [output for item in items for output in self._group([item])]
            return [Refusal(f"the pipeline's safety checker: {' '.join(message.split())[:200]}")]
        if _is_out_of_memory(error):
            _free_memory()
            if len(items) > 1:
                self._say("memory", f"a batch of {len(items)} does not fit into memory; trying one by one")
                return [output for item in items for output in self._group([item])]
            clip = items[0].clip
            return [
                Failure(
                    f"out of memory for {clip.frames} frames of {clip.width}x{clip.height}; ask for a "
                    "smaller clip, or try tiling=yes, offload=model or --dtype bfloat16",
                    traceback.format_exc(),
                )
            ]
        if len(items) > 1:
            return [output for item in items for output in self._group([item])]
        return [Failure(f"the pipeline failed: {describe(error)}", traceback.format_exc())]

    def _clips(self, items: Sequence[Item]) -> list[Output]:
        import torch

        pipeline = self._pipeline
        with torch.inference_mode(), quiet():
            output = pipeline(**self._arguments(items))
        flagged = unsafe_of(output, len(items))
        clips = clips_of(output, len(items))
        self._compare(items[0].clip, clips[0].shape)
        return [
            Refusal("the pipeline's safety checker flagged the clip")
            if unsafe
            else Frames(clip, item.clip.fps)
            for item, clip, unsafe in zip(items, clips, flagged, strict=True)
        ]

    def _arguments(self, items: Sequence[Item]) -> dict[str, Any]:
        """Collect the arguments of one call."""
        import torch

        clip, call = items[0].clip, self.call
        frames, height, width = rounded(clip, self._grid)
        own = dict(self.own_options)
        if isinstance(own.get("negative_prompt"), str):
            own["negative_prompt"] = [own["negative_prompt"]] * len(items)
        arguments: dict[str, Any] = {
            **own,
            call.length: frames,
            "height": height,
            "width": width,
            "generator": [torch.Generator("cpu").manual_seed(item_seed(item)) for item in items],
        }
        if call.takes_prompt:
            arguments["prompt"] = [item.prompt or "" for item in items]
        if items[0].image is not None:
            arguments["image"] = start_image(items[0].image, height, width)
        arguments |= self._rate(clip.fps)
        if "output_type" in call.defaults:
            arguments["output_type"] = "np"
        return {name: value for name, value in arguments.items() if name in call.defaults}

    def _compare(self, clip: ClipSettings, shape: tuple[int, ...]) -> None:
        """Say once for each kind of clip how what came differs from what was asked for."""
        asked = (clip.frames, clip.height, clip.width)
        if shape[:3] != asked:
            self._say(
                clip,
                f"{self.call.name} makes {shape[0]} frames of {shape[2]}x{shape[1]}, the nearest to the "
                f"{clip.frames} frames of {clip.width}x{clip.height} that the suite asks for",
            )

    def _say(self, what: object, text: str) -> None:
        if what not in self._said:
            self._said.add(what)
            note(f"warning: {text}")


def _is_out_of_memory(error: Exception) -> bool:
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error) for words in ("out of memory", "not enough memory")
    )


def _free_memory() -> None:
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def make_diffusers(argument: str, device: str, dtype: str) -> DiffusersGenerator:
    """Make the generator from what follows ``diffusers:``.

    Raises:
        UsageError: an option is wrong, or there is no such folder or hub id.
        MissingWeightsError: diffusers or the weights are not here.
    """
    spec = parse_argument(argument, f"--generator diffusers:{argument}", path=True)
    library()
    options, call = split_options(spec)
    return DiffusersGenerator(
        spec.argument, options, call, device=device, dtype=dtype, spec=f"diffusers:{argument}"
    )
