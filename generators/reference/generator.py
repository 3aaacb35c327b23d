"""The reference generator behind the harness's interface: a checkpoint by name or folder, and a sampler."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pydantic import ValidationError

from ...harness.core.counts import counted
from ...harness.core.errors import UsageError, unknown_name
from ...harness.core.items import ClipSettings, make_item, start_of
from ...harness.core.keys import digest
from ..base import ANY_START, Failure, Frames, Generator, Output
from .model.checkpoint import TEXT_FILES, checkpoint_digest, read_body, require_whole
from .model.parts import CHECKPOINTS, SCALE, WEIGHTS, find_part
from .model.sampler import Given, SamplerSettings, item_noise, sample
from .starts import (
    LATENT_FRAMES,
    LEAST_PSNR,
    START_PSNR,
    encode_start,
    first_picture_psnr,
    read_start,
    refuse_unlike,
)

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from ...harness.core.items import Item
    from ...harness.core.keys import Json
    from .expand import Expander
    from .model.dit import DiT
    from .model.refiner import Refiner
    from .model.text import TextConditioner
    from .model.vae import VAE

__all__ = ["WEIGHTS", "Doubling", "ReferenceGenerator"]

SAMPLER_VERSION: Final = 3  # a change of the sampling code that changes clips is a new version
CASCADE_VERSION: Final = 2  # as above, for clips of doubled height and width

Doubling: TypeAlias = Literal["refine", "interpolate"]

_PARTS: Final = {"vae": ("autoencoder", ()), "text": ("text model", TEXT_FILES)}
"""The other parts of a checkpoint: the part's name in words, and its additional files."""


class ReferenceGenerator(Generator):
    """Clips from text, an image or videos with the latent diffusion transformer that ships with the package.

    Args:
        checkpoint: ``early``, ``base``, ``late``, ``safe``, or the path of a folder that `train` wrote (with
            its autoencoder in ``vae`` and its text model in ``text``, inside or beside it; otherwise the
            shipped ones are taken).
        settings: solver, steps and guidance.
        device: ``auto``, ``cpu`` or ``cuda``.
        dtype: of the arithmetic, for example ``float32`` or ``bfloat16``.
        expand: expands prompts first; see `expand.RULES`.
        cascade: what doubles height and width: ``refine``, the second stage; ``interpolate``, bilinear
            interpolation, what the second stage is compared with; or None. With either the possible sizes
            double, too, and clips can start only from text. What is doubled is the clip that the same prompt
            and seed give without a cascade.

    Raises:
        UsageError: no checkpoint of that name, or no such dtype.
    """

    batch_size = 8
    starts = ANY_START
    least_psnr: float = LEAST_PSNR
    start_psnr: float = START_PSNR
    world = "reference"

    def __init__(
        self,
        checkpoint: str = "base",
        *,
        settings: SamplerSettings | None = None,
        device: str = "auto",
        dtype: str = "float32",
        expand: Expander | None = None,
        cascade: Doubling | None = None,
    ) -> None:
        self.spec = f"reference:{checkpoint}"
        self.settings = settings or SamplerSettings()
        self.device, self.dtype, self.expand, self.cascade = device, dtype, expand, cascade
        if dtype not in ("float32", "bfloat16", "float16"):
            raise unknown_name("dtype", dtype, ["float32", "bfloat16", "float16"])
        if checkpoint in CHECKPOINTS:
            self.folder = WEIGHTS / checkpoint
        elif "/" in checkpoint or Path(checkpoint).is_dir():
            self.folder = Path(checkpoint)
        else:
            raise unknown_name("reference checkpoint", checkpoint, CHECKPOINTS)
        self._loaded: _Loaded | None = None

    def identity(self) -> Mapping[str, Json]:
        """List the weights by digest and the sampler's settings; nothing is loaded."""
        return {
            "name": "reference",
            "model": checkpoint_digest(self.folder),
            **{part: _part_digest(self.folder, part) for part in _PARTS},
            "sampler": {"version": SAMPLER_VERSION, **self.settings.model_dump(mode="json")},
            "dtype": self.dtype,
            "expand": self.expand.name if self.expand else None,
            "cascade": self._cascade_identity(),
        }

    def _cascade_identity(self) -> Json:
        if self.cascade is None:
            return None
        refiner = find_part(self.folder, "refiner")
        weights = checkpoint_digest(refiner) if self.cascade == "refine" else None
        return {"version": CASCADE_VERSION, "how": self.cascade, "model": weights}

    def check(self, items: Sequence[Item]) -> list[str]:
        """Refuse items that cannot be generated; every image and video is read once.

        Raises:
            UsageError: a size, length or frame rate that the checkpoint was not trained on, an empty prompt,
                an image or a video that is missing, unreadable, does not fit or is unlike the reference
                world, or a checkpoint that cannot be read or was trained with another autoencoder or text
                model.
        """
        known = self._known_clips()
        require_whole(self.folder, "dit")
        _refuse_other_parts(self.folder)
        starts: set[object] = set()
        vae: VAE | None = None
        for item in items:
            if item.clip not in known:
                sizes = ", ".join(_size(clip) for clip in known)
                raise UsageError(
                    f"{self.spec} makes clips of {sizes} only, and the suite asks for {_size(item.clip)}; "
                    "set its 'clip' to one of these"
                )
            if not _asks(item):
                raise UsageError(
                    f"{self.spec} needs a prompt, and one of the suite's is blank (item {item.id[:12]}); "
                    "write what its clip should show"
                )
            if self.cascade and (item.image or item.video):
                raise UsageError(
                    f"{self.spec} doubles clips of text alone, and the prompt {item.prompt!r} starts from "
                    f"{item.image or item.video}; leave the cascade out"
                )
            if _start_key(item) not in starts:
                starts.add(_start_key(item))
                pictures = read_start(item)
                if pictures is not None:
                    from .model.vae import load_vae

                    vae = vae or load_vae(find_part(self.folder, "vae"))
                    refuse_unlike(vae, pictures, item, self.least_psnr)
        return []

    def generate(self, items: Sequence[Item]) -> list[Output]:
        """Make one clip for each item, in order.

        An item without a prompt, and a clip whose first picture is not the image that it starts from, to
        `START_PSNR`, is a `Failure`.
        """
        asked = [item for item in items if _asks(item)]
        clips = iter(self._clips(asked) if asked else [])
        return [
            next(clips) if _asks(item) else Failure("the reference generator needs a prompt")
            for item in items
        ]

    def denoising_losses(
        self, frames_THWC: NDArray[np.uint8], fps: float, prompt: str, levels: Sequence[float], seed: int
    ) -> list[float]:
        """Compute the loss of the transformer on a given clip, one for each noise level in (0, 1).

        The mean squared error of the predicted velocity in the space of latents; the noise depends on the
        seed, the level and the size alone.

        Raises:
            UsageError: a size, length or frame rate that the checkpoint was not trained on, a cascade, which
                has no such loss, or a checkpoint that cannot be read.
        """
        import torch

        from .model.denoising import denoising_errors

        frames, height, width = frames_THWC.shape[:3]
        clip = ClipSettings(frames=frames, height=height, width=width, fps=fps)
        if self.cascade:
            raise UsageError(f"{self.spec} with a cascade has no denoising loss; leave the cascade out")
        known = self._known_clips()
        if clip not in known:
            sizes = ", ".join(_size(one) for one in known)
            raise UsageError(f"{self.spec} knows clips of {sizes} only, and this one has {_size(clip)}")
        if self._loaded is None:
            self._loaded = _load(self.folder, self.device, refined=False)
        parts = self._loaded

        def noise(n: int, level: float, shape: Sequence[int]) -> Tensor:
            key = digest("denoising noise", {"seed": seed, "level": level, "clip": n})
            return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(int(key[:15], 16)))

        words = self.expand(prompt) if self.expand else prompt
        dtype = getattr(torch, self.dtype)
        with torch.autocast(parts.device.type, dtype, enabled=dtype != torch.float32):
            errors = denoising_errors(
                (parts.model, parts.vae, parts.text), frames_THWC[None], [words], levels, noise
            )
        return [float(error) for error in errors[0]]

    def prompt_of(self, item: Item) -> str:
        """Return the text that an item is generated from: its prompt, expanded if requested."""
        prompt = item.prompt or ""
        return self.expand(prompt) if self.expand else prompt

    def _clips(self, items: Sequence[Item]) -> list[Output]:
        import torch

        from .model.first_picture import fit_first_pictures

        if self._loaded is None:
            self._loaded = _load(self.folder, self.device, refined=self.cascade == "refine")
        parts = self._loaded
        device, dtype = parts.device, getattr(torch, self.dtype)
        channels = parts.vae.config.latent_channels
        firsts = [_undoubled(item) if self.cascade else item for item in items]
        shapes = [_latent_shape(item.clip, channels) for item in firsts]
        noise = [item_noise(item.id, shape).to(device) for item, shape in zip(firsts, shapes, strict=True)]
        with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            conditioning = parts.text([self.prompt_of(item) for item in items])
            given = _given(parts.vae, items)
            latents = sample(
                parts.model,
                noise,
                conditioning,
                parts.text([""]),
                self.settings,
                given,
                lambda n, step: item_noise(firsts[n].id, shapes[n], step),
            )
            for n, start in enumerate(given):
                if start.picture is not None:
                    latents[n] = fit_first_pictures(parts.vae, latents[n][None], start.picture[None])[0]
            double = _doubling(parts.refiner) if self.cascade else None
            frames = _decode(parts.vae, latents, double)
        return [
            self._output(clip.cpu().numpy(), item, start.picture)
            for clip, item, start in zip(frames, items, given, strict=True)
        ]

    def _output(self, frames_THWC: NDArray[np.uint8], item: Item, picture: Tensor | None) -> Output:
        if picture is not None:
            found = first_picture_psnr(frames_THWC, picture)
            if found < self.start_psnr:
                return Failure(
                    f"the clip does not start from {item.image}: its first picture is the image at "
                    f"{found:.1f} dB, and {self.start_psnr:g} are needed; try another prompt or seed"
                )
        return Frames(frames_THWC, item.clip.fps)

    def _known_clips(self) -> list[ClipSettings]:
        clips = read_body(self.folder, "dit").get("clips")
        try:
            known = [ClipSettings.model_validate(clip) for clip in clips or ()]
        except (ValidationError, TypeError):
            known = []
        if not known:
            raise UsageError(
                f"{self.folder / 'config.json'} does not say on which clips it was trained; get it again"
            )
        return [_scaled(clip, SCALE) for clip in known] if self.cascade else known


@dataclass(frozen=True)
class _Loaded:
    """The parts of a checkpoint, in memory."""

    model: DiT
    vae: VAE
    text: TextConditioner
    refiner: Refiner | None
    device: torch.device


def _load(folder: Path, device_name: str, *, refined: bool) -> _Loaded:
    from .model.dit import load_dit
    from .model.refiner import load_refiner
    from .model.text import TextConditioner
    from .model.vae import load_vae
    from .training.loop import torch_device

    device = torch_device(device_name)
    _refuse_other_parts(folder)
    model, vae = load_dit(folder), load_vae(find_part(folder, "vae"))
    text = TextConditioner.load(find_part(folder, "text"), str(device))
    refiner = load_refiner(find_part(folder, "refiner")).to(device) if refined else None
    return _Loaded(model.to(device), vae.to(device), text, refiner, device)


def _part_digest(folder: Path, part: str) -> str:
    return checkpoint_digest(find_part(folder, part), *_PARTS[part][1])


def _refuse_other_parts(folder: Path) -> None:
    """Refuse an autoencoder or a text model that the transformer was not trained with."""
    body = read_body(folder, "dit")
    for part, (words, _) in _PARTS.items():
        if body.get(f"{part}_digest") != _part_digest(folder, part):
            raise UsageError(
                f"the checkpoint {folder} was trained with another {words} than the one in "
                f"{find_part(folder, part)}; put its own {words} in {folder / part}"
            )


def _asks(item: Item) -> bool:
    return bool(item.prompt and item.prompt.strip())


def _start_key(item: Item) -> tuple[object, ...]:
    """Identify the start of an item; the seeds of a prompt share it."""
    return item.image, item.video, item.use, item.video_to, item.strength, item.clip


def _given(vae: VAE, items: Sequence[Item]) -> list[Given]:
    coded: dict[object, Given] = {}
    for item in items:
        if _start_key(item) not in coded:
            coded[_start_key(item)] = encode_start(vae, read_start(item), item.clip.frames)
    return [coded[_start_key(item)] for item in items]


def _undoubled(item: Item) -> Item:
    """Make the item of half the height and width that a cascade starts from: its id gives the noise."""
    return make_item(item.prompt, item.seed, _scaled(item.clip, 1 / SCALE), **start_of(item))


def _doubling(refiner: Refiner | None) -> Callable[[Tensor], Tensor]:
    """Take what doubles clips (B, 3, T, H, W): a refiner, or without one interpolation."""
    from .model.refiner import interpolate, refine

    return interpolate if refiner is None else partial(refine, refiner)


def _decode(vae: VAE, latents: Sequence[Tensor], double: Callable[[Tensor], Tensor] | None) -> list[Tensor]:
    """Turn latents into uint8 clips (T, H, W, 3), those of one size together."""
    import torch

    from .model.vae import to_pixels, to_unit

    sizes: dict[tuple[int, ...], list[int]] = {}
    for number, x in enumerate(latents):
        sizes.setdefault(tuple(x.shape), []).append(number)
    clips: dict[int, Tensor] = {}
    for numbers in sizes.values():
        batch = torch.stack([latents[number] for number in numbers])
        pixels = to_pixels(vae.decode(vae.denormalise(batch)))
        if double is not None:
            pixels = to_pixels(double(to_unit(pixels)))  # from the very clip that there is without a cascade
        clips |= dict(zip(numbers, pixels, strict=True))
    return [clips[number] for number in range(len(latents))]


def _latent_shape(clip: ClipSettings, channels: int) -> tuple[int, int, int, int]:
    return channels, clip.frames // LATENT_FRAMES, clip.height // 8, clip.width // 8


def _scaled(clip: ClipSettings, scale: float) -> ClipSettings:
    return clip.model_copy(update={"height": round(scale * clip.height), "width": round(scale * clip.width)})


def _size(clip: ClipSettings) -> str:
    return f"{counted(clip.frames, 'frame')} of {clip.width}x{clip.height} at {clip.fps:g} fps"
